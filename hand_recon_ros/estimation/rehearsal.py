"""One estimate of a hand at rest, so that whatever an estimator compiles is compiled before the first image."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.estimation.registry import Estimator
from hand_recon_ros.estimation.viewing import nominal_camera
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HANDEDNESS, Frame, HandKeypoints

WIDTH, HEIGHT, DISTANCE_M = 640, 480, 0.5


def rehearse(estimator: Estimator, model: HandModel, detector: str) -> None:
    """Estimate a left and a right hand at rest, with a camera and without. ValueError when the estimator refuses them."""
    camera = nominal_camera(WIDTH, HEIGHT)
    hand = JaxHand(model)
    zeros = np.zeros(48, np.float32), np.zeros(model.shape_size, np.float32)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8) if estimator.needs_image else None
    for handedness in HANDEDNESS:
        joints = posed_hand(hand, *zeros, np.array([0, 0, DISTANCE_M], np.float32), handedness)[1]
        points_px = camera.project(joints)
        keypoints = HandKeypoints(
            handedness=handedness, handedness_score=1.0, score=1.0,
            box_px=np.concatenate([points_px.min(0), points_px.max(0)]), points_px=points_px, point_scores=np.ones(21),
            points_m=joints - joints.mean(0), detector=detector, track_id=0)
        for known in (camera, None):
            estimator.estimate(Frame(WIDTH, HEIGHT, image, known), keypoints)
