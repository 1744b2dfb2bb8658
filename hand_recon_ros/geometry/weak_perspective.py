"""Depth and scale of a hand from one image in closed form: minimal-hand eq. 5, HandTailor eq. 12 and 14-17.

minimal-hand: Zhou et al., Monocular Real-time Hand Shape and Motion Capture, CVPR 2020. HandTailor: Lv et al., BMVC
2021. Leading batch axes throughout; NumPy, PyTorch and JAX arrays alike. Points are (..., N, 3), pixels (..., N, 2).
"""
from __future__ import annotations

from array_api_compat import array_namespace


def _weighted_sum(xp, values, weights):
    """Sum over points and coordinates (..., N, 2) to (...)."""
    return xp.sum(values if weights is None else values * weights[..., None], axis=(-2, -1))


def root_depth(root_xy, wrist_xy, wrist_depth, bone_length_m):
    """Root depth z_r (...) in metres: minimal-hand eq. 5, l = |K^-1 z_r [u_r v_r 1] - K^-1 (z_r + l d_w) [u_w v_w 1]|.

    root_xy, wrist_xy: (..., 2) pixels already through K^-1 (Camera.normalise). wrist_depth: (...) d_w, the wrist's
    depth relative to the root in reference bones. bone_length_m: (...) l. The larger root of the quadratic; NaN when
    none is positive: the two-dimensional bone is then too long, or no longer than a point, for its depth.
    """
    xp = array_namespace(root_xy)
    one = xp.ones_like(root_xy[..., :1])
    a, b = xp.concat([root_xy, one], axis=-1), xp.concat([wrist_xy, one], axis=-1)
    difference, step = a - b, bone_length_m * wrist_depth
    # |z (a - b) - l d b|^2 = l^2 as A z^2 - 2 B z + C = 0
    square = xp.sum(difference * difference, axis=-1)
    linear = step * xp.sum(difference * b, axis=-1)
    constant = step * step * xp.sum(b * b, axis=-1) - bone_length_m * bone_length_m
    discriminant = linear * linear - square * constant
    solvable = (square > 0) & (discriminant >= 0)
    one = xp.ones_like(square)
    depth = (linear + xp.sqrt(xp.where(solvable, discriminant, one))) / xp.where(solvable, square, one)
    return xp.where(solvable & (depth > 0), depth, xp.full_like(depth, float('nan')))


def scale_compensation(points, px, root_px, root_depth_m, focal_px, weights=None):
    """HandTailor eq. 12: the factor s* (...) by which a root-relative hand grows to meet its pixels under perspective.

    s* = z_root sum (fu x, fv y).(u - u_root, v - v_root) / sum |(fu x, fv y)|^2. points: root-relative, metres.
    root_px: (..., 2). root_depth_m: (...). focal_px: (..., 2) fu, fv. weights: (..., N) or None for ones.
    """
    xp = array_namespace(points)
    flat = points[..., :2] * focal_px[..., None, :]
    offset = px - root_px[..., None, :]
    return root_depth_m * _weighted_sum(xp, flat * offset, weights) / _weighted_sum(xp, flat * flat, weights)


def lift(px, depths, scale):
    """HandTailor eq. 14: root-relative pixels (..., N, 2) and depths (..., N) to points (..., N, 3): (u/s, v/s, d)."""
    xp = array_namespace(px)
    return xp.concat([px / scale[..., None, None], depths[..., None]], axis=-1)


def scale_from_bone(bone_px, bone_depth):
    """HandTailor eq. 15: pixels per reference bone (...), s = sqrt((du'^2 + dv'^2) / (1 - dd'^2)).

    bone_px: (..., 2), the reference bone in the image. bone_depth: (...), its depth in its own lengths. NaN when
    |depth| reaches 1: the bone then points along the ray and shows no length.
    """
    xp = array_namespace(bone_px)
    rest = 1 - bone_depth * bone_depth
    visible = rest > 0
    squared = xp.sum(bone_px * bone_px, axis=-1) / xp.where(visible, rest, xp.ones_like(rest))
    return xp.where(visible, xp.sqrt(squared), xp.full_like(squared, float('nan')))


def project(points, weak_camera):
    """HandTailor eq. 16: points (..., N, 3) by cameras (..., 3) = s, tx, ty to pixels: u = s x + tx, v = s y + ty."""
    return points[..., :2] * weak_camera[..., None, :1] + weak_camera[..., None, 1:]


def scale_about(points, px, centre_px, weights=None):
    """HandTailor eq. 17: pixels per metre (...), s = sum (x, y).(u - t_u, v - t_v) / sum |(x, y)|^2."""
    xp = array_namespace(points)
    flat = points[..., :2]
    return _weighted_sum(xp, flat * (px - centre_px[..., None, :]), weights) / _weighted_sum(xp, flat * flat, weights)


def fit(points, px, weights=None):
    """Least-squares camera (..., 3) = s, tx, ty: eq. 17 about the centroids, the translation solved for too."""
    xp = array_namespace(points)
    flat = points[..., :2]
    if weights is None:
        weights = xp.ones_like(flat[..., 0])
    share = (weights / xp.sum(weights, axis=-1, keepdims=True))[..., None]
    centre = xp.sum(flat * share, axis=-2)
    centre_px = xp.sum(px * share, axis=-2)
    flat = flat - centre[..., None, :]
    scale = _weighted_sum(xp, flat * (px - centre_px[..., None, :]), weights) / _weighted_sum(xp, flat * flat, weights)
    return xp.concat([scale[..., None], centre_px - scale[..., None] * centre], axis=-1)
