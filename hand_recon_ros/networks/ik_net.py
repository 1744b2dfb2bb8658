"""IKNet: 3D joints to joint rotations in one pass (Zhou et al. 2020, "Monocular Real-time Hand Shape and Motion Capture",
sec. 3.3)."""
from __future__ import annotations

import torch
from torch import nn

from hand_recon_ros.networks.ik_encoding import KEYPOINTS

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
