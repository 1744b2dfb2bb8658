"""`hand-recon consistency`: figures of one's own stereo recording, for which nobody knows the truth."""
from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'what a stereo recording without ground truth says: residuals, spread, jitter, tracks; live against in-process'
SMOOTHINGS = ('one_euro', 'constant_velocity', 'none')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('bag', metavar='BAG', help='recording of a calibrated pair, of `hand-recon bag` or a robot')
    parser.add_argument('--rig', metavar='FILE', help='rig.yaml (default: that in the recording, or P of camera_info)')
    parser.add_argument('--fusion', nargs='+', default=['joint'], choices=('joint', 'triangulation', 'weights'),
                        metavar='METHOD', help='joint, triangulation, weights: a column each (default joint)')
    parser.add_argument('--smoothing', default='one_euro', choices=SMOOTHINGS,
                        help='a further column of the first method, smoothed so (default %(default)s)')
    parser.add_argument('--identity', metavar='FILE', help='a column with this identity (hand-recon calibrate)')
    parser.add_argument('--calibrate', action='store_true',
                        help='a column with an identity calibrated from the first half of the recording')
    parser.add_argument('--through-nodes', action='store_true',
                        help='further columns: the recording played into the real nodes')
    parser.add_argument('--rate', type=float, default=1.0, metavar='R',
                        help='playing speed of --through-nodes (default %(default)s: real time)')
    parser.add_argument('--labels', metavar='FOLDER',
                        help='samples.json (data set kind curated) with joints of some instants, each named by its '
                             'place in the recording, as in desk_f017: agreement with them')
    parser.add_argument('--detector', default='auto', choices=('auto', 'openvino', 'mediapipe'),
                        help='who runs the landmark networks (default %(default)s)')
    parser.add_argument('--offsets', default='real',
                        help="detector's landmark table: real, synthetic or a file (default %(default)s)")
    parser.add_argument('--model', default='open_hand', help='open_hand, or the path of your MANO_RIGHT .pkl/.npz')
    parser.add_argument('--max-hands', type=int, default=2, help='most hands in one image (default %(default)s)')
    parser.add_argument('--frames', type=int, metavar='N', help='only the first N instants')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures for machines')
    parser.add_argument('--verbose', action='store_true', help='show every line of the nodes')


@dataclass(frozen=True)
class Column:
    """One way in which the recording was worked on, and what was found. lost: instants lost live, None else."""
    name: str
    instants: list
    lost: int | None = None


def run(args: argparse.Namespace) -> int:
    """0 when everything was judged; ValueError when the recording is no calibrated pair's or options do not fit."""
    _check(args)
    if args.through_nodes:
        # Domain and profile must be set before anything of ROS is loaded.
        from hand_recon_ros.nodes.session import choose_private_domain
        choose_private_domain()
    from hand_recon_ros.bags.stereo_recording import StereoRecording
    from hand_recon_ros.detection.kept_detections import KeptDetections
    from hand_recon_ros.detection.registry import build_stereo_detector, chosen_backend
    from hand_recon_ros.evaluation.consistency import ConsistencyJudge
    from hand_recon_ros.evaluation.frame_labels import frame_labels
    from hand_recon_ros.geometry.rigs import load_rig
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    from hand_recon_ros.pipeline import StereoSettings
    labels = frame_labels(args.labels) if args.labels else None
    recording = StereoRecording.read(args.bag)
    if args.rig:
        recording = replace(recording, rig=load_rig(args.rig))
    prepare_jax()
    settings = StereoSettings(detector=chosen_backend(args.detector), model=args.model, offsets=args.offsets,
                              max_hands=args.max_hands)
    detector = KeptDetections(build_stereo_detector(settings.detector, recording.rig, args.max_hands,
                                                    max_gap_s=settings.max_gap_s), recording.rig)
    try:
        columns, model, offsets_m = _columns(args, recording, settings, detector)
    finally:
        detector.close()
    judge = ConsistencyJudge(model, offsets_m, recording.rig)
    figures = {column.name: judge.figures(column.instants) for column in columns}
    agreements = {column.name: judge.agreement(column.instants, labels) for column in columns} if labels else {}
    print(f'{args.bag}: {len(columns[0].instants)} instants, cameras {1000 * recording.rig.baseline_m:.1f} mm apart, '
          f'detector {settings.detector}')
    _print(figures)
    if agreements:
        print('agreement with labels:')
        _print(agreements)
    live = _live_lines(columns)
    if args.json:
        write_figures(args.json, {
            'recording': str(args.bag), 'detector': settings.detector, 'live': live,
            'figures': {name: _plain(figure) for name, figure in figures.items()},
            'labels': {name: _plain(agreement) for name, agreement in agreements.items()}})
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.identity and args.calibrate:
        raise ValueError('give either --identity or --calibrate')
    if args.frames is not None and args.frames < 3:
        raise ValueError(f'--frames: {args.frames}, expected at least 3')
    if args.max_hands < 1:
        raise ValueError(f'--max-hands: {args.max_hands}, expected at least 1')
    if not 0 < args.rate <= 100:
        raise ValueError(f'--rate: {args.rate}, expected above 0 and at most 100')
    if args.rig and args.through_nodes:
        raise ValueError('--rig: not with --through-nodes, whose nodes take the rig that the recording tells')


