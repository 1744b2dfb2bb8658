"""The tailor: an estimate's pose, place and shape moved until its keypoints meet the detected ones. Plug and play."""
from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.estimation.assembly import assemble
from hand_recon_ros.geometry.weak_perspective import scale_compensation
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.refinement.adam import Adam
from hand_recon_ros.refinement.energies import AnatomicalEnergy, HandTailorEnergy
from hand_recon_ros.refinement.gauss_newton import GaussNewton
from hand_recon_ros.refinement.laplace import keypoint_covariance
from hand_recon_ros.refinement.observations import Observation, observe
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace, from_pose, to_pose
from hand_recon_ros.refinement.packing import Packing
from hand_recon_ros.refinement.residuals import bone_units, reprojection_px
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice

# Keypoints show two directions of shape; more would only trade off against the landmark offsets.
OBSERVABLE_SHAPES = 2
SOLVERS = ('gauss_newton', 'adam')


class Tailored(NamedTuple):
    """One batch of fits: parameters, energy (N,), keypoint std (N, 21) m, reprojection rms (N,) px."""
    parameters: HandParameters
    energy: jnp.ndarray
    joint_std: jnp.ndarray
    reprojection_px: jnp.ndarray


class Tailor:
    """Refines estimates of any estimator against detected keypoints, HandTailor sec. 3.4.

    solver 'gauss_newton' (default): damped Gauss-Newton on the package's anatomical energy, root and shape included.
    solver 'adam': the paper's, closed-form scale (eq. 12), then 20 Adam steps on eq. 13.
    Compiled once, in the constructor, for `max_hands` hands; more hands are refined in groups. Not thread-safe.
    """

    def __init__(self, model: HandModel, offsets_m=None, solver: str = 'gauss_newton', max_hands: int = 2,
                 iterations: int | None = None):
        self.name = checked_choice('solver', solver, SOLVERS)
        if max_hands < 1:
            raise ValueError(f'max_hands: {max_hands}, expected at least 1')
        if iterations is not None and iterations < 1:
            raise ValueError(f'iterations: {iterations}, expected at least 1')
        steps = {} if iterations is None else {'iterations': iterations}
        self._solver = GaussNewton(**steps) if solver == 'gauss_newton' else Adam(**steps)
        self._energy = AnatomicalEnergy() if solver == 'gauss_newton' else HandTailorEnergy()
        self._space = StepSpace.anatomical(OBSERVABLE_SHAPES) if solver == 'gauss_newton' else \
            StepSpace.full(model.shape_size)
        self._model, self._max_hands = model, max_hands
        self._skeleton = build_skeleton(model, offsets_m)
        self._hand = JaxHand(model)
        self._compile()

    def refine(self, frame: Frame, keypoints: list[HandKeypoints], estimates: list[HandEstimate],
               identity: HandIdentity | None = None) -> list[HandEstimate]:
        """Refined estimates, in order. keypoints[i] belongs to estimates[i]. frame.camera None: weak perspective.

        Raises ValueError when the lists differ in length, a shape is not the model's, or a fit is not finite.
        """
        if len(keypoints) != len(estimates):
            raise ValueError(f'keypoints: {len(keypoints)} hands, expected {len(estimates)} as in estimates')
        refined = []
        for start in range(0, len(estimates), self._max_hands):
            group = slice(start, start + self._max_hands)
            refined += self._refine_group(frame, keypoints[group], estimates[group], identity)
        return refined

    def fit(self, observations: list[Observation], initial: list[HandParameters]) -> Tailored:
        """The compiled fit alone, for one group of at most max_hands hands (NumPy in, NumPy out)."""
        rows = [self._input.pack(hand) for hand in zip(initial, observations)]
        rows += rows[:1] * (self._max_hands - len(rows))
        return self._output.unpack(np.asarray(self._fit_batch(np.stack(rows))))

    def _refine_group(self, frame, keypoints, estimates, identity):
        count = self._model.shape_size
        observations = [observe(frame, k, count, identity) for k in keypoints]
        initial = [self._start(e, k, o) for e, k, o in zip(estimates, keypoints, observations)]
        fitted = self.fit(observations, initial)
        results = []
        for row, (estimate, hand) in enumerate(zip(estimates, keypoints)):
            parameters = HandParameters(*(leaf[row] for leaf in fitted.parameters))
            if not np.isfinite(fitted.energy[row]):
                raise ValueError(f'track {hand.track_id}: the fit is not finite, expected finite keypoints in front of the camera')
            results.append(self._estimate(frame, estimate, hand, parameters, fitted, row, identity))
        return results

    def _start(self, estimate: HandEstimate, keypoints: HandKeypoints, observation: Observation) -> HandParameters:
        if len(estimate.shape) != self._model.shape_size:
            raise ValueError(f'shape: {len(estimate.shape)} numbers, expected the model\'s {self._model.shape_size}')
        if estimate.handedness != keypoints.handedness:
            raise ValueError(f'handedness: estimate {estimate.handedness}, expected the keypoints\' {keypoints.handedness}')
        parameters = from_pose(estimate.pose, estimate.shape, estimate.joints_m[0], self._skeleton.axes, estimate.handedness)
        if self.name == 'adam':
            relative = estimate.joints_m - estimate.joints_m[0]
            if estimate.handedness == 'left':
                relative = mirror_points(relative)
            scale = scale_compensation(relative, observation.points, observation.points[0], parameters.root[2], np.ones(2))
            # s P + root and P + root / s have the same image: the hand keeps its size and changes its depth.
            parameters = parameters._replace(root=np.float32(parameters.root / max(scale, 0.1)))
        return parameters

    def _fit(self, initial: HandParameters, observation: Observation) -> Tailored:
        # What the estimate says of depth is at least what the detector's 3D points said: it may have learned better.
        observation = observation._replace(directions=bone_units(place(self._skeleton, initial)[1]),
                                           direction_weights=jnp.ones_like(observation.direction_weights))
        residual = lambda p: self._energy(self._skeleton, p, observation, initial)      # noqa: E731
        fit = self._solver(residual, initial, self._space)
        covariance = keypoint_covariance(self._skeleton, self._space, fit.parameters, fit.information)
        variance = jnp.diagonal(covariance, axis1=-2, axis2=-1)
        pixels = reprojection_px(place(self._skeleton, fit.parameters)[1], fit.parameters.root, observation)
        return Tailored(fit.parameters, fit.energy, jnp.sqrt(jnp.mean(variance, -1)),
                        jnp.sqrt(jnp.mean(jnp.sum(pixels ** 2, -1))))

    def _estimate(self, frame, estimate, keypoints, parameters, fitted, row, identity) -> HandEstimate:
        pose, root = to_pose(parameters, self._skeleton.axes, keypoints.handedness)
        return replace(assemble(frame, self._skeleton, self._hand, keypoints, pose, parameters.shape, root, identity),
                       score=estimate.score, joint_std_m=fitted.joint_std[row],
                       reprojection_px=float(fitted.reprojection_px[row]), features=estimate.features, mask=estimate.mask)

    def _compile(self):
        zero_shape = np.zeros(self._model.shape_size, np.float32)
        parameters = HandParameters(np.eye(3, dtype=np.float32), np.zeros((15, 3), np.float32),
                                    np.array([0, 0, 0.5], np.float32), zero_shape)
        landmarks = np.asarray(place(self._skeleton, parameters)[1])
        observation = Observation(*(np.asarray(f, np.float32) for f in (
            landmarks[:, :2] / landmarks[:, 2:], (500, 500), np.ones(21), 0.0, 100.0, np.zeros((20, 3)), np.zeros(20),
            zero_shape, zero_shape + 1)))
        self._input = Packing.of((parameters, observation))
        self._output = Packing.of(jax.eval_shape(self._fit, parameters, observation))

        def fit_packed(row):
            return self._output.pack(self._fit(*self._input.unpack(row)), jnp.concatenate)

        self._fit_batch = jax.jit(jax.vmap(fit_packed))
        self.fit([observation], [parameters])
