"""HandTailor's solver: Adam on pose and shape, the root held where the scale step put it (sec. 3.4, 4.1)."""
from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from hand_recon_ros.refinement.gauss_newton import Fit
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015) with HandTailor's learning rate 0.003 and 20 iterations, in one compiled loop."""
    iterations: int = 20
    learning_rate: float = 0.003
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __call__(self, residual, initial: HandParameters, space: StepSpace) -> Fit:
        """Minimise |residual(parameters)|^2 from `initial`; JAX-traceable. The root does not move."""
        zero = jnp.zeros(space.size, initial.root.dtype)
        movable = jnp.ones_like(zero).at[3:6].set(0.0)

        def energy(parameters):
            return jnp.sum(residual(parameters) ** 2)

        def iterate(index, state):
            parameters, mean, square = state
            gradient = movable * jax.grad(lambda step: energy(space.moved(parameters, step)))(zero)
            mean = self.beta_1 * mean + (1 - self.beta_1) * gradient
            square = self.beta_2 * square + (1 - self.beta_2) * gradient ** 2
            count = index + 1.0
            scaled = (mean / (1 - self.beta_1 ** count)) / (jnp.sqrt(square / (1 - self.beta_2 ** count)) + self.epsilon)
            return space.moved(parameters, -self.learning_rate * scaled), mean, square

        parameters, _, _ = jax.lax.fori_loop(0, self.iterations, iterate, (initial, zero, zero))
        jacobian = jax.jacfwd(lambda step: residual(space.moved(parameters, step)))(zero)
        return Fit(parameters, energy(parameters) / 2, jacobian.T @ jacobian)
