"""What two views say without a model of hands: the detector's points triangulated, and how far their rays pass."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.metrics import distances_mm
from hand_recon_ros.evaluation.records import StereoErrors
from hand_recon_ros.geometry.rigs import StereoRig, triangulate
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import from_pose
from hand_recon_ros.pipeline import StereoResult
from hand_recon_ros.types import HandEstimate


class StereoReference:
    """Plain two-view triangulation beside the truth, in the same run as the fusion it is compared to."""

    def __init__(self, model: HandModel, offsets_m):
        """model: of the truth. offsets_m: (21, 3) of the detector: its landmarks are not the model's keypoints."""
        self._skeleton = build_skeleton(model, offsets_m)

    def landmarks_m(self, truth: HandEstimate) -> np.ndarray:
        """(21, 3) where the detector's landmarks of a true hand are."""
        parameters = from_pose(truth.pose, truth.shape, truth.joints_m[0], self._skeleton.axes, truth.handedness)
        landmarks = np.asarray(place(self._skeleton, parameters)[1], np.float64)
        return mirror_points(landmarks) if truth.handedness == 'left' else landmarks

    def __call__(self, rig: StereoRig, result: StereoResult, truths: list[HandEstimate]) -> StereoErrors:
        """Errors of one instant's hands that both views see and that belong to a true one."""
        triangulated, epipolar = [], []
        matched = match_hands(result.estimates, truths)
        for index, true_index in matched:
            hand = result.hands[index]
            if None in hand.pair:
                continue
            pixels = [view.keypoints[k].points_px for view, k in zip((result.left, result.right), hand.pair)]
            points, _ = triangulate(rig, *pixels)
            triangulated.append(distances_mm(points, self.landmarks_m(truths[true_index])))
            epipolar.append(hand.epipolar_px)
        return StereoErrors(len(matched), np.reshape(triangulated, (-1, 21)), np.array(epipolar))
