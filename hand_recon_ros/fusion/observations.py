"""What two images of one instant say about one hand, in the form the joint fit reads: fixed shapes, a right hand, JAX-ready."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.refinement.observations import UNSEEN_SIGMA_PX, Observation, observe
from hand_recon_ros.types import Frame, HandIdentity, HandKeypoints

MIRROR = np.diag([-1.0, 1.0, 1.0])


class StereoObservation(NamedTuple):
    """left, right: each view's own observation; one that does not see the hand has sigmas that count for nothing.

    rotation: (3, 3), translation: (3,), x_right = rotation @ x_left + translation, of the mirrored rig for a left hand.
    correlation: (2,) of the two views' detector errors along image x and y, in 0..1; 0 where only one view sees the hand.
    """
    left: Observation
    right: Observation
    rotation: np.ndarray
    translation: np.ndarray
    correlation: np.ndarray


def observe_pair(rig: StereoRig, frames: tuple[Frame, Frame], keypoints: tuple[HandKeypoints | None, HandKeypoints | None],
                 shape_count: int, correlation, identity: HandIdentity | None = None) -> StereoObservation:
    """StereoObservation (NumPy, float32) of one hand seen in at least one view.

    Raises ValueError when neither view sees it, the handedness differs, or the identity is of another model's length.
    """
    seen = [hand for hand in keypoints if hand is not None]
    if not seen:
        raise ValueError('keypoints: none in either view, expected the hand in at least one')
    if len({hand.handedness for hand in seen}) > 1:
        raise ValueError('handedness: left in one view and right in the other, expected one hand')
    views = []
    for frame, hand in zip(frames, keypoints):
        observation = observe(frame, hand or seen[0], shape_count, identity)
        if hand is None:
            observation = observation._replace(sigma_px=np.full(21, UNSEEN_SIGMA_PX, np.float32),
                                               direction_weights=np.zeros(20, np.float32))
        views.append(observation)
    rotation, translation = mirrored_rig(rig, seen[0].handedness)
    correlation = np.asarray(correlation, np.float64) if len(seen) == 2 else np.zeros(2)
    if correlation.shape != (2,) or not ((correlation >= 0) & (correlation < 1)).all():
        raise ValueError(f'correlation: {correlation.tolist()}, expected two numbers of at least 0 and below 1')
    return StereoObservation(*views, *(np.asarray(a, np.float32) for a in (rotation, translation, correlation)))


def mirrored_rig(rig: StereoRig, handedness: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) from left to right camera as a right hand sees them: mirrored for a left hand."""
    rotation, translation = rig.T_right_left[:3, :3], rig.T_right_left[:3, 3]
    if handedness == 'left':
        return MIRROR @ rotation @ MIRROR, MIRROR @ translation
    return rotation, translation
