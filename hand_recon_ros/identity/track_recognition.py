"""Whose hands the tracks in view are, told from a few sights of each."""
from __future__ import annotations

from itertools import combinations

import numpy as np

from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.recognition import UNKNOWN, Recogniser, TrackShape
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.types import HandIdentity

SIGHTS = 8              # of a track: its shape hardly changes with more
FEWEST = 2              # before which nobody is named
NEAR_M = 0.12           # between the middles of two hands: their tracks may have been exchanged
NS_PER_S = 1e9


class TrackRecognition:
    """Follows tracks; each gets the name of the identity that its shape is like, once that is sure. Not thread-safe.

    Two tracks of one side that come near each other keep their names, but are told anew from what is seen afterwards:
    where they were exchanged, the names follow the hands.

    max_gap_s: a track unseen for longer is forgotten.
    """

    def __init__(self, calibration: ShapeCalibration, identities: list[HandIdentity], max_gap_s: float = 2.0):
        self._calibration, self._max_gap_s = calibration, max_gap_s
        self._recogniser = Recogniser(identities)
        self._collectors: dict[int, IdentityCollector] = {}
        self._shapes: dict[int, TrackShape] = {}
        self._seen: dict[int, Sight] = {}
        self._seen_ns: dict[int, int] = {}
        self.names: dict[int, str] = {}

    def add(self, sights: dict[int, Sight], stamp_ns: int) -> bool:
        """The sights of an instant by track id; True when `names` ({track id: name}, of recognised ones) changed."""
        before = dict(self.names)
        self._forget(stamp_ns)
        for track_id, sight in sights.items():
            self._seen[track_id], self._seen_ns[track_id] = sight, stamp_ns
        doubtful = self._near_each_other()
        for track_id in doubtful:
            self._collectors.pop(track_id, None)
            self._shapes.pop(track_id, None)
        learnt = [self._learn(track_id, sight) for track_id, sight in sights.items() if track_id not in doubtful]
        if any(learnt):
            self._name()
        return self.names != before

    def _learn(self, track_id: int, sight: Sight) -> bool:
        """Whether the shape of a track is better known now."""
        collector = self._collectors.setdefault(track_id, IdentityCollector(self._calibration, SIGHTS))
        if len(collector) >= SIGHTS or not collector.add(sight).taken or len(collector) < FEWEST:
            return False
        found = collector.calibrate()
        self._shapes[track_id] = TrackShape(sight.estimate.handedness, found.identity.shape, found.covariance)
        return True

    def _name(self) -> None:
        """Names by the shapes there are. What is not sure (again) leaves a track its name, unless another of its side
        surely is that person."""
        answers = self._recogniser.recognise(self._shapes)
        sure = {track_id: answer.name for track_id, answer in answers.items() if answer.name != UNKNOWN}
        taken = {(self._side(track_id), name) for track_id, name in sure.items()}
        kept = {track_id: name for track_id, name in self.names.items()
                if track_id not in sure and (self._side(track_id), name) not in taken}
        self.names = kept | sure

    def _side(self, track_id: int) -> str:
        return self._seen[track_id].estimate.handedness

    def _near_each_other(self) -> set[int]:
        """Tracks of which another one of the same side is, or was last seen, no farther than NEAR_M."""
        middles = {track_id: np.mean(sight.estimate.joints_m, 0) for track_id, sight in self._seen.items()}
        return {track_id for pair in combinations(middles, 2) for track_id in pair
                if self._side(pair[0]) == self._side(pair[1])
                and np.linalg.norm(middles[pair[0]] - middles[pair[1]]) < NEAR_M}

    def _forget(self, stamp_ns: int) -> None:
        """Tracks that ended; all of them when time jumps back."""
        for track_id, seen_ns in list(self._seen_ns.items()):
            if not 0 <= stamp_ns - seen_ns <= self._max_gap_s * NS_PER_S:
                for known in (self._seen, self._seen_ns, self._collectors, self._shapes):
                    known.pop(track_id, None)
                # Anew, for diagnostics read it in another thread.
                self.names = {known_id: name for known_id, name in self.names.items() if known_id != track_id}
