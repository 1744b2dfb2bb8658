"""Procrustes: the rigid motion or similarity that takes one point set onto another (Umeyama 1991). NumPy, batched."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Similarity:
    """target = scale R source + translation. scale: (...). rotation: (..., 3, 3). translation: (..., 3)."""
    scale: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray

    def apply(self, points) -> np.ndarray:
        """Points (..., N, 3) moved."""
        turned = np.asarray(points) @ np.swapaxes(self.rotation, -1, -2)
        return self.scale[..., None, None] * turned + self.translation[..., None, :]


def procrustes(source, target, weights=None, with_scale: bool = True, with_reflection: bool = False) -> Similarity:
    """Least-squares similarity (rigid without scale) of source (..., N, 3) onto target (..., N, 3).

    weights: (..., N), not negative, or None. with_reflection: allow a mirror image when it fits better.
    ValueError for shapes that do not match, values that are not finite, or a set without extent.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    for name, points in (('source', source), ('target', target)):
        if points.ndim < 2 or points.shape[-1] != 3 or points.shape[-2] != source.shape[-2]:
            raise ValueError(f'{name}: shape {points.shape}, expected ... x N x 3, N alike in source and target')
        if not np.isfinite(points).all():
            raise ValueError(f'{name}: {int((~np.isfinite(points)).sum())} values are not finite, expected finite')
    weights = np.ones(source.shape[:-1]) if weights is None else np.asarray(weights, np.float64)
    if weights.shape[-1:] != source.shape[-2:-1] or not np.isfinite(weights).all() or (weights < 0).any() \
            or (weights.sum(-1) <= 0).any():
        raise ValueError(f'weights: shape {weights.shape}, least {weights.min(initial=np.inf):g}, '
                         f'expected ... x {source.shape[-2]}, not negative, some positive')
    share = (weights / weights.sum(-1, keepdims=True))[..., None]
    source_centre, target_centre = (share * source).sum(-2), (share * target).sum(-2)
    a, b = source - source_centre[..., None, :], target - target_centre[..., None, :]
    spread = (share * a * a).sum((-1, -2))
    if (spread <= 1e-24).any() or ((share * b * b).sum((-1, -2)) <= 1e-24).any():
        raise ValueError('source or target: all points in one place, expected a set with extent')
    u, singular, vt = np.linalg.svd(np.swapaxes(share * b, -1, -2) @ a)
    signs = np.ones_like(singular)
    if not with_reflection:
        signs[..., 2] = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    rotation = (u * signs[..., None, :]) @ vt
    scale = (singular * signs).sum(-1) / spread if with_scale else np.ones_like(spread)
    translation = target_centre - scale[..., None] * (rotation @ source_centre[..., None])[..., 0]
    return Similarity(scale, rotation, translation)


def aligned(source, target, weights=None, with_scale: bool = True, with_reflection: bool = False) -> np.ndarray:
    """`source` (..., N, 3) after its Procrustes alignment onto `target`; arguments as `procrustes`."""
    return procrustes(source, target, weights, with_scale, with_reflection).apply(source)
