"""One shape for many frames of one person: joint Gauss-Newton in which every frame keeps its own pose and place.

Paper 5 eq. 7 carried from estimates to what was detected: min over shape, poses and places of
sum_k w_k E_k(shape, pose_k, place_k) + priors. Every frame's own unknowns are eliminated (Schur complement), so that
the cost grows with the number of frames, not with its cube.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.fusion.energy import ReprojectionEnergy
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace
from hand_recon_ros.identity.landmark_response import LandmarkResponse
from hand_recon_ros.identity.outline_energy import OutlinedObservation
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.refinement.packing import Packing

# Shape numbers that many stereo frames show; the rest move width and length by less than 0.3 mm a unit.
DIRECTIONS = 3
ITERATIONS, TOLERANCE = 20, 1e-5
DAMPING_START, DAMPING_DOWN, DAMPING_UP, DAMPING_LEAST = 1e-3, 0.2, 8.0, 1e-7
LANDMARK_NUMBERS = 63
GROUP = 8           # hands linearised in one call


@dataclass(frozen=True)
class SharedShape:
    """shape: (B,). covariance: (B, B), by Laplace's approximation, prior included. energies: (K,) of the sights, half
    sums of squared standard deviations. parameters: of all sights, (K, ...), right hands."""
    shape: np.ndarray
    covariance: np.ndarray
    energies: np.ndarray
    parameters: HandParameters

    @property
    def std(self) -> np.ndarray:
        """(B,) standard deviations of the shape."""
        return np.sqrt(np.diagonal(self.covariance))


class _Linearised(NamedTuple):
    """Of K sights at their parameters: information (K, P, P), gradient (K, P), energy (K,); NumPy float64."""
    information: np.ndarray
    gradient: np.ndarray
    energy: np.ndarray

    def where(self, mask: np.ndarray, other: _Linearised) -> _Linearised:
        """Own rows where mask (K,) is True, the other's elsewhere."""
        return _Linearised(*(np.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(self, other)))


