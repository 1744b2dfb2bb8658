"""Training DetNet (Zhou et al. 2020, sec. 3.1) on the crops of any data set."""
from __future__ import annotations

from collections.abc import Mapping

import torch

from hand_recon_ros.networks.det_net import DetNet, look_up
from hand_recon_ros.networks.ik_encoding import ROOT
from hand_recon_ros.training.det_losses import det_losses, normalised
from hand_recon_ros.training.hand_batches import HandBatches
from hand_recon_ros.training.step_loader import StepLoader


class DetTask:
    """DetNet: heat maps, delta maps and location maps, all components at once."""
    name, figure = 'detnet', 'error_mm'

    def __init__(self, network: DetNet, network_settings: Mapping, batches: HandBatches, held_out: HandBatches,
                 held_out_crops: int = 768, workers: int = 0):
        """network_settings: its constructor's, for the record. held_out_crops: of the held-out set's first samples."""
        self.network, self._loader, self._held_out = network, StepLoader(batches.batch, workers), held_out
        self._held_out_crops = min(held_out_crops, len(held_out))
        self._settings = {'network': dict(network_settings), 'samples': len(batches), 'held_out': self._held_out_crops}

    def settings(self) -> Mapping:
        """All that the outcome depends on, beside the schedule."""
        return self._settings

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
        """Errors of joints that are labelled: in the image, in percent of the crop's side, and about the middle knuckle, in
        millimetres of a hand of true size."""
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
        return {'error_mm': float(torch.cat(deep).mean()) * 1e3, 'error_percent': float(torch.cat(flat).mean()) * 100}
