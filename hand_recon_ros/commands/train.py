"""`hand-recon train`: one named stage of one named system, on synthetic hands or on one's own data."""
from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'train a network: IKNet, DetNet or a stage of HandNet, on synthetic hands made on the spot or on a data set'
SYSTEMS = ('iknet', 'detnet', 'handnet')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command, one sub-parser per system."""
    from hand_recon_ros.training.hand_stages import STAGES
    parser.epilog = 'A run that was ended, by whatever, goes on exactly where it was by the same command.'
    systems = parser.add_subparsers(dest='system', required=True, metavar='SYSTEM')
    for name in SYSTEMS:
        system = systems.add_parser(name, help=f'train {name}', description=HELP)
        if name == 'handnet':
            system.add_argument('--stage', required=True, choices=STAGES, help='after the stages before it')
        system.add_argument('--config', default='small', help="'small', 'paper' or a .yaml file (%(default)s)")
        system.add_argument('--override', action='append', default=[], metavar='FIELD=VALUE',
                            help='another value for a field of the config, as schedule.steps=500; may be repeated')
        system.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder of the run, of all stages')
        system.add_argument('--data', action='append', default=[], metavar='[NAME:]ROOT[:SPLIT]',
                            help='what to learn from: shards, or another layout of docs/datasets.md; may be repeated: sets '
                                 "with other labels mix in a batch (default: the config's synthetic set, made first)")
        system.add_argument('--validation', action='append', default=[], metavar='[NAME:]ROOT[:SPLIT]',
                            help='held-out hands; goes with --data')
        system.add_argument('--model', default='open_hand', help='hand model whose parameters are learned (%(default)s)')
        system.add_argument('--device', default='cpu', help="of torch: 'cpu', 'cuda' (%(default)s)")
        system.add_argument('--threads', type=int, default=os.cpu_count(), help='of torch on the CPU (%(default)s)')
        if name != 'iknet':
            system.add_argument('--workers', type=int, default=0, help='processes that make batches (%(default)s)')
        system.add_argument('--json', type=Path, metavar='FILE', help='write the figures for machines')


def run(args: argparse.Namespace) -> int:
    """0 when the run came to its end; ValueError for what cannot be used."""
    import torch

    from hand_recon_ros.evaluation.learning_curves import draw_curves
    from hand_recon_ros.training.runs import RunOptions, train_detnet, train_handnet, train_iknet
    if args.threads < 1:
        raise ValueError(f'--threads: {args.threads}, expected at least 1')
    workers = getattr(args, 'workers', 0)
    if workers < 0:
        raise ValueError(f'--workers: {workers}, expected at least 0')
    try:
        torch.zeros(1, device=args.device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f'--device: {args.device!r}, but torch finds no such device, expected cpu or cuda') from error
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f'--out: {args.out}: {error.strerror}, expected a folder') from error
    torch.set_num_threads(args.threads)
    options = RunOptions(args.config, args.out, tuple(args.override), tuple(args.data), tuple(args.validation), args.model,
                         args.device, workers, shlex.join(['hand-recon', *sys.argv[1:]]))
    try:
        if args.system == 'handnet':
            ended = train_handnet(options, args.stage)
        else:
            ended = {'iknet': train_iknet, 'detnet': train_detnet}[args.system](options)
    except KeyboardInterrupt:
        print('hand-recon train: interrupted; the same command goes on from the last saved state', file=sys.stderr)
        raise
    if ended.weights is None:
        return 0
    draw_curves(ended.fitted.history, ended.task, ended.weights.parent / 'curves.png')
    last = ended.fitted.history[-1]
    print(f'{ended.weights}: best at step {ended.fitted.progress.best_step} of {ended.fitted.progress.step}')
    for name, value in last.items():
        print(f'  {name:20} {value:.5g}')
    if args.json:
        write_figures(args.json, {'weights': str(ended.weights), 'best_step': ended.fitted.progress.best_step,
                                  'best': ended.fitted.progress.best, 'last': last})
    return 0