class ShapeBundle:
    """Solves for shapes of people; compiled at first use, any number of sights. Not thread-safe.

    directions: how many shape numbers move, each with prior N(0, 1); the others stay 0. energy: residuals of what is
    seen; a further part `surface` of it, if it has one, must not depend on the landmark offsets.
    """

    def __init__(self, model: HandModel, response: LandmarkResponse, noise: ViewNoise = ViewNoise(),
                 directions: int = DIRECTIONS, energy=ReprojectionEnergy()):
        if not 1 <= directions <= model.shape_size:
            raise ValueError(f'directions: {directions}, expected 1 to the model\'s {model.shape_size}')
        self.directions, self._model, self._noise, self._energy = directions, model, noise, energy
        self._skeleton = build_skeleton(model)
        self._space = StepSpace.anatomical(directions)
        self._own = self._space.size - directions       # a sight's own unknowns come first in a step
        self._size = self._space.size + LANDMARK_NUMBERS
        parameters = HandParameters(np.eye(3, dtype=np.float32), np.zeros((15, 3), np.float32),
                                    np.array([0, 0, 0.5], np.float32), np.zeros(model.shape_size, np.float32))
        self.response = response
        example = parameters, np.zeros(LANDMARK_NUMBERS, np.float32), energy.example(model.shape_size)
        self._parameters, self._observation, self._input = (Packing.of(e) for e in (parameters, example[2], example))
        self._output = Packing.of(jax.eval_shape(self._linearise, *example, self._habits))
        self._linearise_group = jax.jit(jax.vmap(self._linearise_packed, in_axes=(0, None)))
        self._move_group = jax.jit(jax.vmap(self._move_packed))

    @property
    def response(self) -> LandmarkResponse:
        """How the detector's landmarks sit on a person's hand; another one costs no new compilation."""
        return self._response

    @response.setter
    def response(self, response: LandmarkResponse) -> None:
        by_shape = np.zeros((21, 3, self._model.shape_size), np.float32)
        by_shape[..., :response.directions_m.shape[-1]] = response.directions_m
        self._response = response
        # The rest is counted in its own standard deviations: then every shared unknown has prior N(0, 1).
        self._habits = response.offsets_m, by_shape, response.rest_sigma_m[:, None]

    def together(self, sights: list[Sight], weights=None, outlines=None,
                 start: HandParameters | None = None) -> SharedShape:
        """One shape of one person's sights. weights: (K,) attention, summing to 1 (None: all alike).

        outlines: (left, right) SeenOutline of every sight, for an OutlineEnergy. start: parameters (K, ...) to begin
        at, as a former solution has them (None: the estimates').

        ValueError without sights, for weights that are not a distribution, or when the fit is not finite.
        """
        if not sights:
            raise ValueError('sights: none, expected at least one')
        count = len(sights)
        weights = np.full(count, 1.0 / count) if weights is None else np.asarray(weights, np.float64)
        if weights.shape != (count,) or not (weights >= 0).all() or abs(weights.sum() - 1.0) > 1e-3:
            raise ValueError(f'weights: shape {weights.shape}, sum {weights.sum():g}, '
                             f'expected {count} of at least 0 that sum to 1')
        return self._solve(sights, np.zeros(count, int), count * weights, outlines, start)[0]

    def each(self, sights: list[Sight]) -> list[SharedShape]:
        """A shape of every sight alone. ValueError when a fit is not finite."""
        return self._solve(sights, np.arange(len(sights)), np.ones(len(sights))) if sights else []

    def _solve(self, sights, owner: np.ndarray, weights: np.ndarray, outlines=None, start=None) -> list[SharedShape]:
        """Shapes of the people that own the sights: owner (K,) 0 .. N - 1, weights (K,) with mean 1 for every owner."""
        seen = [sight.observation(self._model.shape_size, self._noise) for sight in sights]
        if outlines is not None:
            seen = [OutlinedObservation(stereo, *pair) for stereo, pair in zip(seen, outlines)]
        observations = np.stack([self._observation.pack(one) for one in seen])
        starts = [sight.start(self._skeleton.axes) for sight in sights] if start is None else \
            [HandParameters(*(leaf[row] for leaf in start)) for row in range(len(sights))]
        count = owner.max() + 1
        shared = np.zeros((count, self._size - self._own))
        for person in range(count):
            shared[person, :self.directions] = np.mean([s.shape[:self.directions] for s, o in zip(starts, owner)
                                                        if o == person], axis=0)
        shapes = np.zeros((len(sights), self._model.shape_size), np.float32)
        shapes[:, :self.directions] = shared[owner, :self.directions]
        rows = np.stack([self._parameters.pack(s._replace(shape=shape)) for s, shape in zip(starts, shapes)])
        now = self._linearised(rows, shared[owner], observations)
        energy = _total(now, shared, owner, weights)
        settled, damping = np.zeros(count, bool), np.full(count, DAMPING_START)
        if not np.isfinite(energy).all():
            raise ValueError('sights: not finite where they start, expected finite keypoints in front of the camera')
        for _ in range(ITERATIONS):
            own_step, shared_step = self._step(now, shared, owner, weights, damping)
            step = np.concatenate([own_step, shared_step[owner, :self.directions]], axis=1)
            moved = self._grouped(self._move_group, rows, step.astype(np.float32))
            candidate = shared + shared_step
            then = self._linearised(moved, candidate[owner], observations)
            lower = _total(then, candidate, owner, weights)
            better = (lower < energy) & ~settled            # False for NaN
            settled |= better & (energy - lower < TOLERANCE * energy)
            taken = better[owner]
            rows, now = np.where(taken[:, None], moved, rows), then.where(taken, now)
            shared, energy = np.where(better[:, None], candidate, shared), np.where(better, lower, energy)
            damping = np.where(better, np.maximum(damping * DAMPING_DOWN, DAMPING_LEAST), damping * DAMPING_UP)
            if settled.all():
                break
        reduced, _ = self._reduced(now, shared, owner, weights, np.full(count, DAMPING_LEAST))
        covariance = np.zeros((count, self._model.shape_size, self._model.shape_size))
        rest = np.arange(self.directions, self._model.shape_size)
        covariance[:, rest, rest] = 1.0     # never moved: as the prior leaves them
        moving = slice(self.directions)
        covariance[:, moving, moving] = np.linalg.inv(reduced)[:, moving, moving]
        found = [self._parameters.unpack(rows[owner == person]) for person in range(count)]
        return [SharedShape(parameters.shape[0].astype(np.float64), covariance[person], now.energy[owner == person],
                            parameters) for person, parameters in enumerate(found)]

    def _reduced(self, now: _Linearised, shared, owner, weights, damping):
        """Normal equations (N, Q, Q), gradients (N, Q) of the shared unknowns, and what finds the others again."""
        own, (information, gradient, _) = self._own, now
        diagonal = np.diagonal(information, axis1=1, axis2=2)
        # A floor keeps unknowns without information where they are.
        damped = information + (damping[owner, None] * (diagonal + 1e-3) + 1e-9)[:, :, None] * np.eye(self._size)
        coupling = information[:, :own, own:]
        solved = np.linalg.solve(damped[:, :own, :own], np.concatenate([coupling, gradient[:, :own, None]], axis=2))
        back = np.swapaxes(coupling, 1, 2) @ solved
        matrices = weights[:, None, None] * (damped[:, own:, own:] - back[..., :-1])
        vectors = weights[:, None] * (gradient[:, own:] - back[..., -1])
        reduced = np.tile(np.eye(self._size - own), (len(shared), 1, 1))
        right = shared.copy()
        np.add.at(reduced, owner, matrices)
        np.add.at(right, owner, vectors)
        return reduced, (right, solved)

    def _step(self, now, shared, owner, weights, damping):
        """Steps of every sight's own unknowns (K, own) and of the shared ones (N, Q)."""
        reduced, (right, solved) = self._reduced(now, shared, owner, weights, damping)
        shared_step = -np.linalg.solve(reduced, right[..., None])[..., 0]
        own_step = -(solved[..., -1] + np.einsum('kpq,kq->kp', solved[..., :-1], shared_step[owner]))
        return own_step, shared_step

    def _linearised(self, rows, shared, observations) -> _Linearised:
        packed = np.concatenate([rows, shared[:, self.directions:], observations], axis=1, dtype=np.float32)
        found = self._grouped(lambda group: self._linearise_group(group, self._habits), packed)
        return _Linearised(*(np.asarray(part, np.float64) for part in self._output.unpack(found)))

    @staticmethod
    def _grouped(compiled, *arrays):
        """A compiled function of GROUP rows over any number of rows."""
        count = len(arrays[0])
        arrays = [np.concatenate([a, np.repeat(a[:1], -count % GROUP, axis=0)]) for a in arrays]
        return np.concatenate([np.asarray(compiled(*(a[first:first + GROUP] for a in arrays)))
                               for first in range(0, len(arrays[0]), GROUP)])[:count]

    def _linearise_packed(self, row, habits):
        return self._output.pack(self._linearise(*self._input.unpack(row), habits), jnp.concatenate)

    def _linearise(self, parameters: HandParameters, rest, observation, habits):
        """Information, gradient and energy of one sight; rest: (63,) the person's own offsets in their sigmas."""
        offsets_of_mean, by_shape, rest_sigma = habits

        def residual(step):
            moved = self._space.moved(parameters, step[:self._space.size])
            own = (rest + step[self._space.size:]).reshape(21, 3) * rest_sigma
            offsets = offsets_of_mean + (by_shape * moved.shape).sum(-1) + own
            return self._energy(self._skeleton._replace(offsets=offsets), moved, observation)
        information, gradient, total = _normal_equations(residual, self._size)
        if hasattr(self._energy, 'surface'):
            count = self._space.size
            extra = _normal_equations(lambda step: self._energy.surface(
                self._skeleton, self._space.moved(parameters, step), observation), count)
            information, gradient = information.at[:count, :count].add(extra[0]), gradient.at[:count].add(extra[1])
            total = total + extra[2]
        return information, gradient, total

    def _move_packed(self, row, step):
        return self._parameters.pack(self._space.moved(self._parameters.unpack(row), step), jnp.concatenate)


def _normal_equations(residual, size: int):
    """J^T J (P, P), J^T r (P,) and half the sum of squares of residual(step) at no step."""
    value, push = jax.linearize(residual, jnp.zeros(size))
    jacobian = jax.vmap(push)(jnp.eye(size))
    return jacobian @ jacobian.T, jacobian @ value, value @ value / 2


def _total(now: _Linearised, shared, owner, weights) -> np.ndarray:
    """(N,) weighted energy of every person's sights and of the priors, which are all N(0, 1)."""
    return np.bincount(owner, weights * now.energy, len(shared)) + 0.5 * (shared ** 2).sum(1)
