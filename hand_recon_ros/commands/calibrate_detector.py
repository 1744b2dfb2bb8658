"""`hand-recon calibrate-detector`: where a detector's landmarks sit on the hand, from stereo video or renders."""
from __future__ import annotations

import argparse
import sys
from itertools import zip_longest
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'landmark offsets of the detector from a stereo video of one hand, or from recordings with ground truth'
BLOCK_S = 1.0       # held-out frames come in blocks of this length, so that no frame's neighbour is in the other half


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('--left', metavar='VIDEO', help="the left camera's video of one hand, as recorded (distorted)")
    parser.add_argument('--right', metavar='VIDEO', help="the right camera's, frame by frame at the same times")
    parser.add_argument('--rig', metavar='FILE', help='rig.yaml of the pair')
    parser.add_argument('--bag', nargs='+', metavar='BAG', help='recordings with ground truth (hand-recon synthesize)')
    parser.add_argument('--out', required=True, metavar='FILE', help='the table to write, .yaml')
    parser.add_argument('--model', default='open_hand', help='hand model (%(default)s)')
    parser.add_argument('--frames', type=int, default=140,
                        help='of a video: most frames used, the most diverse (%(default)s)')
    parser.add_argument('--note', default='', help='what was recorded, for the provenance in the table')
    parser.add_argument('--json', metavar='FILE', help='write the figures for machines')


def run(args: argparse.Namespace) -> int:
    """0 when the table was written; ValueError when the input is incomplete or shows no usable hand."""
    from hand_recon_ros.detection.offsets import LandmarkOffsets, load_offsets, save_offsets
    from hand_recon_ros.hand_model.assets import load_hand_model
    from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES
    stereo = args.left, args.right, args.rig
    if (any(stereo) if args.bag else not all(stereo)):
        raise ValueError('give either --left, --right and --rig, or --bag')
    if Path(args.out).suffix not in ('.yaml', '.yml'):
        raise ValueError(f'--out: {args.out}, expected a .yaml file')
    if args.frames < 10:
        raise ValueError(f'--frames: {args.frames}, expected at least 10')
    model = load_hand_model(args.model)
    offsets_m, provenance = from_recordings(args, model) if args.bag else from_stereo_video(args, model)
    if args.note:
        provenance = {'note': args.note, **provenance}
    name = Path(args.out).stem.removeprefix('mediapipe_')
    table = LandmarkOffsets('mediapipe', name, model.name, offsets_m, provenance)
    save_offsets(table, args.out)
    load_offsets('mediapipe', args.out)     # what was written must be readable
    lengths = 1000 * table.lengths_m
    print(f'{"landmark":9} offset mm    x      y      z')
    for name, length, row in zip(KEYPOINT_NAMES, lengths, 1000 * table.offsets_m):
        print(f'{name:9} {length:6.1f}   ' + ' '.join(f'{value:6.1f}' for value in row))
    print(f'{"mean":9} {lengths.mean():6.1f}')
    for key, value in provenance.items():
        print(f'{key}: {value}')
    if args.json:
        figures = {'offsets_mm': (1000 * table.offsets_m).tolist(), 'mean_mm': float(lengths.mean()), **provenance}
        write_figures(args.json, figures)
    return 0


