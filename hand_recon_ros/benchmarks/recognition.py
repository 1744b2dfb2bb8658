"""Whose hands they are, by shape alone: known people named rightly and wrongly, strangers taken for somebody."""
from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.benchmarks.person_sights import SightMaker
from hand_recon_ros.benchmarks.rendered_people import SeenPerson, add_people_arguments, seen_people
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.recognition import UNKNOWN, Recogniser, TrackShape
from hand_recon_ros.identity.responses import response_of
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.types import HANDEDNESS, HandIdentity

HELP = 'whose hand it is, told from the shape: right, wrong and unknown names, strangers accepted, over sights'
MODEL = 'open_hand'
DRAWS, SEED = 20, 0        # of the other people whose identities are stored too


@dataclass(frozen=True)
class Tracked:
    """One hand of a person in the second half of the recording, by its first `count` sights."""
    person: str
    count: int
    shape: TrackShape


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    add_people_arguments(parser)
    parser.add_argument('--frames', type=int, default=20, metavar='K', help='sights an identity (default %(default)s)')
    parser.add_argument('--sights', type=int, nargs='+', default=[2, 4, 8], metavar='N',
                        help='sights of a track before it is named (default %(default)s)')
    parser.add_argument('--stored', type=int, nargs='+', default=[1, 2, 5, 30], metavar='N',
                        help='identities stored (default %(default)s)')


def run(args: argparse.Namespace) -> dict:
    """Rows: by number of identities stored and of sights. Identities are of the first half of every recording, tracks
    of the second. right, wrong, unknown: shares of known people's tracks. nearest_right: share whose likeliest stored
    identity is theirs, sure or not. stranger_named: share of tracks of people not stored that got a name."""
    for name in ('sights', 'stored'):
        if min(getattr(args, name)) < 1:
            raise ValueError(f'--{name}: {getattr(args, name)}, expected at least 1')
    prepare_jax()
    model = load_hand_model(MODEL)
    calibration = ShapeCalibration(model, response_of(args.detector, args.offsets, model))
    maker = SightMaker(model, load_offsets('mediapipe', args.offsets).offsets_m)
    identities, tracks = {}, []
    for person in seen_people(args):
        instants = maker.stereo(person)
        half = len(instants) // 2
        identities[person.name] = _gathered(calibration, sum(instants[:half], []), args.frames).calibrate(
            person.name).identity
        tracks += _tracks(calibration, person, sum(instants[half:], []), args.sights)
    rng = np.random.default_rng(SEED)
    rows = [_row(identities, [track for track in tracks if track.count == count], count, stored, rng)
            for stored in args.stored for count in args.sights if stored <= len(identities)]
    return {'name': 'recognition', 'rows': rows, 'people': list(identities)}


def _gathered(calibration: ShapeCalibration, sights: list[Sight], most: int) -> IdentityCollector:
    collector = IdentityCollector(calibration, most)
    for sight in sights:
        collector.take(sight)
    if not len(collector):
        raise ValueError('sights: none usable, expected one person\'s hands in both halves of the recording')
    return collector


def _tracks(calibration: ShapeCalibration, person: SeenPerson, sights: list[Sight], counts: list[int]) -> list[Tracked]:
    found = []
    for side in HANDEDNESS:
        own = [sight for sight in sights if sight.estimate.handedness == side]
        kept = _gathered(calibration, own, max(counts)) if own else ()
        for count in counts:
            if count <= len(kept):
                result = calibration.calibrate(kept.sights[:count], '', kept.qualities[:count])
                shape = TrackShape(side, result.identity.shape, result.covariance)
                found.append(Tracked(person.name, count, shape))
    return found


def _row(identities: dict[str, HandIdentity], tracks: list[Tracked], count: int, stored: int, rng) -> dict:
    """Averages over tracks and over who else is stored."""
    right = wrong = nearest = known = named = strangers = 0
    for track in tracks:
        others = [name for name in identities if name != track.person]
        for _ in range(1 if stored == len(identities) else DRAWS):
            drawn = list(rng.choice(others, stored - 1, replace=False))
            answer = Recogniser([identities[name] for name in [track.person, *drawn]]).recognise({0: track.shape})[0]
            known += 1
            right += answer.name == track.person
            wrong += answer.name not in (track.person, UNKNOWN)
            candidates = {name: share for name, share in answer.candidates.items() if name != UNKNOWN}
            nearest += max(candidates, key=candidates.get) == track.person
            if stored <= len(others):
                drawn = rng.choice(others, stored, replace=False)
                answer = Recogniser([identities[name] for name in drawn]).recognise({0: track.shape})[0]
                strangers += 1
                named += answer.name != UNKNOWN
    share = lambda part, of: float(part / of) if of else None       # noqa: E731
    return {'case': f'{stored} stored, {count} sights', 'tracks': len(tracks), 'right': share(right, known),
            'wrong': share(wrong, known), 'unknown': share(known - right - wrong, known),
            'nearest_right': share(nearest, known), 'stranger_named': share(named, strangers), 'ours_ms': None,
            'reference_ms': None, 'ratio': None}
