"""IKNet: 3D joints to joint rotations in one pass (Zhou et al. 2020, "Monocular Real-time Hand Shape and Motion Capture",
sec. 3.3)."""
from __future__ import annotations

import numpy as np
import torch
from array_api_compat import array_namespace
from torch import nn

from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES, KEYPOINT_PARENTS

KEYPOINTS = len(KEYPOINT_NAMES)
# Sec. 3.1: positions are relative to the middle finger's knuckle, in units of the bone from there to the wrist.
ROOT, WRIST = KEYPOINT_NAMES.index('middle1'), KEYPOINT_NAMES.index('wrist')
LAYERS = 7


class IkNet(nn.Module):
    """Seven fully connected layers with batch normalisation and sigmoids, the last one linear."""

    def __init__(self, width: int = 1024):
        """width: of the hidden layers; the paper names none, its published code has 1024."""
        super().__init__()
        sizes = [4 * KEYPOINTS * 3] + [width] * (LAYERS - 1)
        hidden = [layer for size, wider in zip(sizes, sizes[1:])
                  for layer in (nn.Linear(size, wider), nn.BatchNorm1d(wider), nn.Sigmoid())]
        self.layers = nn.Sequential(*hidden, nn.Linear(width, KEYPOINTS * 4))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.xavier_normal_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs (N, 4, 21, 3), see ik_inputs, to raw quaternions (N, 21, 4) (w, x, y, z) of each keypoint's world rotation.

        They are of any length; a tip's is that of the last joint of its finger.
        """
        return self.layers(inputs.flatten(1)).unflatten(1, (KEYPOINTS, 4))


def ik_inputs(points, rest):
    """I = [X, D, X_ref, D_ref] (..., 4, 21, 3) of a right hand's points (..., 21, 3) and the same points at rest.

    X: relative to the middle knuckle, in units of the reference bone. D: unit vectors from the parent, zero for the wrist.
    PyTorch and JAX arrays alike.
    """
    xp = array_namespace(points)
    return xp.stack([*_encoded(xp, points), *_encoded(xp, rest)], axis=-3)


def _encoded(xp, points):
    def length(vectors):
        # A floor under the root: its gradient stays finite where points fall together.
        return xp.sqrt(xp.clip(xp.sum(vectors * vectors, axis=-1, keepdims=True), 1e-12, None))
    bones = points - points[..., np.maximum(np.asarray(KEYPOINT_PARENTS), 0), :]
    reference = length(points[..., WRIST:WRIST + 1, :] - points[..., ROOT:ROOT + 1, :])
    return (points - points[..., ROOT:ROOT + 1, :]) / reference, bones / length(bones)
