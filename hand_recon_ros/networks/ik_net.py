"""IKNet: 3D joints to joint rotations in one pass (Zhou et al. 2020, "Monocular Real-time Hand Shape and Motion Capture",
sec. 3.3)."""
from __future__ import annotations

import torch
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


def ik_inputs(points: torch.Tensor, rest: torch.Tensor) -> torch.Tensor:
    """I = [X, D, X_ref, D_ref] (..., 4, 21, 3) of a right hand's points (..., 21, 3) and the same points at rest.

    X: relative to the middle knuckle, in units of the reference bone. D: unit vectors from the parent, zero for the wrist.
    """
    return torch.stack([*_encoded(points), *_encoded(rest)], dim=-3)


def _encoded(points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    reference = (points[..., WRIST, :] - points[..., ROOT, :]).norm(dim=-1).clamp_min(1e-6)
    bones = points - points[..., [max(parent, 0) for parent in KEYPOINT_PARENTS], :]
    directions = bones / bones.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    return (points - points[..., ROOT:ROOT + 1, :]) / reference[..., None, None], directions
