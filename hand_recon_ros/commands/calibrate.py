"""`hand-recon calibrate`: one person's hand, width and length in millimetres, from a recording or a running graph."""
from __future__ import annotations

import argparse
import sys
from datetime import date
from itertools import zip_longest
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.commands.figures_file import write_figures

CURVE = (1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)
UNLIKELY_SHAPE = 2.8        # one adult in twenty has any of ten numbers beyond
HELP = "one person's hand shape from a recording of that person's hands: an identity for all stages"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('bag', nargs='?', metavar='BAG',
                        help='recording of one person: of a calibrated pair, or of one camera')
    parser.add_argument('--left', metavar='DIR', help="the left camera's images (folder or video), as recorded")
    parser.add_argument('--right', metavar='DIR', help="the right camera's, frame by frame at the same times")
    parser.add_argument('--rig', metavar='FILE', help='rig.yaml of the pair')
    parser.add_argument('--image', metavar='DIR',
                        help='one camera alone (folder or video): proportions, the size is assumed')
    parser.add_argument('--camera', metavar='FILE', help='calibration of --image: camera_info YAML or rig.yaml')
    parser.add_argument('--live', action='store_true',
                        help='ask the stereo graph that runs in this ROS domain: it is used there at once, and saved')
    parser.add_argument('--hand', choices=('left', 'right'), help='--live: sights of this hand only')
    parser.add_argument('--timeout', type=float, default=120.0, metavar='S',
                        help='--live: seconds until it is given up (%(default)g)')
    parser.add_argument('--name', required=True, help='whose hand it is; the identity is saved under this name')
    parser.add_argument('--frames', type=int, default=20, metavar='K',
                        help='sights gathered, the most different (%(default)s)')
    parser.add_argument('--out', metavar='FILE', help='write the identity here instead of in the data folder')
    parser.add_argument('--model', default='open_hand', help='open_hand, or the path of your MANO_RIGHT .pkl/.npz')
    parser.add_argument('--detector', default='mediapipe', help='mediapipe or openvino (default %(default)s)')
    parser.add_argument('--offsets', default='real',
                        help="detector's landmark table: real, synthetic or a file (%(default)s)")
    parser.add_argument('--outlines', action='store_true',
                        help="fit the hand's outline in the images too: twice as exact on renders, unproven on real "
                             'hands')
    parser.add_argument('--json', metavar='FILE', help='write the figures for machines')
    parser.add_argument('--plot', metavar='FILE', help='width and length over the number of sights, .png')


def run(args: argparse.Namespace) -> int:
    """0 when the identity was written; ValueError when the input is incomplete or shows no usable hand."""
    from hand_recon_ros.hand_model.assets import load_hand_model
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    from hand_recon_ros.identity.collector import IdentityCollector
    from hand_recon_ros.identity.responses import response_of
    from hand_recon_ros.identity.calibration import ShapeCalibration
    from hand_recon_ros.identity.store import IdentityStore, StoredIdentity, checked_name, write_identity
    _check(args)
    checked_name(args.name)
    if args.live:
        return _live(args)
    prepare_jax()
    model = load_hand_model(args.model)
    response = response_of(args.detector, args.offsets, model)
    source = _source(args, model)
    calibration = ShapeCalibration(model, response, outlines=args.outlines)
    collector = IdentityCollector(calibration, args.frames, stereo=source.rig is not None)
    seen = refused = 0
    with source:
        for sights in tqdm(source, total=source.count, unit='frame', disable=not sys.stderr.isatty()):
            for sight in sights:
                seen += 1
                refused += not collector.add(sight).taken
    if not len(collector):
        raise ValueError(f'{source.name}: {seen} hands seen {"by both cameras" if source.rig else ""}, none usable, '
                         'expected one person\'s hands in view')
    result = collector.calibrate(args.name)
    size, metric = result.size, result.identity.metric
    scale = f'measured by a pair {1000 * source.rig.baseline_m:.1f} mm apart' if metric else \
        'assumed: one camera shows proportions, the size is the mean adult\'s'
    stored = StoredIdentity(result.identity, size, len(collector), date.today().isoformat(), scale)
    if args.out:
        write_identity(stored, args.out)
        path = Path(args.out)
    else:
        path = IdentityStore().save(stored)
    figures = {'name': args.name, 'model': model.name, 'metric': metric, 'scale': scale, 'frames': len(collector),
               'hands_seen': seen, 'width_mm': size.width_mm, 'width_std_mm': size.width_std_mm,
               'length_mm': size.length_mm, 'length_std_mm': size.length_std_mm,
               'shape': result.identity.shape.tolist(), 'shape_std': result.identity.shape_std.tolist(),
               'weights': result.weights.tolist(), 'file': str(path)}
    if args.plot:
        figures['curve'] = curve(calibration, collector.sights)
    print(_size_line(args.name, size))
    print(f'{len(collector)} of {seen} sights used; scale {scale}; written to {path}')
    farthest = float(np.abs(result.identity.shape).max())
    if farthest > UNLIKELY_SHAPE:
        print(f'hand-recon calibrate: a shape number of {farthest:.1f} standard deviations, expected at most '
              f'{UNLIKELY_SHAPE:g}: check rig and landmark table, and look at the mesh', file=sys.stderr)
    if len(collector) < args.frames:
        print(f'hand-recon calibrate: {len(collector)} of {args.frames} frames gathered; '
              'more postures and views would help', file=sys.stderr)
    if args.plot:
        plot(figures['curve'], Path(args.plot), args.name)
    if args.json:
        write_figures(args.json, figures)
    return 0