def _columns(args: argparse.Namespace, recording, settings, detector):
    """Everything that was asked for, worked on, with the model and the offsets in use."""
    from hand_recon_ros.pipeline import StereoPipeline
    columns, identity, model, offsets_m = [], None, None, None
    frames = _Frames(recording, args.frames)
    for number, method in enumerate(args.fusion):
        pipeline = StereoPipeline(recording.rig, replace(settings, fusion=method), detector)
        columns.append(Column(method, _found(frames, pipeline, method)))
        if number:
            continue
        model, offsets_m = pipeline.model, pipeline.offsets_m
        if args.smoothing != 'none':
            columns.append(Column(f'{method}, {args.smoothing}', _smoothed(columns[0].instants, model, args.smoothing)))
        if args.identity or args.calibrate:
            pipeline.restart()
            identity = _identity(args, frames, recording.rig, model, settings, pipeline)
            pipeline.restart()
            known = Column(f'{method}, {identity.name}', _found(frames, pipeline, identity.name, identity))
            columns.append(known)
            if args.smoothing != 'none':
                columns.append(Column(f'{known.name}, {args.smoothing}',
                                      _smoothed(known.instants, model, args.smoothing)))
    if args.through_nodes:
        settings = replace(settings, fusion=args.fusion[0])
        columns.append(_live(args, recording, frames.stamps_ns, settings, None))
        if identity is not None:
            columns.append(_live(args, recording, frames.stamps_ns, settings, identity))
    return columns, model, offsets_m


class _Frames:
    """Pairs of frames of a recording: with images the first time, then without, because detections are kept."""

    def __init__(self, recording, most: int | None):
        self._recording, self._most, self._seen = recording, most, []

    @property
    def stamps_ns(self) -> list[int]:
        return [left.stamp_ns for left, _ in self._seen]

    def __len__(self) -> int:
        count = self._recording.labels.image_count
        return count if self._most is None else min(count, self._most)

    def __iter__(self):
        if self._seen:
            yield from self._seen
            return
        seen = []
        for pair in self._recording.pairs(self._most):
            seen.append(tuple(replace(frame, image=None) for frame in pair))
            yield pair
        if not seen:
            raise ValueError(f'{self._recording.labels.path}: no images of both cameras at one time, expected pairs')
        self._seen = seen


def _results(frames: _Frames, pipeline, text: str, identity=None):
    for left, right in tqdm(frames, total=len(frames), unit='pair', desc=text, disable=not sys.stderr.isatty()):
        yield pipeline.process(left, right, default_identity=identity)


def _found(frames: _Frames, pipeline, text: str, identity=None) -> list:
    from hand_recon_ros.evaluation.consistency import Instant
    return [Instant(result.left.frame.stamp_ns, result.left.keypoints, result.right.keypoints, result.estimates)
            for result in _results(frames, pipeline, text, identity)]


def _smoothed(instants: list, model, method: str) -> list:
    from hand_recon_ros.refinement.smoothing import HandSmoother
    smoother = HandSmoother(model, method, predict_s=0.0)
    return [replace(instant, hands=smoother.smooth(instant.hands, instant.stamp_ns)) for instant in instants]


