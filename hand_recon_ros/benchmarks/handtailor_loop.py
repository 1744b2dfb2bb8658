"""The reference for speed: the tailor as HandTailor structures it, written anew from the paper's text.

A MANO layer that skins all vertices, the gradient of eq. 13 and the Adam update jitted separately, both called from a
Python loop; no confidences, no root in the optimisation. Same energy terms and constants as refinement.energies.
"""
from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning import skin
from hand_recon_ros.hand_model.skinning_jax import jax_constants
from hand_recon_ros.refinement.observations import Observation
from hand_recon_ros.refinement.residuals import joint_location, unnatural_twist

LEARNING_RATE, BETA_1, BETA_2, EPSILON = 0.003, 0.9, 0.999, 1e-8
LAMBDA_JOINT, LAMBDA_TWIST, LAMBDA_IDENTITY = 1.0, 100.0, 0.1


class HandTailorLoop:
    """20 (or more) Adam steps on pose (48,) and shape (B,), the root held."""

    def __init__(self, model: HandModel):
        constants = jax_constants(model)

        def keypoints_of(pose, shape, root):
            _, keypoints = skin(constants, pose, shape, jnp.zeros(3))          # the layer returns all vertices too
            return keypoints - keypoints[0] + root

        def energy(variables, initial, root, observation: Observation):
            keypoints = keypoints_of(*variables, root)
            identity = sum(jnp.sum((a - b) ** 2) for a, b in zip(variables, initial))
            return (LAMBDA_JOINT * jnp.sum(joint_location(keypoints, root, observation) ** 2)
                    + LAMBDA_TWIST * jnp.sum(unnatural_twist(keypoints) ** 2) + LAMBDA_IDENTITY * identity)

        def update(count, gradient, variables, mean, square):
            mean = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, mean, gradient)
            square = jax.tree.map(lambda s, g: BETA_2 * s + (1 - BETA_2) * g ** 2, square, gradient)
            moved = jax.tree.map(lambda v, m, s: v - LEARNING_RATE * (m / (1 - BETA_1 ** count))
                                 / (jnp.sqrt(s / (1 - BETA_2 ** count)) + EPSILON), variables, mean, square)
            return moved, mean, square

        self._gradient, self._update = jax.jit(jax.grad(energy)), jax.jit(update)
        self._reprojection = jax.jit(lambda variables, root, observation: jnp.mean(
            joint_location(keypoints_of(*variables, root), root, observation) ** 2))

    def fit(self, pose, shape, root, observation: Observation, iterations: int = 20):
        """Pose and shape after `iterations` steps; root (3,), observation of one right hand."""
        variables = (jnp.asarray(pose), jnp.asarray(shape))
        initial = variables
        mean = square = jax.tree.map(jnp.zeros_like, variables)
        count = 0
        while count < iterations:
            gradient = self._gradient(variables, initial, root, observation)
            count += 1
            variables, mean, square = self._update(np.float32(count), gradient, variables, mean, square)
        return tuple(np.asarray(v) for v in variables)

    def reprojection_energy(self, pose, shape, root, observation: Observation) -> float:
        """Mean squared pixel error of eq. 9 in the 256 px crop."""
        return float(self._reprojection((pose, shape), root, observation))
