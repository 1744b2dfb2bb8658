"""Whose hands the tracks in view are, told from a few sights of each."""
from __future__ import annotations

from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.collector import IdentityCollector
from hand_recon_ros.identity.recognition import UNKNOWN, Recogniser, TrackShape
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.types import HandIdentity

SIGHTS = 8              # of a track: its shape hardly changes with more
FEWEST = 2              # before which nobody is named
NS_PER_S = 1e9


class TrackRecognition:
    """Follows tracks; each gets the name of the identity that its shape is like, once that is sure. Not thread-safe.

    max_gap_s: a track unseen for longer is forgotten.
    """

    def __init__(self, calibration: ShapeCalibration, identities: list[HandIdentity], max_gap_s: float = 2.0):
        self._calibration, self._max_gap_s = calibration, max_gap_s
        self._recogniser = Recogniser(identities)
        self._collectors: dict[int, IdentityCollector] = {}
        self._shapes: dict[int, TrackShape] = {}
        self._seen_ns: dict[int, int] = {}
        self.names: dict[int, str] = {}

    def add(self, sights: dict[int, Sight], stamp_ns: int) -> bool:
        """The sights of an instant by track id; True when `names` ({track id: name}, of recognised ones) changed."""
        before = dict(self.names)
        self._forget(stamp_ns)
        learnt = False
        for track_id, sight in sights.items():
            self._seen_ns[track_id] = stamp_ns
            collector = self._collectors.setdefault(track_id, IdentityCollector(self._calibration, SIGHTS))
            if len(collector) < SIGHTS and collector.add(sight).taken and len(collector) >= FEWEST:
                found = collector.calibrate()
                self._shapes[track_id] = TrackShape(sight.estimate.handedness, found.identity.shape, found.covariance)
                learnt = True
        if learnt:
            answers = self._recogniser.recognise(self._shapes)
            self.names = {track_id: answer.name for track_id, answer in answers.items() if answer.name != UNKNOWN}
        return self.names != before

    def _forget(self, stamp_ns: int) -> None:
        """Tracks that ended; all of them when time jumps back."""
        for track_id, seen_ns in list(self._seen_ns.items()):
            if not 0 <= stamp_ns - seen_ns <= self._max_gap_s * NS_PER_S:
                for known in (self._seen_ns, self._collectors, self._shapes, self.names):
                    known.pop(track_id, None)
