"""Whether the stated uncertainty of joints tells the truth."""
from __future__ import annotations

import numpy as np
from scipy.special import gammaincinv

from hand_recon_ros.evaluation.metrics import M_TO_MM


def is_stated(std_m) -> np.ndarray:
    """Where a deviation is stated: finite and positive."""
    std_m = np.asarray(std_m)
    return np.isfinite(std_m) & (std_m > 0)


def standardised(errors_mm, std_m) -> np.ndarray:
    """3D distances over the stated deviation per axis, of those joints that state one (positive, finite), flat."""
    errors_mm, std_mm = np.asarray(errors_mm, np.float64), np.asarray(std_m, np.float64) * M_TO_MM
    if errors_mm.shape != std_mm.shape:
        raise ValueError(f'std_m: shape {std_mm.shape}, expected that of the errors, {errors_mm.shape}')
    stated = is_stated(std_mm)
    return errors_mm[stated] / std_mm[stated]


def coverage(standardised_errors, level: float | np.ndarray = 0.95) -> np.ndarray:
    """Share of joints within the `level` ball of an isotropic Gaussian in space: distance <= sigma sqrt(chi2_3(level)).

    2.795 sigma for 95 %. The deviation is per axis; no covariance is stated, so no Mahalanobis distance can be formed.
    Counting axes one by one against 1.96 sigma is the alternative; for errors mostly in depth it is more forgiving.
    """
    values = np.sort(np.asarray(standardised_errors, np.float64))
    if values.size == 0:
        raise ValueError('standardised_errors: empty, expected at least one')
    radius = np.sqrt(2 * gammaincinv(1.5, np.asarray(level, np.float64)))            # quantile of chi2 of three degrees
    return np.searchsorted(values, radius, side='right') / values.size
