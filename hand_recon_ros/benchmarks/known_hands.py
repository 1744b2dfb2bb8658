"""What a known hand is worth to the fusion: camera-space error with no, the calibrated and the true identity."""
from __future__ import annotations

import argparse

import numpy as np

from hand_recon_ros.benchmarks.person_sights import SightMaker
from hand_recon_ros.benchmarks.rendered_people import SeenPerson, add_people_arguments, seen_people
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.responses import response_of
from hand_recon_ros.types import HandIdentity

HELP = 'camera-space error of fused hands and spread of their length: no identity, calibrated, true'
MODEL = 'open_hand'
CASES = ('none', 'calibrated', 'true')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    add_people_arguments(parser)
    parser.add_argument('--frames', type=int, default=20, metavar='K', help='sights an identity (default %(default)s)')


def run(args: argparse.Namespace) -> dict:
    """Rows: an identity a line, of both views and of the left one alone. Calibrated in the first half of a recording,
    judged in the second. spread_mm: standard deviation of a person's hand length over the hands, mean of people."""
    prepare_jax()
    model = load_hand_model(MODEL)
    calibration = ShapeCalibration(model, response_of(args.detector, args.offsets, model))
    maker = SightMaker(model, load_offsets('mediapipe', args.offsets).offsets_m)
    errors = {(views, case): [] for views in ('both views', 'left view') for case in CASES}
    spreads, people = {key: [] for key in errors}, []
    for person in seen_people(args):
        people.append(person.name)
        for case, identity in zip(CASES, _identities(person, maker, calibration, args.frames)):
            for views in ('both views', 'left view'):
                found, lengths = _judged(person, maker, calibration, identity, views == 'both views')
                errors[views, case] += found
                spreads[views, case].append(np.std(lengths))
    rows = []
    for (views, case), found in errors.items():
        plain = np.mean(errors[views, 'none'])
        rows.append({'case': f'{views}, identity {case}', 'mpjpe_mm': float(np.mean(found)),
                     'p95_mm': float(np.percentile(found, 95)), 'of_none': float(np.mean(found) / plain),
                     'spread_mm': float(np.mean(spreads[views, case])), 'hands': len(found), 'ours_ms': None,
                     'reference_ms': None, 'ratio': None})
    return {'name': 'known_hands', 'rows': rows, 'people': people}


def _identities(person: SeenPerson, maker: SightMaker, calibration: ShapeCalibration, count: int) -> tuple:
    """As CASES."""
    instants = maker.stereo(person)
    collector = IdentityCollector(calibration, count)
    for sight in sum(instants[:len(instants) // 2], []):
        collector.take(sight)
    if not len(collector):
        raise ValueError(f'{person.name}: no usable hand in its first half, expected one person\'s hands in both views')
    std = np.zeros(len(person.shape))
    return None, collector.calibrate('calibrated').identity, HandIdentity('true', MODEL, person.shape, std, metric=True)


def _judged(person, maker, calibration, identity, both: bool) -> tuple[list[float], list[float]]:
    """Mean joint errors of the second half's matched hands, and all hands' lengths; millimetres."""
    maker.fuser.restart()
    errors, lengths = [], []
    for instant in person.instants[len(person.instants) // 2:]:
        left, right = maker.views(instant, identity)
        if not both:
            right = type(right)(right.frame, [], [])
        hands = [hand.estimate for hand in maker.fuser.fuse(person.rig, left, right, default_identity=identity)]
        for row, true in match_hands(hands, instant.truths):
            off_m = np.linalg.norm(hands[row].joints_m - instant.truths[true].joints_m, axis=1)
            errors.append(1e3 * float(off_m.mean()))
            lengths.append(float(calibration.measures.lengths_mm(hands[row].shape)[1]))
    return errors, lengths
