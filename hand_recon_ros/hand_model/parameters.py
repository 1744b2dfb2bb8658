"""One right hand in one camera by its own angles, as a JAX pytree, the small steps it is moved by, and MANO's pose."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.anatomy import (ANGLE_COUNT, anatomical_angles, angles_to_rotations,
                                              rotations_to_angles)
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose


class HandParameters(NamedTuple):
    """rotation: (..., 3, 3) of the wrist. angles: (..., 15, 3) rad, see hand_model.anatomy. root: (..., 3) wrist
    position, metres, optical frame. shape: (..., B)."""
    rotation: jnp.ndarray
    angles: jnp.ndarray
    root: jnp.ndarray
    shape: jnp.ndarray


@dataclass(frozen=True)
class StepSpace:
    """Which small steps an optimiser may take: always the wrist's rotation and position, then some angles, some shape.

    angles: indices into the 45 flattened angles. shapes: how many of the first shape numbers move. A step (P,) is
    3 rotation (rad), 3 root (m), angles (rad), shape.
    """
    angles: tuple[int, ...]
    shapes: int

    @classmethod
    def full(cls, shape_count: int) -> StepSpace:
        """All 45 angles and the whole shape: MANO's own freedom."""
        return cls(tuple(range(ANGLE_COUNT)), shape_count)

    @classmethod
    def anatomical(cls, shapes: int) -> StepSpace:
        """The 21 angles that finger joints really have; the rest keep their values."""
        return cls(anatomical_angles(), shapes)

    @property
    def size(self) -> int:
        """Length P of a step."""
        return 6 + len(self.angles) + self.shapes

    def moved(self, parameters: HandParameters, step) -> HandParameters:
        """One hand after a step: the rotation by exp(step) from the left, everything else by addition."""
        chosen = np.zeros((ANGLE_COUNT, len(self.angles)), np.float32)
        chosen[list(self.angles), range(len(self.angles))] = 1
        split = 6 + len(self.angles)
        shape = parameters.shape
        return HandParameters(axis_angle_to_matrix(step[:3]) @ parameters.rotation,
                              parameters.angles + (chosen @ step[6:split]).reshape(15, 3),
                              parameters.root + step[3:6],
                              shape + jnp.pad(step[split:], (0, shape.shape[-1] - self.shapes)))


def from_pose(pose, shape, root_m, axes, handedness: str) -> HandParameters:
    """Parameters (NumPy, float32) of a MANO-form pose of either hand.

    pose: (48,), shape: (B,), root_m: (3,) wrist position, axes: (15, 3, 3) of anatomy.rotation_axes. A left hand comes
    back as the right hand that mirrors it.
    """
    pose = np.asarray(pose, np.float64)
    root_m = np.asarray(root_m, np.float64)
    if handedness == 'left':
        pose, root_m = mirror_pose(pose), mirror_points(root_m)
    rotations = axis_angle_to_matrix(pose.reshape(16, 3))
    angles = rotations_to_angles(rotations[1:], axes)
    return HandParameters(*(np.asarray(a, np.float32) for a in (rotations[0], angles, root_m, shape)))


def to_pose(parameters: HandParameters, axes, handedness: str):
    """Inverse of from_pose: pose (48,), root_m (3,), both float32."""
    rotations = np.concatenate([np.asarray(parameters.rotation, np.float64)[None],
                                angles_to_rotations(np.asarray(parameters.angles, np.float64), axes)])
    pose, root_m = matrix_to_axis_angle(rotations).reshape(48), np.asarray(parameters.root, np.float64)
    if handedness == 'left':
        pose, root_m = mirror_pose(pose), mirror_points(root_m)
    return pose.astype(np.float32), root_m.astype(np.float32)
