"""One hand of an instant as two cameras saw it, and where a fit of it begins."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.fusion.observations import mirrored_rig
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.parameters import HandParameters, from_pose
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints


@dataclass(frozen=True)
class ViewHand:
    """One camera's sight of one hand: its frame (with camera), detected keypoints and that camera's own estimate."""
    frame: Frame
    keypoints: HandKeypoints
    estimate: HandEstimate


@dataclass(frozen=True)
class HandPair:
    """left, right: the sights, None where a camera does not see the hand; at least one is there.

    frames: of both cameras, the one without the hand included. identity: whose shape to hold, or None. middle_m: (3,)
    where the middles of both detections meet, left frame; None where one view alone sees the hand, or they do not.
    """
    left: ViewHand | None
    right: ViewHand | None
    frames: tuple[Frame, Frame]
    identity: HandIdentity | None = None
    middle_m: np.ndarray | None = None

    def __post_init__(self):
        if self.left is None and self.right is None:
            raise ValueError('hand: seen in neither view, expected at least one')

    @property
    def views(self) -> list[ViewHand]:
        """The sights that are there, left first."""
        return [view for view in (self.left, self.right) if view is not None]

    @property
    def keypoints(self) -> tuple[HandKeypoints | None, HandKeypoints | None]:
        """Detections of the left and the right image."""
        return tuple(None if view is None else view.keypoints for view in (self.left, self.right))

    @property
    def both(self) -> bool:
        """Whether both cameras see the hand."""
        return self.left is not None and self.right is not None


def start(pair: HandPair, rig: StereoRig, axes: np.ndarray) -> HandParameters:
    """Where to begin: the better scored view's estimate in the left frame, its depth triangulated where both views see
    the hand. axes: (15, 3, 3) of anatomy.rotation_axes. A left hand comes as the right hand that mirrors it.
    """
    view = max(pair.views, key=lambda v: v.keypoints.score)
    estimate = view.estimate
    # A fit moves the first shape numbers only: the others are the known person's from the start.
    shape = estimate.shape if pair.identity is None else pair.identity.shape
    parameters = from_pose(estimate.pose, shape, estimate.joints_m[0], axes, estimate.handedness)
    joints = np.asarray(estimate.joints_m, np.float64)
    if view is pair.right:
        rotation, translation = mirrored_rig(rig, estimate.handedness)
        parameters = parameters._replace(
            rotation=np.float32(rotation.T @ parameters.rotation),
            root=np.float32(rotation.T @ (np.asarray(parameters.root, np.float64) - translation)))
        joints = rig.to_left(joints)
    if pair.middle_m is not None:
        # The middles of both detections are far steadier than single landmarks, and no landmark definition matters.
        move = pair.middle_m - joints.mean(0)
        parameters = parameters._replace(root=np.float32(
            parameters.root + (mirror_points(move) if estimate.handedness == 'left' else move)))
    return parameters
