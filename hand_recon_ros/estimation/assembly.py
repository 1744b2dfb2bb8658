"""From fitted parameters to a HandEstimate: mesh, joints, translation and the weak camera, in one place."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.estimation.posing import PosedHand
from hand_recon_ros.estimation.viewing import nominal_camera
from hand_recon_ros.hand_model.landmarks import Skeleton, wrist_position
from hand_recon_ros.hand_model.mirroring import mirror_points, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import PERSPECTIVE, WEAK_PERSPECTIVE, Frame, HandEstimate, HandIdentity, HandKeypoints


def assemble(frame: Frame, skeleton: Skeleton, hand: JaxHand, keypoints: HandKeypoints, pose, shape, root_m,
             identity: HandIdentity | None) -> HandEstimate:
    """HandEstimate of a pose (48,), shape (B,) and wrist position root_m (3,) for one detected hand: mesh, joints and the
    weak camera. frame.camera None: the weak perspective of the nominal camera."""
    rest_wrist = wrist_position(skeleton, shape)
    if keypoints.handedness == 'left':
        rest_wrist = mirror_points(rest_wrist)
    translation = np.asarray(root_m - rest_wrist, np.float32)
    vertices, joints = posed_hand(hand, pose, shape, translation, keypoints.handedness)
    return posed_estimate(frame, hand.model.name, keypoints, PosedHand(pose, root_m, translation, joints, vertices),
                          shape, identity)


def check_identity(identity: HandIdentity | None, model_name: str) -> None:
    """ValueError for the identity of another hand model."""
    if identity is not None and identity.model != model_name:
        raise ValueError(f'identity {identity.name!r}: for model {identity.model!r}, expected {model_name!r}')


def posed_estimate(frame: Frame, model_name: str, keypoints: HandKeypoints, posed: PosedHand, shape,
                   identity: HandIdentity | None) -> HandEstimate:
    """assemble() of a hand that is posed already, of shape (B,)."""
    root_m = posed.root
    camera = frame.camera or nominal_camera(frame.width, frame.height)
    scale = float(np.sqrt(camera.K[0, 0] * camera.K[1, 1])) / max(float(root_m[2]), 1e-3)
    at = camera.project(np.asarray(root_m, np.float64))
    if not np.isfinite(at).all():               # the wrist lies outside what the lens model reaches: the pinhole's pixel
        at = camera.K[:2, :2] @ (root_m[:2] / max(float(root_m[2]), 1e-3)) + camera.K[:2, 2]
    return HandEstimate(
        track_id=keypoints.track_id, handedness=keypoints.handedness, handedness_score=keypoints.handedness_score,
        score=keypoints.score, model=model_name, pose=posed.pose, shape=shape, translation=posed.translation,
        joints_m=posed.joints, vertices_m=posed.vertices, weak_camera=np.array([scale, at[0], at[1]], np.float32),
        projection=PERSPECTIVE if frame.camera is not None else WEAK_PERSPECTIVE,
        identity=identity.name if identity else '',
        metric=bool(identity and identity.metric and frame.camera is not None))
