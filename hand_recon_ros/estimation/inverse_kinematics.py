"""Closed-form inverse kinematics: wrist rotation and joint angles from 21 points, within the joints' limits. For NumPy
and JAX arrays alike."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from hand_recon_ros.hand_model.anatomy import angles_to_rotations, joint_ranges
from hand_recon_ros.hand_model.landmarks import Skeleton, rest_landmarks

# Points of the palm that move rigidly with the wrist, and their weights: the thumb's base does so only roughly.
PALM, PALM_WEIGHTS = np.array([0, 1, 5, 9, 13, 17]), np.array([1.0, 0.3, 1.0, 1.0, 1.0, 1.0])
# Keypoints of each kinematic chain (index, middle, pinky, ring, thumb), from base to tip.
CHAIN_POINTS = np.array([[5, 6, 7, 8], [9, 10, 11, 12], [17, 18, 19, 20], [13, 14, 15, 16], [1, 2, 3, 4]])


@dataclass(frozen=True)
class InverseKinematics:
    """Closed-form inverse kinematics for one hand model and one detector's landmark definition.

    rest_landmarks: (21, 3) of the mean hand at rest. axes: (15, 3, 3), see hand_model.anatomy. lower, upper: (15, 3)
    rad.
    """
    rest_landmarks: np.ndarray
    axes: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def build(cls, skeleton: Skeleton, dtype=np.float64) -> InverseKinematics:
        """For the keypoints of a model and the landmark offsets of a detector. dtype: of the points to come."""
        ranges = joint_ranges()
        return cls(*(np.asarray(array, dtype) for array in (
            rest_landmarks(skeleton), skeleton.axes, ranges['lower'], ranges['upper'])))

    def solve(self, points):
        """Wrist rotation (3, 3) and angles (15, 3), rad, of a right hand whose landmarks are `points` (21, 3).

        Position and size do not matter, only directions. Angles are clipped to the joints' limits: finger directions
        that no joint can take are met as closely as each joint allows, base first.
        """
        xp = array_namespace(points)
        wrist = _rotation(xp, self.rest_landmarks[PALM], points[PALM])
        levels, parent = [], xp.broadcast_to(wrist, (5, 3, 3))
        for level in range(3):
            rows = np.arange(5) * 3 + level
            seen = points[CHAIN_POINTS[:, level + 1]] - points[CHAIN_POINTS[:, level]]
            rest = self.rest_landmarks[CHAIN_POINTS[:, level + 1]] - self.rest_landmarks[CHAIN_POINTS[:, level]]
            inverse_axes = np.swapaxes(self.axes[rows], -1, -2)
            seen = (inverse_axes @ xp.matrix_transpose(parent) @ seen[..., None])[..., 0]
            rest = (inverse_axes @ rest[..., None])[..., 0]
            levels.append(xp.clip(_bend(xp, rest, seen), self.lower[rows], self.upper[rows]))
            parent = parent @ angles_to_rotations(levels[-1], self.axes[rows])
        return wrist, xp.reshape(xp.stack(levels, axis=1), (15, 3))


def _rotation(xp, source, target):
    """Rotation (3, 3) that turns the palm's points `source` into `target`, both (6, 3), by least squares: as
    geometry.alignment.procrustes finds it, of points that are known to be finite and apart."""
    share = (PALM_WEIGHTS / PALM_WEIGHTS.sum()).astype(source.dtype)[:, None]
    a, b = source - (share * source).sum(0), target - (share * target).sum(0)
    u, _, vt = xp.linalg.svd((share * b).T @ a)
    sign = xp.sign(xp.linalg.det(u) * xp.linalg.det(vt))
    return (u * xp.stack([xp.ones_like(sign), xp.ones_like(sign), sign])) @ vt


def _bend(xp, rest, seen):
    """Flexion, abduction and twist (5, 3; twist 0) that turn bone directions `rest` into `seen`, both (5, 3) in joint
    axes.

    A direction is Rx(f) Ry(a) e_z = (sin a, -sin f cos a, cos f cos a); the rest landmarks need not lie on the axis.
    """
    flexion = abduction = 0.0
    for sign, direction in ((1, seen), (-1, rest)):
        unit = direction / xp.clip(xp.linalg.norm(direction, axis=-1, keepdims=True), 1e-9, None)
        flexion = flexion + sign * xp.arctan2(-unit[:, 1], unit[:, 2])
        abduction = abduction + sign * xp.arcsin(xp.clip(unit[:, 0], -1, 1))
    flexion = (flexion + np.pi) % (2 * np.pi) - np.pi
    return xp.stack([flexion, abduction, xp.zeros_like(abduction)], axis=-1)
