"""A pair of hands at rest before a made-up rig, so that whatever fusion compiles is compiled before the first image."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand_recon_ros.estimation.registry import Estimator
from hand_recon_ros.fusion.stereo_fuser import StereoFuser, View
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HANDEDNESS, Frame, HandKeypoints

DISTANCE_M, APART_M = 0.5, 0.1
# So long before any recording that no track of it is continued.
STAMP_NS = -10 ** 18


def rehearse(fuser: StereoFuser, estimator: Estimator, model: HandModel, rig: StereoRig, detector: str) -> None:
    """Fuse a left and a right hand at rest seen by both cameras, then each by one. ValueError when they are refused.

    `detector`: whose landmarks the keypoints are said to be. Track ids of the fuser begin after these hands', which
    do not count in its disparity_counts.
    """
    hand, features = JaxHand(model), np.zeros(fuser.feature_count, np.float32)
    zeros = np.zeros(48, np.float32), np.zeros(model.shape_size, np.float32)
    seen = [[], []]
    for track_id, handedness in enumerate(HANDEDNESS):
        place = np.array([(2 * track_id - 1) * APART_M, 0, DISTANCE_M], np.float32)
        joints = posed_hand(hand, *zeros, place, handedness)[1]
        for hands, points_px, joints_m in zip(seen, rig.project(joints), (joints, rig.to_right(joints))):
            hands.append(HandKeypoints(
                handedness=handedness, handedness_score=1.0, score=1.0,
                box_px=np.concatenate([points_px.min(0), points_px.max(0)]), points_px=points_px,
                point_scores=np.ones(21), points_m=joints_m - joints_m.mean(0), detector=detector, track_id=track_id))
    for instant, (left, right) in enumerate(((seen[0], seen[1]), (seen[0], []), ([], seen[1]))):
        views = []
        for camera, hands in zip((rig.left, rig.right), (left, right)):
            image = np.zeros((camera.height, camera.width, 3), np.uint8) if estimator.needs_image else None
            frame = Frame(camera.width, camera.height, image, camera, STAMP_NS + instant)
            estimates = [estimator.estimate(frame, hand) for hand in hands]
            views.append(View(frame, hands, [replace(each, features=features) for each in estimates]))
        fuser.fuse(rig, *views)
    fuser.forget_counts()
