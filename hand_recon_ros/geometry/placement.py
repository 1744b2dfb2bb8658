"""Where a rigid set of points must stand for a camera to see it as it did: the linear solution."""
from __future__ import annotations

import numpy as np

NEAREST_M = 0.05


def place_rigid_points(points_m: np.ndarray, image_points: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Translation t (3,) minimising sum_i w_i |(x_i + t_x) - u_i (z_i + t_z)|^2 + the same in y.

    points_m: (N, 3) in the camera's axes, any origin. image_points: (N, 2) on the normalised plane. weights: (N,).
    A linear least-squares problem; the depth is kept at least 5 cm in front of the camera.
    Raises ValueError for fewer than 2 points or points that all fall together.
    """
    points_m, image_points = np.asarray(points_m, np.float64), np.asarray(image_points, np.float64)
    if points_m.ndim != 2 or len(points_m) < 2 or image_points.shape != (len(points_m), 2):
        raise ValueError(f'image_points: {image_points.shape} for points {points_m.shape}, expected (N, 2) and (N, 3), N > 1')
    root = np.sqrt(np.ones(len(points_m)) if weights is None else np.asarray(weights, np.float64))
    rows = np.zeros((len(points_m), 2, 3))
    rows[:, 0, 0] = rows[:, 1, 1] = 1
    rows[:, :, 2] = -image_points
    right = image_points * points_m[:, 2:] - points_m[:, :2]
    solution, _, rank, _ = np.linalg.lstsq((rows * root[:, None, None]).reshape(-1, 3), (right * root[:, None]).ravel(),
                                           rcond=1e-9)
    if rank < 3:
        raise ValueError('image_points: all in one place, expected points apart from each other')
    nearest = NEAREST_M - float(points_m[:, 2].min())
    if solution[2] < nearest:
        solution[2] = nearest
        solution[:2] = np.average(image_points * (points_m[:, 2:] + nearest) - points_m[:, :2], axis=0, weights=root ** 2)
    return solution
