"""HandNet with what a training stage locks locked."""
from __future__ import annotations

from torch import nn

from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.training.hand_stages import ALL, Stage


class Staged(nn.Module):
    """HandNet as one stage trains it: locked parts neither learn nor move their batch statistics."""

    def __init__(self, network: HandNet, stage: Stage):
        super().__init__()
        self.network, self._stage = network, stage
        for part in ALL:
            for parameter in getattr(network, part).parameters():
                parameter.requires_grad_(part in stage.learns)

    def train(self, mode: bool = True) -> Staged:
        """As nn.Module; locked parts stay in eval mode."""
        super().train(mode)
        for part in ALL:
            if part not in self._stage.learns:
                getattr(self.network, part).eval()
        return self

    def forward(self, image, heatmaps):
        """HandOutput of the stage's inputs."""
        return self.network(image if self._stage.sees_image else None,
                            heatmaps if self._stage.sees_keypoints else None,
                            mask=self._stage.mask if self.training else self._stage.measures_mask)
