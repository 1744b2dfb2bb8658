"""Rendered people before a stereo pair, one recording each, and what a detector finds in it; both kept in a folder."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.messages.hands import keypoints_to_msg, msg_to_keypoints
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.synthesis.recording import RecordingOptions, synthesize_recording
from hand_recon_ros.synthesis.scene import SceneConfig
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

# Half a second apart: then every frame shows another posture.
FRAMES, FPS, BASELINE_M = 24, 2.0, 0.12
# Nobody below was used to measure a landmark response, to rank confidences or to set a limit.
FIRST_UNSEEN_SEED = 3000
TOPICS = '/left/hands/keypoints', '/right/hands/keypoints'


def recorded_person(work: Path, seed: int, workers: int) -> Path:
    """Recording of the person that a seed draws, both hands over a desk; made where it is not there yet."""
    path = Path(work) / f'person_{seed}'
    if not path.exists():
        config = SceneConfig(frames=FRAMES, fps=FPS, seed=seed, view='desk', rig='rectified', baseline_m=BASELINE_M)
        synthesize_recording(config, path, RecordingOptions(vertices=False), workers)
    return path


@dataclass(frozen=True)
class Instant:
    """Frames of both views, the hands found in each, and the true ones in the left camera's frame."""
    frames: tuple[Frame, Frame]
    hands: tuple[list[HandKeypoints], list[HandKeypoints]]
    truths: list[HandEstimate]


@dataclass(frozen=True)
class SeenPerson:
    """One recording of one person as a detector sees it. shape: (B,), the true one."""
    name: str
    rig: StereoRig
    instants: list[Instant]
    shape: np.ndarray

    @classmethod
    def read(cls, path: Path, detector: str, work: Path) -> SeenPerson:
        """The recording at `path` and detections of it, which are kept in `work`; ValueError without true hands or
        when they are of several people."""
        recording = StereoRecording.read(path)
        truths = recording.labels.truths
        shapes = np.unique([hand.shape for hands in truths.values() for hand in hands], axis=0)
        if len(shapes) != 1:
            raise ValueError(f'{path}: true hands of {len(shapes)} shapes, expected a recording of one person with '
                             'ground truth')
        pairs = list(recording.pairs())
        kept = Path(work) / f'{Path(path).resolve().name}.{detector}'
        if not kept.exists():
            _detect(pairs, detector, kept)
        found = _detections(kept)
        missing = [stamp for pair in pairs for seen, stamp in zip(found, (f.stamp_ns for f in pair))
                   if stamp not in seen]
        if missing:
            raise ValueError(f'{kept}: nothing of {len(missing)} images of {path}, expected detections of this '
                             'recording; remove it')
        instants = [Instant(pair, tuple(seen[frame.stamp_ns] for seen, frame in zip(found, pair)),
                            truths.get(pair[0].stamp_ns, [])) for pair in pairs]
        return cls(Path(path).name, recording.rig, instants, shapes[0].astype(np.float64))


def _detect(pairs, detector: str, path: Path) -> None:
    """Hands of every image by itself, written as a recording of both views' keypoints."""
    detectors = [build_detector(detector, 'image', max_hands=2) for _ in TOPICS]
    try:
        with BagWriter(path) as bag:
            for frames in pairs:
                for topic, finder, frame in zip(TOPICS, detectors, frames):
                    hands = [replace(hand, track_id=row) for row, hand in enumerate(finder.detect(frame))]
                    message = keypoints_to_msg(hands, frame.stamp_ns, frame.frame_id, frame.width, frame.height)
                    bag.write(topic, message, frame.stamp_ns)
    finally:
        for finder in detectors:
            finder.close()


def _detections(path: Path) -> list[dict[int, list[HandKeypoints]]]:
    """Of the left and the right view: {stamp: hands}."""
    found = [{} for _ in TOPICS]
    with BagReader(path) as bag:
        for topic, _, message in bag.messages(list(TOPICS)):
            found[TOPICS.index(topic)][to_ns(message.header.stamp)] = msg_to_keypoints(message)
    return found


def add_people_arguments(parser: argparse.ArgumentParser) -> None:
    """Which people, and by what they are seen."""
    parser.add_argument('bags', nargs='*', metavar='BAG',
                        help='stereo recordings with ground truth, one person each, instead of rendered people')
    parser.add_argument('--people', type=int, default=30, metavar='N', help='rendered people (default %(default)s)')
    parser.add_argument('--first-seed', type=int, default=FIRST_UNSEEN_SEED, metavar='S',
                        help='of the people, one seed each; from %(default)s on nobody was used to tune anything')
    parser.add_argument('--work', type=Path, required=True, metavar='DIR',
                        help='keeps recordings and detections: a second run is cheap')
    parser.add_argument('--workers', type=int, default=1, metavar='N', help='processes that render (%(default)s)')
    parser.add_argument('--offsets', default='synthetic', help='landmark table (default %(default)s)')
    parser.add_argument('--detector', default='mediapipe', help='mediapipe or openvino (default %(default)s)')


def seen_people(args: argparse.Namespace) -> Iterator[SeenPerson]:
    """One person after the other, as the arguments say; their images are not kept. ValueError for --people < 1."""
    if args.people < 1:
        raise ValueError(f'--people: {args.people}, expected at least 1')
    seeds = range(args.first_seed, args.first_seed + args.people)
    args.work.mkdir(parents=True, exist_ok=True)
    for one in tqdm(args.bags or seeds, unit='person', disable=not sys.stderr.isatty()):
        path = Path(one) if args.bags else recorded_person(args.work, one, args.workers)
        yield SeenPerson.read(path, args.detector, args.work)
