"""Who makes a hand's mesh: the arguments of every command that reconstructs."""
from __future__ import annotations

import argparse

from hand_recon_ros.estimation.names import AUTO, CHOICES


def add_estimator_arguments(parser: argparse.ArgumentParser) -> None:
    """--model, --estimator, --weights-dir and --tailor."""
    parser.add_argument('--model', default='open_hand', help='open_hand, or the path of your MANO_RIGHT .pkl/.npz')
    parser.add_argument('--estimator', default=AUTO,
                        help=f'initial estimate: {", ".join(CHOICES[1:])}; {AUTO}: iknet, or closed_form_ik for a model '
                             'without weights of it; handnet for --fusion weights (default %(default)s)')
    parser.add_argument('--weights-dir', default='', metavar='DIR',
                        help='your own .safetensors weights; those that are not there are the shipped ones')
    parser.add_argument('--tailor', choices=('gauss_newton', 'adam', 'none'),
                        help='refinement of one view (default: gauss_newton; none where two views are fused)')
