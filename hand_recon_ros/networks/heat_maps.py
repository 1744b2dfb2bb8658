"""Landmarks as the networks take and give them: Gaussians on a grid, on the device that trains."""
from __future__ import annotations

import torch

# Where points that are missing lie: no Gaussian reaches a grid from there.
NOWHERE_PX = -1e4


def gaussians(points_px: torch.Tensor, size: int, sigma_px: float) -> torch.Tensor:
    """Maps (N, 21, size, size) of peak 1 at points (N, 21, 2) in pixels (column, row); empty where NaN."""
    return gaussians_of_known(torch.nan_to_num(points_px, nan=NOWHERE_PX), size, sigma_px)


def gaussians_of_known(points_px: torch.Tensor, size: int, sigma_px: float) -> torch.Tensor:
    """gaussians() of points without NaN, of operations that inference engines know."""
    at = torch.arange(size, dtype=points_px.dtype, device=points_px.device)
    along, down = (torch.exp(-0.5 * ((at - points_px[..., k:k + 1]) / sigma_px) ** 2) for k in (0, 1))
    return down[..., :, None] * along[..., None, :]
