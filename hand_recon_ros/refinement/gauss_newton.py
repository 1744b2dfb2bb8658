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
    """Fitted parameters, the energy (half the sum of squares) before and after, and the information J^T J (P, P)."""
    parameters: HandParameters
    energy_before: jnp.ndarray
    energy: jnp.ndarray
    information: jnp.ndarray


@dataclass(frozen=True)
class GaussNewton:
    """Damped Gauss-Newton: each step is kept only if it lowers the energy, otherwise the damping grows."""
    iterations: int = 6

    def __call__(self, residual, initial: HandParameters, space: StepSpace) -> Fit:
        """Minimise |residual(parameters)|^2 / 2 from `initial`; JAX-traceable, to be jitted and batched by the caller."""
        def linearise(parameters):
            along = lambda step: residual(space.moved(parameters, step))      # noqa: E731
            value, push = jax.linearize(along, jnp.zeros(space.size, parameters.root.dtype))
            jacobian = jax.vmap(push)(jnp.eye(space.size, dtype=value.dtype))  # (P, R)
            return jacobian @ jacobian.T, jacobian @ value, value @ value / 2

        def iterate(_, state):
            parameters, information, gradient, energy, damping = state
            diagonal = jnp.diagonal(information)
            damped = information + jnp.diag(damping * (diagonal + 1e-3))
            step = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(damped), gradient)
            # A failed factorisation gives NaN: such a step is refused like any that does not help.
            candidate = space.moved(parameters, step)
            new = (candidate, *linearise(candidate))
            better = new[3] < energy
            kept = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, (parameters, information, gradient, energy))
            return (*kept, jnp.where(better, jnp.maximum(damping * DAMPING_DOWN, DAMPING_FLOOR), damping * DAMPING_UP))

        start = (initial, *linearise(initial), jnp.asarray(DAMPING_START, initial.root.dtype))
        parameters, information, _, energy, _ = jax.lax.fori_loop(0, self.iterations, iterate, start)
        return Fit(parameters, start[3], energy, information)
