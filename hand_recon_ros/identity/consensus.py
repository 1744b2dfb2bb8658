"""Paper 5 eq. 7 as written: one shape from estimates alone, of any estimator, without looking at what was detected.

    min over shape of sum_k w_k || M(shape, pose_k) - M(shape_k, pose_k) ||_F

M is linear in the shape at a fixed pose, so each norm is that of a fixed matrix times (shape - shape_k): a weighted
geometric median, found by iteratively reweighted least squares (Weiszfeld).
"""
from __future__ import annotations

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model import skinning
from hand_recon_ros.hand_model.mirroring import mirror_pose
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import HandEstimate

ITERATIONS, NEAREST_M = 50, 1e-6


class ShapeConsensus:
    """Shapes of people from estimates of one model."""

    def __init__(self, model: HandModel):
        self._model, self._constants = model, skinning.constants(model, np.float64)

    def shape(self, estimates: list[HandEstimate], weights=None) -> np.ndarray:
        """(B,) of K estimates with attention weights (K,) (None: all alike). ValueError without estimates, for another
        model's shapes or other than K weights."""
        if not estimates:
            raise ValueError('estimates: none, expected at least one')
        shapes = np.stack([np.asarray(estimate.shape, np.float64) for estimate in estimates])
        if shapes.shape[1] != self._model.shape_size:
            raise ValueError(f'shape: {shapes.shape[1]} numbers, expected the model\'s {self._model.shape_size}')
        weights = np.full(len(shapes), 1 / len(shapes)) if weights is None else np.asarray(weights, np.float64)
        if weights.shape != (len(shapes),) or not (weights >= 0).all() or not weights.sum() > 0:
            raise ValueError(f'weights: {weights.tolist()}, expected {len(shapes)} of at least 0, not all 0')
        metrics = np.stack([self._metric(estimate) for estimate in estimates])
        shape = np.average(shapes, axis=0, weights=weights)
        for _ in range(ITERATIONS):
            away = shape - shapes
            norms = np.sqrt(np.maximum(np.einsum('kb,kbc,kc->k', away, metrics, away), NEAREST_M ** 2))
            pull = (weights / norms)[:, None, None] * metrics
            # Shape numbers that hardly move the mesh are held by a whisper, or the system could not be solved.
            normal = pull.sum(0)
            normal = normal + 1e-9 * np.trace(normal) * np.eye(len(shape))
            shape = np.linalg.solve(normal, (pull @ shapes[..., None]).sum(0)[:, 0] + 1e-9 * np.trace(normal) * shape)
        return shape

    def _metric(self, estimate: HandEstimate) -> np.ndarray:
        """(B, B) G with || M(a, pose) - M(b, pose) ||_F^2 = (a - b)^T G (a - b)."""
        pose = np.asarray(estimate.pose, np.float64)
        pose = mirror_pose(pose) if estimate.handedness == 'left' else pose
        rotations = axis_angle_to_matrix(pose.reshape(16, 3))
        count = self._model.shape_size
        shapes = np.concatenate([np.zeros((1, count)), np.eye(count)])
        vertices, _ = skinning.skin_rotations(self._constants, rotations, shapes, np.zeros(3))
        moved = (vertices[1:] - vertices[0]).reshape(count, -1)
        return moved @ moved.T
