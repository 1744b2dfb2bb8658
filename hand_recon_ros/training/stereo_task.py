"""Training HandNet's stereo weights: both views of a pair, everything but the weights' regressor locked (fig. 5, eq. 11)."""
from __future__ import annotations

import torch
from torch import nn

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_torch import TorchHand
from hand_recon_ros.networks.hand_net import HandNet, HandOutput, StereoWeights
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.training.hand_batches import HandBatch, HandBatches
from hand_recon_ros.training.hand_losses import blended_pose, output_rotations, posed, stereo_losses
from hand_recon_ros.training.mesh_errors import aligned_errors_m
from hand_recon_ros.training.step_loader import StepLoader


class StereoTask:
    """StereoWeights on the base features of a trained HandNet. Left and right are the first and second view."""
    name, figures = 'handnet stereo', ('pa_mpvpe_mm',)

    def __init__(self, hand_net: HandNet, model: HandModel, batches: HandBatches, held_out: HandBatches,
                 sigma_px: float, held_out_pairs: int = 768, workers: int = 0):
        """sigma_px: of the heat maps' Gaussians. ValueError when the sets are of one view."""
        for pairs in (batches, held_out):
            if pairs.views < 2:
                raise ValueError('stereo: a set of one view, expected pairs (`synthesize --format shards --views 2`)')
        self.network = StereoWeights()
        self._hand_net = hand_net.eval()
        for parameter in self._hand_net.parameters():
            parameter.requires_grad_(False)
        self._hand, self._sigma, self._held_out = TorchHand(model), sigma_px, held_out
        self._loader = StepLoader(batches.pairs, workers)
        self._held_out_pairs = held_out_pairs

    def to(self, device: torch.device) -> None:
        """Move networks and hand."""
        self._device = device
        for part in (self.network, self._hand_net, self._hand):
            part.to(device)

    def losses(self, network, step: int, rank: int, size: int) -> dict[str, torch.Tensor]:
        """Eq. 11 on the blended hand, in the right view's crop."""
        right, left, between = self._loader.get(step, rank, size)
        right, left = right.to(self._device), left.to(self._device)
        seen = self._seen(right), self._seen(left)
        with torch.autocast(self._device.type, enabled=False):
            found, truth = self._blended(network, *seen, right, between.to(self._device))
            return stereo_losses(found, truth, 1.0, 1.0)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Aligned vertex errors of the blended hand and of the right view's alone."""
        both, alone = [], []
        for pairs in self._held_out.pairs_in_order(self._held_out_pairs):
            right, left, between = (part.to(self._device) for part in pairs)
            output = self._seen(right)
            found, truth = self._blended(self.network, output, self._seen(left), right, between)
            both.append(aligned_errors_m(found.vertices, truth.vertices))
            single = posed(self._hand, output_rotations(output), output.shape.float())
            alone.append(aligned_errors_m(single.vertices, truth.vertices))
        stereo, mono = (float(torch.cat(errors).mean()) * 1e3 for errors in (both, alone))
        return {'pa_mpvpe_mm': stereo, 'mono_pa_mpvpe_mm': mono, 'stereo_over_mono': stereo / mono}

    def _seen(self, batch: HandBatch) -> HandOutput:
        with torch.no_grad():
            return self._hand_net(batch.image, gaussians(batch.keypoints_px, batch.image.shape[-1], self._sigma), mask=False)

    def _blended(self, network: nn.Module, seen_right: HandOutput, seen_left: HandOutput, right: HandBatch,
                 between: torch.Tensor):
        """Meshes of the blend (eq. 6-7) and of the right view's labels. between: (N, 3, 3), the left crop's axes to the
        right's."""
        weights = network(seen_right.base.float(), seen_left.base.float())
        at_left = output_rotations(seen_left)
        at_left = torch.cat([(between @ at_left[:, 0])[:, None], at_left[:, 1:]], dim=1)
        rotations = blended_pose(weights, output_rotations(seen_right), at_left)
        shape = 0.5 * (seen_right.shape + seen_left.shape).float()
        return posed(self._hand, rotations, shape), posed(self._hand, right.rotations, right.shape)
