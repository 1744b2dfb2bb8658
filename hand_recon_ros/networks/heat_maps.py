"""Landmarks as the networks take and give them: Gaussians on a grid, on the device that trains."""
from __future__ import annotations

import torch


def gaussians(points_px: torch.Tensor, size: int, sigma_px: float) -> torch.Tensor:
    """Maps (N, 21, size, size) of peak 1 at points (N, 21, 2) in pixels (column, row); empty where NaN."""
    at = torch.arange(size, dtype=points_px.dtype, device=points_px.device)
    along, down = (torch.exp(-0.5 * ((at - points_px[..., k:k + 1]) / sigma_px) ** 2) for k in (0, 1))
    return torch.nan_to_num(down[..., :, None] * along[..., None, :])
