"""Which residuals the tailor sums, with their weights: the package's own energy and HandTailor's."""
from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp

from hand_recon_ros.refinement import residuals
from hand_recon_ros.refinement.observations import Observation
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.hand_model.landmarks import Skeleton, place


@dataclass(frozen=True)
class AnatomicalEnergy:
    """Robust reprojection, bone directions, posture, limits, tendon coupling and shape, all as standard deviations.

    Weights multiply energies. Hashable, so that JAX compiles once per setting.
    """
    huber_limit: float = 1.5
    direction_weight: float = 1.0
    direction_sigma: float = 0.35
    prior_weight: float = 0.4

    def __call__(self, skeleton: Skeleton, parameters: HandParameters, observation: Observation, initial: HandParameters):
        """Stacked residual vector of one hand."""
        _, landmarks = place(skeleton, parameters)
        return jnp.concatenate([
            residuals.reprojection(landmarks, parameters.root, observation, self.huber_limit),
            self.direction_weight ** 0.5 * residuals.bone_directions(landmarks, observation, self.direction_sigma),
            residuals.anatomy(parameters.angles, self.prior_weight),
            residuals.shape_prior(parameters.shape, observation)])


@dataclass(frozen=True)
class HandTailorEnergy:
    """HandTailor eq. 13: lambda_J E_J + lambda_g E_g + lambda_id E_id, with lambda 1, 100, 0.1 (sec. 4.1)."""
    joint_weight: float = 1.0
    twist_weight: float = 100.0
    identity_weight: float = 0.1

    def __call__(self, skeleton: Skeleton, parameters: HandParameters, observation: Observation, initial: HandParameters):
        """Stacked residual vector of one hand."""
        keypoints, landmarks = place(skeleton, parameters)
        return jnp.concatenate([
            self.joint_weight ** 0.5 * residuals.joint_location(landmarks, parameters.root, observation),
            self.twist_weight ** 0.5 * residuals.unnatural_twist(keypoints),
            self.identity_weight ** 0.5 * residuals.initial_estimate(parameters, initial)])
