"""`hand-recon bag`: the two videos of a calibrated pair as a rosbag2 recording, to play to the nodes or to judge."""
from __future__ import annotations

import argparse
import sys

from tqdm import tqdm

HELP = 'videos or images of a calibrated pair as a rosbag2 recording'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('--left', required=True, help="the left camera's video or folder of images")
    parser.add_argument('--right', required=True, help="the right camera's, paired by position")
    parser.add_argument('--rig', required=True, help='rig.yaml: where both cameras stand and how they see')
    parser.add_argument('--out', required=True, metavar='BAG', help='folder of the recording')
    parser.add_argument('--jpeg-quality', type=int, default=95, metavar='Q', help='1 to 100 (default %(default)s)')
    parser.add_argument('--overwrite', action='store_true', help='replace a recording that is there')


def run(args: argparse.Namespace) -> int:
    """0 when the recording is whole; ValueError, and no recording, when the pair is not."""
    from hand_recon_ros.bags.filmed_pair import write_filmed_pair
    from hand_recon_ros.geometry.rigs import load_rig
    from hand_recon_ros.media.sources import Source
    rig, left, right = load_rig(args.rig), Source.open(args.left), Source.open(args.right)
    with tqdm(total=left.count, unit='pair', disable=not sys.stderr.isatty()) as bar:
        count = write_filmed_pair(left, right, rig, args.out, args.jpeg_quality, args.overwrite, lambda _: bar.update())
    print(f'{count} pairs of images in {args.out}; play them with `ros2 bag play --clock {args.out}`')
    return 0
