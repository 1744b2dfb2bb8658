"""Hands fitted to what two views say of them: damped Gauss-Newton, compiled once, a batch of hands a call."""
from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.hand_model.landmarks import Skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace
from hand_recon_ros.refinement.gauss_newton import GaussNewton
from hand_recon_ros.refinement.laplace import keypoint_covariance
from hand_recon_ros.refinement.packing import Packing

# Keypoints show two directions of shape; more would only trade off against the landmark offsets.
OBSERVABLE_SHAPES = 2


class Fits(NamedTuple):
    """A batch of fitted right hands, left optical frame: parameters, energy (N,), landmarks (N, 21, 3) m by the detector's
    definition, keypoint covariances (N, 21, 3, 3) m^2 by Laplace's approximation."""
    parameters: HandParameters
    energy: jnp.ndarray
    landmarks: jnp.ndarray
    covariance: jnp.ndarray


class CompiledFit:
    """Minimises an energy(skeleton, parameters, observation) -> residuals over hands.

    energy.example(shape_count) gives one observation (a tuple of float32 arrays) whose shapes are compiled, here in the
    constructor, for `max_hands` hands at once. Not thread-safe.
    """

    def __init__(self, skeleton: Skeleton, energy, max_hands: int = 2, solver: GaussNewton = GaussNewton()):
        if max_hands < 1:
            raise ValueError(f'max_hands: {max_hands}, expected at least 1')
        self._skeleton, self._energy, self._solver, self._max_hands = skeleton, energy, solver, max_hands
        self._space = StepSpace.anatomical(OBSERVABLE_SHAPES)
        shape = np.zeros(skeleton.joint_dirs.shape[-1], np.float32)
        initial = HandParameters(np.eye(3, dtype=np.float32), np.zeros((15, 3), np.float32),
                                 np.array([0, 0, 0.5], np.float32), shape)
        example = energy.example(len(shape))
        self._input = Packing.of((initial, example))
        self._output = Packing.of(jax.eval_shape(self._fit, initial, example))
        self._fit_batch = jax.jit(jax.vmap(self._fit_packed))
        self([initial], [example])

    def __call__(self, initial: list[HandParameters], observations: list) -> Fits:
        """Fits of one or more hands, in groups of max_hands (NumPy in, NumPy out)."""
        rows = np.stack([self._input.pack(hand) for hand in zip(initial, observations)])
        rows = np.concatenate([rows, np.repeat(rows[:1], -len(rows) % self._max_hands, axis=0)])
        groups = [np.asarray(self._fit_batch(rows[first:first + self._max_hands]))
                  for first in range(0, len(rows), self._max_hands)]
        return self._output.unpack(np.concatenate(groups)[:len(initial)])

    def _fit_packed(self, row):
        return self._output.pack(self._fit(*self._input.unpack(row)), jnp.concatenate)

    def _fit(self, initial: HandParameters, observation) -> Fits:
        space, skeleton = self._space, self._skeleton
        fit = self._solver(lambda p: self._energy(skeleton, p, observation), initial, space)
        covariance = keypoint_covariance(skeleton, space, fit.parameters, fit.information)
        return Fits(fit.parameters, fit.energy, place(skeleton, fit.parameters)[1], covariance)
