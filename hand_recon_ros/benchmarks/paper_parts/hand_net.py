"""RealisticHands' ablations of HandNet: stages, keypoints given, withheld and of another hand; PCK (table 2, fig. 8).

Beside them the mean pose of these very hands in the mean shape: what is reached by looking at nothing."""
from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut
from hand_recon_ros.evaluation.metrics import aligned_mm, auc
from hand_recon_ros.hand_model.skinning_torch import TorchHand
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.training.hand_batches import HandBatches, laid_over, stacked
from hand_recon_ros.training.hand_labels import hand_labels
from hand_recon_ros.training.hand_losses import output_rotations, posed
from hand_recon_ros.weights.store import load_weights

BATCH = 50
# What the network is told of the keypoints: as detected, nothing, or those of the next hand laid over this one's box.
TOLD = ('detected', 'none', 'of another hand')
# Table 2, cm: MPVE by stages and with or without keypoints.
PAPER_MPVE_CM = {('multi', 'detected'): 0.78, ('multi', 'none'): 0.85, ('single', 'detected'): 1.16,
                 ('single', 'none'): 1.79}


@dataclass(frozen=True)
class Variant:
    """A trained network of the ablation. folder: below the runs. key: of the paper's table."""
    name: str
    folder: str
    key: str
    sees_image: bool = True


# As many steps each: of the stages up to `finalize`, but for the mask decoder's own, and of the single one.
VARIANTS = (Variant('all stages', 'handnet/finalize', 'multi'),
            Variant('single stage', 'handnet_single/single', 'single'),
            Variant('keypoints alone', 'handnet/keypoint', '', sees_image=False))
MEAN_POSE = 'mean pose of these hands'


def hand_net_rows(held_out: HeldOut, runs: Path, curves: dict[str, np.ndarray]) -> list[dict]:
    """A row for each variant and what it is told of keypoints. curves: gets the aligned joint errors, mm, by case."""
    found = {}
    for variant in VARIANTS:
        network, card = load_weights(runs / variant.folder / 'handnet.safetensors', 'handnet')
        batches = HandBatches(held_out.set.dataset, held_out.set.detected, held_out.told, card.crop_px)
        for told in TOLD:
            if variant.sees_image or told != 'none':
                found[variant, told] = _errors(network, card.sigma_px, batches, held_out, told, variant)
    best = found[VARIANTS[0], TOLD[0]]
    cases = {f'HandNet {variant.name}, keypoints {told}': (variant.key, told, *errors)
             for (variant, told), errors in found.items()}
    cases[MEAN_POSE] = '', '', *_mean_pose_errors(held_out)
    rows = []
    for case, (key, told, vertices, joints) in cases.items():
        curves[case] = joints
        row = {'case': case, 'section': 'handnet', 'hands': len(joints), 'pa_mpvpe_mm': float(vertices.mean()),
               'pa_mpjpe_mm': float(joints.mean()), 'auc_0_50': auc(joints, 0, 50),
               'all_stages_over_this': float(best[0].mean() / vertices.mean())}
        if (key, told) in PAPER_MPVE_CM:
            row['paper_all_stages_over_this'] = PAPER_MPVE_CM['multi', 'detected'] / PAPER_MPVE_CM[key, told]
        rows.append(row)
    return rows


@torch.inference_mode()
def _errors(network, sigma_px: float, batches: HandBatches, held_out: HeldOut, told: str, variant: Variant):
    """(vertex errors (N,), joint errors (N, 21)) mm, aligned."""
    hand, vertices, joints = TorchHand(held_out.model), [], []
    numbers = held_out.numbers
    parts = np.array_split(numbers, -(-len(numbers) // BATCH))
    for part in tqdm(parts, f'{variant.name}, {told}', disable=not sys.stderr.isatty()):
        batch = stacked([batches.crop(int(number), 0) for number in part])
        points = batch.keypoints_px
        if told == 'none':
            points = torch.full_like(points, float('nan'))
        elif told == 'of another hand':
            points = torch.from_numpy(laid_over(torch.roll(points, 1, 0).numpy(), points.numpy()))
        heat = gaussians(points, batch.image.shape[-1], sigma_px)
        output = network(batch.image if variant.sees_image else None, heat, mask=False)
        found = posed(hand, output_rotations(output), output.shape)
        truth = posed(hand, batch.rotations, batch.shape)
        vertices.append(_aligned(found.vertices, truth.vertices).mean(1))
        joints.append(_aligned(found.keypoints, truth.keypoints))
    return np.concatenate(vertices), np.concatenate(joints)


def _mean_pose_errors(held_out: HeldOut):
    """As _errors, of one hand for all: each joint's mean rotation, the nearest to the mean of matrices, and the mean shape."""
    hand = TorchHand(held_out.model)
    labels = [hand_labels(held_out.sample(number), 0, held_out.told) for number in held_out.numbers]
    rotations, shapes = (torch.from_numpy(np.stack(parts)).float()
                         for parts in zip(*((label.rotations, label.shape) for label in labels)))
    u, _, v = torch.linalg.svd(rotations.mean(0))
    u[..., -1] *= torch.det(u @ v)[..., None]
    found = posed(hand, (u @ v).expand_as(rotations), shapes.mean(0).expand_as(shapes))
    truth = posed(hand, rotations, shapes)
    return _aligned(found.vertices, truth.vertices).mean(1), _aligned(found.keypoints, truth.keypoints)


def _aligned(found: torch.Tensor, truth: torch.Tensor) -> np.ndarray:
    """(N, P) mm between points (N, P, 3), each hand aligned by its own similarity."""
    return aligned_mm(found.double().numpy(), truth.double().numpy())
