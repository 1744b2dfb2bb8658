"""How far a fit's keypoints may be off: Laplace's approximation, the inverse information of a step carried to the keypoints."""
from __future__ import annotations

import jax
import jax.numpy as jnp

from hand_recon_ros.hand_model.landmarks import Skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace


def keypoint_covariance(skeleton: Skeleton, space: StepSpace, parameters: HandParameters, information):
    """Covariances (21, 3, 3) m^2 of one fitted hand's keypoints; information: (P, P) = J^T J of a step. JAX-traceable."""
    push = jax.jacfwd(lambda step: place(skeleton, space.moved(parameters, step))[0])(jnp.zeros(space.size))
    factor = jax.scipy.linalg.cho_factor(information + 1e-6 * jnp.eye(space.size))
    spread = jax.scipy.linalg.cho_solve(factor, push.reshape(63, -1).T).T.reshape(push.shape)
    return jnp.einsum('kip,kjp->kij', push, spread)
