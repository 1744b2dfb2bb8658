"""Skinning as a torch module, for networks: constants as buffers, so that it follows .to(device) and dtype."""
from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hand_recon_ros.hand_model import skinning
from hand_recon_ros.hand_model.model import HandModel


class TorchHand(nn.Module):
    """Pose, shape and translation to vertices and keypoints, differentiable in all three."""

    def __init__(self, model: HandModel, dtype: torch.dtype = torch.float32):
        """dtype: float32 or float64."""
        super().__init__()
        if dtype not in (torch.float32, torch.float64):
            raise ValueError(f'dtype: {dtype}, expected torch.float32 or torch.float64')
        self.model = model
        host = skinning.constants(model, np.float32 if dtype == torch.float32 else np.float64)
        # constants follow from the model file, so they stay out of a network's checkpoint
        for name, array in host._asdict().items():
            self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @property
    def constants(self) -> skinning.SkinningConstants:
        """The buffers, where they are now."""
        return skinning.SkinningConstants(*(getattr(self, name) for name in skinning.SkinningConstants._fields))

    def forward(self, pose: torch.Tensor, shape: torch.Tensor, translation: torch.Tensor):
        """Pose (..., 48), shape (..., B), translation (..., 3) m to vertices (..., V, 3), keypoints (..., 21, 3)."""
        for name, value, size in (('pose', pose, 48), ('shape', shape, self.model.shape_size),
                                  ('translation', translation, 3)):
            if value.ndim == 0 or value.shape[-1] != size:
                raise ValueError(f'{name}: shape {tuple(value.shape)}, expected ... x {size}')
        vertices, keypoints = skinning.skin(self.constants, pose, shape, translation)
        return vertices.contiguous(), keypoints
