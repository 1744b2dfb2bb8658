"""A person calibrated through the live nodes: the spread of fused hands before and after, and in a fresh graph."""
from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.identity.measures import HandMeasures

HELP = 'calibration through the live stereo graph: feedback, file, latched topic, hand length before and after'
MODEL, NAME = 'open_hand', 'rendered'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('bag', metavar='BAG', help="recording of a rectified pair, one person's hands in it")
    parser.add_argument('--frames', type=int, default=20, metavar='K', help='sights gathered (default %(default)s)')
    parser.add_argument('--rate', type=float, default=1.0, metavar='R', help='playing speed (default %(default)s)')
    parser.add_argument('--offsets', default='synthetic', help='landmark table (default %(default)s)')
    parser.add_argument('--verbose', action='store_true', help='show every line of the nodes')


def run(args: argparse.Namespace) -> dict:
    """Rows: hands and their width and length, mean and spread, before and after calibration and in a graph that starts
    with the saved identity. ValueError when anything on the way does not happen."""
    from hand_recon_ros.nodes.session import choose_private_domain
    choose_private_domain()
    from hand_recon_ros.nodes.live_identity import LiveIdentity
    measures = HandMeasures(load_hand_model(MODEL))
    report = print if args.verbose else lambda _: None
    rows = []

    def show(what: str, hands) -> None:
        if not hands:
            raise ValueError(f'{args.bag}: no fused hands {what}, expected hands in both views')
        sizes = measures.lengths_mm(np.stack([hand.shape for hand in hands]))
        (width, length), spread = sizes.mean(0), sizes.std(0)
        rows.append({'case': what, 'hands': len(hands), 'width_mm': float(width), 'length_mm': float(length),
                     'width_spread_mm': float(spread[0]), 'length_spread_mm': float(spread[1]),
                     'named': float(np.mean([hand.identity == NAME for hand in hands])),
                     'metric': float(np.mean([hand.metric for hand in hands])), 'ours_ms': None,
                     'reference_ms': None, 'ratio': None})
    with tempfile.TemporaryDirectory(prefix='hand_recon_') as folder:
        with LiveIdentity(args.bag, Path(folder), args.offsets, args.rate, report=report) as live:
            show('before', live.play())
            result, heard = live.calibrate(NAME, args.frames)
            late = live.heard_late()
            show('calibrated', live.play())
        with LiveIdentity(args.bag, Path(folder), args.offsets, args.rate, (NAME,), report=report) as live:
            fresh = live.heard_late()
            show('fresh graph, by name', live.play())
        files = sorted(path.name for path in Path(folder).iterdir())
    gathered = [feedback for feedback in heard if not feedback.refusal]
    for feedback in gathered:
        print(f'{feedback.frames:3d} sights, {feedback.remaining:3d} wanted: width +- {feedback.width_std_mm:.2f}, '
              f'length +- {feedback.length_std_mm:.2f} mm', file=sys.stderr)
    return {'name': 'live_identity', 'rows': rows, 'files': files, 'late_subscriber_heard': late.name,
            'fresh_graph_heard': fresh.name, 'feedback': len(heard), 'gathered': len(gathered),
            'result_mm': {name: float(getattr(result, name)) for name in ('width_mm', 'width_std_mm', 'length_mm',
                                                                          'length_std_mm')}}
