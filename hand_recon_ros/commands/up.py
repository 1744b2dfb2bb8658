"""`hand-recon up`: the nodes of a rig as supervised processes, where there is no `ros2 launch`."""
from __future__ import annotations

import argparse
from pathlib import Path

HELP = 'start the nodes as supervised processes, until Ctrl-C'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('rig', choices=('mono',), help='which nodes to start: mono = one camera')
    parser.add_argument('--params-file', type=Path, metavar='FILE', help='parameters (default: config/mono.yaml)')
    parser.add_argument('--namespace', default='', metavar='NS', help='namespace of all nodes and topics')
    parser.add_argument('--image', default='image', metavar='TOPIC', help='camera images (default: image)')
    parser.add_argument('--camera-info', default='camera_info', metavar='TOPIC',
                        help='calibration that comes with them (default: camera_info)')
    parser.add_argument('--overlay', action='store_true', help='also draw the meshes over the images (hands/overlay)')
    parser.add_argument('--use-sim-time', action='store_true', help='follow /clock of a replayed recording')


def run(args: argparse.Namespace) -> int:
    from hand_recon_ros.nodes.supervisor import Supervisor, mono_nodes
    nodes = mono_nodes(args.image, args.camera_info, args.overlay, args.use_sim_time)
    supervisor = Supervisor(nodes, args.params_file, args.namespace, report=lambda line: print(line, flush=True))
    return supervisor.run()
