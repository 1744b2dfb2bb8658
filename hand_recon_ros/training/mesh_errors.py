"""Mesh errors of whole batches on the device that trains; evaluation/ has those of the published protocols."""
from __future__ import annotations

import torch


def aligned_errors_m(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean vertex distances (N,) of meshes (N, V, 3) after the best similarity of each (Procrustes)."""
    a, b = found.double(), truth.double()
    a_mean, b_mean = a.mean(1, keepdim=True), b.mean(1, keepdim=True)
    a, b = a - a_mean, b - b_mean
    u, s, v = torch.linalg.svd(a.transpose(-1, -2) @ b)
    sign = torch.linalg.det(u @ v).sign()
    flip = torch.ones_like(s)
    flip[:, -1] = sign
    rotation = u @ (flip[..., None] * v)
    scale = (s * flip).sum(-1) / a.square().sum((1, 2)).clamp_min(1e-12)
    return (scale[:, None, None] * (a @ rotation) - b).norm(dim=-1).mean(1).to(found.dtype)
