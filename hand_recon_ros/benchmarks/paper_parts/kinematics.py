"""IKNet beside closed-form inverse kinematics and Gauss-Newton from rest, on true, noisy and detected points."""
from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut
from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.estimation.learned_kinematics import LearnedKinematics
from hand_recon_ros.evaluation.metrics import aligned_mm, auc, root_relative_mm
from hand_recon_ros.hand_model.anatomy import limit_violation
from hand_recon_ros.hand_model.landmarks import Skeleton, build_skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace
from hand_recon_ros.networks.ik_encoding import ROOT
from hand_recon_ros.refinement import residuals
from hand_recon_ros.refinement.gauss_newton import GaussNewton
from hand_recon_ros.training.detected_hands import DetectedHands
from hand_recon_ros.training.detector_points import DetectorPoints, detector_points
from hand_recon_ros.training.reread_hands import reread
from hand_recon_ros.weights.files import DETNET_KINEMATICS

NOISE_M, POINT_SIGMA_M = 0.008, 0.005
REST_ITERATIONS = 30
# Beyond what rounding makes of a limit.
VIOLATION_DEG = 0.5
REFERENCE = 'closed_form_ik'


class FromRest:
    """Damped Gauss-Newton on all 45 angles from the rest pose, the points' distances and nothing else: what solvers of
    inverse kinematics do. prior: with the package's anatomy beside."""

    def __init__(self, skeleton: Skeleton, shape_size: int, prior: bool):
        self._skeleton, self._prior = skeleton, prior
        self._space = StepSpace(StepSpace.full(shape_size).angles, 0)
        self._solver = GaussNewton(REST_ITERATIONS, 1e-4)

    def __call__(self, points, shape):
        """As estimation.points_estimator.Kinematics."""
        def residual(parameters):
            away = (place(self._skeleton, parameters)[1] + parameters.root - points) / POINT_SIGMA_M
            parts = [away.ravel()] + ([residuals.anatomy(parameters.angles, 0.4)] if self._prior else [])
            return jnp.concatenate(parts)
        start = HandParameters(jnp.eye(3, dtype=points.dtype), jnp.zeros((15, 3), points.dtype), points[0], shape)
        found = self._solver(residual, start, self._space).parameters
        return found.rotation, found.angles


# Table 2 of Zhou et al.: AUC of 3D PCK, 20-50 mm, on Dexter+Object.
PAPER_AUC = {'iknet': 0.948, 'points': 0.923, 'iknet_without_rotations': 0.933, 'iknet_without_3dposdata': 0.926,
             'iknet_without_l2': 0.943, 'iknet_without_cosine': 0.840}
# Runs of the ablation, by their folders. The last one is ours: the detector's points teach positions alone, as the
# paper's must.
ABLATION = ('iknet', 'iknet_without_rotations', 'iknet_without_3dposdata', 'iknet_without_l2', 'iknet_without_cosine',
            'iknet_without_seen_rotations')


def ablation_rows(held_out: HeldOut, runs: Path) -> list[dict]:
    """A row for each IKNet of the ablation on the detector's held-out points, its angles as they come; then DetNet's
    points, and the IKNet that learned those."""
    skeleton, seen = build_skeleton(held_out.model, held_out.offsets_m), _seen(held_out)
    rows = [_ablation_row('points', "MediaPipe's points", seen.points, None, seen.truth)]
    for name in ABLATION:
        rows.append(_learned_row(name, runs / name / 'iknet.safetensors', name.replace('_', ' ').replace('iknet', 'IKNet'),
                                 held_out, skeleton, seen))
    again = reread(held_out.set, held_out.model, 'detnet', progress=sys.stderr.isatty())
    skeleton, seen = build_skeleton(held_out.model), _seen(held_out, again, np.zeros((21, 3)))
    return [*rows, _ablation_row('points', "DetNet's points", seen.points, None, seen.truth),
            _learned_row('iknet', DETNET_KINEMATICS, 'DetNet + IKNet', held_out, skeleton, seen)]


def _learned_row(name: str, weights: Path | str, case: str, held_out: HeldOut, skeleton: Skeleton,
                 seen: DetectorPoints) -> dict:
    way = LearnedKinematics(skeleton, held_out.model.name, weights, limited=False)
    landmarks, angles, _ = _solved(way, skeleton, seen.points, np.zeros_like(seen.shape), case)
    return _ablation_row(name, case, landmarks, angles, seen.truth)


