"""Two views that cannot both be right about a hand: which of them to leave out."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.refinement.observations import LANDMARK_FACTORS, RELATIVE_SIGMA
from hand_recon_ros.types import HandKeypoints


@dataclass(frozen=True)
class ViewConflict:
    """A detector slips by a finger where an object hides part of the hand, sure of itself and in one view only; a fit
    of both views then ends a hand's length too near or too far.

    limit: of `disagreement`, beyond which one view is wrong; 99 of 100 hands of rectified cameras stay below 2.8.
    clear: below which what both views measure can be relied on later.
    """
    limit: float = 3.5
    clear: float = 1.4

    def __post_init__(self):
        if not 0 < self.clear <= self.limit:
            raise ValueError(f'clear, limit: {self.clear!r}, {self.limit!r}, expected 0 < clear <= limit')

    @staticmethod
    def disagreement(rig: StereoRig, noise: ViewNoise, left: HandKeypoints, right: HandKeypoints,
                     residual_px: np.ndarray, middle_m: np.ndarray | None) -> float:
        """Median distance of like landmarks from each other's epipolar lines, in the standard deviations that `noise`
        expects of it; 0 where the rays do not meet. residual_px: (21,) geometry.rigs.epipolar_residual_px of the two.
        middle_m: (3,) where their middles meet, None where they do not."""
        if middle_m is None:
            return 0.0
        across = noise.correlation(rig, middle_m)[1]
        size = 0.5 * (left.box_size_px + right.box_size_px)
        # Half the variance of the difference across the lines: the residual is shared out between both images.
        expected = RELATIVE_SIGMA * size * LANDMARK_FACTORS * np.sqrt(1.0 - across)
        return float(np.nan_to_num(np.median(np.abs(residual_px) / np.maximum(expected, 1e-6))))
