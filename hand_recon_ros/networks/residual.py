"""Residual networks' parts (He et al. 2016, "Deep Residual Learning for Image Recognition"): stem, blocks, stages."""
from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from hand_recon_ros.types import checked_choice


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut."""
    expansion = 1

    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        self.body = nn.Sequential(*normalised(channels, width, 3, stride), nn.ReLU(inplace=True),
                                  *normalised(width, width, 3))
        self.shortcut = _shortcut(channels, width, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) to (N, width * expansion, H / stride, W / stride)."""
        return torch.relu(self.body(x) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3, 1 x 1 convolutions beside a shortcut; the stride sits in the 3 x 3 one."""
    expansion = 4

    def __init__(self, channels: int, width: int, stride: int = 1):
        super().__init__()
        self.body = nn.Sequential(*normalised(channels, width, 1), nn.ReLU(inplace=True),
                                  *normalised(width, width, 3, stride), nn.ReLU(inplace=True),
                                  *normalised(width, width * self.expansion, 1))
        self.shortcut = _shortcut(channels, width * self.expansion, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) to (N, width * expansion, H / stride, W / stride)."""
        return torch.relu(self.body(x) + self.shortcut(x))


@dataclass(frozen=True)
class ResidualPlan:
    """block: of all four stages. counts: blocks a stage. width: of the stem and the first stage, doubled every stage."""
    block: type
    counts: tuple[int, int, int, int]
    width: int = 64

    def channels(self, stage: int) -> int:
        """Channels after the stem (0) or stage 1 to 4."""
        return self.width if stage == 0 else self.width * 2 ** (stage - 1) * self.block.expansion

    def stem(self, channels: int) -> nn.Sequential:
        """7 x 7 convolution of stride 2: (N, channels, H, W) to (N, width, H / 2, W / 2)."""
        return nn.Sequential(*normalised(channels, self.width, 7, 2), nn.ReLU(inplace=True))

    def stage(self, number: int) -> nn.Sequential:
        """Stage 1 to 4; 1 begins with the pooling by 2, the others stride by 2."""
        width, stride = self.width * 2 ** (number - 1), 1 if number == 1 else 2
        blocks = [self.block(self.channels(number - 1), width, stride)]
        blocks += [self.block(self.channels(number), width) for _ in range(self.counts[number - 1] - 1)]
        return nn.Sequential(*([nn.MaxPool2d(3, 2, 1)] if number == 1 else []), *blocks)


PLANS = {'resnet50': ResidualPlan(Bottleneck, (3, 4, 6, 3)), 'resnet18': ResidualPlan(BasicBlock, (2, 2, 2, 2)),
         'resnet18_half': ResidualPlan(BasicBlock, (2, 2, 2, 2), 32)}


def residual_plan(name: str) -> ResidualPlan:
    """One of PLANS; ValueError for an unknown name."""
    return PLANS[checked_choice('backbone', name, tuple(PLANS))]


def normalised(channels: int, width: int, kernel: int, stride: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A convolution without bias that keeps the size (but for its stride), and its batch normalisation."""
    convolution = nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
    nn.init.kaiming_normal_(convolution.weight, mode='fan_out', nonlinearity='relu')
    return convolution, nn.BatchNorm2d(width)


def _shortcut(channels: int, width: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 and channels == width else nn.Sequential(*normalised(channels, width, 1, stride))
