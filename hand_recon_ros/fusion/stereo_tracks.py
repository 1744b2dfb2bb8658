"""Hands followed over time by both cameras together: ids that outlive a lost view, the scale kept while one is lost."""
from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from hand_recon_ros.types import HandEstimate, HandIdentity

NS_PER_S = 1e9
LONGEST_COAST_S = 0.2       # velocity is trusted this long, then the prediction stands still
VELOCITY_MEMORY = 0.5
FASTEST_M_S = 2.5
HANDEDNESS_MEMORY = 10.0    # sights: so many sure ones of the other side undo what is settled, and no fewer
FIRST_SIGHT = 3.0           # sights: what a hand's first one counts for
SETTLED = 3.0               # sights more of one side than of the other after which there is no doubt
SHAPE_MEMORY = 30           # stereo instants over which the shape is averaged
SHAPE_STD = 0.1             # stated of a track's own averaged shape, model units; fits hold any identity's shape


@dataclass
class StereoTrack:
    """One hand followed: its last fused estimate, velocity (3,) m/s and the mean shape of its stereo sights.

    right_evidence: sights of a right hand less those of a left one, each by how sure it is, within HANDEDNESS_MEMORY.
    interval_s: between its last two sights. middle_m: (3,) of its keypoints when two views that agree last measured
    it, at measured_ns, with measured_std_m (21,).
    """
    track_id: int
    estimate: HandEstimate
    stamp_ns: int
    right_evidence: float
    velocity_m_s: np.ndarray = field(default_factory=lambda: np.zeros(3))
    interval_s: float = 0.0
    shape: np.ndarray | None = None
    sights: int = 0
    middle_m: np.ndarray | None = None
    measured_std_m: np.ndarray | None = None
    measured_ns: int = 0

    @property
    def right_probability(self) -> float:
        """How sure the track is of a right hand, 0..1; slips of single sights do not move a settled one."""
        return 0.5 + 0.5 * float(np.clip(self.right_evidence / SETTLED, -1.0, 1.0))

    @property
    def handedness(self) -> str:
        """The side that the evidence is for."""
        return 'right' if self.right_evidence > 0 else 'left'

    def handedness_with(self, right_probability: float) -> str:
        """The side that the evidence is for, a sight's own among it."""
        return 'right' if self._evidence(right_probability) > 0 else 'left'

    @property
    def measured(self) -> bool:
        """Whether both views have measured its place and scale at some time."""
        return self.sights > 0

    def lost_s(self, stamp_ns: int) -> float:
        """How long it has not been seen for: 0 in the instant after its last sight."""
        return max((stamp_ns - self.stamp_ns) / NS_PER_S - self.interval_s, 0.0)

    def predicted_m(self, stamp_ns: int) -> np.ndarray:
        """Keypoints (21, 3) at a stamp by constant velocity, left frame."""
        coast_s = min((stamp_ns - self.stamp_ns) / NS_PER_S, LONGEST_COAST_S)
        return np.asarray(self.estimate.joints_m, np.float64) + self.velocity_m_s * coast_s

    def judge(self, right_probability: float) -> None:
        """Take up what a sight says about the side."""
        self.right_evidence = self._evidence(right_probability)

    def _evidence(self, right_probability: float) -> float:
        evidence = self.right_evidence + 2.0 * right_probability - 1.0
        return float(np.clip(evidence, -HANDEDNESS_MEMORY, HANDEDNESS_MEMORY))

    def see(self, estimate: HandEstimate, stamp_ns: int, eye_m: np.ndarray | None = None) -> None:
        """Take up a new fused estimate. eye_m: (3,) the only camera that sees it, left frame; None for both, which
        measure its scale."""
        elapsed_s = (stamp_ns - self.stamp_ns) / NS_PER_S
        if elapsed_s > 0:
            now, before = (np.mean(hand.joints_m, 0, np.float64) for hand in (estimate, self.estimate))
            moved = now - before
            if eye_m is not None:
                # How far away it is, one camera knows too badly for a speed.
                sight = (now - eye_m) / np.linalg.norm(now - eye_m)
                moved = moved - sight * (sight @ moved)
            velocity = VELOCITY_MEMORY * self.velocity_m_s + (1 - VELOCITY_MEMORY) * moved / elapsed_s
            self.velocity_m_s = velocity * min(1.0, FASTEST_M_S / max(np.linalg.norm(velocity), 1e-9))
            self.interval_s = elapsed_s
        self.estimate, self.stamp_ns = estimate, stamp_ns
        if eye_m is None:
            self.sights = min(self.sights + 1, SHAPE_MEMORY)
            shape = np.asarray(estimate.shape, np.float64)
            self.shape = shape if self.shape is None else self.shape + (shape - self.shape) / self.sights

    def hold(self, estimate: HandEstimate, stamp_ns: int) -> None:
        """Remember where two views that agree have measured it."""
        self.middle_m, self.measured_ns = np.mean(estimate.joints_m, 0, np.float64), stamp_ns
        self.measured_std_m = estimate.joint_std_m

    def held_shape(self) -> HandIdentity | None:
        """The track's own measured shape as an identity without name, for one view; None before two views saw it."""
        if self.shape is None:
            return None
        return HandIdentity('', self.estimate.model, self.shape, np.full(len(self.shape), SHAPE_STD), metric=True)


class StereoTracks:
    """The tracks that live, and their ids.

    max_gap_s: a hand unseen by both cameras for longer ends its track; ids are never used again. Stamps that run
    backward end all tracks.
    """

    def __init__(self, max_gap_s: float = 1.0):
        if not (np.isfinite(max_gap_s) and max_gap_s >= 0):
            raise ValueError(f'max_gap_s: {max_gap_s!r}, expected seconds, at least 0')
        self.max_gap_s = float(max_gap_s)
        self.tracks: list[StereoTrack] = []
        self._next_id = 0
        self._last_ns: int | None = None

    def begin(self, stamp_ns: int) -> None:
        """Start an instant: end the tracks whose hand is long gone, or all after a jump back in time."""
        if self._last_ns is not None and stamp_ns < self._last_ns:
            self.tracks = []
        self._last_ns = stamp_ns
        self.tracks = [track for track in self.tracks if stamp_ns - track.stamp_ns <= self.max_gap_s * NS_PER_S]

    def assumed_shape(self, track: StereoTrack | None) -> HandIdentity | None:
        """The shape of a hand that one view alone sees: its own where both have measured it, else that of the other
        hands in view, which mostly are the same person's and are any adult's at the worst; None where none is known."""
        if track is not None and track.shape is not None:
            return track.held_shape()
        others = [other for other in self.tracks if other.shape is not None]
        if not others:
            return None
        return replace(max(others, key=lambda other: other.sights).held_shape(), metric=False)

    def add(self, estimate: HandEstimate, stamp_ns: int, right_probability: float) -> StereoTrack:
        """A new track for a hand that continues none."""
        track = StereoTrack(self._next_id, estimate, stamp_ns, FIRST_SIGHT * (2.0 * right_probability - 1.0))
        self._next_id += 1
        self.tracks.append(track)
        return track
