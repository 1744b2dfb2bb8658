"""A detector's landmark offsets from a calibrated pair of cameras: bundle adjustment on 2D landmarks only.

Unknown are every frame's pose and place, one shape of few directions (a prior of N(0, 1) each), and one offset per
landmark in its joint's frame (a prior of 4 mm: offsets, shape and mean posture trade off, and the data alone does not
part them). Each step solves the whole Gauss-Newton system; the poses are eliminated frame by frame (Schur complement).
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.hand_model.landmarks import Skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace
from hand_recon_ros.refinement import residuals
from hand_recon_ros.refinement.energies import AnatomicalEnergy
from hand_recon_ros.refinement.observations import Observation

OFFSET_SIGMA_M = 0.004
# A detector repeats its errors from frame to frame and pose to pose, so that a hundred frames say no more about what
# they share than ten independent ones would: the priors of the shared unknowns count this many times. Of 1, 10, 30, 100
# and 300, 10 to 30 placed the hand best from one view in the seconds of the video left out. Counted once, with curled
# fingers trusted, a table of 100 frames moved often-curled fingers' tips by 29 mm and fitted photographs of others
# worse than none (median 2.3 against 2.0 % of the box).
FRAMES_THAT_AGREE = 10.0
SHAPE_DIRECTIONS = 2
DAMPING_START, DAMPING_DOWN, DAMPING_UP, DAMPING_MOST = 1e-3, 0.3, 5.0, 1e6
ENOUGH = 1e-5           # relative gain of a step below which the adjustment has converged


class PairViews(NamedTuple):
    """Frames of a pair, batch axis first: both views' Observations, T_right_left (N, 4, 4) metres; right hands."""
    left: Observation
    right: Observation
    T_right_left: np.ndarray


class Shared(NamedTuple):
    """What all frames have in common: offsets (21, 3) metres and shape (K,), the first K directions of the model."""
    offsets: np.ndarray
    shape: np.ndarray


@dataclass(frozen=True)
class Bundle:
    """Result: shared unknowns, every frame's parameters (leading axis N), energy, residuals (N, 2, 21) px, and
    landmarks (N, 21, 3) by the detector's definition, left frame, metres."""
    shared: Shared
    parameters: HandParameters
    energy: float
    residual_px: np.ndarray
    landmarks_m: np.ndarray

    @property
    def rms_px(self) -> float:
        """Root mean square distance of landmarks from detections over frames, views and landmarks."""
        return float(np.sqrt(np.mean(self.residual_px ** 2)))


class _Normal(NamedTuple):
    """One frame's share of the normal equations: pose block, coupling, shared block, gradients, energy."""
    pose: jnp.ndarray
    coupling: jnp.ndarray
    shared: jnp.ndarray
    pose_gradient: jnp.ndarray
    shared_gradient: jnp.ndarray
    energy: jnp.ndarray


