"""MANO's linear blend skinning, written once for NumPy, PyTorch and JAX arrays (Romero et al. 2017, eq. 2-5).

Pose is (..., 48) axis-angle in radians, 16 joints in the model's order, always the full pose relative to the flat hand.
Batch axes come first and broadcast. Arrays run coordinate by coordinate ((..., 3, V)) inside, which keeps the long axis
contiguous in every product.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, rotate
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import JOINT_COUNT, KEYPOINT_ROWS


class SkinningConstants(NamedTuple):
    """A model prepared for skinning, in one array library and dtype; a JAX pytree.

    directions: (1 + B + 135, 3 V) metres, all x, then y, then z: the template, shape rows, pose rows.
    weights: (16, V), columns sum to 1. joints: (16, 3) of the mean shape. joint_dirs: (B, 48). tips: (5,) vertex
    numbers. keypoint_rows: (21,) rows of [joints, tips].
    """
    directions: Any
    weights: Any
    joints: Any
    joint_dirs: Any
    tips: Any
    keypoint_rows: Any


def constants(model: HandModel, dtype=np.float32, vertices=None) -> SkinningConstants:
    """NumPy constants of a model. `vertices`: keep only these vertex numbers (then tips must be among them)."""
    keep = np.arange(model.vertex_count) if vertices is None else np.asarray(vertices)
    tips = np.array([int(np.flatnonzero(keep == tip)[0]) if (keep == tip).any() else -1 for tip in model.tip_vertices])
    if (tips < 0).any():
        raise ValueError(f'vertices: {len(keep)} numbers without all tips, '
                         f'expected {model.tip_vertices.tolist()} among them')
    flat = lambda dirs: dirs[keep].transpose(2, 1, 0).reshape(dirs.shape[2], -1)
    joint_dirs = np.tensordot(model.joint_regressor, model.shape_dirs, 1)
    floats = lambda array: np.ascontiguousarray(array, dtype)
    return SkinningConstants(
        directions=floats(np.concatenate([model.template_m[keep].T.reshape(1, -1), flat(model.shape_dirs),
                                          flat(model.pose_dirs)])),
        # to the last digit, because the translation is blended with the bones
        weights=floats((model.weights[keep] / model.weights[keep].sum(1, keepdims=True)).T),
        joints=floats(model.rest_joints_m),
        joint_dirs=floats(joint_dirs.reshape(-1, model.shape_size).T),
        tips=tips, keypoint_rows=np.array(KEYPOINT_ROWS))


def tip_constants(model: HandModel, dtype=np.float32) -> SkinningConstants:
    """Constants of the five tip vertices only: all that the 21 keypoints need, at a few hundredths of the cost."""
    return constants(model, dtype, model.tip_vertices)


def rest_joints(constants: SkinningConstants, shape):
    """Joints (..., 16, 3) in metres of the unposed hand of shape (..., B)."""
    xp = array_namespace(shape)
    moved = shape @ constants.joint_dirs
    return constants.joints + xp.reshape(moved, (*moved.shape[:-1], JOINT_COUNT, 3))


def joint_frames(constants: SkinningConstants, rotations, shape):
    """Forward kinematics: local rotations (..., 16, 3, 3), shape (..., B) to world ones and joints (..., 16, 3) m."""
    return _chain(rotations, rest_joints(constants, shape))


def _chain(rotations, joints):
    """World rotations and positions; five fingers of three joints hang off the wrist, so three products do for all."""
    xp = array_namespace(rotations)
    batch = rotations.shape[:-3]
    root = rotations[..., 0:1, :, :]
    fingers = xp.reshape(rotations[..., 1:, :, :], (*batch, 5, 3, 3, 3))
    rest = xp.reshape(joints[..., 1:, :], (*joints.shape[:-2], 5, 3, 3))
    wrist = joints[..., 0:1, :]
    first = root @ fingers[..., 0, :, :]
    second = first @ fingers[..., 1, :, :]
    third = second @ fingers[..., 2, :, :]
    at_first = wrist + rotate(root, rest[..., 0, :] - wrist)
    at_second = at_first + rotate(first, rest[..., 1, :] - rest[..., 0, :])
    at_third = at_second + rotate(second, rest[..., 2, :] - rest[..., 1, :])
    world = xp.reshape(xp.stack([first, second, third], axis=-3), (*batch, 15, 3, 3))
    batch = at_third.shape[:-2]
    places = xp.reshape(xp.stack([at_first, at_second, at_third], axis=-2), (*batch, 15, 3))
    wrist = xp.broadcast_to(wrist, (*batch, 1, 3))
    return xp.concat([root, world], axis=-3), xp.concat([wrist, places], axis=-2)


def skin(constants: SkinningConstants, pose, shape, translation):
    """Pose (..., 48) rad, shape (..., B), translation (..., 3) m to vertices (..., V, 3), keypoints (..., 21, 3) m."""
    xp = array_namespace(pose)
    rotations = axis_angle_to_matrix(xp.reshape(pose, (*pose.shape[:-1], JOINT_COUNT, 3)))
    return skin_rotations(constants, rotations, shape, translation)


def skin_rotations(constants: SkinningConstants, rotations, shape, translation):
    """As `skin`, from local rotation matrices (..., 16, 3, 3)."""
    xp = array_namespace(rotations)
    batch = np.broadcast_shapes(tuple(rotations.shape[:-3]), tuple(shape.shape[:-1]), tuple(translation.shape[:-1]))
    if rotations.shape[:-3] != batch:
        rotations = xp.broadcast_to(rotations, (*batch, JOINT_COUNT, 3, 3))
    if translation.shape[:-1] != batch:
        translation = xp.broadcast_to(translation, (*batch, 3))
    if shape.shape[:-1] != batch:
        shape = xp.broadcast_to(shape, (*batch, shape.shape[-1]))
    joints = rest_joints(constants, shape)
    world, places = _chain(rotations, joints)

    identity = xp.eye(3, dtype=rotations.dtype, device=_device(rotations))
    feature = xp.reshape(rotations[..., 1:, :, :] - identity, (*batch, 9 * (JOINT_COUNT - 1)))
    # a leading one takes the template along in the same product, which spares a pass over all vertices
    moved = xp.concat([xp.ones_like(shape[..., :1]), shape, feature], axis=-1) @ constants.directions
    moved = xp.reshape(moved, (*batch, 3, -1))

    places = places + translation[..., None, :]
    offsets = places - rotate(world, joints)
    bones = xp.concat([world, offsets[..., None]], axis=-1)
    axes = len(batch)
    bones = xp.reshape(xp.permute_dims(bones, (*range(axes), axes + 1, axes + 2, axes)), (*batch, 12, JOINT_COUNT))
    blend = xp.reshape(bones @ constants.weights, (*batch, 3, 4, -1))
    posed = (blend[..., 0, :] * moved[..., 0:1, :] + blend[..., 1, :] * moved[..., 1:2, :]
             + blend[..., 2, :] * moved[..., 2:3, :] + blend[..., 3, :])
    vertices = xp.matrix_transpose(posed)
    tips = xp.take(vertices, constants.tips, axis=-2)
    stacked = xp.concat([places, tips], axis=-2)
    return vertices, xp.take(stacked, constants.keypoint_rows, axis=-2)


def _device(array):
    """PyTorch needs new arrays on the caller's device; NumPy and traced JAX arrays have no choice to make."""
    return array.device if type(array).__module__.startswith('torch') else None
