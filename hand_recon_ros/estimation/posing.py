"""A fitted hand of either side in one compiled call: MANO's pose, mesh and keypoints of its parameters."""
from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.estimation.viewing import placed_by_spread
from hand_recon_ros.geometry import weak_perspective
from hand_recon_ros.geometry.rotations import matrix_to_axis_angle
from hand_recon_ros.hand_model import skinning
from hand_recon_ros.hand_model.anatomy import angles_to_rotations, joint_ranges
from hand_recon_ros.hand_model.landmarks import Skeleton, place, wrist_position
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.hand_model.skinning_jax import jax_constants

# What x is multiplied by: parameters are of the right hand that mirrors a left one.
MIRRORS = {'left': np.float32(-1), 'right': np.float32(1)}
_LOWER, _UPPER = (np.float32(joint_ranges()[name]) for name in ('lower', 'upper'))


def within_limits(angles):
    """Angles (..., 15, 3), rad, those beyond a joint's range moved to its end; JAX-traceable."""
    return jnp.clip(angles, _LOWER, _UPPER)


class PosedHand(NamedTuple):
    """A hand of its own side, float32. pose: (48,) rad. root: (3,) wrist m. translation: (3,) m. joints: (21, 3) m.
    vertices: (V, 3) m."""
    pose: np.ndarray
    root: np.ndarray
    translation: np.ndarray
    joints: np.ndarray
    vertices: np.ndarray


def posed(constants: skinning.SkinningConstants, skeleton: Skeleton, parameters: HandParameters, mirror) -> PosedHand:
    """PosedHand of one right hand's parameters, JAX-traceable. mirror: () of MIRRORS."""
    rotations = jnp.concatenate([parameters.rotation[None], angles_to_rotations(parameters.angles, skeleton.axes)])
    translation = parameters.root - wrist_position(skeleton, parameters.shape)
    vertices, joints = skinning.skin_rotations(constants, rotations, parameters.shape, translation)
    points, turns = jnp.stack([mirror, 1, 1]), jnp.stack([1, mirror, mirror])
    return PosedHand((matrix_to_axis_angle(rotations) * turns).reshape(48), parameters.root * points,
                     translation * points, joints * points, vertices * points)


def posed_in_view(constants: skinning.SkinningConstants, skeleton: Skeleton, wrist, angles, shape, image_points, mirror,
                  weak: bool) -> PosedHand:
    """posed() where a view sees the hand's landmarks, JAX-traceable. wrist: (3, 3). angles: (15, 3). shape: (B,).

    image_points: (21, 2) on the normalised plane, mirrored for a left hand. weak: parallel rays (HandTailor eq. 17), of
    a depth that only tells the scale.
    """
    parameters = HandParameters(wrist, angles, jnp.zeros(3), shape)
    landmarks = place(skeleton, parameters)[1]
    if weak:
        scale, *at = weak_perspective.fit(landmarks, image_points)
        root = jnp.stack([*at, 1.0]) / jnp.maximum(scale, 1e-3)
    else:
        root = placed_by_spread(landmarks, image_points)
    return posed(constants, skeleton, parameters._replace(root=root), mirror)


class HandPoser:
    """posed() with NumPy in and out, compiled for one hand in the constructor."""

    def __init__(self, model: HandModel, skeleton: Skeleton):
        self.constants = jax_constants(model)
        self._posed = jax.jit(lambda constants, parameters, mirror: posed(constants, skeleton, parameters, mirror))
        self(HandParameters(np.eye(3, dtype=np.float32), np.zeros((15, 3), np.float32), np.zeros(3, np.float32),
                            np.zeros(model.shape_size, np.float32)), 'right')

    def __call__(self, parameters: HandParameters, handedness: str) -> PosedHand:
        """parameters: float32, of the right hand that mirrors a left one."""
        return PosedHand(*map(np.asarray, self._posed(self.constants, parameters, MIRRORS[handedness])))
