"""Training DetNet (Zhou et al. 2020, sec. 3.1) on the crops of any data set."""
from __future__ import annotations

import torch

from hand_recon_ros.networks.det_net import DetNet, look_up
from hand_recon_ros.networks.ik_encoding import ROOT
from hand_recon_ros.training.det_losses import det_losses, normalised
from hand_recon_ros.training.hand_batches import HandBatches
from hand_recon_ros.training.step_loader import StepLoader


class DetTask:
    """DetNet: heat maps, delta maps and location maps, all components at once."""
    name, figures = 'detnet', ('error_mm', 'error_percent')

    def __init__(self, network: DetNet, batches: HandBatches, held_out: HandBatches, held_out_crops: int = 768,
                 workers: int = 0):
        """held_out_crops: of samples spread evenly over the held-out set."""
        self.network, self._loader, self._held_out = network, StepLoader(batches.batch, workers), held_out
        self._held_out_crops = held_out_crops

    def to(self, device: torch.device) -> None:
        """Move the network."""
        self._device = device
        self.network.to(device, memory_format=torch.channels_last)

    def losses(self, network, step: int, rank: int, size: int) -> dict[str, torch.Tensor]:
        """Eq. 2 to 4."""
        batch = self._loader.get(step, rank, size).to(self._device)
        maps = network(batch.image)
        with torch.autocast(self._device.type, enabled=False):
            maps = type(maps)(*(part.float() for part in maps))
            return det_losses(maps, batch.joints_px, batch.joints_m, batch.image.shape[-1])

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Errors of joints that are labelled, where any are: about the middle knuckle, in millimetres of a hand of true
        size, and in the image, in percent of the crop's side."""
        flat, deep = [], []
        for batch in self._held_out.in_order(self._held_out_crops):
            batch = batch.to(self._device)
            maps = self.network(batch.image)
            pixels, places, _ = look_up(maps)
            size, crop = maps.heat.shape[-1], batch.image.shape[-1]
            pixels = (pixels + 0.5) * (crop / size) - 0.5
            inside = ((batch.joints_px >= 0) & (batch.joints_px <= crop - 1)).all(-1)
            flat.append((pixels - batch.joints_px).norm(dim=-1)[inside] / crop)
            truth, length = normalised(batch.joints_m)
            away = ((places.float() - places[:, ROOT:ROOT + 1].float()) - truth).norm(dim=-1) * length[:, None]
            deep.append(away[~torch.isnan(away).any(1)].flatten())
        found = {'error_mm': 1e3 * torch.cat(deep), 'error_percent': 100 * torch.cat(flat)}
        return {name: float(errors.mean()) for name, errors in found.items() if len(errors)}
