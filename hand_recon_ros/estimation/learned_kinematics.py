"""Inverse kinematics by IKNet, compiled by JAX into the call that uses it (Zhou et al. 2020, sec. 3.3)."""
from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from hand_recon_ros.geometry.rotations import quaternion_to_matrix
from hand_recon_ros.hand_model.anatomy import joint_ranges, rotations_to_angles
from hand_recon_ros.hand_model.landmarks import Skeleton, landmark_shape_dirs, rest_landmarks
from hand_recon_ros.hand_model.skeleton import JOINT_PARENTS
from hand_recon_ros.networks.forward_kinematics import JOINT_KEYPOINTS
from hand_recon_ros.networks.ik_net import IkNet, ik_inputs
from hand_recon_ros.weights.store import load_weights


class LearnedKinematics:
    """Takes the place of closed-form inverse kinematics; angles beyond a joint's limits are clipped to them."""

    def __init__(self, skeleton: Skeleton, model_name: str, weights: str = 'iknet'):
        """skeleton: of a model with a detector's landmark offsets. ValueError when the weights are of another model."""
        network, card = load_weights(weights, 'iknet')
        if card.model != model_name:
            raise ValueError(f'weights {weights}: for model {card.model!r}, expected {model_name!r}')
        self._rest, self._rest_dirs = rest_landmarks(skeleton), landmark_shape_dirs(skeleton)
        self._axes, self._layers, ranges = skeleton.axes, folded_layers(network), joint_ranges()
        self._limits = np.float32(ranges['lower']), np.float32(ranges['upper'])

    def __call__(self, points, shape):
        """Wrist rotation (3, 3) and angles (15, 3), rad, of a right hand of `shape` (B,) with landmarks `points` (21, 3)."""
        values = ik_inputs(points, self._rest + self._rest_dirs @ shape).reshape(-1)
        for weight, bias in self._layers[:-1]:
            values = jax.nn.sigmoid(weight @ values + bias)
        weight, bias = self._layers[-1]
        world = quaternion_to_matrix((weight @ values + bias).reshape(21, 4)[np.asarray(JOINT_KEYPOINTS)])
        parents = np.maximum(np.asarray(JOINT_PARENTS), 0)
        local = jnp.swapaxes(world[parents], -1, -2) @ world
        return world[0], jnp.clip(rotations_to_angles(local[1:], self._axes), *self._limits)


def folded_layers(network: IkNet) -> list[tuple[np.ndarray, np.ndarray]]:
    """(weight, bias) of every layer, its batch normalisation folded in."""
    layers = []
    for layer in network.layers:
        if isinstance(layer, nn.Linear):
            layers.append((layer.weight.detach(), layer.bias.detach()))
        elif isinstance(layer, nn.BatchNorm1d):
            weight, bias = layers[-1]
            scale = (layer.weight / torch.sqrt(layer.running_var + layer.eps)).detach()
            layers[-1] = weight * scale[:, None], (bias - layer.running_mean) * scale + layer.bias.detach()
    return [(weight.numpy(), bias.numpy()) for weight, bias in layers]
