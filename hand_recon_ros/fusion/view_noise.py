"""How the detector's errors in two views belong together, and how far the fit's covariance falls short of the truth."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.rigs import StereoRig


@dataclass(frozen=True)
class ViewNoise:
    """correlation_x, correlation_y: of the two views' errors where both look along one ray; they fall with the angle
    between the rays as exp(-(angle / angle_rad)^4): seen from different sides, a hand is mistaken differently.

    inflation_pair, inflation_single: factors on the fit's standard deviations by which 95 % intervals cover 95 %:
    landmarks of one hand do not err independently. The law and both factors come from 25 rendered recordings of no
    benchmark set (MediaPipe; most of a pair 120 mm apart): measured correlations 0.82 in x and 0.85 in y between rays
    6 to 11 degrees apart, at most 0.2 beyond 20 degrees; wanted factors 1.95 (185 hands) and 1.58 (40); error 8.2 mm,
    with a square instead of the fourth power 8.7.
    """
    correlation_x: float = 0.90
    correlation_y: float = 0.95
    angle_rad: float = float(np.radians(25))
    inflation_pair: float = 2.0
    inflation_single: float = 1.6

    def __post_init__(self):
        for name, low, high in (('correlation_x', 0.0, 0.999), ('correlation_y', 0.0, 0.999), ('angle_rad', 1e-3, 10.0),
                                ('inflation_pair', 0.1, 100.0), ('inflation_single', 0.1, 100.0)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'{name}: {value}, expected {low} to {high}')

    def correlation(self, rig: StereoRig, point_left_m: np.ndarray) -> np.ndarray:
        """(2,) correlation along image x and y for a hand at a point (3,) of the left frame."""
        to_left = np.asarray(point_left_m, np.float64)
        to_right = to_left - rig.to_left(np.zeros(3))
        cosine = to_left @ to_right / max(np.linalg.norm(to_left) * np.linalg.norm(to_right), 1e-9)
        angle = np.arccos(np.clip(cosine, -1.0, 1.0))
        return np.array([self.correlation_x, self.correlation_y]) * np.exp(-(angle / self.angle_rad) ** 4)

    def inflation(self, both: bool) -> float:
        """Factor on the standard deviations of a hand seen by both cameras, or by one."""
        return self.inflation_pair if both else self.inflation_single
