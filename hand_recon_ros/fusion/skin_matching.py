"""The skin of one hand matched between two images: the model says where to look, the images say how far it is."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from hand_recon_ros.fusion.model_raster import Raster, rasterise
from hand_recon_ros.fusion.patch_search import Patches, search
from hand_recon_ros.fusion.rectified_crops import MOST_CROP_PX, Crop, RectifiedRig
from hand_recon_ros.types import Frame

# Depth is searched no nearer to the cameras than this.
NEAREST_M = 0.1
# Spread of the skin's depths around what most agree on, of the distance: 5 mm at half a metre.
AGREEMENT = 0.01


@dataclass(frozen=True)
class SkinGates:
    """What is tried, and what a matched point must pass.

    points: looked at, at most. least_points: fewer that pass, and the hand goes without, as
    it does when less than a share `agreeing` of them agrees on one depth. radius_px, sigma_px: of the
    Gaussian window. correlation: least ZNCC. contrast: least standard deviation of a patch, grey levels; what is below
    is the camera's noise, not skin. left_right_px: most that the way back may miss by. facing: least cosine between
    normal and line of sight. margin_px: distance from the model's outline. step_px: how far the model's disparity in a
    window may be from its middle's, so that no window reaches over a finger's edge.
    """
    points: int = 200
    least_points: int = 40
    agreeing: float = 0.4
    radius_px: int = 6
    sigma_px: float = 3.0
    correlation: float = 0.75
    contrast: float = 1.0
    left_right_px: float = 0.7
    facing: float = 0.5
    margin_px: int = 3
    step_px: float = 3.0


class SkinMatches(NamedTuple):
    """Points of the model's surface that passed the gates, and where the images put them; left optical frame.

    triangles: (N,) faces, barycentric: (N, 3). points_m, measured_m: (N, 3), on one line of sight each. normals: (N, 3)
    unit, out of the hand. metre_per_px: (N,) how far along the normal one pixel of disparity moves the measured plane.
    pixels: (N, 2) rectified left plane. moved_px: (N,) measured minus model's disparity. looked_at: points tried.
    """
    triangles: np.ndarray
    barycentric: np.ndarray
    points_m: np.ndarray
    measured_m: np.ndarray
    normals: np.ndarray
    metre_per_px: np.ndarray
    pixels: np.ndarray
    moved_px: np.ndarray
    looked_at: int

    def consensus(self) -> tuple[float, int]:
        """By what factor the hand as a whole is farther away than the model, and how many points say so.

        The densest place of the points' own factors measured / model depth, by a Gaussian of AGREEMENT: not the mean,
        for an occluder that takes part of the hand's place is as sure of its depth as the skin is.
        """
        factors = np.linalg.norm(self.measured_m, axis=1) / np.linalg.norm(self.points_m, axis=1)
        if not len(factors):
            return 1.0, 0
        support = np.exp(-0.5 * ((factors[:, None] - factors) / AGREEMENT) ** 2)
        densest = support[support.sum(1).argmax()]
        scale = float(densest @ factors / densest.sum())
        return scale, int((np.abs(factors - scale) < 3 * AGREEMENT).sum())


def match_skin(rig: RectifiedRig, frames: tuple[Frame, Frame], vertices_m: np.ndarray, faces: np.ndarray,
               range_m: float, gates: SkinGates = SkinGates()) -> SkinMatches:
    """Matches of a mesh (V, 3), left optical frame, with faces (F, 3) wound for its hand, within `range_m` of depth.

    For a point of the model seen at pixel p of the left image with disparity d, the window around p is compared with
    the right image at p + o - d(p + o) - s, the model's own slope included, for every shift s that `range_m` allows.
    No match at all is an answer; ValueError when the frames carry no images.
    """
    pixels, disparity = rig.points_px(vertices_m)
    depth = rig.focal_px[0] * rig.baseline_m / disparity
    if not depth.min() > NEAREST_M:
        return _no_matches(0)
    nearest = max(depth.min() - range_m, NEAREST_M)
    range_px = int(np.ceil(rig.focal_px[0] * rig.baseline_m * (1 / nearest - 1 / depth.min()))) + 1
    # A hand too near, or a fit far from any hand: the instant goes on without its skin.
    if max(np.ptp(pixels, axis=0).max(), np.ptp(pixels[:, 0] - disparity)) + 2 * (
            range_px + gates.radius_px + 3) > MOST_CROP_PX:
        return _no_matches(0)
    left, right = _crops(rig, frames, pixels, disparity, range_px, gates.radius_px)
    drawn = rasterise(pixels - left.origin_px, disparity, faces, left.image.shape)
    normals, facing = _normals(vertices_m, faces)
    chosen = _chosen(drawn, left.valid, facing, gates)
    if len(chosen) < gates.least_points:
        return _no_matches(len(chosen))
    patches = _patches(chosen, drawn, left, right, gates)
    found = search(left.image, right.image, patches, range_px)
    row, column = chosen.T
    model_px = drawn.nearness[row, column]
    passed = (found.inside & (found.correlation > gates.correlation) & (found.contrast > gates.contrast)
              & (found.back_px < gates.left_right_px)
              & _within(right, row, column, left, model_px + found.shift_px, gates))
    at = chosen[passed][:, ::-1] + left.origin_px
    return _placed(rig, at, model_px[passed], found.shift_px[passed], drawn.triangles[row, column][passed], vertices_m,
                   faces, normals, len(chosen))


def _crops(rig: RectifiedRig, frames, pixels, disparity, range_px: int, radius_px: int) -> tuple[Crop, Crop]:
    """Both crops, of the same rows; the right one with room for the search."""
    border = radius_px + 1
    low, high = pixels.min(0) - border, pixels.max(0) + border
    left = rig.crop(0, frames[0], low, high)
    right_x = pixels[:, 0] - disparity
    room = border + range_px
    return left, rig.crop(1, frames[1], (right_x.min() - room, low[1]), (right_x.max() + room, high[1]))


def _normals(vertices_m, faces) -> tuple[np.ndarray, np.ndarray]:
    """Unit normals (F, 3) out of the mesh, and their cosine (F,) with the way to the left camera."""
    a, b, c = (vertices_m.T[:, corner] for corner in faces.T)
    (x, y, z), (u, v, w) = b - a, c - a
    normal = np.stack([y * w - z * v, z * u - x * w, x * v - y * u])
    normal /= np.maximum(np.sqrt((normal * normal).sum(0)), 1e-12)
    return normal.T, -(normal * a).sum(0) / np.sqrt((a * a).sum(0))


def _chosen(drawn: Raster, seen, facing, gates: SkinGates) -> np.ndarray:
    """(N, 2) rows and columns, spread evenly over what lies well inside the model and faces the camera."""
    around = np.ones((2 * gates.margin_px + 1,) * 2, np.uint8)
    inner = cv2.erode(drawn.covered & seen, around, borderValue=0).astype(bool)
    inner[inner] = facing[drawn.triangles[inner]] > gates.facing
    stride = max(1, int(np.sqrt(inner.sum() / gates.points)))
    first = stride // 2
    chosen = np.argwhere(inner[first::stride, first::stride]) * stride + first
    if len(chosen) > gates.points:
        chosen = chosen[np.linspace(0, len(chosen) - 1, gates.points).astype(int)]
    return chosen


def _patches(chosen, drawn: Raster, left: Crop, right: Crop, gates: SkinGates) -> Patches:
    """Windows of chosen pixels (N, 2), of what belongs to the same stretch of skin."""
    around = np.arange(-gates.radius_px, gates.radius_px + 1)
    dy, dx = (a.ravel() for a in np.meshgrid(around, around, indexing='ij'))
    disc = dx ** 2 + dy ** 2 <= (gates.radius_px + 0.5) ** 2
    dy, dx = dy[disc], dx[disc]
    height, width = left.image.shape
    rows, columns = np.clip(chosen[:, :1] + dy, 0, height - 1), np.clip(chosen[:, 1:] + dx, 0, width - 1)
    model_px = drawn.nearness[rows, columns]
    middle = drawn.nearness[chosen[:, 0], chosen[:, 1]]
    # nearness is 0 off the model, far from any disparity of the hand
    same = (np.abs(model_px - middle[:, None]) < gates.step_px) & (left.valid[rows, columns] > 0)
    weights = np.exp(-(dx ** 2 + dy ** 2) / (2 * gates.sigma_px ** 2)).astype(np.float32) * same
    weights /= weights.sum(1, keepdims=True)
    guess = columns + np.float32(left.origin_px[0] - right.origin_px[0]) - np.where(same, model_px, middle[:, None])
    return Patches(rows, columns, guess, weights)


def _within(right: Crop, row, column, left: Crop, disparity, gates: SkinGates) -> np.ndarray:
    """Whether the patches found lie on the right image (N,), not on what was made up beyond its border."""
    whole = cv2.erode(right.valid, np.ones((1, 2 * gates.radius_px + 1), np.uint8), borderValue=0)
    at = np.rint(column + left.origin_px[0] - right.origin_px[0] - disparity).astype(int)
    return (at >= 0) & (at < whole.shape[1]) & (whole[row, np.clip(at, 0, whole.shape[1] - 1)] > 0)


def _placed(rig: RectifiedRig, pixels, model_px, moved_px, triangles, vertices_m, faces, normals,
            looked_at: int) -> SkinMatches:
    """Matches of pixels (N, 2) with the model's disparity and how far from it they were found."""
    rays = rig.rays(pixels)
    scale = rig.focal_px[0] * rig.baseline_m
    points, measured = rays * (scale / model_px)[:, None], rays * (scale / (model_px + moved_px))[:, None]
    normal = normals[triangles]
    per_px = np.abs((normal * rays).sum(1)) * scale / (model_px + moved_px) ** 2
    corners = vertices_m[faces[triangles]].astype(np.float64)
    return SkinMatches(triangles, _barycentric(points, corners), points, measured, normal, per_px, pixels, moved_px,
                       looked_at)


def _barycentric(points, corners) -> np.ndarray:
    """(N, 3) of points (N, 3) on triangles (N, 3, 3)."""
    a, b, p = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    aa, ab, bb, pa, pb = ((u * v).sum(1) for u, v in ((a, a), (a, b), (b, b), (p, a), (p, b)))
    area = np.maximum(aa * bb - ab * ab, 1e-18)
    second, third = (bb * pa - ab * pb) / area, (aa * pb - ab * pa) / area
    return np.clip(np.stack([1 - second - third, second, third], 1), 0, 1)


def _no_matches(looked_at: int) -> SkinMatches:
    none = np.zeros((0, 3))
    return SkinMatches(np.zeros(0, int), none, none, none, none, np.zeros(0), np.zeros((0, 2)), np.zeros(0), looked_at)
