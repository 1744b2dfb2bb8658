"""`hand-recon up`: the nodes of a rig as supervised processes, where there is no `ros2 launch`."""
from __future__ import annotations

import argparse
from pathlib import Path

HELP = 'start the nodes as supervised processes, until Ctrl-C'
# Options of the other rig mean that the wrong one was asked for.
_OPTIONS = {'mono': {'image': 'image', 'camera_info': 'camera_info'},
            'stereo': {'left_image': 'left/image_rect', 'right_image': 'right/image_rect',
                       'left_camera_info': 'left/camera_info', 'right_camera_info': 'right/camera_info'}}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('rig', choices=tuple(_OPTIONS),
                        help='which nodes to start: mono = one camera, stereo = a calibrated pair')
    parser.add_argument('--params-file', type=Path, metavar='FILE', help='parameters (default: config/<rig>.yaml)')
    parser.add_argument('--namespace', default='', metavar='NS', help='namespace of all nodes and topics')
    for rig, options in _OPTIONS.items():
        for name, default in options.items():
            what = 'calibration that comes with them' if 'info' in name else 'camera images'
            parser.add_argument('--' + name.replace('_', '-'), metavar='TOPIC',
                                help=f'{rig}: {what} (default: {default})')
    parser.add_argument('--overlay', action='store_true',
                        help='also draw the meshes over the (left) images (hands/overlay)')
    parser.add_argument('--use-sim-time', action='store_true', help='follow /clock of a replayed recording')


def run(args: argparse.Namespace) -> int:
    from hand_recon_ros.nodes.environment import config_file
    from hand_recon_ros.nodes.supervisor import Supervisor, mono_nodes, stereo_nodes
    for rig, options in _OPTIONS.items():
        for name in options:
            if rig != args.rig and getattr(args, name) is not None:
                raise ValueError(f'--{name.replace("_", "-")}: is of {rig}, expected only options of {args.rig}')
    topics = [getattr(args, name) or default for name, default in _OPTIONS[args.rig].items()]
    make = mono_nodes if args.rig == 'mono' else stereo_nodes
    nodes = make(*topics, overlay=args.overlay, use_sim_time=args.use_sim_time)
    supervisor = Supervisor(nodes, args.params_file or config_file(f'{args.rig}.yaml'), args.namespace,
                            report=lambda line: print(line, flush=True))
    return supervisor.run()