def from_stereo_video(args: argparse.Namespace, model) -> tuple[np.ndarray, dict]:
    """Offsets (21, 3) m and provenance from a calibrated pair's videos; half of the seconds are fitted by the other
    half's table as a check, the table itself comes from all."""
    from hand_recon_ros.geometry.rigs import load_rig
    from hand_recon_ros.hand_model.landmarks import build_skeleton
    from hand_recon_ros.media.sources import Source
    from hand_recon_ros.refinement.calibration_frames import diverse, prepare
    from hand_recon_ros.refinement.offset_calibration import FRAMES_THAT_AGREE, OFFSET_SIGMA_M, OffsetBundle, Shared
    rig = load_rig(args.rig)
    sources = [Source.open(path) for path in (args.left, args.right)]
    pairs, count = _pairs(rig, sources)
    if len(pairs) < 10:
        raise ValueError(f'{args.left}, {args.right}: {len(pairs)} frames with one hand seen in both views on matching '
                         'rays, expected at least 10 (is the rig theirs, and are the videos in step?)')
    skeleton = build_skeleton(model)
    bundle = OffsetBundle(skeleton)
    chosen = diverse(pairs, args.frames)
    views, start, triangulated = prepare(rig, chosen, skeleton)
    before, after = bundle.adjust(views, start, hold_offsets=True), bundle.adjust(views, start)
    provenance = {
        'method': 'bundle adjustment of one hand in stereo video, 2D landmarks only, '
                  f'prior {1000 * OFFSET_SIGMA_M:g} mm, counted as one independent frame in {FRAMES_THAT_AGREE:g}',
        'frames': f'{len(chosen)} of {len(pairs)} usable of {count}',
        'detector_version': _detector_version(),
        'shape': [round(float(value), 3) for value in after.shared.shape],
        'without_table': _figures(before, triangulated, chosen), 'with_table': _figures(after, triangulated, chosen)}
    # The check: a table from every other second, against the seconds between.
    block = [int(pair.index / sources[0].frames_per_s / BLOCK_S) % 2 for pair in pairs]
    fitted, held_out = ([pair for pair, odd in zip(pairs, block) if odd == which] for which in (0, 1))
    if min(len(fitted), len(held_out)) >= 10:
        views, start, _ = prepare(rig, diverse(fitted, args.frames), skeleton)
        shared = bundle.adjust(views, start).shared
        held_out = diverse(held_out, args.frames)
        views, start, triangulated = prepare(rig, held_out, skeleton)
        nothing = bundle.adjust(views, start, hold_offsets=True, hold_shape=True)
        table = bundle.adjust(views, start, Shared(*shared), hold_offsets=True, hold_shape=True)
        provenance |= {'held_out_without_table': _figures(nothing, triangulated, held_out),
                       'held_out_with_table': _figures(table, triangulated, held_out)}
    return after.shared.offsets, provenance


def from_recordings(args: argparse.Namespace, model) -> tuple[np.ndarray, dict]:
    """Offsets (21, 3) m and provenance from recordings whose true hands are known. With several, the last is also
    fitted by the others' table as a check; the table itself comes from all."""
    from hand_recon_ros.refinement.offset_calibration import OFFSET_SIGMA_M
    from hand_recon_ros.refinement.offset_regression import OffsetRegression, matched
    everything, others, last, true_count = (*(OffsetRegression(model) for _ in range(3)), 0)
    for path in args.bag:
        for hands, truths, camera in _labelled_frames(path):
            true_count += len(truths)
            for pair in matched(hands, truths, camera):
                for regression in (everything, last if path == args.bag[-1] else others):
                    regression.add(*pair, camera)
    offsets_m, nothing = everything.solve(), np.zeros((21, 3))
    provenance = {
        'method': 'least squares on 2D landmarks at the known hands of rendered recordings, '
                  f'prior {1000 * OFFSET_SIGMA_M:g} mm',
        'recordings': [Path(path).name for path in args.bag],
        'hands': f'{len(everything)} matched of {true_count} true',
        'detector_version': _detector_version(),
        'without_table': _regression_figures(everything, nothing),
        'with_table': _regression_figures(everything, offsets_m)}
    if len(others) and len(last):
        provenance |= {'held_out_without_table': _regression_figures(last, nothing),
                       'held_out_with_table': _regression_figures(last, others.solve())}
    return offsets_m, provenance


def _regression_figures(regression, offsets_m) -> dict:
    """Distances of the true hands' landmarks with a table from the detections."""
    off = regression.residual_px(offsets_m)
    percent = 100 * off / regression.box_px[:, None]
    return {'median_px': _round(np.median(off)), 'mean_percent_of_box': _round(percent.mean()),
            'median_percent_of_box': _round(np.median(percent))}


