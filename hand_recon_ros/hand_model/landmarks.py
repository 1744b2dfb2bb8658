"""The 21 keypoints of one hand from its parameters, without touching the mesh: 16 joints and 5 tip vertices."""
from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hand_recon_ros.hand_model.anatomy import angles_to_rotations, rotation_axes
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import KEYPOINT_JOINTS, KEYPOINT_ROWS
from hand_recon_ros.hand_model.parameters import HandParameters

# The five chains of the kinematic tree, joint rows of the first, second and third joint of index .. thumb.
FIRST, SECOND, THIRD = (np.arange(5) * 3 + level for level in (1, 2, 3))


class Skeleton(NamedTuple):
    """Constants of a hand model that place its keypoints, float32.

    joints: (16, 3) rest. joint_dirs: (16, 3, B). tips: (5, 3) rest tip vertices, order of FINGERS. tip_dirs: (5, 3, B).
    tip_pose_dirs: (5, 3, 135). tip_weights: (5, 16). axes: (15, 3, 3). offsets: (21, 3) landmark offsets in joint
    frames, metres.
    """
    joints: np.ndarray
    joint_dirs: np.ndarray
    tips: np.ndarray
    tip_dirs: np.ndarray
    tip_pose_dirs: np.ndarray
    tip_weights: np.ndarray
    axes: np.ndarray
    offsets: np.ndarray


def build_skeleton(model: HandModel, offsets_m=None) -> Skeleton:
    """Constants of `model` with a detector's landmark offsets (21, 3), or none."""
    regressor = np.asarray(model.joint_regressor, np.float64)
    template, shape_dirs = np.asarray(model.template_m, np.float64), np.asarray(model.shape_dirs, np.float64)
    joints = regressor @ template
    tips = model.tip_vertices
    offsets = np.zeros((21, 3)) if offsets_m is None else np.asarray(offsets_m)
    parts = (joints, np.tensordot(regressor, shape_dirs, 1), template[tips], shape_dirs[tips], model.pose_dirs[tips],
             model.weights[tips], rotation_axes(joints, template[tips]), offsets)
    return Skeleton(*(np.asarray(part, np.float32) for part in parts))


def rest_landmarks(skeleton: Skeleton) -> np.ndarray:
    """Landmarks (21, 3) of the mean hand at rest, metres: there every joint frame is the identity."""
    return np.concatenate([skeleton.joints, skeleton.tips])[np.asarray(KEYPOINT_ROWS)] + skeleton.offsets


def landmark_shape_dirs(skeleton: Skeleton) -> np.ndarray:
    """How the rest landmarks move with the shape, (21, 3, B)."""
    return np.concatenate([skeleton.joint_dirs, skeleton.tip_dirs])[np.asarray(KEYPOINT_ROWS)]


def wrist_position(skeleton: Skeleton, shape: np.ndarray) -> np.ndarray:
    """The wrist joint (3,) of a shape (B,) at rest, metres: MANO's translation is counted from it."""
    return skeleton.joints[0] + skeleton.joint_dirs[0] @ shape


def place(skeleton: Skeleton, parameters: HandParameters):
    """Keypoints and landmarks of one hand.

    Returns keypoints (21, 3) of the model and landmarks (21, 3) by the detector's definition, metres, optical frame.
    """
    joints = skeleton.joints + (skeleton.joint_dirs * parameters.shape).sum(-1)
    local = angles_to_rotations(parameters.angles, skeleton.axes)
    # Three levels, five fingers at a time: world rotations and positions of the chains.
    root = parameters.rotation
    first = _multiply(root, local[FIRST - 1])
    second = _multiply(first, local[SECOND - 1])
    third = _multiply(second, local[THIRD - 1])
    at_first = parameters.root + _rotate(root, joints[FIRST] - joints[0])
    at_second = at_first + _rotate(first, joints[SECOND] - joints[FIRST])
    at_third = at_second + _rotate(second, joints[THIRD] - joints[SECOND])
    rotations = jnp.concatenate([root[None], jnp.stack([first, second, third], 1).reshape(15, 3, 3)])
    positions = jnp.concatenate([parameters.root[None], jnp.stack([at_first, at_second, at_third], 1).reshape(15, 3)])
    # Tip vertices: linear blend skinning with pose correctives, as in hand_model.skinning.
    correctives = skeleton.tip_pose_dirs @ (local - jnp.eye(3)).reshape(135)
    tips = skeleton.tips + (skeleton.tip_dirs * parameters.shape).sum(-1) + correctives
    moved = _rotate(rotations, tips[:, None] - joints) + positions
    tips = (skeleton.tip_weights[..., None] * moved).sum(1)
    keypoints = jnp.concatenate([positions, tips])[np.asarray(KEYPOINT_ROWS)]
    landmarks = keypoints + _rotate(rotations[np.asarray(KEYPOINT_JOINTS)], skeleton.offsets)
    return keypoints, landmarks


# Sums of products instead of matmul: XLA fuses them with what comes before and after, where every tiny matrix product
# of its own would cost a dispatch. The tailor's loop is a third faster for it.

def _rotate(rotations, vectors):
    return (rotations * vectors[..., None, :]).sum(-1)


def _multiply(first, second):
    return (first[..., :, :, None] * second[..., None, :, :]).sum(-2)
