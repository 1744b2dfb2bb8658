"""Training a stage of HandNet, and its figures on held-out hands."""
from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_torch import TorchHand
from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.training.hand_batches import HandBatch, HandBatches
from hand_recon_ros.training.hand_losses import ManoWeights, mano_losses, mask_loss, output_rotations, posed
from hand_recon_ros.training.hand_stages import Staged, stage
from hand_recon_ros.training.mesh_errors import aligned_errors_m
from hand_recon_ros.training.step_loader import StepLoader


class HandTask:
    """One stage of HandNet."""
    figure = 'pa_mpvpe_mm'

    def __init__(self, stage_name: str, network: HandNet, network_settings: Mapping, model: HandModel,
                 batches: HandBatches, held_out: HandBatches, held_out_crops: int = 768, sigma_px: float = 2.0,
                 weights: ManoWeights = ManoWeights(), workers: int = 0):
        """network: with the weights of the stage before. network_settings: its constructor's, for the record.
        held_out_crops: of the held-out set's first samples, for validation. sigma_px: of the heat maps' Gaussians."""
        self.name, self._stage = f'handnet {stage_name}', stage(stage_name)
        self.network = Staged(network, self._stage)
        self._hand, self._weights, self._sigma = TorchHand(model), weights, sigma_px
        self._loader, self._held_out = StepLoader(batches.batch, workers), held_out
        self._held_out_crops = min(held_out_crops, len(held_out))
        if not self._stage.mano:
            self.figure = 'mask_loss'
        self._settings = {'stage': stage_name, 'network': dict(network_settings), 'model': model.name,
                          'weights': dataclasses.asdict(weights), 'sigma_px': sigma_px, 'samples': len(batches),
                          'held_out': self._held_out_crops}

    def settings(self) -> Mapping:
        """All that the outcome depends on, beside the schedule."""
        return self._settings

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
        """Errors of meshes, aligned and about the wrist, and of masks; without augmentation."""
        errors, roots, losses, overlaps = [], [], [], []
        for batch in self._held_out.in_order(self._held_out_crops):
            batch = batch.to(self._device)
            output = self.network(batch.image, gaussians(batch.keypoints_px, batch.image.shape[-1], self._sigma))
            if self._stage.mano:
                found, truth = self._meshes(output, batch)
                errors.append(aligned_errors_m(found, truth))
                roots.append((found - truth).norm(dim=-1).mean(1))
            if self._stage.mask:
                losses.append(mask_loss(output.mask, batch.mask))
                overlaps.append(intersection_over_union(output.mask > 0, batch.mask > 0.5))
        figures = {}
        if errors:
            figures |= {'pa_mpvpe_mm': float(torch.cat(errors).mean()) * 1e3,
                        'wrist_mpvpe_mm': float(torch.cat(roots).mean()) * 1e3}
        if losses:
            figures |= {'mask_loss': float(torch.stack(losses).mean()), 'mask_iou': float(torch.cat(overlaps).mean())}
        return figures

    def _meshes(self, output, batch: HandBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Vertices (N, V, 3), metres about the wrist, of the output and of the labels, where there are labels."""
        known = ~torch.isnan(batch.rotations).flatten(1).any(1) & ~torch.isnan(batch.shape).any(1)
        found = posed(self._hand, output_rotations(output)[known], output.shape.float()[known])
        return found.vertices, posed(self._hand, batch.rotations[known], batch.shape[known]).vertices


def intersection_over_union(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(N,) of masks (N, S, S); 1 where both are empty."""
    both, either = (found & truth).sum((1, 2)), (found | truth).sum((1, 2))
    return torch.where(either > 0, both / either.clamp_min(1), torch.ones_like(both, dtype=torch.float32))
