"""F-score between two point sets (Knapitsch et al., Tanks and Temples, 2017, as FreiHAND uses it)."""
from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from hand_recon_ros.evaluation.metrics import M_TO_MM

F_THRESHOLDS_MM = (5.0, 15.0)


def nearest_mm(points_m, others_m) -> np.ndarray:
    """Distance (N,) in mm of each point (N, 3) to the nearest of the others (M, 3)."""
    points_m, others_m = np.asarray(points_m, np.float64), np.asarray(others_m, np.float64)
    for name, points in (('points_m', points_m), ('others_m', others_m)):
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise ValueError(f'{name}: shape {points.shape}, expected N x 3 with N >= 1')
    return cKDTree(others_m).query(points_m)[0] * M_TO_MM


def f_score(to_truth_mm, to_estimate_mm, threshold_mm: float, to_truth_weights=None, to_estimate_weights=None) -> float:
    """Harmonic mean of the shares of distances below the threshold, 0..1, 0 when both shares are 0.

    to_truth_mm: of each estimated point. to_estimate_mm: of each true point. Weights: what each point stands for.
    """
    shares = [np.average(np.asarray(distances) < threshold_mm, weights=weights)
              for distances, weights in ((to_truth_mm, to_truth_weights), (to_estimate_mm, to_estimate_weights))]
    return float(2 * shares[0] * shares[1] / sum(shares)) if sum(shares) > 0 else 0.0


def point_f_scores(estimated_m, true_m, thresholds_mm=F_THRESHOLDS_MM) -> tuple[float, ...]:
    """F-score of each threshold, between points (N, 3) and (M, 3) by nearest neighbours both ways."""
    there, back = nearest_mm(estimated_m, true_m), nearest_mm(true_m, estimated_m)
    return tuple(f_score(there, back, threshold) for threshold in thresholds_mm)
