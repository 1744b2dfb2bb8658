"""The papers' experiments repeated on this package's own hands: `bench papers --part 1` for the learned systems."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

HELP = "the papers' experiments on our own hands: ablations, inverse kinematics, every estimator, times"
# Part 1: IKNet, DetNet, HandNet. Those that need the ablation's own runs beside the shipped weights.
SECTIONS = ('handnet', 'segmentation', 'stereo', 'kinematics', 'iknet_ablation', 'estimators', 'times', 'weights')
OF_RUNS = ('handnet', 'iknet_ablation')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--part', type=int, default=1, choices=(1,), help='1: the learned systems (default %(default)s)')
    parser.add_argument('--sections', nargs='*', choices=SECTIONS, default=SECTIONS, help='which experiments (default all)')
    parser.add_argument('--runs', type=Path, metavar='DIR', default=Path('runs'),
                        help=f'folder of the runs that bench/train_papers.sh makes, for {" and ".join(OF_RUNS)} '
                             '(default %(default)s)')
    parser.add_argument('--samples', type=int, metavar='N', help='only the first N held-out samples')
    parser.add_argument('--frames', type=int, metavar='N', help='only the first N images of each benchmark set')
    parser.add_argument('--photos', type=Path, metavar='DIR',
                        help="photographs to draw every estimator's hands on, with --out")
    parser.add_argument('--out', type=Path, metavar='DIR', help='plots and contact sheets')


def run(args: argparse.Namespace) -> dict:
    """Rows of all sections. Lengths in mm, times in ms a hand, shares 0..1."""
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    for name, value in (('--samples', args.samples), ('--frames', args.frames)):
        if value is not None and value < 1:
            raise ValueError(f'{name}: {value}, expected at least 1')
    if args.photos and not args.out:
        raise ValueError('--photos: without --out, expected a folder for the contact sheets')
    if any(section in OF_RUNS for section in args.sections) and not args.runs.is_dir():
        raise ValueError(f'--runs: {args.runs} is no folder, expected the runs of bench/train_papers.sh '
                         f'(or --sections without {", ".join(OF_RUNS)})')
    prepare_jax()
    from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut
    held_out = HeldOut.of_small_recipe(args.samples) if set(args.sections) - {'estimators', 'weights'} else None
    curves: dict[str, np.ndarray] = {}
    rows = [row for section in args.sections for row in _section(section, held_out, args, curves)()]
    if args.photos:
        from hand_recon_ros.benchmarks.paper_parts.photo_sheet import draw_photo_sheets
        args.out.mkdir(parents=True, exist_ok=True)
        draw_photo_sheets(args.photos, args.out)
    if args.out and curves:
        from hand_recon_ros.evaluation.plots import draw_joint_curves
        args.out.mkdir(parents=True, exist_ok=True)
        draw_joint_curves(curves, 'HandNet: joints within a distance, aligned', args.out / 'handnet_pck.png')
    return {'name': 'papers', 'part': args.part, 'rows': rows,
            'units': '*_mm: millimetres, *_ms: milliseconds a hand, *_deg: degrees; others: shares, counts or ratios',
            'samples': None if held_out is None else len(held_out)}


def _section(name: str, held_out, args, curves) -> Callable[[], list[dict]]:
    """The section's rows, when called."""
    from hand_recon_ros.benchmarks.paper_parts import (estimators, hand_net, kinematics, segmentation, stage_times,
                                                       stereo_weights, weight_cards)
    return {'handnet': lambda: hand_net.hand_net_rows(held_out, args.runs, curves),
            'segmentation': lambda: segmentation.segmentation_rows(held_out),
            'stereo': lambda: stereo_weights.stereo_rows(held_out),
            'kinematics': lambda: kinematics.kinematics_rows(held_out),
            'iknet_ablation': lambda: kinematics.ablation_rows(held_out, args.runs),
            'estimators': lambda: estimators.estimator_rows(args.frames),
            'times': lambda: stage_times.time_rows(held_out),
            'weights': weight_cards.card_rows}[name]
