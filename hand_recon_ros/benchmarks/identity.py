"""Calibrated width and length against the truth of recordings: stereo and mono, attention and plain mean, over K."""
from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.fusion.stereo_fuser import StereoFuser, View
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.consensus import ShapeConsensus
from hand_recon_ros.identity.responses import response_of
from hand_recon_ros.identity.sights import mono_sights, stereo_sights
from hand_recon_ros.refinement.tailor import Tailor

HELP = 'width and length of calibrated hands against the truth of recordings (hand-recon synthesize, one person each)'
MODEL = 'open_hand'
# Paper 5, tables 3 and 4, at K = 20.
PAPER_MM = {'attention': (0.88, 1.71), 'plain mean': (1.00, 1.93)}
# What is fitted, and to which sights: the last mode takes any, spread over the recording, as the paper does.
MODES = ('stereo with outlines', 'stereo landmarks', 'mono', 'stereo landmarks, any sights')


@dataclass(frozen=True)
class Case:
    """One line of the table: which sights, how many of them, weighted or not, and what the paper reports."""
    name: str
    mode: str
    count: int
    attention: bool
    paper_mm: tuple = (None, None)


@dataclass(frozen=True)
class Result:
    """Of one person: errors (2,) of width and length, sights used, seconds of the solve, stated spread."""
    error_mm: np.ndarray
    sights: int
    seconds: float
    std_mm: tuple = (np.nan, np.nan)


@dataclass(frozen=True)
class Person:
    """Sights of one recording for every mode, in the order they came, and the true shape (B,)."""
    sights: dict[str, list]
    shape: np.ndarray

    def chosen(self, mode: str, count: int) -> list:
        """The first `count` gathered, or as many spread over all."""
        sights = self.sights[mode]
        if mode == MODES[3]:
            return [sights[row] for row in np.linspace(0, len(sights) - 1, min(count, len(sights))).astype(int)]
        return sights[:count]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('bags', nargs='+', metavar='BAG', help='stereo recordings with ground truth, one person each')
    parser.add_argument('--frames', type=int, default=20, metavar='K', help='sights a person (default %(default)s)')
    parser.add_argument('--curve', type=int, nargs='*', default=[1, 2, 5, 10, 20, 40], metavar='K',
                        help='other numbers of sights to show (default %(default)s)')
    parser.add_argument('--offsets', default='synthetic', help='landmark table (default %(default)s)')
    parser.add_argument('--detector', default='mediapipe', help='mediapipe or openvino (default %(default)s)')


def run(args: argparse.Namespace) -> dict:
    """Rows: every mode with attention and without at K, then the curve. Errors are means of absolute values, mm."""
    if args.frames < 1 or any(count < 1 for count in args.curve):
        raise ValueError(f'--frames, --curve: {args.frames}, {args.curve}, expected at least 1')
    prepare_jax()
    model = load_hand_model(MODEL)
    response = response_of(args.detector, args.offsets, model)
    outlined, plain = (ShapeCalibration(model, response, outlines=outlines) for outlines in (True, False))
    solvers, consensus = dict(zip(MODES, (outlined, plain, plain, plain))), ShapeConsensus(model)
    cases = [Case(f'{mode}, {name}, K = {args.frames}', mode, args.frames, name == 'attention', PAPER_MM[name])
             for mode in MODES for name in PAPER_MM]
    cases += [Case(f'{MODES[0]}, attention, K = {count}', MODES[0], count, True)
              for count in sorted(set(args.curve) - {args.frames})]
    as_written = Case(f'eq. 7 on stereo estimates, attention, K = {args.frames}', MODES[1], args.frames, True,
                      PAPER_MM['attention'])
    results = {case: [] for case in [*cases, as_written]}
    # One person after the other: their images are not kept.
    for path in tqdm(args.bags, unit='person', disable=not sys.stderr.isatty()):
        person = _person(path, model, args, plain, max([args.frames, *args.curve]))
        for case in cases:
            results[case].append(_result(case, solvers[case.mode], person))
        results[as_written].append(_consensus(as_written, plain, consensus, person))
    rows = [_row(case, found) for case, found in results.items()]
    return {'name': 'identity', 'rows': rows, 'people': len(args.bags), 'recordings': list(args.bags),
            'errors_mm': {case.name: [result.error_mm.tolist() for result in found] for case, found in results.items()},
            'paper': 'K = 20 images, one camera, a network trained on the data set'}


