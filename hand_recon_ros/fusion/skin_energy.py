"""The joint energy with the skin: where the images put points of the surface, beside where they put the landmarks."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.fusion.energy import ReprojectionEnergy
from hand_recon_ros.fusion.observations import StereoObservation
from hand_recon_ros.fusion.skin_matching import SkinMatches
from hand_recon_ros.hand_model.landmarks import Skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.hand_model.skeleton import JOINT_COUNT, KEYPOINT_ROWS

# The keypoint that is each joint, in the joints' order.
JOINT_KEYPOINTS = np.array([KEYPOINT_ROWS.index(joint) for joint in range(JOINT_COUNT)])


class SkinObservation(NamedTuple):
    """stereo: the landmarks. reference: the parameters of the mesh that was matched. points: (N, 3) of its surface,
    bones: (N, 16) how much each follows which joint. measured: (N, 3) and normals: (N, 3) of the planes found there.
    whitening: (N,) per metre, 0 for rows that hold no point. landmark_depth: () 0..1, how much the landmarks still have
    to say of depth. A right hand, metres.
    """
    stereo: StereoObservation
    reference: HandParameters
    points: np.ndarray
    bones: np.ndarray
    measured: np.ndarray
    normals: np.ndarray
    whitening: np.ndarray
    landmark_depth: np.ndarray


@dataclass(frozen=True)
class SkinEnergy:
    """A ReprojectionEnergy, and point-to-plane distances of at most `points` matched points under Cauchy's loss.

    r_i = n_i . (x_i(theta) - y_i) / (sigma_px m_i) with x_i on the model, y_i measured on the line of sight that saw
    it, n_i the normal there and m_i metres along it per pixel of disparity; all of them together count as `counted_as`
    points, for what neighbours err by they err by together:
    E = counted_as / N * sum_i c^2 / 2 log(1 + r_i^2 / c^2).
    Where most of the skin lies a share delta of the distance before or behind the model that the landmarks gave, one of
    the views has misplaced them (an occluder, mostly), and their disparity counts for 1 / (1 + (delta / tolerance)^2).
    """
    landmarks: ReprojectionEnergy = field(default_factory=ReprojectionEnergy)
    points: int = 200
    sigma_px: float = 0.7
    counted_as: float = 30.0
    cauchy: float = 1.0
    tolerance: float = 0.02

    def example(self, shape_count: int) -> SkinObservation:
        """An observation of the compiled shapes."""
        reference = HandParameters(np.eye(3), np.zeros((15, 3)), np.array([0, 0, 0.5]), np.zeros(shape_count))
        sizes = (3,), (JOINT_COUNT,), (3,), (3,), ()
        arrays = [np.zeros((self.points, *size), np.float32) for size in sizes]
        return SkinObservation(self.landmarks.example(shape_count),
                               HandParameters(*(np.asarray(leaf, np.float32) for leaf in reference)), *arrays,
                               np.float32(1))

    def observe(self, stereo: StereoObservation, reference: HandParameters, matches: SkinMatches, model: HandModel,
                faces: np.ndarray, handedness: str, scale: float = 1.0) -> SkinObservation:
        """SkinObservation of matches on a mesh with these faces (F, 3), itself that of `reference`.

        scale: how much farther than the landmarks' own fit the skin is, as a factor.
        """
        count = min(len(matches.triangles), self.points)
        bones = (model.weights[faces[matches.triangles]] * matches.barycentric[..., None]).sum(1)
        sigma = self.sigma_px * matches.metre_per_px
        parts = [matches.points_m, bones / bones.sum(1, keepdims=True), matches.measured_m, matches.normals,
                 np.sqrt(self.counted_as / max(count, 1)) / sigma]
        if handedness == 'left':
            parts = [mirror_points(part) if index in (0, 2, 3) else part for index, part in enumerate(parts)]
        padded = [np.concatenate([part[:count], np.zeros((self.points - count, *part.shape[1:]))]).astype(np.float32)
                  for part in parts]
        trust = 1 / (1 + ((scale - 1) / self.tolerance) ** 2)
        return SkinObservation(stereo, reference, *padded, np.float32(trust))

    def __call__(self, skeleton: Skeleton, parameters: HandParameters, observation: SkinObservation):
        """Stacked residual vector of one hand."""
        return jnp.concatenate([self.landmarks(skeleton, parameters, observation.stereo, observation.landmark_depth),
                                self.skin(skeleton, parameters, observation)])

    def skin(self, skeleton: Skeleton, parameters: HandParameters, observation: SkinObservation):
        """Residuals (N,) of the matched points."""
        moved = carried(skeleton, parameters, observation)
        away = ((moved - observation.measured) * observation.normals).sum(-1) * observation.whitening
        # The weight of a row must not change what counts as an outlier.
        count = jnp.maximum((observation.whitening > 0).sum(), 1)
        share = jnp.sqrt(self.counted_as / count)
        square = (away / (share * self.cauchy)) ** 2
        # log(1 + x) / x, by its series where x is too small to divide by
        small = square < 1e-3
        safe = jnp.where(small, 1.0, square)
        return away * jnp.sqrt(jnp.where(small, 1 - square / 2, jnp.log1p(safe) / safe))


def joint_frames(skeleton: Skeleton, parameters: HandParameters):
    """Rotations (16, 3, 3) and positions (16, 3) m of the joints: where offsets of one metre along each axis lead."""
    along = lambda offset: place(skeleton._replace(offsets=offset), parameters)      # noqa: E731
    keypoints, tips = jax.vmap(along)(jnp.broadcast_to(jnp.eye(3)[:, None], (3, 21, 3)))
    columns = (tips - keypoints)[:, JOINT_KEYPOINTS]
    return jnp.moveaxis(columns, 0, -1), keypoints[0, JOINT_KEYPOINTS]


def carried(skeleton: Skeleton, parameters: HandParameters, observation: SkinObservation):
    """The matched points (N, 3) where these parameters put them.

    Each moves as its bones do since the mesh was matched, blended as skinning blends:
    x = sum_j w_j (G_j x_0 + g_j), G_j = R_j R_j0^T, g_j = t_j - G_j t_j0. To first order that is skinning itself, but
    for the hand's thickness, which stays.
    """
    rotation, position = joint_frames(skeleton, parameters)
    rotation_0, position_0 = joint_frames(skeleton, observation.reference)
    turn = (rotation[:, :, None, :] * rotation_0[:, None, :, :]).sum(-1)
    shift = position - (turn * position_0[:, None, :]).sum(-1)
    motion = observation.bones @ jnp.concatenate([turn.reshape(-1, 9), shift], axis=1)
    return (motion[:, :9].reshape(-1, 3, 3) * observation.points[:, None, :]).sum(-1) + motion[:, 9:]
