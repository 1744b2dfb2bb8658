"""Calibrated width and length against the truth of people: stereo and mono, attention and plain mean, over K."""
from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand_recon_ros.benchmarks.identity_plot import CurvePoint, plot
from hand_recon_ros.benchmarks.person_sights import SightMaker
from hand_recon_ros.benchmarks.rendered_people import SeenPerson, add_people_arguments, seen_people
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.consensus import ShapeConsensus
from hand_recon_ros.identity.responses import response_of

HELP = 'width and length of calibrated hands against the truth of rendered people that nothing was tuned on'
MODEL = 'open_hand'
# Paper 5, tables 3 and 4, at K = 20.
PAPER_MM = {'attention': (0.88, 1.71), 'plain mean': (1.00, 1.93)}
# Which sights: as the collector chooses them, of two views or of one, or any of two views, as the paper does.
STEREO, MONO, ANY, OUTLINED = 'stereo', 'mono', 'stereo, any sights', 'stereo with outlines'


@dataclass(frozen=True)
class Case:
    """One line of the table: which sights, how many of them, weighted or not, and what the paper reports."""
    mode: str
    weighting: str
    count: int
    paper_mm: tuple = (None, None)

    @property
    def name(self) -> str:
        """As the table shows it."""
        return f'{self.mode}, {self.weighting}, K = {self.count}'


@dataclass(frozen=True)
class Result:
    """Of one person: errors (2,) of width and length, sights used, seconds of the solve, stated spread."""
    error_mm: np.ndarray
    sights: int
    seconds: float
    std_mm: tuple = (np.nan, np.nan)


class _Remembering:
    """A ShapeCalibration for many collectors of the same sights: every sight's quality is found once."""

    def __init__(self, calibration: ShapeCalibration, sights: list):
        self._qualities = {id(sight): quality for sight, quality in zip(sights, calibration.qualities(sights))}
        self.confidences = calibration.confidences

    def qualities(self, sights: list) -> list:
        """Those of the sights."""
        return [self._qualities[id(sight)] for sight in sights]


class Gathered:
    """Sights of one person for every mode and number, with their qualities, which are found once."""

    def __init__(self, person: SeenPerson, maker: SightMaker, calibration: ShapeCalibration):
        self._every = [sight for sights in maker.stereo(person) for sight in sights]
        self._mono = [sight for sights in maker.mono(person) for sight in sights]
        self._kept: dict[tuple, tuple] = {}
        if not self._every or not self._mono:
            raise ValueError(f'{person.name}: no usable hand, expected one person\'s hands in both views')
        self._calibration = _Remembering(calibration, self._every + self._mono)

    def chosen(self, mode: str, count: int) -> tuple[list, list]:
        """Sights and qualities of a case."""
        if mode == ANY:
            rows = np.linspace(0, len(self._every) - 1, min(count, len(self._every))).astype(int)
            sights = [self._every[row] for row in rows]
            return sights, self._calibration.qualities(sights)
        key = mode == MONO, count
        if key not in self._kept:
            collector = IdentityCollector(self._calibration, count, stereo=mode != MONO)
            for sight in self._mono if mode == MONO else self._every:
                collector.take(sight)
            self._kept[key] = collector.sights, collector.qualities
        return self._kept[key]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    add_people_arguments(parser)
    parser.add_argument('--frames', type=int, default=20, metavar='K', help='sights a person (default %(default)s)')
    parser.add_argument('--curve', type=int, nargs='*', default=[1, 2, 3, 5, 7, 10, 14, 20, 28, 40], metavar='K',
                        help='numbers of sights of the curve (default %(default)s)')
    parser.add_argument('--outlines', action='store_true', help='with the hand\'s outline in the images too: slow')
    parser.add_argument('--plot', type=Path, metavar='FILE', help='errors over the number of sights, .png')


