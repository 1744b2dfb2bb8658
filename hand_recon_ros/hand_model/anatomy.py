"""The hand's own angles: flexion, abduction and twist of every finger joint, their limits, and the way to pose and back.

Each joint's rotation is R = R(flexion axis, f) R(abduction axis, a) R(bone axis, t), the joint coordinate system of the
ISB (Wu et al. 2005, J. Biomech. 38:981): flexion about an axis fixed in the parent, twist about the bone itself. With
abduction in the middle the decomposition is singular only at 90 degrees of abduction, far outside any hand's reach.
Flexion > 0 closes the finger, abduction > 0 moves it towards the thumb. All of the right hand.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace

from hand_recon_ros.hand_model.skeleton import FINGERS, JOINT_NAMES

FLEXION, ABDUCTION, TWIST = 0, 1, 2
ANGLE_COUNT = 45
# Where the thumb's nail faces, in the palm's frame (distal, dorsal, radial): the mean nail normal of the open hand.
THUMB_BACK = np.array([-0.33, 0.21, 0.92])


@dataclass(frozen=True)
class JointRange:
    """Limits, rest value and spread of one angle, degrees. The spread is the standard deviation of everyday postures."""
    lower: float
    upper: float
    mean: float
    spread: float


# Limits after HAND_MODEL measurements (MCP -20..90 and +-15, PIP -3..108, DIP -5..75; thumb CMC -25..55 / +-35,
# MCP -10..60, IP -15..80). Angles an anatomical joint does not have get a narrow range around zero, not none: other
# models' poses, and a skinned mesh's soft joints, use them a little.
FIXED = JointRange(-4, 4, 0, 2)
FINGER_RANGES = (
    (JointRange(-20, 90, 20, 30), JointRange(-15, 15, 0, 8), JointRange(-6, 6, 0, 3)),
    (JointRange(-3, 108, 30, 35), FIXED, FIXED),
    (JointRange(-5, 75, 18, 22), FIXED, FIXED),
)
THUMB_RANGES = (
    (JointRange(-25, 55, 8, 18), JointRange(-35, 35, 0, 14), JointRange(-40, 55, 8, 14)),
    (JointRange(-10, 60, 14, 18), JointRange(-8, 8, 0, 4), JointRange(-8, 8, 0, 4)),
    (JointRange(-15, 80, 15, 25), FIXED, FIXED),
)


def _finger_of(joint: str) -> tuple[str, int]:
    return joint[:-1], int(joint[-1]) - 1


def joint_ranges() -> dict[str, np.ndarray]:
    """Tables over the 15 finger joints: 'lower', 'upper', 'mean', 'spread', each (15, 3) radians."""
    rows = [(THUMB_RANGES if finger == 'thumb' else FINGER_RANGES)[level]
            for finger, level in map(_finger_of, JOINT_NAMES[1:])]
    return {name: np.radians([[getattr(r, name) for r in row] for row in rows])
            for name in ('lower', 'upper', 'mean', 'spread')}


def anatomical_angles(least_spread_deg: float = 5.0) -> tuple[int, ...]:
    """Indices into the 45 flattened angles of those that a hand's joints really have, 21 in all: flexion everywhere,
    abduction at the four knuckles and the thumb's base, twist at the thumb's base."""
    return tuple(np.flatnonzero(joint_ranges()['spread'].ravel() >= np.radians(least_spread_deg)).tolist())


def palm_axes(joints_m: np.ndarray) -> np.ndarray:
    """Orthonormal basis (3, 3), columns distal, dorsal, radial (left-handed), from a right hand's rest joints (16, 3)."""
    names = list(JOINT_NAMES)
    at = {name: joints_m[names.index(name)] for name in ('wrist', 'index1', 'middle1', 'pinky1')}
    distal = _unit(at['middle1'] - at['wrist'])
    dorsal = _unit(np.cross(distal, at['index1'] - at['pinky1']))
    return np.stack([distal, dorsal, np.cross(dorsal, distal)], axis=-1)


def rotation_axes(rest_joints_m: np.ndarray, rest_tips_m: np.ndarray) -> np.ndarray:
    """Flexion, abduction and bone axis of the 15 finger joints in the rest frame.

    rest_joints_m: (16, 3). rest_tips_m: (5, 3), order of FINGERS. Returns (15, 3, 3): [joint, :, k] is the k-th axis,
    a right-handed triple.
    """
    palm = palm_axes(rest_joints_m)
    axes = np.zeros((15, 3, 3))
    for row, name in enumerate(JOINT_NAMES[1:]):
        finger, level = _finger_of(name)
        end = rest_joints_m[row + 2] if level < 2 else rest_tips_m[FINGERS.index(finger)]
        bone = _unit(end - rest_joints_m[row + 1])
        back = palm @ THUMB_BACK if finger == 'thumb' else palm[:, 1]
        flexion = _unit(np.cross(back, bone))
        axes[row] = np.stack([flexion, np.cross(bone, flexion), bone], axis=-1)
    return axes


def angles_to_rotations(angles, axes):
    """Joint rotations of anatomical angles. angles: (..., 15, 3) rad; axes: (15, 3, 3). Returns (..., 15, 3, 3)."""
    xp = array_namespace(angles)
    sine, cosine = xp.sin(angles), xp.cos(angles)
    sf, sa, st = (sine[..., k] for k in range(3))
    cf, ca, ct = (cosine[..., k] for k in range(3))
    # Rx(f) Ry(a) Rz(t) in the basis (flexion, abduction, bone)
    local = xp.stack([
        xp.stack([ca * ct, -ca * st, sa], axis=-1),
        xp.stack([cf * st + sf * sa * ct, cf * ct - sf * sa * st, -sf * ca], axis=-1),
        xp.stack([sf * st - cf * sa * ct, sf * ct + cf * sa * st, cf * ca], axis=-1)], axis=-2)
    # Sums of products, which XLA fuses; see hand_model.landmarks.
    turned = xp.sum(axes[..., :, :, None] * local[..., None, :, :], axis=-2)
    return xp.sum(turned[..., :, None, :] * axes[..., None, :, :], axis=-1)


def rotations_to_angles(rotations, axes):
    """Inverse of angles_to_rotations for |abduction| < 90 degrees. rotations: (..., 15, 3, 3). Returns (..., 15, 3)."""
    xp = array_namespace(rotations)
    local = xp.matrix_transpose(axes) @ rotations @ axes
    return xp.stack([xp.atan2(-local[..., 1, 2], local[..., 2, 2]),
                     xp.asin(xp.clip(local[..., 0, 2], -1.0, 1.0)),
                     xp.atan2(-local[..., 0, 1], local[..., 0, 0])], axis=-1)


def limit_violation(angles: np.ndarray) -> np.ndarray:
    """How far each angle lies outside its range, radians, zero inside. angles: (..., 15, 3)."""
    ranges = joint_ranges()
    return np.maximum(0, ranges['lower'] - angles) + np.maximum(0, angles - ranges['upper'])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)
