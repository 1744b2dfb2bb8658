"""DetNet's targets and losses (Zhou et al. 2020, eq. 1-4). Labels that are NaN take no part: 2D and 3D data mix in a batch."""
from __future__ import annotations

import torch

from hand_recon_ros.hand_model.skeleton import KEYPOINT_PARENTS
from hand_recon_ros.networks.det_net import DetMaps
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.networks.ik_encoding import ROOT, WRIST

SIGMA = 1.0             # pixels of the map, sec. 3.1
_PARENTS = [max(parent, 0) for parent in KEYPOINT_PARENTS]


def on_map(points_px: torch.Tensor, crop: int, size: int) -> torch.Tensor:
    """Crop pixels (..., 2) to map pixels, both counted by their centres."""
    return (points_px + 0.5) * (size / crop) - 0.5


def normalised(joints_m: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Joints (N, 21, 3) about the middle knuckle in units of the bone from there to the wrist, and its length (N,) m."""
    length = (joints_m[:, WRIST] - joints_m[:, ROOT]).norm(dim=-1)
    return (joints_m - joints_m[:, ROOT:ROOT + 1]) / length[:, None, None], length


def bone_vectors(joints: torch.Tensor) -> torch.Tensor:
    """(N, 21, 3) from the parent to each joint; zero for the wrist."""
    return joints - joints[:, _PARENTS]


def det_losses(maps: DetMaps, joints_px: torch.Tensor, joints_m: torch.Tensor, crop: int) -> dict[str, torch.Tensor]:
    """L_heat (eq. 2), L_loc (eq. 3), L_delta (eq. 4), summed over maps, averaged over the batch; L_reg is the optimiser's
    weight decay. joints_px: (N, 21, 2) crop pixels. joints_m: (N, 21, 3)."""
    truth = gaussians(on_map(joints_px, crop, maps.heat.shape[-1]), maps.heat.shape[-1], SIGMA)
    seen = ~torch.isnan(joints_px).any(-1)
    heat = ((truth - maps.heat) * seen[..., None, None]).square().sum((1, 2, 3)).mean()
    placed = ~torch.isnan(joints_m).flatten(1).any(1)
    places, _ = normalised(torch.where(placed[:, None, None], joints_m, torch.ones_like(joints_m).cumsum(1)))
    weight = (truth * placed[:, None, None, None])[:, :, None]
    location, delta = ((weight * (tiled[..., None, None] - found)).square().sum((1, 2, 3, 4)).mean()
                       for tiled, found in ((places, maps.location), (bone_vectors(places), maps.delta)))
    return {'heat': heat, 'location': location, 'delta': delta}
