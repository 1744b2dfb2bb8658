"""Errors of joints and vertices: camera space, root-relative, Procrustes aligned; PCK and its area."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.geometry.alignment import aligned

M_TO_MM = 1000.0


def distances_mm(estimated_m: np.ndarray, true_m: np.ndarray) -> np.ndarray:
    """Point distances (..., N) in mm of (..., N, 3) metres."""
    estimated_m, true_m = np.asarray(estimated_m, np.float64), np.asarray(true_m, np.float64)
    if estimated_m.shape != true_m.shape:
        raise ValueError(f'points: {estimated_m.shape} against {true_m.shape}, expected equal shapes')
    return np.linalg.norm(estimated_m - true_m, axis=-1) * M_TO_MM


def root_relative_mm(estimated_m: np.ndarray, true_m: np.ndarray, estimated_root_m, true_root_m) -> np.ndarray:
    """Distances (..., N) in mm after both roots (..., 3) are moved to the origin."""
    return distances_mm(np.asarray(estimated_m) - np.asarray(estimated_root_m)[..., None, :],
                        np.asarray(true_m) - np.asarray(true_root_m)[..., None, :])


def aligned_mm(estimated_m: np.ndarray, true_m: np.ndarray) -> np.ndarray:
    """Distances (..., N) in mm after the best similarity (no reflection) of each set onto the truth."""
    estimated_m, true_m = np.asarray(estimated_m, np.float64), np.asarray(true_m, np.float64)
    return distances_mm(aligned(estimated_m, true_m), true_m)


def pck(errors_mm: np.ndarray, thresholds_mm: np.ndarray) -> np.ndarray:
    """Share of errors at or below each threshold, (T,)."""
    errors = np.sort(np.asarray(errors_mm, np.float64).ravel())
    if errors.size == 0:
        raise ValueError('errors_mm: empty, expected at least one error')
    return np.searchsorted(errors, np.asarray(thresholds_mm, np.float64), side='right') / errors.size


def auc(errors_mm: np.ndarray, lower_mm: float, upper_mm: float, steps: int = 100) -> float:
    """Area under the PCK curve between two thresholds, 0..1 (FreiHAND: 0-50 mm in 100 steps)."""
    thresholds = np.linspace(lower_mm, upper_mm, steps)
    return float(np.trapz(pck(errors_mm, thresholds), thresholds) / (upper_mm - lower_mm))
