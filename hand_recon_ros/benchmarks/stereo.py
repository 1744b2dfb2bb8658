"""The stereo methods on the same detections: accuracy, baselines, crossing hands, a covered camera."""
from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.benchmarks.covered_camera import covered, phase_rows, sights
from hand_recon_ros.benchmarks.stereo_cases import Case, CaseRun, Detections, PointRun, cases
from hand_recon_ros.benchmarks.view_pairing import pairing_rows
from hand_recon_ros.evaluation.sets import BenchmarkSet, generate, load_set
from hand_recon_ros.hand_model.jax_runtime import prepare_jax

HELP = 'mono, the methods of fusion and plain triangulation on the same detections of a benchmark set'
PARTS = ('accuracy', 'crossing', 'covered', 'pairing')
OPENVINO = importlib.util.find_spec('openvino') is not None
CROSSING_SET, COVERED_SET, BASELINES_SET = 'stereo_crossing', 'stereo_covered', 'stereo_baselines'
# RealisticHands, table 4: PA-MPVPE of the stereo method over that of one view.
PAPER_PA_MPVPE_RATIO = 0.94 / 1.65
REFERENCE, BEST = 'mono', 'joint'
BASELINE_CASES = (REFERENCE, 'triangulation', BEST)
FIGURES = ('recall', 'cs_mpjpe_mm', 'cs_mpjpe_p95_mm', 'pa_mpjpe_mm', 'pa_mpvpe_mm', 'coverage_95',
           'handedness_accuracy', 'id_switches')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--set', nargs='+', default=['stereo_desk'], metavar='NAME', dest='sets',
                        help='benchmark sets of two cameras whose accuracy is compared (default stereo_desk)')
    parser.add_argument('--frames', type=int, metavar='N',
                        help='only the first N instants of each set; baselines and the covered camera have all')
    parser.add_argument('--detector', default='mediapipe', choices=('mediapipe', 'openvino'),
                        help='whose detections all methods get (default %(default)s)')
    parts = [part for part in PARTS if part != 'pairing' or OPENVINO]
    parser.add_argument('--parts', nargs='*', choices=PARTS, default=parts,
                        help='what is shown: accuracy of the sets, id switches of crossing hands, a covered camera, '
                             'hands that OpenVINO finds with and without looking across the views '
                             '(default all; without OpenVINO all but the last)')
    parser.add_argument('--baselines', action='store_true', help='the error over the distance of the cameras too')
    parser.add_argument('--out', type=Path, metavar='DIR', help='plots')


def run(args: argparse.Namespace) -> dict:
    """Rows of every part. Lengths in mm, times in ms a hand without its detection, shares 0..1."""
    if args.frames is not None and args.frames < 1:
        raise ValueError(f'--frames: {args.frames}, expected at least 1')
    sets = [load_set(name) for name in args.sets]
    for chosen in sets:
        if any(recording.config.rig == 'mono' for recording in chosen.recordings):
            raise ValueError(f'--set: {chosen.name} has one camera, expected a set of two')
    prepare_jax()
    detections, rows = Detections(args.detector), []
    try:
        if 'accuracy' in args.parts:
            for chosen in sets:
                rows += _accuracy(chosen, args, detections)
        if 'crossing' in args.parts:
            rows += _crossing(args, detections)
        if 'covered' in args.parts:
            rows += _covered(args, detections)
        if 'pairing' in args.parts:
            for chosen in sets:
                recordings = list(_recordings(chosen, args.frames, chosen.name))
                rows += pairing_rows(chosen.name, _best(chosen.offsets), recordings)
        if args.baselines:
            rows += _baselines(args, detections)
    finally:
        detections.close()
    return {'name': 'stereo', 'rows': rows, 'detector': args.detector, 'frames': args.frames,
            'units': '*_mm: millimetres, *_ms: milliseconds a hand, without detecting it; others: shares or counts',
            'reference': 'ours_ms beside the triangulation of 21 points; to_mono, to_points: cs_mpjpe_mm over that of '
                         'mono and of plain triangulated points against the table of offsets, on the hands that both '
                         'have'}


def _recordings(chosen: BenchmarkSet, most: int | None, what: str):
    """(SetRecording, StereoRecording), generated where they are not there yet."""
    wanted = chosen.first(most)
    for recording in tqdm(wanted, desc=what, unit='recording', disable=not sys.stderr.isatty()):
        yield recording, StereoRecording.read(generate(recording))


def _compared(chosen: BenchmarkSet, wanted, detections: Detections, runs: list[CaseRun]) -> PointRun:
    """All runs on each of the recordings (SetRecording, StereoRecording), and the triangulation of BEST's pairs."""
    points = PointRun(chosen.offsets)
    for recording, stereo in wanted:
        seen = detections.of(f'{chosen.name}/{recording.index:02d}', stereo, recording.frames)
        for one in runs:
            results = one.add(seen)
            if one.case.name == BEST:
                points.add(seen, results)
    return points


def _accuracy(chosen: BenchmarkSet, args, detections: Detections) -> list[dict]:
    matched = all(recording.config.rig != 'wide' for recording in chosen.recordings)
    runs = [CaseRun(case) for case in cases(chosen.offsets, disparity=matched)]
    points = _compared(chosen, _recordings(chosen, args.frames, chosen.name), detections, runs)
    rows = _method_rows(chosen.name, runs, points)
    if args.out:
        from hand_recon_ros.benchmarks.stereo_plots import draw_methods
        draw_methods(rows, f'{chosen.name}, {args.detector}', args.out / f'{chosen.name}_methods.png')
    return rows