def _live(args: argparse.Namespace) -> int:
    """Through hands/calibrate_identity of the running graph, which saves where it keeps its identities."""
    from hand_recon_ros.action import CalibrateIdentity
    from hand_recon_ros.nodes.calibration_client import calibrate_live
    goal = CalibrateIdentity.Goal(name=args.name, handedness=args.hand or '', track_id=-1, frames=args.frames,
                                  save=True)
    with tqdm(total=args.frames, unit='sight', disable=not sys.stderr.isatty()) as bar:
        def show(feedback) -> None:
            bar.set_postfix_str(feedback.refusal or f'length +- {feedback.length_std_mm:.1f} mm', refresh=False)
            bar.update(feedback.frames - bar.n)
        found = calibrate_live(goal, args.timeout, show)
    print(_size_line(args.name, found) + f'\n{args.frames} sights; in use, and written to {found.file}')
    if args.json:
        figures = {'name': args.name, 'model': found.identity.model, 'metric': found.identity.metric,
                   'frames': args.frames, 'shape': list(found.identity.shape), 'file': found.file,
                   'shape_std': list(found.identity.shape_std)}
        figures |= {name: getattr(found, name) for name in ('width_mm', 'width_std_mm', 'length_mm', 'length_std_mm')}
        write_figures(args.json, figures)
    return 0


def _size_line(name: str, size) -> str:
    return f'{name}: width {size.width_mm:.1f} +- {size.width_std_mm:.1f} mm, ' \
           f'length {size.length_mm:.1f} +- {size.length_std_mm:.1f} mm ' \
           '(index to ring knuckle; wrist to middle fingertip)'


def curve(calibration, sights) -> list[dict]:
    """Width and length with their stated spread from the first 1 .. K sights."""
    rows = []
    qualities = calibration.qualities(sights)
    for count in sorted({*(count for count in CURVE if count < len(sights)), len(sights)}):
        size = calibration.calibrate(sights[:count], '', qualities[:count]).size
        rows.append({'frames': count, 'width_mm': size.width_mm, 'width_std_mm': size.width_std_mm,
                     'length_mm': size.length_mm, 'length_std_mm': size.length_std_mm})
    return rows