class OffsetBundle:
    """Bundle adjustment for one hand model; `energy` weighs posture, limits and coupling, and sets the Huber limit."""

    def __init__(self, skeleton: Skeleton, energy: AnatomicalEnergy = AnatomicalEnergy(),
                 offset_sigma_m: float = OFFSET_SIGMA_M, shape_directions: int = SHAPE_DIRECTIONS):
        if not offset_sigma_m > 0:
            raise ValueError(f'offset_sigma_m: {offset_sigma_m}, expected more than 0')
        count = skeleton.joint_dirs.shape[-1]
        if not 0 <= shape_directions <= count:
            raise ValueError(f'shape_directions: {shape_directions}, expected 0 to {count}')
        self._skeleton, self._energy, self._shape_count = skeleton, energy, count
        self._directions, self._offset_sigma_m = shape_directions, offset_sigma_m
        self._space = StepSpace.anatomical(0)       # the tailor's own freedom; shape is shared
        self._linearise = jax.jit(jax.vmap(self._normal, in_axes=(0, None, 0)))
        self._move = jax.jit(jax.vmap(self._space.moved))
        self._look = jax.jit(jax.vmap(self._seen, in_axes=(0, None, 0)))

    def adjust(self, views: PairViews, initial: HandParameters, shared: Shared | None = None,
               hold_offsets: bool = False, hold_shape: bool = False, iterations: int = 60,
               progress: Callable[[int, float], None] | None = None) -> Bundle:
        """Fits all frames together from `initial` (leading axis N). What is held stays as in `shared` (default zeros).

        progress: called with the iteration and the energy. ValueError when the fit is not finite.
        """
        if shared is None:
            shared = Shared(np.zeros((21, 3)), np.zeros(self._directions))
        free = np.concatenate([np.full(63, not hold_offsets), np.full(self._directions, not hold_shape)])
        state = initial, Shared(*(np.asarray(part, np.float64) for part in shared))
        system, damping = self._system(*state, views), DAMPING_START
        if not np.isfinite(system[1]):
            raise ValueError('initial: the energy is not finite, expected hands in front of both cameras')
        for iteration in range(iterations):
            candidate = self._step(state, system[0], damping, free)
            new = self._system(*candidate, views)
            gain = (system[1] - new[1]) / system[1]
            if gain > 0:        # not so for a NaN
                state, system, damping = candidate, new, max(damping * DAMPING_DOWN, 1e-7)
            else:
                damping *= DAMPING_UP
            if progress is not None:
                progress(iteration, system[1])
            if 0 < gain < ENOUGH or damping > DAMPING_MOST:
                break
        residual_px, landmarks = self._look(state[0], self._single(state[1]), views)
        return Bundle(state[1], jax.tree.map(np.asarray, state[0]), float(system[1]), np.asarray(residual_px),
                      np.asarray(landmarks))

    def _system(self, parameters, shared, views) -> tuple[_Normal, float]:
        """All frames' normal equations and the energy with the priors of the shared unknowns."""
        normal = self._linearise(parameters, self._single(shared), views)
        normal = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), normal)
        vector, weights = self._vector(shared), self._prior()
        return normal, float(normal.energy.sum() + (weights * vector ** 2).sum() / 2)

    def _step(self, state, normal: _Normal, damping: float, free: np.ndarray):
        """One damped step: Schur complement on the shared unknowns, then each pose by back-substitution."""
        parameters, shared = state
        diagonal = np.einsum('nii->ni', normal.pose)
        pose = normal.pose + np.einsum('ni,ij->nij', damping * (diagonal + 1e-3), np.eye(diagonal.shape[1]))
        carried = np.linalg.solve(pose, np.concatenate([normal.coupling, normal.pose_gradient[..., None]], axis=-1))
        weights = self._prior()
        block = normal.shared.sum(0) + np.diag(weights) - np.einsum('npi,npj->ij', normal.coupling, carried[..., :-1])
        gradient = normal.shared_gradient.sum(0) + weights * self._vector(shared) \
            - np.einsum('npi,np->i', normal.coupling, carried[..., -1])
        block += np.diag(damping * np.diagonal(block))
        step = np.zeros(len(weights))
        if free.any():
            step[free] = -np.linalg.solve(block[np.ix_(free, free)], gradient[free])
        pose_steps = -(carried[..., -1] + carried[..., :-1] @ step)
        moved = self._move(parameters, pose_steps.astype(np.float32))
        return moved, Shared(shared.offsets + step[:63].reshape(21, 3), shared.shape + step[63:])

    def _prior(self) -> np.ndarray:
        return FRAMES_THAT_AGREE * np.concatenate([np.full(63, self._offset_sigma_m ** -2), np.ones(self._directions)])

    @staticmethod
    def _vector(shared: Shared) -> np.ndarray:
        return np.concatenate([shared.offsets.ravel(), shared.shape])

    @staticmethod
    def _single(shared: Shared) -> Shared:
        return Shared(*(np.asarray(part, np.float32) for part in shared))

    def _landmarks(self, parameters, shared):
        shape = jnp.concatenate([shared.shape, jnp.zeros(self._shape_count - self._directions, shared.shape.dtype)])
        return place(self._skeleton._replace(offsets=shared.offsets), parameters._replace(shape=shape))[1]

    def _residual(self, parameters, shared, views):
        """Stacked residuals of one frame, in standard deviations."""
        landmarks, weights = self._landmarks(parameters, shared), self._energy
        in_right = landmarks @ views.T_right_left[:3, :3].T + views.T_right_left[:3, 3]
        return jnp.concatenate([
            residuals.reprojection(landmarks, landmarks[0], views.left, weights.huber_limit),
            residuals.reprojection(in_right, in_right[0], views.right, weights.huber_limit),
            residuals.anatomy(parameters.angles, weights.prior_weight)])

    def _normal(self, parameters, shared, views) -> _Normal:
        """One frame's linearisation about its pose and the shared unknowns."""
        size = self._space.size

        def along(step):
            common = step[size:]
            moved = Shared(shared.offsets + common[:63].reshape(21, 3), shared.shape + common[63:])
            return self._residual(self._space.moved(parameters, step[:size]), moved, views)
        zero = jnp.zeros(size + 63 + self._directions)
        value, jacobian = along(zero), jax.jacfwd(along)(zero)
        pose, common = jacobian[:, :size], jacobian[:, size:]
        return _Normal(pose.T @ pose, pose.T @ common, common.T @ common, pose.T @ value, common.T @ value,
                       value @ value / 2)

    def _seen(self, parameters, shared, views):
        """Residual lengths (2, 21) px and landmarks (21, 3) of one frame."""
        landmarks = self._landmarks(parameters, shared)
        in_right = landmarks @ views.T_right_left[:3, :3].T + views.T_right_left[:3, 3]
        off = [jnp.linalg.norm(residuals.reprojection_px(points, points[0], view), axis=-1)
               for points, view in ((landmarks, views.left), (in_right, views.right))]
        return jnp.stack(off), landmarks
