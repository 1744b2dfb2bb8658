"""HandNet's estimate: a crop and the detector's keypoints to pose, shape and mask (Seeber et al. 2021, sec. 3.1)."""
from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from hand_recon_ros.estimation.assembly import check_identity, posed_estimate
from hand_recon_ros.estimation.hand_crop import HandCrop, network_image
from hand_recon_ros.estimation.posing import MIRRORS, PosedHand, posed_in_view, within_limits
from hand_recon_ros.estimation.viewing import nominal_camera, sight_of
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import rotations_to_angles
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import jax_constants
from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.networks.heat_maps import NOWHERE_PX, gaussians_of_known
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, HandMask
from hand_recon_ros.weights.compiled import CompiledNetwork
from hand_recon_ros.weights.files import own_or_shipped
from hand_recon_ros.weights.store import load_weights


class HandNetEstimator:
    """Pose, shape and mask by HandNet; the hand's place by its landmarks and the detected ones.

    The paper's weak camera is trained and not used here: the detected keypoints know the image to a pixel. Angles beyond a
    joint's limits are clipped to them. masks: also decode the mask, at about the cost of all else.
    """
    name = 'handnet'
    needs_image = True

    def __init__(self, model: HandModel, offsets_m=None, masks: bool = False, backend: str = 'auto',
                 weights_dir: str = ''):
        """offsets_m: (21, 3) landmark offsets of the detector. backend: of weights.compiled. weights_dir: a folder of one's
        own weights, see weights.files. ValueError when the weights are of another model."""
        network, card = load_weights(own_or_shipped('handnet', weights_dir), 'handnet', model.name)
        size = card.crop_px
        self._size, self._masks, self._model = size, masks, model
        examples = np.zeros((1, 3, size, size), np.float32), np.zeros((1, 21, 2), np.float32)
        self._network = CompiledNetwork(OneHand(network, size, card.sigma_px, masks), examples, backend)
        self._constants, self._skeleton = jax_constants(model), build_skeleton(model, offsets_m)
        self._pose = jax.jit(self._posed, static_argnames='weak')

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand. frame.camera None: weak perspective. An identity's shape takes the place of the
        network's. ValueError without an image, for keypoints in one place, or an identity of another model."""
        if frame.image is None:
            raise ValueError('frame.image: none, expected the image that the hand was detected in')
        check_identity(identity, self._model.name)
        camera = frame.camera or nominal_camera(frame.width, frame.height)
        mirrored = keypoints.handedness == 'left'
        crop = HandCrop.around(keypoints.points_px, mirrored, camera, self._size)
        points_px = np.nan_to_num(crop.to_crop(keypoints.points_px), nan=NOWHERE_PX)
        pose, shape, _, features, *mask = self._network(network_image(crop.take(frame.image)[None]), points_px[None])
        rotations = axis_angle_to_matrix(pose.reshape(16, 3))
        rotations[0] = crop.wrist_to_camera(rotations[0])
        shape = shape[0] if identity is None else np.asarray(identity.shape, np.float32)
        image_points = sight_of(keypoints, camera)[0].astype(np.float32)
        found = PosedHand(*map(np.asarray, self._pose(self._constants, rotations.astype(np.float32), shape, image_points,
                                                      MIRRORS[keypoints.handedness], weak=frame.camera is None)))
        estimate = posed_estimate(frame, self._model.name, keypoints, found, shape, identity)
        grid = HandMask(mask[0][0], crop.A_image_crop) if self._masks else None
        return replace(estimate, features=features[0], mask=grid)

    def _posed(self, constants, rotations, shape, image_points, mirror, weak: bool) -> PosedHand:
        angles = within_limits(rotations_to_angles(rotations[1:], self._skeleton.axes))
        image_points = image_points * jnp.stack([mirror, 1])
        return posed_in_view(constants, self._skeleton, rotations[0], angles, shape, image_points, mirror, weak)


class OneHand(nn.Module):
    """HandNet from keypoints in place of heat maps, to probabilities in place of logits."""

    def __init__(self, network: HandNet, size: int, sigma_px: float, masks: bool):
        super().__init__()
        self.network, self._size, self._sigma, self._masks = network, size, sigma_px, masks

    def forward(self, image: torch.Tensor, points_px: torch.Tensor):
        """pose, shape, camera, features and, where asked for, the mask."""
        output = self.network(image, gaussians_of_known(points_px, self._size, self._sigma), mask=self._masks)
        return (*output[:4], torch.sigmoid(output.mask)) if self._masks else output[:4]
