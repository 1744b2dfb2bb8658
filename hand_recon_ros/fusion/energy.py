"""Which residuals the fits of two views sum, with their weights."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hand_recon_ros.fusion.observations import StereoObservation
from hand_recon_ros.hand_model.landmarks import Skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.refinement import residuals
from hand_recon_ros.refinement.observations import Observation


def to_right(points, observation: StereoObservation):
    """Points (N, 3) of the left optical frame in the right one."""
    return points @ observation.rotation.T + observation.translation


def whitened_reprojection(landmarks, root, observation: StereoObservation, limit: float, difference_weight=1.0):
    """Both views' reprojection, decorrelated across the views, Huber beyond `limit` per landmark: (84,).

    With e the errors in standard deviations and c their correlation: the mean (e_l + e_r) / sqrt(2 (1 + c)) is loose,
    the difference (e_l - e_r) / sqrt(2 (1 - c)), which holds the depth, is tight; its energy is multiplied by
    `difference_weight`.
    """
    left = residuals.reprojection_px(landmarks, root, observation.left) / observation.left.sigma_px[:, None]
    seen_right = to_right(jnp.concatenate([landmarks, root[None]]), observation)
    right = residuals.reprojection_px(seen_right[:-1], seen_right[-1], observation.right)
    right = right / observation.right.sigma_px[:, None]
    mean = (left + right) / jnp.sqrt(2 * (1 + observation.correlation))
    difference = (left - right) * jnp.sqrt(difference_weight / (2 * (1 - observation.correlation)))
    return residuals.huber(jnp.concatenate([mean, difference], axis=1), limit).ravel()


@dataclass(frozen=True)
class ReprojectionEnergy:
    """Whitened robust reprojection in both views, bone directions, anatomy and shape, in standard deviations.

    Weights multiply energies. huber_limit is for the four numbers of a landmark together.
    """
    huber_limit: float = 2.5
    direction_weight: float = 0.1
    direction_sigma: float = 0.35
    prior_weight: float = 0.4

    def example(self, shape_count: int) -> StereoObservation:
        """An observation of the compiled shapes."""
        view = Observation(*(np.asarray(f, np.float32) for f in (
            np.zeros((21, 2)), (500, 500), np.ones(21), 0.0, 100.0, np.zeros((20, 3)), np.zeros(20),
            np.zeros(shape_count), np.ones(shape_count))))
        return StereoObservation(view, view, np.eye(3, dtype=np.float32), np.zeros(3, np.float32),
                                 np.zeros(2, np.float32))

    def __call__(self, skeleton: Skeleton, parameters: HandParameters, observation: StereoObservation,
                 difference_weight=1.0):
        """Stacked residual vector of one hand. difference_weight: of what the two views' landmarks say of depth."""
        _, landmarks = place(skeleton, parameters)
        weight = self.direction_weight ** 0.5
        return jnp.concatenate([
            whitened_reprojection(landmarks, parameters.root, observation, self.huber_limit, difference_weight),
            weight * residuals.bone_directions(landmarks, observation.left, self.direction_sigma),
            weight * residuals.bone_directions(to_right(landmarks, observation), observation.right,
                                               self.direction_sigma),
            residuals.anatomy(parameters.angles, self.prior_weight),
            residuals.shape_prior(parameters.shape, observation.left)])


class PointObservation(NamedTuple):
    """points: (21, 3) triangulated landmarks, metres. whitening: (21, 3, 3), its transpose times itself is the inverse
    covariance. shape_mean, shape_sigma: (B,)."""
    points: np.ndarray
    whitening: np.ndarray
    shape_mean: np.ndarray
    shape_sigma: np.ndarray


@dataclass(frozen=True)
class PointEnergy:
    """Robust distances to triangulated points in their own standard deviations, anatomy and shape."""
    huber_limit: float = 2.5
    prior_weight: float = 0.4

    def example(self, shape_count: int) -> PointObservation:
        """An observation of the compiled shapes."""
        return PointObservation(*(np.asarray(f, np.float32) for f in (
            np.zeros((21, 3)) + [0, 0, 0.5], np.tile(100 * np.eye(3), (21, 1, 1)), np.zeros(shape_count),
            np.ones(shape_count))))

    def __call__(self, skeleton: Skeleton, parameters: HandParameters, observation: PointObservation):
        """Stacked residual vector of one hand."""
        _, landmarks = place(skeleton, parameters)
        away = jnp.einsum('kij,kj->ki', observation.whitening, landmarks - observation.points)
        return jnp.concatenate([residuals.huber(away, self.huber_limit).ravel(),
                                residuals.anatomy(parameters.angles, self.prior_weight),
                                (parameters.shape - observation.shape_mean) / observation.shape_sigma])
