"""Inverse kinematics by IKNet: wrist rotation and joint angles from 21 points in one pass (Zhou et al. 2020, sec. 3.3)."""
from __future__ import annotations

import numpy as np
import torch

from hand_recon_ros.geometry.rotations import quaternion_to_matrix
from hand_recon_ros.hand_model.anatomy import rotations_to_angles
from hand_recon_ros.hand_model.landmarks import Skeleton, landmark_shape_dirs, rest_landmarks
from hand_recon_ros.networks.forward_kinematics import JOINT_KEYPOINTS, local_rotations
from hand_recon_ros.networks.ik_net import ik_inputs
from hand_recon_ros.weights.compiled import CompiledNetwork
from hand_recon_ros.weights.store import load_weights


class LearnedKinematics:
    """Takes the place of InverseKinematics.solve; learned limits instead of clipped ones."""

    def __init__(self, skeleton: Skeleton, model_name: str, weights: str = 'iknet', backend: str = 'auto'):
        """skeleton: of a model with a detector's landmark offsets. ValueError when the weights are of another model."""
        network, card = load_weights(weights, 'iknet')
        if card.model != model_name:
            raise ValueError(f'weights {weights}: for model {card.model!r}, expected {model_name!r}')
        self._rest, self._rest_dirs = rest_landmarks(skeleton), landmark_shape_dirs(skeleton)
        self._axes = skeleton.axes.astype(np.float64)
        self._network = CompiledNetwork(network, (np.zeros((1, 4, 21, 3), np.float32),), backend)

    def solve(self, points: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wrist rotation (3, 3) and angles (15, 3), rad, of a right hand of `shape` whose landmarks are `points` (21, 3)."""
        rest = self._rest + self._rest_dirs @ np.asarray(shape, np.float32)
        inputs = ik_inputs(torch.as_tensor(np.asarray(points, np.float32)), torch.as_tensor(rest))
        quaternions = self._network(inputs.numpy()[None])[0][0].astype(np.float64)
        world = quaternion_to_matrix(quaternions[list(JOINT_KEYPOINTS)])
        local = local_rotations(torch.from_numpy(world)).numpy()
        return local[0], rotations_to_angles(local[1:], self._axes)