def _method_rows(name: str, runs: list[CaseRun], points: PointRun) -> list[dict]:
    triangulated = points.errors_mm[1]
    triangulation_ms = 1e3 * points.seconds / max(len(triangulated), 1)
    reference = next(one for one in runs if one.case.name == REFERENCE)
    mono, mono_errors = reference.metrics(), reference.hand_errors_mm()
    rows = []
    for one in runs:
        metrics, errors = one.metrics(), one.hand_errors_mm()
        milliseconds = 1e3 * one.seconds / max(one.hands, 1)
        row = _row(f'{name}, {one.case.name}', one.case.name, milliseconds, triangulation_ms, len(errors))
        row |= {figure: metrics[figure] for figure in FIGURES if figure in metrics}
        row |= _ratios(errors, mono_errors, triangulated)
        if one.case.stereo and 'pa_mpvpe_mm' in metrics and 'pa_mpvpe_mm' in mono:
            row |= {'pa_mpvpe_to_mono': metrics['pa_mpvpe_mm'] / mono['pa_mpvpe_mm'],
                    'paper_pa_mpvpe_to_mono': PAPER_PA_MPVPE_RATIO}
        rows.append(row)
    for title, errors, aligned in zip(PointRun.NAMES, points.errors_mm, points.aligned_mm):
        if errors:
            values = np.array(list(errors.values()))
            rows.append(_row(f'{name}, {title}', title, triangulation_ms, triangulation_ms, len(values))
                        | {'cs_mpjpe_mm': float(values.mean()), 'cs_mpjpe_p95_mm': float(np.percentile(values, 95)),
                           'pa_mpjpe_mm': float(np.mean(list(aligned.values())))}
                        | _ratios(errors, mono_errors, triangulated))
    return rows


def _row(case: str, method: str, milliseconds: float, reference_ms: float, hands: int) -> dict:
    return {'case': case, 'method': method, 'hands': hands, 'ours_ms': milliseconds, 'reference_ms': reference_ms,
            'ratio': reference_ms / milliseconds if milliseconds else None}


def _ratios(errors: dict, mono: dict, triangulated: dict) -> dict:
    """Mean error over mono's and over the triangulated points', each on the hands that both have."""
    ratios = {}
    for name, others in (('to_mono', mono), ('to_points', triangulated)):
        common = errors.keys() & others.keys()
        if common:
            ratios[name] = float(np.mean([errors[key] for key in common]) / np.mean([others[key] for key in common]))
    return ratios


def _best(offsets: str) -> Case:
    return next(case for case in cases(offsets) if case.name == BEST)


def _crossing(args, detections: Detections) -> list[dict]:
    chosen, rows = load_set(CROSSING_SET), []
    whole = CaseRun(_best(chosen.offsets))
    for recording, stereo in _recordings(chosen, args.frames, chosen.name):
        name = f'{chosen.name}/{recording.index:02d}'
        seen = detections.of(name, stereo, recording.frames)
        whole.add(seen)
        metrics = whole.evaluations[-1].metrics()
        rows.append({'case': name, 'method': BEST} | {key: metrics[key] for key in FIGURES if key in metrics})
    metrics = whole.metrics()
    return rows + [{'case': chosen.name, 'method': BEST, 'hands': whole.hands,
                    'recordings_without_switch': sum(not row['id_switches'] for row in rows),
                    'recordings': len(rows)} | {key: metrics[key] for key in FIGURES if key in metrics}]


def _covered(args, detections: Detections) -> list[dict]:
    chosen, rows = load_set(COVERED_SET), []
    one = CaseRun(_best(chosen.offsets))
    for recording, stereo in _recordings(chosen, None, chosen.name):
        name = f'{chosen.name}/{recording.index:02d}'
        begin_ns = next(iter(stereo.pairs(1)))[0].stamp_ns
        seen = detections.of(name, stereo, recording.frames, covered(begin_ns))
        found = sights(seen, one.add(seen))
        rows += phase_rows(name, seen, found)
        if args.out and found:
            from hand_recon_ros.benchmarks.stereo_plots import draw_covered
            draw_covered(found, f'{name}, {args.detector}: a camera covered',
                         args.out / f'{chosen.name}_{recording.index:02d}.png')
    return rows


def _baselines(args, detections: Detections) -> list[dict]:
    chosen, rows, errors = load_set(BASELINES_SET), [], {}
    groups: dict[float, list] = {}
    for pair in _recordings(chosen, None, chosen.name):
        groups.setdefault(pair[0].config.baseline_m, []).append(pair)
    runs = [CaseRun(case) for case in cases(chosen.offsets) if case.name in BASELINE_CASES]
    for baseline_m, recordings in sorted(groups.items()):
        for one in runs:
            one.evaluations, one.seconds, one.hands = [], 0.0, 0
        points = _compared(chosen, recordings, detections, runs)
        here = _method_rows(f'baseline {1e3 * baseline_m:.0f} mm', runs, points)
        for row in here:
            row['baseline_mm'] = 1e3 * baseline_m
            errors.setdefault(row['method'], []).append(row['cs_mpjpe_mm'])
        rows += here
    if args.out:
        from hand_recon_ros.benchmarks.stereo_plots import draw_baselines
        draw_baselines([1e3 * baseline_m for baseline_m in sorted(groups)], errors,
                       f'Error over baseline, {args.detector}', args.out / 'baselines.png')
    return rows
