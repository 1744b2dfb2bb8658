"""Left hands: the one place that knows how they follow from right ones, by the mirror x -> -x.

A left hand with parameters (pose, shape, t) in a camera's frame is the mirror image of the right hand with
(mirror_pose(pose), shape, mirror_points(t)). Every function is its own inverse.
"""
from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HANDEDNESS, checked_choice


def _signs(array, signs):
    xp = array_namespace(array)
    return xp.stack([array[..., i] * sign for i, sign in enumerate(signs)], axis=-1)


def mirror_points(points):
    """Points or vectors (..., 3) with x negated."""
    return _signs(points, (-1, 1, 1))


def mirror_image_points(points):
    """Points (..., 2) on the normalised image plane with x negated: the mirrored camera's view."""
    return _signs(points, (-1, 1))


def mirror_pose(pose):
    """Axis-angle pose (..., 48) of the mirrored hand: each joint's (x, y, z) becomes (x, -y, -z)."""
    xp = array_namespace(pose)
    joints = xp.reshape(pose, (*pose.shape[:-1], -1, 3))
    return xp.reshape(_signs(joints, (1, -1, -1)), pose.shape)


def mirror_rotations(matrices):
    """Rotation matrices (..., 3, 3) of the mirrored hand: M R M with M = diag(-1, 1, 1)."""
    xp = array_namespace(matrices)
    flipped = xp.stack([-matrices[..., 0, :], matrices[..., 1, :], matrices[..., 2, :]], axis=-2)
    return xp.stack([-flipped[..., 0], flipped[..., 1], flipped[..., 2]], axis=-1)


def mirror_faces(faces):
    """Faces (F, 3) wound the other way, so that normals of a mirrored mesh still point outwards."""
    return faces[..., [0, 2, 1]]


def handed_faces(faces, handedness: str) -> np.ndarray:
    """A right hand's faces (F, 3), wound for this hand."""
    return mirror_faces(faces) if checked_choice('handedness', handedness, HANDEDNESS) == 'left' else faces


def posed_hand(hand: JaxHand, pose, shape, translation, handedness: str) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (..., V, 3) and keypoints (..., 21, 3), metres, of a hand of either side; arguments as JaxHand."""
    if checked_choice('handedness', handedness, HANDEDNESS) == 'right':
        return hand(pose, shape, translation)
    vertices, keypoints = hand(mirror_pose(np.asarray(pose)), shape, mirror_points(np.asarray(translation)))
    return mirror_points(vertices), mirror_points(keypoints)