def plot(rows: list[dict], path: Path, title: str) -> None:
    """Both measures over the number of frames, with a band of one standard deviation; written as PNG."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    frames = [row['frames'] for row in rows]
    for axis, key in zip(axes, ('width', 'length')):
        values, std = (np.array([row[f'{key}{end}_mm'] for row in rows]) for end in ('', '_std'))
        axis.plot(frames, values, 'o-', color='tab:blue')
        axis.fill_between(frames, values - std, values + std, color='tab:blue', alpha=0.2,
                          label='one standard deviation')
        axis.set(xlabel='frames K', ylabel=f'{key} (mm)')
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.suptitle(title)
    partial = path.with_name(f'.{path.name}.partial')
    figure.savefig(partial, format='png', dpi=110)
    pyplot.close(figure)
    partial.replace(path)


def _check(args) -> None:
    stereo = args.left, args.right, args.rig
    given = [bool(args.bag), any(stereo), bool(args.image), args.live]
    if sum(given) != 1 or (any(stereo) and not all(stereo)):
        raise ValueError('give one of: a recording, --left with --right and --rig, --image, or --live')
    # The graph has its own model, detector and landmark table, and keeps identities where it was told.
    foreign = [f'--{name}' for name in ('out', 'plot', 'outlines') if args.live and getattr(args, name)]
    if foreign or (args.hand and not args.live):
        raise ValueError(f'{foreign[0]}: not with --live' if foreign else '--hand: goes with --live')
    if not args.timeout > 0:
        raise ValueError(f'--timeout: {args.timeout:g}, expected more than 0 s')
    if args.camera and not args.image:
        raise ValueError('--camera: goes with --image')
    if args.frames < 1:
        raise ValueError(f'--frames: {args.frames}, expected at least 1')
    for option, suffixes in (('out', ('.yaml', '.yml')), ('plot', ('.png',))):
        value = getattr(args, option)
        if value and Path(value).suffix not in suffixes:
            raise ValueError(f'--{option}: {value}, expected a {suffixes[0]} file')


class _Sights:
    """Sights instant by instant: of a pair of frames, or of one. frames: iterates tuples of Frame."""

    def __init__(self, name: str, frames, count: int, rig, args, model, mode: str):
        from hand_recon_ros.detection.offsets import load_offsets
        from hand_recon_ros.detection.registry import build_detector
        from hand_recon_ros.estimation.registry import build_estimator
        from hand_recon_ros.fusion.stereo_fuser import StereoFuser
        from hand_recon_ros.refinement.tailor import Tailor
        self.name, self.count, self.rig, self._frames = name, count, rig, frames
        offsets = load_offsets('mediapipe', args.offsets).offsets_m
        self._detectors = [build_detector(args.detector, mode, max_hands=2) for _ in range(2 if rig else 1)]
        self._estimator = build_estimator('closed_form_ik', model, offsets)
        self._fuser = StereoFuser(model, offsets) if rig else None
        self._tailor = None if rig else Tailor(model, offsets)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for detector in self._detectors:
            detector.close()

    def __iter__(self):
        from hand_recon_ros.fusion.stereo_fuser import View
        from hand_recon_ros.identity.sights import mono_sights, stereo_sights
        for frames in self._frames:
            hands = [detector.detect(frame) for detector, frame in zip(self._detectors, frames)]
            estimates = [[self._estimator.estimate(frame, hand) for hand in seen] for frame, seen in zip(frames, hands)]
            if self.rig:
                left, right = (View(*view) for view in zip(frames, hands, estimates))
                yield stereo_sights(self.rig, left, right, self._fuser.fuse(self.rig, left, right))
            else:
                yield mono_sights(frames[0], hands[0], self._tailor.refine(frames[0], hands[0], estimates[0]))


def _source(args, model) -> _Sights:
    from hand_recon_ros.bags.labelled_recording import LabelledRecording
    from hand_recon_ros.bags.stereo_recording import StereoRecording
    from hand_recon_ros.geometry.calibration_files import load_camera
    from hand_recon_ros.geometry.rigs import load_rig
    from hand_recon_ros.media.sources import Source
    if args.bag:
        labels = LabelledRecording.read(args.bag, calibrated=True)
        if len(labels.cameras) > 1:
            recording = StereoRecording.read(args.bag)
            return _Sights(args.bag, recording.pairs(), labels.image_count, recording.rig, args, model, 'video')
        frames = ((frame,) for frame in labels.frames())
        return _Sights(args.bag, frames, labels.image_count, None, args, model, 'video')
    if args.image:
        source = Source.open(args.image)
        camera = load_camera(args.camera) if args.camera else None
        return _Sights(args.image, _frames((source,), (camera,)), source.count, None, args, model, _mode(source))
    rig = load_rig(args.rig)
    sources = [Source.open(path) for path in (args.left, args.right)]
    frames = _frames(sources, (rig.left, rig.right))
    return _Sights(args.left, frames, sources[0].count, rig, args, model, _mode(sources[0]))


def _mode(source) -> str:
    return 'video' if source.is_video else 'image'


def _frames(sources, cameras):
    """Tuples of Frame of equally long sources; unreadable images are passed over with their partners."""
    from hand_recon_ros.types import Frame
    for index, images in enumerate(zip_longest(*sources)):
        if None in images:
            raise ValueError(f'{sources[0].path}, {sources[1].path}: one ends after {index} frames, '
                             'expected equally many')
        if all(image.image is not None for image in images):
            yield tuple(Frame.from_image(image.image, camera, image.stamp_ns, index=index)
                        for image, camera in zip(images, cameras))