def _pairs(rig, sources):
    """Usable pairs of two videos and the number of frames read."""
    from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
    from hand_recon_ros.refinement.calibration_frames import usable_pair
    from hand_recon_ros.types import Frame
    detectors = [MediaPipeDetector('video' if source.is_video else 'image', max_hands=2) for source in sources]
    pairs, count = [], 0
    try:
        bar = tqdm(zip_longest(*sources), total=max(source.count for source in sources), unit='pair',
                   disable=not sys.stderr.isatty())
        for index, seen in enumerate(bar):
            if None in seen:
                raise ValueError(f'{sources[0].path}, {sources[1].path}: one ends after {index} frames, '
                                 'expected equally many')
            count += 1
            if any(image.image is None for image in seen):
                continue
            hands = [detector.detect(Frame.from_image(image.image, camera, image.stamp_ns)) for detector, image, camera
                     in zip(detectors, seen, (rig.left, rig.right))]
            pair = usable_pair(rig, index, *hands)
            pairs += [pair] if pair is not None else []
    finally:
        for detector in detectors:
            detector.close()
    return pairs, count


def _labelled_frames(path):
    """(detected hands, true hands, camera) of every image of a recording's first camera."""
    from hand_recon_ros.bags.camera_topics import camera_topics
    from hand_recon_ros.bags.reader import BagReader
    from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
    from hand_recon_ros.messages.cameras import camera_from_msg
    from hand_recon_ros.messages.hands import msg_to_estimates
    from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
    from hand_recon_ros.messages.stamps import to_ns
    from hand_recon_ros.synthesis.recording import GROUND_TRUTH_TOPIC
    from hand_recon_ros.types import Frame
    with BagReader(path) as bag, MediaPipeDetector('video', max_hands=2) as detector:
        topics = camera_topics(bag)[0]
        if topics.info is None:
            raise ValueError(f'{path}: no camera_info beside {topics.image}, expected one')
        if GROUND_TRUTH_TOPIC not in bag.topics:
            raise ValueError(f'{path}: no topic {GROUND_TRUTH_TOPIC}, expected a recording with ground truth')
        truths = {to_ns(message.header.stamp): msg_to_estimates(message)
                  for _, _, message in bag.messages(GROUND_TRUTH_TOPIC)}
        camera, to_rgb = None, compressed_to_rgb if topics.transport == 'compressed' else image_to_rgb
        bar = tqdm(bag.messages([topics.info, topics.image]), total=2 * bag.topics[topics.image].message_count,
                   unit='message', disable=not sys.stderr.isatty())
        for topic, _, message in bar:
            if topic == topics.info:
                camera = camera_from_msg(message, topics.rectified)
            elif camera is not None and (stamp_ns := to_ns(message.header.stamp)) in truths:
                frame = Frame.from_image(to_rgb(message), camera, stamp_ns)
                # Twice: the second look is through crops about the first one's landmarks, as in live video. Crops about
                # palms, a found hand's first, put the wrist up to 5 % of the box elsewhere.
                detector.detect(frame)
                yield detector.detect(frame), truths[stamp_ns], camera


def _figures(bundle, triangulated, pairs) -> dict:
    """What a fit reached: rms and median distance from the detections, and from their triangulation."""
    boxes = np.array([[pair.left.box_size_px, pair.right.box_size_px] for pair in pairs])
    percent = 100 * bundle.residual_px / boxes[..., None]
    off_mm = 1000 * np.linalg.norm(bundle.landmarks_m - triangulated, axis=-1)
    return {'rms_px': _round(bundle.rms_px), 'median_px': _round(np.median(bundle.residual_px)),
            'mean_percent_of_box': _round(percent.mean()), 'from_triangulation_mm': _round(off_mm.mean())}


def _round(value) -> float:
    return round(float(value), 3)


def _detector_version() -> str:
    from importlib.metadata import version
    return f'mediapipe {version("mediapipe")}, Hands, model complexity 1'
