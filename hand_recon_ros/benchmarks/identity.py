"""Calibrated width and length against the truth of recordings: stereo and mono, attention and plain mean, over K."""
from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np

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
MODES = ('stereo with outlines', 'stereo landmarks', 'mono')


@dataclass(frozen=True)
class Person:
    """Gathered sights of one recording, in the order they came, and the true shape (B,)."""
    sights: dict[str, list]
    shape: np.ndarray


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
    outlined, plain = ShapeCalibration(model, response), ShapeCalibration(model, response, outlines=False)
    solvers = dict(zip(MODES, (outlined, plain, plain)))
    people = [_person(path, model, args, plain, max([args.frames, *args.curve])) for path in args.bags]
    rows = []
    for mode in MODES:
        for name in PAPER_MM:
            rows.append(_row(f'{mode}, {name}, K = {args.frames}', solvers[mode], people, mode, args.frames,
                             name == 'attention', PAPER_MM[name]))
    rows.append(_consensus_row(model, plain, people, args.frames))
    for count in sorted(set(args.curve) - {args.frames}):
        rows.append(_row(f'{MODES[0]}, attention, K = {count}', outlined, people, MODES[0], count, True, (None, None)))
    return {'name': 'identity', 'rows': rows, 'people': len(people), 'recordings': list(args.bags)}


def _person(path, model, args, calibration: ShapeCalibration, most: int) -> Person:
    """Sights of a recording as the collector gathers them."""
    recording = StereoRecording.read(path)
    truth = next((hands[0] for hands in recording.labels.truths.values() if hands), None)
    if truth is None:
        raise ValueError(f'{path}: no true hands, expected a recording with ground truth')
    offsets = load_offsets('mediapipe', args.offsets).offsets_m
    detectors = [build_detector(args.detector, 'image', max_hands=2) for _ in range(2)]
    estimator, tailor, fuser = build_estimator('closed_form_ik', model, offsets), Tailor(model, offsets), StereoFuser(model, offsets)
    stereo = IdentityCollector(calibration, most)
    mono = IdentityCollector(calibration, most, stereo=False)
    try:
        for frames in recording.pairs():
            views = []
            for detector, frame in zip(detectors, frames):
                hands = detector.detect(frame)
                views.append(View(frame, hands, [estimator.estimate(frame, hand) for hand in hands]))
            for sight in stereo_sights(recording.rig, *views, fuser.fuse(recording.rig, *views)):
                stereo.add(sight)
            left = views[0]
            for sight in mono_sights(left.frame, left.keypoints, tailor.refine(left.frame, left.keypoints, left.estimates)):
                mono.add(sight)
    finally:
        for detector in detectors:
            detector.close()
    if not len(stereo) or not len(mono):
        raise ValueError(f'{path}: no usable hand, expected one person\'s hands in both views')
    return Person({MODES[0]: stereo.sights, MODES[1]: stereo.sights, MODES[2]: mono.sights}, np.asarray(truth.shape, np.float64))


def _row(case: str, solver: ShapeCalibration, people: list[Person], mode: str, count: int, attention: bool, paper) -> dict:
    errors, stated, used, seconds = [], [], [], []
    for person in people:
        sights = person.sights[mode][:count]
        started = time.perf_counter()
        result = solver.calibrate(sights, attention=attention)
        seconds.append(time.perf_counter() - started)
        errors.append(solver.measures.lengths_mm(result.identity.shape) - solver.measures.lengths_mm(person.shape))
        stated.append((result.size.width_std_mm, result.size.length_std_mm))
        used.append(len(sights))
    return _figures(case, np.array(errors), paper) | {
        'stated_width_std_mm': float(np.mean(stated, 0)[0]), 'stated_length_std_mm': float(np.mean(stated, 0)[1]),
        'sights': float(np.mean(used)), 'ours_ms': float(np.median(seconds) * 1e3), 'reference_ms': None, 'ratio': None}


def _consensus_row(model, solver: ShapeCalibration, people: list[Person], count: int) -> dict:
    """Paper 5's eq. 7 as written, on the fused estimates alone."""
    consensus, errors, seconds = ShapeConsensus(model), [], []
    for person in people:
        sights = person.sights[MODES[1]][:count]
        weights = solver.weights(sights)
        started = time.perf_counter()
        shape = consensus.shape([sight.estimate for sight in sights], weights)
        seconds.append(time.perf_counter() - started)
        errors.append(solver.measures.lengths_mm(shape) - solver.measures.lengths_mm(person.shape))
    return _figures(f'eq. 7 on stereo estimates, attention, K = {count}', np.array(errors), PAPER_MM['attention']) | {
        'ours_ms': float(np.median(seconds) * 1e3)}


def _figures(case: str, errors: np.ndarray, paper) -> dict:
    width, length = np.abs(errors).mean(0)
    bias = errors.mean(0)
    return {'case': case, 'width_mm': float(width), 'length_mm': float(length), 'paper_width_mm': paper[0],
            'paper_length_mm': paper[1], 'width_bias_mm': float(bias[0]), 'length_bias_mm': float(bias[1])}
