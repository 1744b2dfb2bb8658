"""HandNet: a crop and its keypoint heat maps to MANO's parameters, a weak camera and a mask (Seeber et al. 2021,
"RealisticHands: A Hybrid Model for 3D Hand Reconstruction", sec. 3.1, 3.3)."""
from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from hand_recon_ros.networks.residual import ResidualPlan, normalised, residual_plan

HEATMAPS, POSE, SHAPE, CAMERA, BASE = 21, 48, 10, 3, 512
MEAN_SCALE = 5.6        # sides of a crop a metre: the mean of rendered hands
FUSION_RATIO = 8        # sec. 3.1: "reduces the channel dimensionality by a ratio of 8 to 2C/8"


class HandOutput(NamedTuple):
    """pose: (N, 48) axis-angle. shape: (N, 10). camera: (N, 3) scale and translation (s, tx, ty) in units of the crop.
    base: (N, 512) features of the regressor. mask: (N, H, W) logits of the hand, None when not asked for."""
    pose: torch.Tensor
    shape: torch.Tensor
    camera: torch.Tensor
    base: torch.Tensor
    mask: torch.Tensor | None


class Front(nn.Module):
    """A residual network's stem and first two stages, for either modality; keeps what the mask decoder skips to."""

    def __init__(self, plan: ResidualPlan, channels: int):
        super().__init__()
        self.stem, self.first, self.second = plan.stem(channels), plan.stage(1), plan.stage(2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(N, channels, H, W) to features at 1/2, 1/4 and 1/8."""
        half = self.stem(x)
        quarter = self.first(half)
        return half, quarter, self.second(quarter)


class FusionBlock(nn.Module):
    """Weighs two modalities place by place: X^ = w o [X_img, X_kp], then back to C channels (sec. 3.1)."""

    def __init__(self, channels: int):
        super().__init__()
        self.weigh = nn.Sequential(nn.Conv2d(2 * channels, 2 * channels // FUSION_RATIO, 3, padding=1), nn.ReLU(inplace=True),
                                   nn.Conv2d(2 * channels // FUSION_RATIO, 2 * channels, 3, padding=1), nn.Sigmoid())
        self.reduce = nn.Sequential(*normalised(2 * channels, channels, 3), nn.ReLU(inplace=True))

    def forward(self, image: torch.Tensor, keypoints: torch.Tensor) -> torch.Tensor:
        """Two (N, C, H, W) to one."""
        both = torch.cat([image, keypoints], dim=1)
        return self.reduce(self.weigh(both) * both)


class ManoRegressor(nn.Module):
    """Fully connected 2048 and 512, then pose, shape and weak camera."""

    def __init__(self, channels: int):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(channels, 2048), nn.ReLU(inplace=True), nn.Linear(2048, BASE), nn.ReLU(inplace=True))
        for layer in self.body:
            if isinstance(layer, nn.Linear):
                # As the convolutions: a linear layer's own beginning shrinks what it is told, and fingers learn more slowly.
                nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
                nn.init.zeros_(layer.bias)
        self.heads = nn.Linear(BASE, POSE + SHAPE + CAMERA)
        # Begins as the mean hand, flat, filling its crop: from a camera of scale 0, eq. 9's 2D joints lead poses astray.
        nn.init.normal_(self.heads.weight, std=0.01)
        nn.init.zeros_(self.heads.bias)
        with torch.no_grad():
            self.heads.bias[POSE + SHAPE] = MEAN_SCALE

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """(N, channels) to pose, shape, camera and base features."""
        base = self.body(features)
        return *self.heads(base).split((POSE, SHAPE, CAMERA), dim=1), base


class MaskDecoder(nn.Module):
    """U-Net's expanding half: skips to the fused features, then to the image branch alone (sec. 3.1)."""

    def __init__(self, plan: ResidualPlan):
        super().__init__()
        sizes = [plan.channels(4), plan.channels(3), plan.channels(2), plan.channels(1), plan.channels(0)]
        widths = [plan.width * 4, plan.width * 2, plan.width, plan.width // 2]
        inputs = [sizes[0], *widths[:-1]]
        self.levels = nn.ModuleList(nn.Sequential(*normalised(deep + skip, width, 3), nn.ReLU(inplace=True),
                                                  *normalised(width, width, 3), nn.ReLU(inplace=True))
                                    for deep, skip, width in zip(inputs, sizes[1:], widths))
        self.logit = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, deepest: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        """Features at 1/32 and skips at 1/16, 1/8, 1/4, 1/2 to logits (N, H, W)."""
        x = deepest
        for level, skip in zip(self.levels, skips):
            x = level(torch.cat([_doubled(x), skip], dim=1))
        return self.logit(_doubled(x))[:, 0]


class HandNet(nn.Module):
    """Two fronts, fusion, tail, regressor and mask decoder. backbone: see residual.PLANS; 'resnet50' in the paper."""

    def __init__(self, backbone: str = 'resnet50'):
        super().__init__()
        plan = residual_plan(backbone)
        self.image, self.keypoints = Front(plan, 3), Front(plan, HEATMAPS)
        self.fusion = FusionBlock(plan.channels(2))
        self.third, self.fourth = plan.stage(3), plan.stage(4)
        self.regressor, self.mask = ManoRegressor(plan.channels(4)), MaskDecoder(plan)

    def forward(self, image: torch.Tensor | None, heatmaps: torch.Tensor | None, mask: bool = True) -> HandOutput:
        """image: (N, 3, H, W) normalised, heatmaps: (N, 21, H, W), sides multiples of 32.

        One of them may be None: the other's features pass the fusion by, as in the Image and Keypoint stages. A mask
        needs the image.
        """
        seen = None if image is None else self.image(image)
        told = None if heatmaps is None else self.keypoints(heatmaps)
        if seen is None and told is None:
            raise ValueError('image, heatmaps: both None, expected at least one')
        if seen is None or told is None:
            middle = (seen or told)[2]
        else:
            middle = self.fusion(seen[2], told[2])
        deep = self.third(middle)
        deepest = self.fourth(deep)
        pose, shape, camera, base = self.regressor(deepest.mean(dim=(2, 3)))
        logits = None
        if mask:
            if seen is None:
                raise ValueError('image: None, expected one where a mask is asked for')
            logits = self.mask(deepest, [deep, middle, seen[1], seen[0]])
        return HandOutput(pose, shape, camera, base, logits)


class StereoWeights(nn.Module):
    """w in R^48 of both views' base features: p = w p_right + (1 - w) p_left (eq. 6)."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2 * BASE, POSE)
        # Begins as the plain mean of the views.
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, right: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
        """Base features (N, 512) of both views to weights (N, 48) in 0..1."""
        return torch.sigmoid(self.layer(torch.cat([right, left], dim=1)))


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2, mode='bilinear', align_corners=False)
