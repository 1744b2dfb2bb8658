"""The directly run networks against MediaPipe's graph on the bundled recording: time, agreement, recall, in one run."""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.detection.detector import Detector
from hand_recon_ros.detection.duplicates import landmark_distance
from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.types import Frame, HandKeypoints

HELP = "the openvino detector against MediaPipe's: time, agreement, recall (needs OpenVINO)"
RECORDING = Path(__file__).resolve().parents[1] / 'bags' / 'recordings' / 'demo'
PICTURES = ('.jpg', '.jpeg', '.png')
OURS, REFERENCE = 'openvino', 'mediapipe'
TURN = 15               # images
SAME_HAND = 0.25        # mean landmark distance, in boxes, up to which two detectors mean one hand


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--bag', default=str(RECORDING), metavar='FOLDER',
                        help='recording whose first camera is followed (default: the bundled one)')
    parser.add_argument('--images', metavar='FOLDER', help='photographs to look for hands in, each on its own')


def run(args: argparse.Namespace) -> dict:
    """Rows: hands followed through the recording, and hands in the photographs, by both detectors on like images."""
    photographs = [] if args.images is None else _photographs(Path(args.images))
    rows = []
    for case, frames, settings in _cases(args.bag, photographs):
        detectors = {name: build_detector(name, **settings) for name in (OURS, REFERENCE)}
        rows.append(_row(case, _compared(detectors, frames), two_hands=settings['mode'] == 'video'))
    return {'name': 'detector', 'rows': rows, 'recording': Path(args.bag).name,
            'photographs': len(photographs)}


def _cases(bag_path: str, photographs: list[Frame]):
    """(name, images, settings of both detectors). threads are ours: MediaPipe's graph takes one for its networks."""
    frames = recorded_frames(bag_path)
    for threads, name in ((1, 'two hands followed, 1 thread'), (2, 'two hands followed, 2 threads')):
        yield name, frames, {'mode': 'video', 'max_hands': 2, 'threads': threads}
    if photographs:
        for retry, name in ((False, 'photographs, one look'), (True, 'photographs, with retries')):
            yield name, photographs, {'mode': 'image', 'max_hands': 4, 'retry': retry}


def _compared(detectors: dict[str, Detector], frames: list[Frame]) -> list[dict]:
    """For each frame: by detector its hands, wall and CPU seconds. They take turns of TURN images: both meet the same
    machine, and neither finds its networks pushed out of the caches by the other's at every image."""
    records = [{} for _ in frames]
    turns = [range(start, min(start + TURN, len(frames))) for start in range(0, len(frames), TURN)]
    for turn in tqdm(turns, unit='turn', disable=not sys.stderr.isatty()):
        for name, detector in detectors.items():
            for index in turn:
                wall, cpu = time.perf_counter(), time.process_time()
                hands = detector.detect(frames[index])
                records[index][name] = hands, time.perf_counter() - wall, time.process_time() - cpu
    for detector in detectors.values():
        detector.close()
    return records


def _row(case: str, records: list[dict], two_hands: bool) -> dict:
    """Times (medians and 10th percentiles), the distance of hands both found, and how many hands each found.

    two_hands: time only images in which both detectors follow two.
    """
    timed = [record for record in records if not two_hands or all(len(hands) == 2 for hands, _, _ in record.values())]
    if not timed:
        raise ValueError(f'bench detector: {case}: no image in which both detectors follow two hands')
    wall, least, cpu = ({name: 1e3 * float(np.percentile([record[name][part] for record in timed], percent))
                         for name in (OURS, REFERENCE)} for part, percent in ((1, 50), (1, 10), (2, 50)))
    apart = [100 * distance for record in records for distance in _distances(record[OURS][0], record[REFERENCE][0])]
    found = {name: [len(record[name][0]) for record in records] for name in (OURS, REFERENCE)}
    return {'case': case, 'ours_ms': wall[OURS], 'reference_ms': wall[REFERENCE], 'ratio': wall[REFERENCE] / wall[OURS],
            'ratio_p10': least[REFERENCE] / least[OURS], 'ours_cpu_ms': cpu[OURS], 'reference_cpu_ms': cpu[REFERENCE],
            'apart_percent': float(np.mean(apart)) if apart else None,
            'apart_p95_percent': float(np.percentile(apart, 95)) if apart else None,
            'images': len(records), 'ours_hands': sum(found[OURS]), 'reference_hands': sum(found[REFERENCE])}


def _distances(ours: list[HandKeypoints], reference: list[HandKeypoints]) -> list[float]:
    """Mean landmark distance, in boxes, of each reference hand from ours nearest to it, where there is one."""
    nearest = [min((landmark_distance(hand, other) for other in ours), default=np.inf) for hand in reference]
    return [distance for distance in nearest if distance < SAME_HAND]


def recorded_frames(bag_path: str) -> list[Frame]:
    """Images of the recording's first camera."""
    from hand_recon_ros.bags.camera_topics import camera_topics
    from hand_recon_ros.bags.reader import BagReader
    from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
    from hand_recon_ros.messages.stamps import to_ns
    with BagReader(bag_path) as bag:
        topics = camera_topics(bag)[0]
        to_rgb = compressed_to_rgb if topics.transport == 'compressed' else image_to_rgb
        return [Frame.from_image(to_rgb(message), stamp_ns=to_ns(message.header.stamp))
                for _, _, message in bag.messages(topics.image)]


def _photographs(folder: Path) -> list[Frame]:
    """Pictures of a folder by name; ValueError when it is none or holds none."""
    from hand_recon_ros.media.images import read_image
    if not folder.is_dir():
        raise ValueError(f'--images: {folder} is no folder, expected one with photographs')
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not paths:
        raise ValueError(f'--images: no pictures in {folder}, expected files ending in {", ".join(PICTURES)}')
    return [Frame.from_image(read_image(path), index=index) for index, path in enumerate(paths)]
