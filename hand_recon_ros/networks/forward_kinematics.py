"""From the joints' world rotations to the 21 landmarks of a detector, differentiable: FK of Zhou et al. 2020, eq. 12."""
from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hand_recon_ros.geometry.rotations import rotate
from hand_recon_ros.hand_model import skinning
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import JOINT_PARENTS, KEYPOINT_JOINTS

_PARENTS = [max(parent, 0) for parent in JOINT_PARENTS]


class LandmarkKinematics(nn.Module):
    """Poses a hand model's keypoints and carries landmark offsets along in their joints' frames."""

    def __init__(self, model: HandModel, dtype: torch.dtype = torch.float32):
        super().__init__()
        host = skinning.tip_constants(model, np.float32 if dtype == torch.float32 else np.float64)
        for name, array in host._asdict().items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)
        self.shape_size = model.shape_size

    @property
    def constants(self) -> skinning.SkinningConstants:
        """The buffers, where they are now."""
        return skinning.SkinningConstants(*(getattr(self, name) for name in skinning.SkinningConstants._fields))

    def forward(self, world: torch.Tensor, shape: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Landmarks (..., 21, 3) m of world rotations (..., 16, 3, 3), shapes (..., B), offsets (..., 21, 3) m in joint
        frames. The wrist rests where the model has it."""
        local = local_rotations(world)
        _, keypoints = skinning.skin_rotations(self.constants, local, shape, torch.zeros_like(shape[..., :3]))
        return keypoints + rotate(world[..., list(KEYPOINT_JOINTS), :, :], offsets)

    def rest(self, shape: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Landmarks (..., 21, 3) m of the unposed hand."""
        world = torch.eye(3, dtype=shape.dtype, device=shape.device).expand(*shape.shape[:-1], len(JOINT_PARENTS), 3, 3)
        return self(world, shape, offsets)


def local_rotations(world: torch.Tensor) -> torch.Tensor:
    """World rotations (..., 16, 3, 3) to each joint's own relative to its parent's; the wrist's stays."""
    relative = world[..., _PARENTS, :, :].transpose(-1, -2) @ world
    return torch.cat([world[..., :1, :, :], relative[..., 1:, :, :]], dim=-3)


def world_rotations(local: torch.Tensor) -> torch.Tensor:
    """Inverse of local_rotations."""
    world = [local[..., 0, :, :]]
    for joint in range(1, len(JOINT_PARENTS)):
        world.append(world[JOINT_PARENTS[joint]] @ local[..., joint, :, :])
    return torch.stack(world, dim=-3)
