"""Damped Gauss-Newton for one hand: a fixed number of Levenberg-Marquardt steps, one compiled loop."""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp

from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace

DAMPING_START, DAMPING_DOWN, DAMPING_UP = 1e-3, 0.2, 8.0
DAMPING_FLOOR = 1e-7


class Fit(NamedTuple):
    """Fitted parameters, their energy (half the sum of squares), and the information J^T J of a step (P, P)."""
    parameters: HandParameters
    energy: jnp.ndarray
    information: jnp.ndarray


@dataclass(frozen=True)
class GaussNewton:
    """Damped Gauss-Newton: each step is kept only if it lowers the energy, otherwise the damping grows."""
    iterations: int = 5

    def __call__(self, residual, initial: HandParameters, space: StepSpace) -> Fit:
        """Minimise |residual(parameters)|^2 / 2 from `initial`; JAX-traceable, to be jitted and batched by the caller."""
        def linearise(parameters):
            along = lambda step: residual(space.moved(parameters, step))      # noqa: E731
            value, push = jax.linearize(along, jnp.zeros(space.size, parameters.root.dtype))
            jacobian = jax.vmap(push)(jnp.eye(space.size, dtype=value.dtype))  # (P, R)
            return jacobian @ jacobian.T, jacobian @ value, value @ value / 2

        def iterate(_, state):
            candidate, parameters, information, gradient, energy, damping = state
            new = (candidate, *linearise(candidate))
            # False for NaN too, which a failed factorisation gives: such a step is refused like any that does not help.
            better = new[3] < energy
            parameters, information, gradient, energy = jax.tree.map(
                lambda a, b: jnp.where(better, a, b), new, (parameters, information, gradient, energy))
            damping = jnp.where(better, jnp.maximum(damping * DAMPING_DOWN, DAMPING_FLOOR), damping * DAMPING_UP)
            damped = information + jnp.diag(damping * (jnp.diagonal(information) + 1e-3))
            step = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(damped), gradient)
            return space.moved(parameters, step), parameters, information, gradient, energy, damping

        # The first pass only evaluates the start: one linearisation in the program instead of two.
        real = initial.root.dtype
        nothing = jnp.zeros((space.size, space.size), real), jnp.zeros(space.size, real), jnp.asarray(jnp.inf, real)
        start = (initial, initial, *nothing, jnp.asarray(DAMPING_START / DAMPING_DOWN, real))
        _, parameters, information, _, energy, _ = jax.lax.fori_loop(0, self.iterations + 1, iterate, start)
        return Fit(parameters, energy, information)
