"""`hand-recon synthesize`: a synthetic recording with exact ground truth."""
from __future__ import annotations

import argparse
import re
from pathlib import Path

from hand_recon_ros.bags.writer import STORAGES
from hand_recon_ros.synthesis.backgrounds import VIEWS
from hand_recon_ros.synthesis.recording import write_recording
from hand_recon_ros.synthesis.scene import Scene, SceneConfig

HELP = 'write a synthetic recording (rosbag2) of moving hands with exact ground truth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='the recording to write')
    parser.add_argument('--frames', type=int, default=SceneConfig.frames, help='number of frames (%(default)s)')
    parser.add_argument('--fps', type=float, default=SceneConfig.fps, help='frames a second (%(default)s)')
    parser.add_argument('--seed', type=int, default=SceneConfig.seed,
                        help='person, light, room, motion and noise all follow from it (%(default)s)')
    parser.add_argument('--cameras', type=int, choices=(1, 2), default=1,
                        help='one camera, or a rectified pair (%(default)s)')
    parser.add_argument('--baseline-mm', type=float, metavar='MM', help='of a pair (drawn from the seed)')
    parser.add_argument('--hands', type=int, choices=(1, 2), default=SceneConfig.hands,
                        help='a right hand, or both (%(default)s)')
    parser.add_argument('--size', type=image_size, default=(SceneConfig.width, SceneConfig.height), metavar='WxH',
                        help='of the images, pixels (640x480)')
    parser.add_argument('--view', choices=tuple(VIEWS), default=SceneConfig.view,
                        help='a camera before the person, or at their head (%(default)s)')
    parser.add_argument('--backgrounds', type=Path, metavar='FOLDER',
                        help='photographs to put behind the hands (default: a generated room)')
    parser.add_argument('--jpeg-quality', type=int, default=90, metavar='Q', help='1 to 100 (%(default)s)')
    parser.add_argument('--storage', choices=tuple(STORAGES), default='mcap', help='(%(default)s)')
    parser.add_argument('--no-vertices', action='store_true',
                        help='ground truth without vertices: they follow from its parameters, and are most of its size')
    parser.add_argument('--force', action='store_true', help='replace an existing recording')


def image_size(text: str) -> tuple[int, int]:
    """(width, height) of '640x480'."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if match is None:
        raise argparse.ArgumentTypeError(f'{text!r}, expected WIDTHxHEIGHT such as 640x480')
    return int(match[1]), int(match[2])


def run(args: argparse.Namespace) -> int:
    if args.out.exists() and not args.force:
        raise ValueError(f'--out: {args.out} exists already (--force replaces a recording)')
    if not 1 <= args.jpeg_quality <= 100:
        raise ValueError(f'--jpeg-quality: {args.jpeg_quality}, expected 1 to 100')
    width, height = args.size
    scene = Scene(SceneConfig(frames=args.frames, fps=args.fps, seed=args.seed,
                              rig='mono' if args.cameras == 1 else 'rectified',
                              baseline_m=None if args.baseline_mm is None else args.baseline_mm / 1000,
                              hands=args.hands, width=width, height=height,
                              view=args.view, backgrounds=args.backgrounds))
    write_recording(scene, args.out, args.jpeg_quality, args.storage, not args.no_vertices, args.force)
    size = sum(file.stat().st_size for file in args.out.rglob('*') if file.is_file())
    print(f'{args.out}: {args.frames} frames, {args.cameras} camera(s), {size / 1e6:.1f} MB')
    return 0
