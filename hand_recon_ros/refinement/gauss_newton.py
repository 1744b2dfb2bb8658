"""Damped Gauss-Newton for one hand: Levenberg-Marquardt steps until they no longer help, one compiled loop."""
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


class _State(NamedTuple):
    """Where the loop stands: the candidate to be judged, the best so far with its linearisation, the damping."""
    candidate: HandParameters
    parameters: HandParameters
    information: jnp.ndarray
    gradient: jnp.ndarray
    energy: jnp.ndarray
    damping: jnp.ndarray
    count: jnp.ndarray
    settled: jnp.ndarray


@dataclass(frozen=True)
class GaussNewton:
    """Damped Gauss-Newton: each step is kept only if it lowers the energy, otherwise the damping grows.

    At most `iterations` steps; fewer when one lowers the energy by less than `tolerance` of it.
    """
    iterations: int = 8
    tolerance: float = 0.02

    def __call__(self, residual, initial: HandParameters, space: StepSpace) -> Fit:
        """Minimise |residual(parameters)|^2 / 2 from `initial`; JAX-traceable, to be jitted and batched by the caller."""
        def linearise(parameters):
            along = lambda step: residual(space.moved(parameters, step))      # noqa: E731
            value, push = jax.linearize(along, jnp.zeros(space.size, parameters.root.dtype))
            jacobian = jax.vmap(push)(jnp.eye(space.size, dtype=value.dtype))  # (P, R)
            return jacobian @ jacobian.T, jacobian @ value, value @ value / 2

        def unsettled(state):
            return (state.count <= self.iterations) & ~state.settled

        def iterate(state):
            information, gradient, energy = linearise(state.candidate)
            # False for NaN too, which a failed factorisation gives: such a step is refused like any that does not help.
            better = energy < state.energy
            settled = better & (state.energy - energy < self.tolerance * energy)
            new = (state.candidate, information, gradient, energy)
            old = (state.parameters, state.information, state.gradient, state.energy)
            parameters, information, gradient, energy = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, old)
            damping = jnp.where(better, jnp.maximum(state.damping * DAMPING_DOWN, DAMPING_FLOOR), state.damping * DAMPING_UP)
            damped = information + jnp.diag(damping * (jnp.diagonal(information) + 1e-3))
            step = -jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(damped), gradient)
            return _State(space.moved(parameters, step), parameters, information, gradient, energy, damping,
                          state.count + 1, settled)

        # The first pass only evaluates the start: one linearisation in the program instead of two.
        real = initial.root.dtype
        start = _State(initial, initial, jnp.zeros((space.size, space.size), real), jnp.zeros(space.size, real),
                       jnp.asarray(jnp.inf, real), jnp.asarray(DAMPING_START / DAMPING_DOWN, real), 0, jnp.asarray(False))
        end = jax.lax.while_loop(unsettled, iterate, start)
        return Fit(end.parameters, end.energy, end.information)
