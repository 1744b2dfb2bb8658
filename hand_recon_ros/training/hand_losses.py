"""HandNet's losses (Seeber et al. 2021, eq. 9-11). Labels that are NaN take no part."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.skinning import skin_rotations
from hand_recon_ros.hand_model.skinning_torch import TorchHand
from hand_recon_ros.networks.hand_net import HandOutput
from hand_recon_ros.training.bounds import check_not_negative
from hand_recon_ros.training.hand_batches import HandBatch

NEAR_SMALL = 1.5        # of the mean squared difference of rotation matrices: that of the axis-angle numbers, near zero


@dataclass(frozen=True)
class ManoWeights:
    """Eq. 9's five factors, the paper's values: pose, shape, 2D joints, the shape's own size, the camera's scale."""
    pose: float = 10.0
    shape: float = 1.0
    joints: float = 100.0
    small_shape: float = 0.5
    camera: float = 1e-5

    def __post_init__(self):
        check_not_negative(self)


class PosedMesh(NamedTuple):
    """vertices: (N, V, 3), keypoints: (N, 21, 3), metres, about the wrist, in the crop's axes."""
    vertices: torch.Tensor
    keypoints: torch.Tensor


def posed(hand: TorchHand, rotations: torch.Tensor, shape: torch.Tensor) -> PosedMesh:
    """Meshes of local rotations (N, 16, 3, 3) and shapes (N, B)."""
    vertices, keypoints = skin_rotations(hand.constants, rotations, shape, torch.zeros_like(shape[:, :3]))
    return PosedMesh(vertices - keypoints[:, :1], keypoints - keypoints[:, :1])


def output_rotations(output: HandOutput) -> torch.Tensor:
    """Local rotations (N, 16, 3, 3) of a network's pose."""
    return axis_angle_to_matrix(output.pose.float().unflatten(1, (16, 3)))


def projected(mesh: PosedMesh, camera: torch.Tensor) -> torch.Tensor:
    """Keypoints (N, 21, 2) in sides of the crop from its centre: s (x, y) + t, eq. 9's camera."""
    return camera[:, None, :1] * mesh.keypoints[..., :2] + camera[:, None, 1:]


def in_sides(points_px: torch.Tensor, size: int) -> torch.Tensor:
    """Crop pixels to sides of the crop, from its centre."""
    return (points_px - (size - 1) / 2) / size


def mano_losses(output: HandOutput, batch: HandBatch, hand: TorchHand, weights: ManoWeights) -> dict[str, torch.Tensor]:
    """Eq. 9: weighted terms.

    The paper takes the pose's squared difference in axis-angle numbers. Those of one rotation near half a turn lie far
    apart, and wrists turn that far: rotation matrices are compared instead, scaled to agree for small rotations.
    """
    rotations, shape, camera = output_rotations(output), output.shape.float(), output.camera.float()
    size = batch.image.shape[-1]
    seen = in_sides(batch.joints_px, size)
    flat = projected(posed(hand, rotations, shape), camera)
    terms = {'pose': weights.pose * NEAR_SMALL * _squared(rotations, batch.rotations),
             'shape': weights.shape * _squared(shape, batch.shape),
             'joints': weights.joints * _squared(flat, seen),
             'small_shape': weights.small_shape * shape.square().mean(),
             'camera': weights.camera * _squared(camera[:, 0], true_scale(batch))}
    return {name: term for name, term in terms.items() if getattr(weights, name) > 0}


def true_scale(batch: HandBatch) -> torch.Tensor:
    """(N,) sides of the crop per metre that fit the true joints best; NaN where they are not labelled."""
    flat, seen = batch.joints_m[..., :2], in_sides(batch.joints_px, batch.image.shape[-1])
    flat, seen = flat - flat.mean(1, keepdim=True), seen - seen.mean(1, keepdim=True)
    return (flat * seen).sum((1, 2)) / flat.square().sum((1, 2)).clamp_min(1e-6)


def mask_loss(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Eq. 10: binary cross-entropy of (N, S, S) logits, over the pixels that are labelled."""
    known = ~torch.isnan(mask)
    each = functional.binary_cross_entropy_with_logits(logits.float(), torch.nan_to_num(mask), reduction='none')
    return (each * known).sum() / known.sum().clamp_min(1)


def stereo_losses(mesh: PosedMesh, truth: PosedMesh, vertices: float, joints: float) -> dict[str, torch.Tensor]:
    """Eq. 11: squared distances of vertices and 3D joints; the paper states no factors. Decimetres, so that both are
    of the order of 1."""
    return {'vertices': vertices * (10 * (mesh.vertices - truth.vertices)).square().sum(-1).mean(),
            'joints': joints * (10 * (mesh.keypoints - truth.keypoints)).square().sum(-1).mean()}


def blended_pose(weights: torch.Tensor, right: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
    """Eq. 6: w p_right + (1 - w) p_left, on local rotations (N, 16, 3, 3) of both in one frame, weights (N, 48).

    As rotation vectors from the left view's: the paper's own formula for like rotations, and free of its jumps.
    """
    between = matrix_to_axis_angle(left.transpose(-1, -2) @ right)
    return left @ axis_angle_to_matrix(weights.unflatten(1, (16, 3)) * between)


def _squared(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Mean squared difference over what is labelled, 0 where nothing is."""
    known = ~torch.isnan(truth)
    # NaN is taken out before the difference: its gradient would be NaN even times 0.
    away = (predicted - torch.nan_to_num(truth)) * known
    return away.square().sum() / known.sum().clamp_min(1)
