"""Training a stage of HandNet, and its figures on held-out hands."""
from __future__ import annotations

import torch

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_torch import TorchHand
from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.training.hand_batches import HandBatches
from hand_recon_ros.training.hand_losses import (ManoWeights, in_sides, mano_losses, mask_loss, output_rotations,
                                                 posed, projected)
from hand_recon_ros.training.hand_stages import stage
from hand_recon_ros.training.mesh_errors import aligned_errors_m
from hand_recon_ros.training.staged_network import Staged
from hand_recon_ros.training.step_loader import StepLoader


class HandTask:
    """One stage of HandNet."""

    def __init__(self, stage_name: str, network: HandNet, model: HandModel, batches: HandBatches, held_out: HandBatches,
                 sigma_px: float, held_out_crops: int = 768, weights: ManoWeights = ManoWeights(), workers: int = 0):
        """network: with the weights of the stage before. sigma_px: of the heat maps' Gaussians. held_out_crops: of samples
        spread evenly over the held-out set, for validation."""
        self.name, self._stage = f'handnet {stage_name}', stage(stage_name)
        self.figures = ('pa_mpvpe_mm', 'joints_percent') if self._stage.mano else ('mask_loss',)
        self.network = Staged(network, self._stage)
        self._hand, self._weights, self._sigma = TorchHand(model), weights, sigma_px
        self._loader, self._held_out, self._held_out_crops = StepLoader(batches.batch, workers), held_out, held_out_crops

    def to(self, device: torch.device) -> None:
        """Move network and hand."""
        self._device = device
        self.network.to(device, memory_format=torch.channels_last)
        self._hand.to(device)

    def losses(self, network, step: int, rank: int, size: int) -> dict[str, torch.Tensor]:
        """Eq. 9 and 10, as far as the stage descends them."""
        batch = self._loader.get(step, rank, size).to(self._device)
        output = network(batch.image, gaussians(batch.keypoints_px, batch.image.shape[-1], self._sigma))
        with torch.autocast(self._device.type, enabled=False):
            terms = mano_losses(output, batch, self._hand, self._weights) if self._stage.mano else {}
            return {**terms, 'mask': mask_loss(output.mask, batch.mask)} if self._stage.mask else terms

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Errors of meshes, aligned and about the wrist, of joints in the image, in percent of the crop's side, and of
        masks, each where any are labelled; without augmentation."""
        found = {name: [] for name in ('pa_mpvpe_mm', 'wrist_mpvpe_mm', 'joints_percent', 'mask_loss', 'mask_iou')}
        for batch in self._held_out.in_order(self._held_out_crops):
            batch = batch.to(self._device)
            output = self.network(batch.image, gaussians(batch.keypoints_px, batch.image.shape[-1], self._sigma))
            if self._stage.mano:
                mesh = posed(self._hand, output_rotations(output), output.shape.float())
                away = projected(mesh, output.camera.float()) - in_sides(batch.joints_px, batch.image.shape[-1])
                away = away.norm(dim=-1)
                found['joints_percent'].append(100 * away[~torch.isnan(away)])
                known = ~torch.isnan(batch.rotations).flatten(1).any(1) & ~torch.isnan(batch.shape).any(1)
                if known.any():
                    truth = posed(self._hand, batch.rotations[known], batch.shape[known]).vertices
                    found['pa_mpvpe_mm'].append(1e3 * aligned_errors_m(mesh.vertices[known], truth))
                    found['wrist_mpvpe_mm'].append(1e3 * (mesh.vertices[known] - truth).norm(dim=-1).mean(1))
            masked = ~torch.isnan(batch.mask).flatten(1).any(1)
            if self._stage.measures_mask and masked.any():
                logits, truth = output.mask[masked], batch.mask[masked]
                found['mask_loss'].append(mask_loss(logits, truth).expand(len(truth)))
                found['mask_iou'].append(intersection_over_union(logits > 0, truth > 0.5))
        joined = {name: torch.cat(parts) for name, parts in found.items() if parts}
        return {name: float(values.mean()) for name, values in joined.items() if len(values)}


def intersection_over_union(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(N,) of masks (N, S, S); 1 where both are empty."""
    both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
    return torch.where(either > 0, both / either.clamp_min(1), torch.ones_like(both, dtype=torch.float32))
