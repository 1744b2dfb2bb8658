"""IKNet's losses (Zhou et al. 2020, eq. 9-13)."""
from __future__ import annotations

from dataclasses import dataclass

import torch

from hand_recon_ros.networks.ik_encoding import ROOT, WRIST
from hand_recon_ros.training.bounds import check_not_negative


@dataclass(frozen=True)
class IkWeights:
    """Factors of the four terms of eq. 9, all 1 in the paper; 0 leaves a term out, as in the rows of its Table 2."""
    cosine: float = 1.0
    l2: float = 1.0
    xyz: float = 1.0
    norm: float = 1.0

    def __post_init__(self):
        check_not_negative(self)


def rotation_losses(raw: torch.Tensor, truth: torch.Tensor) -> dict[str, torch.Tensor]:
    """L_cos (eq. 10) and L_l2 (eq. 11) of raw quaternions (N, J, 4) and true unit ones, per joint, averaged.

    q and -q are one rotation: the true one is taken on the side of the prediction.
    """
    unit = torch.nn.functional.normalize(raw, dim=-1)
    real = (unit * truth).sum(-1)
    near = torch.where(real[..., None] < 0, -truth, truth)
    return {'cosine': (1 - real.abs()).mean(), 'l2': (near - unit).square().sum(-1).mean()}


def norm_loss(raw: torch.Tensor) -> torch.Tensor:
    """L_norm (eq. 13): | 1 - |q|^2 | of the raw quaternions (N, J, 4)."""
    return (1 - raw.square().sum(-1)).abs().mean()


def xyz_loss(points: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """L_xyz (eq. 12): squared distances of posed points (N, 21, 3) to the true ones, both about the middle knuckle and in
    units of the true reference bone."""
    reference = (truth[:, WRIST] - truth[:, ROOT]).norm(dim=-1)[:, None, None]
    away = (points - points[:, ROOT:ROOT + 1] - truth + truth[:, ROOT:ROOT + 1]) / reference
    return away.square().sum(-1).mean()