def run(args: argparse.Namespace) -> dict:
    """Rows: every mode with attention and without at K, then the curve. Errors are means of absolute values, mm."""
    if args.frames < 1 or any(count < 1 for count in args.curve):
        raise ValueError(f'--frames, --curve: {args.frames}, {args.curve}, expected at least 1')
    if args.plot and args.plot.suffix != '.png':
        raise ValueError(f'--plot: {args.plot}, expected a .png file')
    prepare_jax()
    model = load_hand_model(MODEL)
    response = response_of(args.detector, args.offsets, model)
    maker = SightMaker(model, load_offsets('mediapipe', args.offsets).offsets_m)
    calibration, consensus = ShapeCalibration(model, response), ShapeConsensus(model)
    outlined = ShapeCalibration(model, response, outlines=True) if args.outlines else None
    cases, curve = _cases(args)
    as_written = Case('eq. 7 on stereo estimates', 'attention', args.frames, PAPER_MM['attention'])
    results = {case: [] for case in [*cases, as_written, *curve]}
    names = []
    for person in seen_people(args):
        names.append(person.name)
        gathered = Gathered(person, maker, calibration)
        for case in {**dict.fromkeys(cases), **dict.fromkeys(curve)}:
            solver = outlined if case.mode == OUTLINED else calibration
            results[case].append(_result(case, solver, gathered, person))
        results[as_written].append(_consensus(as_written, calibration, consensus, gathered, person))
    rows = [_row(case, found) for case, found in results.items()]
    if args.plot:
        points = [CurvePoint(f'{case.mode}, {case.weighting}', case.count,
                             np.abs([result.error_mm for result in results[case]])) for case in curve]
        plot(points, args.plot, f'{len(names)} people, K sights each', PAPER_MM, args.frames)
    return {'name': 'identity', 'rows': rows, 'people': names,
            'attention_gain': _gains(results, args.frames),
            'errors_mm': {case.name: [result.error_mm.tolist() for result in found] for case, found in results.items()},
            'paper': 'K = 20 images, one camera, a network trained on the data set'}


def _cases(args) -> tuple[list[Case], list[Case]]:
    modes = [STEREO, *([OUTLINED] if args.outlines else []), ANY, MONO]
    cases = [Case(mode, name, args.frames, PAPER_MM[name]) for mode in modes for name in PAPER_MM]
    curve = [Case(mode, name, count, PAPER_MM[name] if count == args.frames else (None, None))
             for mode, name in ((STEREO, 'attention'), (STEREO, 'plain mean'), (MONO, 'attention'))
             for count in sorted(set(args.curve))]
    return cases, curve


def _result(case: Case, solver: ShapeCalibration, gathered: Gathered, person: SeenPerson) -> Result:
    sights, qualities = gathered.chosen(case.mode, case.count)
    started = time.perf_counter()
    found = solver.calibrate(sights, '', qualities, attention=case.weighting == 'attention')
    seconds = time.perf_counter() - started
    size = found.size
    return Result(_error_mm(solver, found.identity.shape, person), len(sights), seconds,
                  (size.width_std_mm, size.length_std_mm))


def _consensus(case: Case, solver: ShapeCalibration, consensus: ShapeConsensus, gathered: Gathered,
               person: SeenPerson) -> Result:
    """Paper 5's eq. 7 as written, on the fused estimates alone."""
    sights, qualities = gathered.chosen(STEREO, case.count)
    started = time.perf_counter()
    shape = consensus.shape([sight.estimate for sight in sights], solver.weights(sights, qualities))
    return Result(_error_mm(solver, shape, person), len(sights), time.perf_counter() - started)


def _error_mm(solver: ShapeCalibration, shape, person: SeenPerson) -> np.ndarray:
    return solver.measures.lengths_mm(shape) - solver.measures.lengths_mm(person.shape)


def _gains(results: dict, count: int) -> dict:
    """By mode: how much smaller the mean errors of width and length are with attention than with the plain mean, and
    the standard error of that over people."""
    gains = {}
    for mode in dict.fromkeys(case.mode for case in results):
        both = [next((np.abs([r.error_mm for r in found]) for case, found in results.items()
                      if (case.mode, case.weighting, case.count) == (mode, name, count)), None) for name in PAPER_MM]
        if any(errors is None for errors in both):
            continue
        weighted, plain = both
        gain = 1 - weighted.mean(0) / plain.mean(0)
        spread = (plain - weighted).std(0) / np.sqrt(len(plain)) / plain.mean(0)
        gains[mode] = dict(zip(('width', 'length', 'width_se', 'length_se'), (float(v) for v in (*gain, *spread))))
    return gains


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
