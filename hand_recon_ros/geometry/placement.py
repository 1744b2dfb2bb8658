"""Where a rigid set of points must stand for a camera to see it about as large, and about there, as it did."""
from __future__ import annotations

import numpy as np

NEAREST_M = 0.05


def place_by_spread(points_m: np.ndarray, image_points: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Translation t (3,): depth by the ratio of the spreads, then the centroids on one ray.

    points_m: (N, 3) in the camera's axes, any origin. image_points: (N, 2) on the normalised plane. weights: (N,).
    The depth is z = sqrt(sum w |xy - mean|^2 / sum w |uv - mean|^2). Least squares would divide the covariance by one of
    the variances instead, and so takes points that do not match well for a hand several times nearer or farther.
    Raises ValueError for fewer than 2 points or points that all fall together.
    """
    points_m, image_points = np.asarray(points_m, np.float64), np.asarray(image_points, np.float64)
    if points_m.ndim != 2 or len(points_m) < 2 or image_points.shape != (len(points_m), 2):
        raise ValueError(f'image_points: {image_points.shape} for points {points_m.shape}, expected (N, 2) and (N, 3), N > 1')
    share = np.ones(len(points_m)) if weights is None else np.asarray(weights, np.float64)
    share = (share / share.sum())[:, None]
    centre, image_centre = (share * points_m).sum(0), (share * image_points).sum(0)
    spread = (share * (points_m[:, :2] - centre[:2]) ** 2).sum()
    image_spread = (share * (image_points - image_centre) ** 2).sum()
    if spread <= 1e-12 or image_spread <= 1e-12:
        raise ValueError('image_points: all in one place, expected points apart from each other')
    nearest = NEAREST_M + centre[2] - points_m[:, 2].min()
    depth = max(np.sqrt(spread / image_spread), nearest)
    return np.append(image_centre, 1.0) * depth - centre