def _person(path, model, args, calibration: ShapeCalibration, most: int) -> Person:
    """Sights of a recording as the collector gathers them."""
    recording = StereoRecording.read(path)
    truth = next((hands[0] for hands in recording.labels.truths.values() if hands), None)
    if truth is None:
        raise ValueError(f'{path}: no true hands, expected a recording with ground truth')
    offsets = load_offsets('mediapipe', args.offsets).offsets_m
    detectors = [build_detector(args.detector, 'image', max_hands=2) for _ in range(2)]
    estimator = build_estimator('closed_form_ik', model, offsets)
    tailor, fuser = Tailor(model, offsets), StereoFuser(model, offsets)
    stereo = IdentityCollector(calibration, most)
    mono = IdentityCollector(calibration, most, stereo=False)
    every = []
    try:
        for frames in recording.pairs():
            views = []
            for detector, frame in zip(detectors, frames):
                hands = detector.detect(frame)
                views.append(View(frame, hands, [estimator.estimate(frame, hand) for hand in hands]))
            for sight in stereo_sights(recording.rig, *views, fuser.fuse(recording.rig, *views)):
                every.append(sight)
                stereo.add(sight)
            left = views[0]
            refined = tailor.refine(left.frame, left.keypoints, left.estimates)
            for sight in mono_sights(left.frame, left.keypoints, refined):
                mono.add(sight)
    finally:
        for detector in detectors:
            detector.close()
    if not len(stereo) or not len(mono):
        raise ValueError(f'{path}: no usable hand, expected one person\'s hands in both views')
    sights = dict(zip(MODES, (stereo.sights, stereo.sights, mono.sights, every)))
    return Person(sights, np.asarray(truth.shape, np.float64))


def _result(case: Case, solver: ShapeCalibration, person: Person) -> Result:
    sights = person.chosen(case.mode, case.count)
    started = time.perf_counter()
    found = solver.calibrate(sights, attention=case.attention)
    seconds = time.perf_counter() - started
    size = found.size
    return Result(_error_mm(solver, found.identity.shape, person), len(sights), seconds,
                  (size.width_std_mm, size.length_std_mm))


def _consensus(case: Case, solver: ShapeCalibration, consensus: ShapeConsensus, person: Person) -> Result:
    """Paper 5's eq. 7 as written, on the fused estimates alone."""
    sights = person.chosen(case.mode, case.count)
    weights = solver.weights(sights)
    started = time.perf_counter()
    shape = consensus.shape([sight.estimate for sight in sights], weights)
    return Result(_error_mm(solver, shape, person), len(sights), time.perf_counter() - started)


def _error_mm(solver: ShapeCalibration, shape, person: Person) -> np.ndarray:
    return solver.measures.lengths_mm(shape) - solver.measures.lengths_mm(person.shape)


def _row(case: Case, results: list[Result]) -> dict:
    errors, stds = np.array([result.error_mm for result in results]), np.array([result.std_mm for result in results])
    (width, length), bias = np.abs(errors).mean(0), errors.mean(0)
    row = {'case': case.name, 'width_mm': float(width), 'length_mm': float(length), 'paper_width_mm': case.paper_mm[0],
           'paper_length_mm': case.paper_mm[1], 'width_bias_mm': float(bias[0]), 'length_bias_mm': float(bias[1]),
           'sights': float(np.mean([result.sights for result in results])),
           'ours_ms': 1e3 * float(np.median([result.seconds for result in results])), 'reference_ms': None,
           'ratio': None}
    if np.isfinite(stds).all():
        # Share of people within two stated standard deviations.
        within = np.abs(errors) < 2 * stds
        row |= {'stated_width_std_mm': float(stds[:, 0].mean()), 'stated_length_std_mm': float(stds[:, 1].mean()),
                'width_within_2_std': float(within[:, 0].mean()), 'length_within_2_std': float(within[:, 1].mean())}
    return row
