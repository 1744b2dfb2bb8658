"""Inverse kinematics by IKNet, compiled by JAX into the call that uses it (Zhou et al. 2020, sec. 3.3)."""
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.estimation.posing import within_limits
from hand_recon_ros.geometry.rotations import quaternion_to_matrix
from hand_recon_ros.hand_model.anatomy import rotations_to_angles
from hand_recon_ros.hand_model.landmarks import Skeleton, landmark_shape_dirs, rest_landmarks
from hand_recon_ros.hand_model.skeleton import JOINT_PARENTS
from hand_recon_ros.networks.ik_encoding import JOINT_KEYPOINTS, ik_inputs
from hand_recon_ros.weights.files import read_weights

BATCH_NORM_EPS = 1e-5       # of torch.nn.BatchNorm1d


class LearnedKinematics:
    """Takes the place of closed-form inverse kinematics; angles beyond a joint's limits are clipped to them."""

    def __init__(self, skeleton: Skeleton, model_name: str, weights: str | Path = 'iknet', limited: bool = True):
        """skeleton: of a model with a detector's landmark offsets. limited: False for the network's angles as they are.
        ValueError when the weights are of another model."""
        arrays, _ = read_weights(weights, 'iknet', model_name)
        self._rest, self._rest_dirs = rest_landmarks(skeleton), landmark_shape_dirs(skeleton)
        self._axes, self._layers, self._limited = skeleton.axes, folded_layers(arrays), limited

    def __call__(self, points, shape):
        """Wrist rotation (3, 3) and angles (15, 3), rad, of a right hand of `shape` (B,) with `points` (21, 3) m."""
        values = ik_inputs(points, self._rest + self._rest_dirs @ shape).reshape(-1)
        for weight, bias in self._layers[:-1]:
            values = jax.nn.sigmoid(weight @ values + bias)
        weight, bias = self._layers[-1]
        world = quaternion_to_matrix((weight @ values + bias).reshape(21, 4)[np.asarray(JOINT_KEYPOINTS)])
        parents = np.maximum(np.asarray(JOINT_PARENTS), 0)
        local = jnp.swapaxes(world[parents], -1, -2) @ world
        angles = rotations_to_angles(local[1:], self._axes)
        return world[0], within_limits(angles) if self._limited else angles


def folded_layers(arrays: Mapping[str, np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) float32 of every layer of IKNet's stored numbers, its batch normalisation folded in."""
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    layers = []
    for row in sorted({int(name.split('.')[1]) for name in arrays}):
        of = lambda name: arrays[f'layers.{row}.{name}']                # noqa: E731
        if f'layers.{row}.running_var' not in arrays:
            layers.append((of('weight'), of('bias')))
            continue
        weight, bias = layers[-1]
        scale = of('weight') / np.sqrt(of('running_var') + BATCH_NORM_EPS)
        layers[-1] = weight * scale[:, None], (bias - of('running_mean')) * scale + of('bias')
    return layers
