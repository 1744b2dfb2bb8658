"""Closed-form inverse kinematics: wrist rotation and joint angles from 21 points, within the joints' limits."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.alignment import procrustes
from hand_recon_ros.hand_model.anatomy import ABDUCTION, FLEXION, angles_to_rotations, joint_ranges
from hand_recon_ros.hand_model.landmarks import Skeleton, rest_landmarks

# Points of the palm that move rigidly with the wrist, and their weights: the thumb's base does so only roughly.
PALM, PALM_WEIGHTS = np.array([0, 1, 5, 9, 13, 17]), np.array([1.0, 0.3, 1.0, 1.0, 1.0, 1.0])
# Keypoints of each kinematic chain (index, middle, pinky, ring, thumb), from base to tip.
CHAIN_POINTS = np.array([[5, 6, 7, 8], [9, 10, 11, 12], [17, 18, 19, 20], [13, 14, 15, 16], [1, 2, 3, 4]])


@dataclass(frozen=True)
class InverseKinematics:
    """Closed-form inverse kinematics for one hand model and one detector's landmark definition.

    rest_landmarks: (21, 3) of the mean hand at rest. axes: (15, 3, 3), see hand_model.anatomy.
    """
    rest_landmarks: np.ndarray
    axes: np.ndarray

    @classmethod
    def build(cls, skeleton: Skeleton) -> InverseKinematics:
        """For the keypoints of a model and the landmark offsets of a detector."""
        return cls(rest_landmarks(skeleton).astype(np.float64), skeleton.axes.astype(np.float64))

    def solve(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wrist rotation (3, 3) and angles (15, 3), rad, of a right hand whose landmarks are `points` (21, 3).

        Position and size do not matter, only directions. Angles are clipped to the joints' limits: finger directions
        that no joint can take are met as closely as each joint allows, base first.
        """
        points = np.asarray(points, np.float64)
        wrist = procrustes(self.rest_landmarks[PALM], points[PALM], PALM_WEIGHTS).rotation
        ranges, angles = joint_ranges(), np.zeros((15, 3))
        parent = np.broadcast_to(wrist, (5, 3, 3))
        for level in range(3):
            rows = np.arange(5) * 3 + level
            seen = points[CHAIN_POINTS[:, level + 1]] - points[CHAIN_POINTS[:, level]]
            rest = self.rest_landmarks[CHAIN_POINTS[:, level + 1]] - self.rest_landmarks[CHAIN_POINTS[:, level]]
            inverse_axes = np.swapaxes(self.axes[rows], -1, -2)
            seen = (inverse_axes @ np.swapaxes(parent, -1, -2) @ seen[..., None])[..., 0]
            rest = (inverse_axes @ rest[..., None])[..., 0]
            angles[rows] = _bend(rest, seen)
            angles[rows] = np.clip(angles[rows], ranges['lower'][rows], ranges['upper'][rows])
            parent = parent @ angles_to_rotations(angles[rows], self.axes[rows])
        return wrist, angles


def _bend(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Flexion and abduction (5, 3; twist 0) that turn bone directions `rest` into `seen`, both (5, 3) in joint axes.

    A direction is Rx(f) Ry(a) e_z = (sin a, -sin f cos a, cos f cos a); the rest landmarks need not lie on the axis.
    """
    angles = np.zeros((5, 3))
    for sign, direction in ((1, seen), (-1, rest)):
        unit = direction / np.maximum(np.linalg.norm(direction, axis=-1, keepdims=True), 1e-9)
        angles[:, FLEXION] += sign * np.arctan2(-unit[:, 1], unit[:, 2])
        angles[:, ABDUCTION] += sign * np.arcsin(np.clip(unit[:, 0], -1, 1))
    angles[:, FLEXION] = (angles[:, FLEXION] + np.pi) % (2 * np.pi) - np.pi
    return angles