def _identity(args: argparse.Namespace, frames: _Frames, rig, model, settings, pipeline):
    """The identity of a file, or of the hands in the first half of the recording."""
    from hand_recon_ros.identity.calibration import ShapeCalibration
    from hand_recon_ros.identity.collector import IdentityCollector
    from hand_recon_ros.identity.responses import response_of
    from hand_recon_ros.identity.sights import stereo_sights
    from hand_recon_ros.identity.store import read_identity
    if args.identity:
        return read_identity(args.identity, model.name).identity
    calibration = ShapeCalibration(model, response_of('mediapipe', settings.offsets, model))
    collector, half = IdentityCollector(calibration), len(frames.stamps_ns) // 2
    for number, result in enumerate(_results(frames, pipeline, 'calibration')):
        if number >= half:
            break
        for sight in stereo_sights(rig, result.left, result.right, result.hands):
            collector.add(sight)
    if not len(collector):
        raise ValueError(f'--calibrate: no usable hand in the first {half} instants, expected one seen by both cameras')
    found = collector.calibrate('calibrated')
    print(f'calibrated from {len(collector)} sights of the first {half} instants: width {found.size.width_mm:.1f} +- '
          f'{found.size.width_std_mm:.1f} mm, length {found.size.length_mm:.1f} +- {found.size.length_std_mm:.1f} mm')
    return found.identity


def _live(args: argparse.Namespace, recording, stamps_ns: list[int], settings, identity) -> Column:
    """The recording through the nodes, without smoothing, as instants of the stamps that in-process saw."""
    from hand_recon_ros.bags.recorded_hands import RecordedHands
    from hand_recon_ros.evaluation.consistency import Instant
    from hand_recon_ros.nodes.live_runs import stereo_parameters
    from hand_recon_ros.nodes.replay import LEFT_KEYPOINTS, MESH, RIGHT_KEYPOINTS, StereoReplay

    def report(line: str) -> None:
        if args.verbose or '[up]' in line or '[ERROR]' in line and not line.endswith('no publisher'):
            tqdm.write(line, file=sys.stderr)

    name = 'live' if identity is None else f'live, {identity.name}'
    with tempfile.TemporaryDirectory(prefix='hand_recon_') as folder, \
            StereoReplay(args.rate, parameters=stereo_parameters(settings, settings.detector), report=report,
                         identity=identity) as replay, \
            tqdm(total=len(stamps_ns), unit='pair', desc=name, disable=not sys.stderr.isatty()) as bar:
        played = replay.play(recording.labels.path, Path(folder) / 'out', args.frames, progress=lambda *_: bar.update())
        left, right = (RecordedHands.read(Path(folder) / 'out', MESH, topic)
                       for topic in (LEFT_KEYPOINTS, RIGHT_KEYPOINTS))
    instants = [Instant(stamp_ns, left.keypoints.get(stamp_ns, []), right.keypoints.get(stamp_ns, []),
                        left.meshes.get(stamp_ns, [])) for stamp_ns in stamps_ns]
    return Column(name, instants, sum(played.lost.values()))


def _live_lines(columns: list[Column]) -> dict:
    """Live beside in-process of the same kind, printed."""
    from hand_recon_ros.evaluation.consistency import joint_differences_mm
    found = {}
    partners = {'live': columns[0]}
    partners |= {f'live, {column.name.split(", ", 1)[1]}': column for column in columns
                 if column.lost is None and column.name.startswith(f'{columns[0].name}, ')}
    for column in columns:
        if column.lost is None:
            continue
        partner = partners[column.name]
        away = joint_differences_mm(partner.instants, column.instants)
        found[column.name] = {'lost': column.lost, 'hands_in_both': len(away),
                              'difference_mm': float(away.mean()) if len(away) else None,
                              'difference_mm_max': float(away.max()) if len(away) else None}
        print(f'{column.name}: {column.lost} instants lost; {len(away)} hands as in {partner.name!r}'
              + (f', joints {away.mean():.3f} mm apart (largest {away.max():.2f} mm)' if len(away) else ''))
    return found


def _print(rows: dict) -> None:
    width = max(12, *(len(name) + 2 for name in rows))
    first = next(iter(rows.values()))
    print(f'{"":<24}' + ''.join(f'{name:>{width}}' for name in rows))
    for field in dataclasses.fields(first):
        cells = [getattr(row, field.name) for row in rows.values()]
        texts = [str(cell) if isinstance(cell, int) else '-' if np.isnan(cell) else f'{cell:.3f}' for cell in cells]
        print(f'  {field.name:<22}' + ''.join(f'{text:>{width}}' for text in texts))


def _plain(figures) -> dict:
    return {name: None if isinstance(value, float) and np.isnan(value) else value
            for name, value in dataclasses.asdict(figures).items()}
