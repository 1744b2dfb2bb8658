"""Which hand of the left image is which of the right: by the rays of their landmarks, together with handedness."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.detection.ray_meeting import meet
from hand_recon_ros.detection.tracking import right_probability
from hand_recon_ros.geometry.rigs import StereoRig, plane_residual_px
from hand_recon_ros.types import HandKeypoints

# Bones of the rigid palm: wrist to the four knuckles, whose true lengths differ little between people.
PALM = ((0, 5), (0, 9), (0, 13), (0, 17))
PALM_POINTS = np.array([0, 5, 9, 13, 17])


@dataclass(frozen=True)
class Association:
    """Rules of the matching; distances in units of the hand's size in the image, sizes as ratios.

    epipolar_limit: mean distance from the epipolar lines beyond which two detections are different hands.
    size_limit: factor between the triangulated and an adult's palm beyond which they are. handedness_cost: what full
    disagreement about handedness weighs, in the units of the distance. unpaired_cost: what leaving a pair out costs.
    """
    epipolar_limit: float = 0.15
    palm_m: float = 0.088
    size_limit: float = 1.8
    size_cost: float = 0.10
    handedness_cost: float = 0.06

    def match(self, rig: StereoRig, left: list[HandKeypoints], right: list[HandKeypoints]) -> list[tuple[int, int]]:
        """Pairs (left index, right index) of least total cost, every hand in one pair at most."""
        if not left or not right:
            return []
        costs = self.costs(rig, left, right)
        allowed = np.isfinite(costs)
        rows, columns = linear_sum_assignment(np.where(allowed, costs, 1e3))
        return [(int(r), int(c)) for r, c in zip(rows, columns) if allowed[r, c]]

    def cost(self, rig: StereoRig, left: HandKeypoints, right: HandKeypoints) -> float:
        """How unlike one hand two detections are; inf where they cannot be one: off the epipolar lines, behind the
        cameras, or of a palm that no hand has."""
        return float(self.costs(rig, [left], [right])[0, 0])

    def costs(self, rig: StereoRig, left: list[HandKeypoints], right: list[HandKeypoints]) -> np.ndarray:
        """cost() of every hand of the left view with every one of the right: (L, R), triangulated all at once."""
        costs = np.full((len(left), len(right)), np.inf)
        if not costs.size:
            return costs
        left_px, right_px = (np.stack([hand.points_px for hand in hands]) for hands in (left, right))
        residuals = plane_residual_px(rig, rig.left.normalise(left_px)[:, None], rig.right.normalise(right_px))
        sizes = np.minimum.outer([hand.box_size_px for hand in left], [hand.box_size_px for hand in right])
        away = np.abs(residuals).mean(-1) / np.maximum(sizes, 1e-6)
        # False for NaN too: landmarks that the lens model does not reach.
        near = np.argwhere(away <= self.epipolar_limit)
        if not len(near):
            return costs
        palms, _ = meet(rig, *(px[rows[:, None], PALM_POINTS] for px, rows in zip((left_px, right_px), near.T)))
        for (row, column), palm in zip(near, palms):
            costs[row, column] = away[row, column] + self._unlikeness(palm, left[row], right[column])
        return costs

    def _unlikeness(self, points, left: HandKeypoints, right: HandKeypoints) -> float:
        """What the triangulated PALM_POINTS (5, 3) and the handedness add to the cost."""
        if not np.isfinite(points).all():
            return np.inf
        palm = np.linalg.norm(points[1:] - points[0], axis=1).mean()
        ratio = abs(np.log(max(palm, 1e-6) / self.palm_m)) / np.log(self.size_limit)
        if ratio > 1.0:
            return np.inf
        return self.size_cost * ratio + self.handedness_cost * abs(right_probability(left) - right_probability(right))
