"""DetNet: a crop to heat maps, delta maps and location maps of 21 joints (Zhou et al. 2020, sec. 3.1)."""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from hand_recon_ros.networks.residual import normalised, residual_plan

JOINTS = 21


class DetMaps(NamedTuple):
    """heat: (N, 21, M, M). delta, location: (N, 21, 3, M, M), bone directions and positions about the middle knuckle in
    units of the bone from there to the wrist. M: a quarter of the crop's side."""
    heat: torch.Tensor
    delta: torch.Tensor
    location: torch.Tensor


class DetNet(nn.Module):
    """Residual features at a quarter of the crop, then three two-layer heads in a row."""

    def __init__(self, backbone: str = 'resnet50', features: int = 256):
        """backbone: its stem and first three stages, strides after the first stage replaced by dilation."""
        super().__init__()
        plan = residual_plan(backbone)
        stages = [plan.stage(number) for number in (1, 2, 3)]
        for stage, rate in zip(stages[1:], (2, 4)):
            _dilate(stage, rate)
        self.backbone = nn.Sequential(plan.stem(3), *stages, *normalised(plan.channels(3), features, 3), nn.ReLU(inplace=True))
        self.heat = _head(features, features, JOINTS)
        self.delta = _head(features + JOINTS, features, 3 * JOINTS)
        self.location = _head(features + 4 * JOINTS, features, 3 * JOINTS)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_normal_(layer.weight)    # sec. 3.1
        # Nearly all of a heat map is empty: from one half everywhere, the first hundreds of steps only learn that.
        nn.init.constant_(self.heat[-1].bias, -2.5)

    def forward(self, image: torch.Tensor) -> DetMaps:
        """(N, 3, S, S) normalised, S = 128 in the paper."""
        features = self.backbone(image)
        heat = torch.sigmoid(self.heat(features))
        delta = self.delta(torch.cat([features, heat], dim=1))
        location = self.location(torch.cat([features, heat, delta], dim=1))
        return DetMaps(heat, delta.unflatten(1, (JOINTS, 3)), location.unflatten(1, (JOINTS, 3)))


def look_up(maps: DetMaps) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels (N, 21, 2) on the map, positions (N, 21, 3) read there, and the heat maps' maxima (N, 21)."""
    size = maps.heat.shape[-1]
    score, index = maps.heat.flatten(2).max(dim=-1)
    place = index[:, :, None, None].expand(-1, -1, 3, 1)
    points = maps.location.flatten(3).gather(3, place)[..., 0]
    return torch.stack([index % size, index // size], dim=-1).to(points.dtype), points, score


def _head(channels: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*normalised(channels, width, 3), nn.ReLU(inplace=True), nn.Conv2d(width, outputs, 1))


def _dilate(stage: nn.Sequential, rate: int) -> None:
    """Takes a stage's stride away and spreads its kernels instead, so that each sees as far as it did."""
    for layer in stage.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (rate, rate)