def _ablation_row(name: str, case: str, landmarks, angles, truth) -> dict:
    row = {'case': f'table 2, {case}', 'section': 'iknet_ablation', 'hands': len(landmarks),
           **_figures(landmarks, angles, truth)}
    return row | ({'paper_auc_20_50': PAPER_AUC[name]} if name in PAPER_AUC else {})


def kinematics_rows(held_out: HeldOut) -> list[dict]:
    """A row for each way of inverse kinematics on each kind of points."""
    skeleton = build_skeleton(held_out.model, held_out.offsets_m)
    size = held_out.model.shape_size
    ways = {REFERENCE: ClosedFormIk(held_out.model, held_out.offsets_m).build_kinematics(held_out.model, skeleton),
            'iknet': LearnedKinematics(skeleton, held_out.model.name),
            'gauss_newton, from rest': FromRest(skeleton, size, prior=False),
            'gauss_newton + anatomy, from rest': FromRest(skeleton, size, prior=True)}
    seen, rng = _seen(held_out), np.random.default_rng(0)
    inputs = {'truth': seen.truth, f'truth + {1e3 * NOISE_M:.0f} mm': seen.truth + rng.normal(0, NOISE_M, seen.truth.shape),
              'detector': seen.points}
    rows = []
    for kind, points in inputs.items():
        # Of a true hand the shape is known; of a detected one nothing is.
        shapes = np.zeros_like(seen.shape) if kind == 'detector' else seen.shape
        results = {name: _solved(way, skeleton, points, shapes, f'{kind}, {name}') for name, way in ways.items()}
        reference_ms = results[REFERENCE][2]
        common = {'section': 'kinematics', 'hands': len(points)}
        for name, (landmarks, angles, milliseconds) in results.items():
            rows.append({'case': f'inverse kinematics, {kind}, {name}', **common, 'ours_ms': milliseconds,
                         'reference_ms': reference_ms, 'ratio': reference_ms / milliseconds,
                         **_figures(landmarks, angles, seen.truth)})
        rows.append({'case': f'inverse kinematics, {kind}, the points themselves', **common,
                     **_figures(points, None, seen.truth)})
    return rows


def _seen(held_out: HeldOut, detected: DetectedHands | None = None, offsets_m=None) -> DetectorPoints:
    """The detector's points of the held-out hands; or those of another, with its landmark offsets."""
    seen = detector_points(held_out.set.dataset, detected or held_out.set.detected, held_out.told,
                           held_out.offsets_m if offsets_m is None else offsets_m, progress=False)
    return seen.part(slice(0, 2 * len(held_out)))


def _figures(landmarks, angles, truth) -> dict:
    """Errors of landmarks (N, 21, 3) and violated limits of angles (N, 15, 3), None where there are none."""
    errors = np.stack([aligned_mm(found, true) for found, true in zip(landmarks, truth)])
    apart = root_relative_mm(landmarks, truth, landmarks[:, ROOT], truth[:, ROOT])
    figures = {'pa_mpjpe_mm': float(errors.mean()), 'root_mpjpe_mm': float(apart.mean()), 'auc_20_50': auc(apart, 20, 50)}
    if angles is None:
        return figures
    violation = np.rad2deg(limit_violation((angles + np.pi) % (2 * np.pi) - np.pi))
    return figures | {'violations_per_hand': float((violation > VIOLATION_DEG).sum((1, 2)).mean()),
                      'worst_violation_deg': float(np.percentile(violation.max((1, 2)), 95))}


def _solved(way: Callable, skeleton: Skeleton, points, shapes, what: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Landmarks (N, 21, 3) m and angles (N, 15, 3) rad found, and median milliseconds a hand."""
    @jax.jit
    def solve(points, shape):
        rotation, angles = way(points, shape)
        return place(skeleton, HandParameters(rotation, angles, jnp.zeros(3), shape))[1], angles
    points, shapes = np.float32(points), np.float32(shapes)
    jax.block_until_ready(solve(points[0], shapes[0]))
    landmarks, angles, seconds = [], [], []
    for one, shape in zip(tqdm(points, what, leave=False, disable=not sys.stderr.isatty()), shapes):
        started = time.perf_counter()
        found = [np.asarray(part) for part in solve(one, shape)]
        seconds.append(time.perf_counter() - started)
        landmarks.append(found[0]), angles.append(found[1])
    return np.stack(landmarks).astype(np.float64), np.stack(angles), 1e3 * float(np.median(seconds))
