"""Image published to mesh received, through the real nodes; beside it the same stages in one process without ROS."""
from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.benchmarks import stereo_latency
from hand_recon_ros.commands.demo import RECORDING

HELP = 'image published to mesh received through the nodes, with drops, CPU and memory per node'
# Frames for the reference: enough for its percentiles.
REFERENCE_FRAMES = 150


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--seconds', type=float, default=60.0, help='measured time (default %(default)s)')
    parser.add_argument('--rate', type=float, default=30.0, help='images a second (default %(default)s)')
    parser.add_argument('--recording', type=Path, metavar='BAG', help='where the images come from (default: the '
                        f'bundled recording; of two cameras the first of {stereo_latency.SET}, generated once)')
    parser.add_argument('--params-file', type=Path, metavar='FILE',
                        help='parameters (default: config/mono.yaml or config/stereo.yaml)')
    stereo_latency.add_arguments(parser)


def run(args: argparse.Namespace) -> dict:
    """Rows: percentiles of latency against the in-process pipeline's, then one row per node."""
    if not 1 <= args.seconds <= 3600 or not 1 <= args.rate <= 240:
        raise ValueError(f'--seconds {args.seconds}, --rate {args.rate}: expected 1 to 3600 s and 1 to 240 Hz')
    if args.stereo:
        return stereo_latency.run(args)
    from hand_recon_ros.nodes.mono_trial import run_mono_trial
    from hand_recon_ros.nodes.session import choose_private_domain
    choose_private_domain()
    images, camera, rectified = _load(args.recording or RECORDING)
    trial = run_mono_trial(images, camera, rectified, args.rate, args.seconds, args.params_file, _report, _progress)
    reference = _in_process(images, camera)
    rows = []
    for percentile in (50, 95, 99):
        ours, theirs = np.percentile(trial.latencies_ms, percentile), np.percentile(reference, percentile)
        rows.append({'case': f'mesh p{percentile}', 'ours_ms': float(ours), 'reference_ms': float(theirs),
                     'ratio': float(theirs / ours)})
    rows[0] |= {'sent': trial.sent, 'received': len(trial.latencies_ms), 'dropped': trial.dropped,
                'hands_per_mesh': trial.hands, 'rate_hz': len(trial.latencies_ms) / trial.took_s}
    rows += [{'case': name, **dataclasses.asdict(load)} for name, load in trial.loads.items()]
    return {'name': 'latency', 'rows': rows, 'seconds': args.seconds,
            'image': f'{camera.width}x{camera.height} rgb8 at {args.rate:g} Hz',
            'reference': 'MonoPipeline in one process'}


def _load(recording: Path):
    from hand_recon_ros.bags.camera_topics import camera_topics
    from hand_recon_ros.bags.reader import BagReader
    from hand_recon_ros.messages.cameras import camera_from_msg
    from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
    with BagReader(recording) as bag:
        topics = camera_topics(bag)[0]
        if topics.info is None:
            raise ValueError(f'{recording}: no camera_info beside {topics.image}')
        camera = camera_from_msg(next(message for _, _, message in bag.messages(topics.info)), topics.rectified)
        to_rgb = compressed_to_rgb if topics.transport == 'compressed' else image_to_rgb
        images = [to_rgb(message) for _, _, message in bag.messages(topics.image)]
    # There and back again, so that the hands never jump.
    return images + images[-2:0:-1], camera, topics.rectified


def _in_process(images, camera) -> list[float]:
    """Milliseconds per frame of the same stages without ROS, after the first frames."""
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    from hand_recon_ros.pipeline import MonoPipeline
    from hand_recon_ros.types import Frame
    prepare_jax()
    pipeline = MonoPipeline()
    milliseconds = []
    try:
        for index in range(REFERENCE_FRAMES + 10):
            frame = Frame.from_image(images[index % len(images)], camera, index * 33_333_333)
            began_s = time.perf_counter()
            pipeline.process(frame)
            milliseconds.append(1000 * (time.perf_counter() - began_s))
    finally:
        pipeline.close()
    return milliseconds[10:]


def _report(line: str) -> None:
    if '[ERROR]' in line or '[up]' in line:
        tqdm.write(line)


def _progress(indices: range, what: str) -> tqdm:
    return tqdm(indices, desc=what, unit='image', disable=not sys.stderr.isatty())
