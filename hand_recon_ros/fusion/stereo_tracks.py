"""Hands followed over time by both cameras together: ids that outlive a lost view, the scale kept while one is lost."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.detection.tracking import right_probability
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import HandEstimate, HandIdentity, HandKeypoints

NS_PER_S = 1e9
FARTHEST_HANDS = 1.0        # mean landmark distance from the prediction, in hand sizes: beyond it, it is another hand
HANDEDNESS_COST = 0.5       # hand sizes: what full disagreement about handedness weighs against distance
LONGEST_COAST_S = 0.2       # velocity is trusted this long, then the prediction stands still
VELOCITY_MEMORY = 0.5
SHAPE_MEMORY = 30           # stereo instants over which the shape is averaged
SHAPE_STD = 0.1             # of a track's own averaged shape, model units: held firmly, not for certain


@dataclass
class StereoTrack:
    """One hand followed: its last fused estimate, velocity (3,) m/s and the mean shape of its stereo sights."""
    track_id: int
    estimate: HandEstimate
    stamp_ns: int
    right_vote: float
    velocity_m_s: np.ndarray = field(default_factory=lambda: np.zeros(3))
    shape: np.ndarray | None = None
    sights: int = 0

    def predicted_m(self, stamp_ns: int) -> np.ndarray:
        """Keypoints (21, 3) at a stamp by constant velocity, left frame."""
        coast_s = min((stamp_ns - self.stamp_ns) / NS_PER_S, LONGEST_COAST_S)
        return np.asarray(self.estimate.joints_m, np.float64) + self.velocity_m_s * coast_s

    def see(self, estimate: HandEstimate, stamp_ns: int, both: bool, right_probability: float) -> None:
        """Take up a new fused estimate; both: whether two views made it, so that its scale is measured."""
        elapsed_s = (stamp_ns - self.stamp_ns) / NS_PER_S
        if elapsed_s > 0:
            moved = np.mean(estimate.joints_m, 0, np.float64) - np.mean(self.estimate.joints_m, 0, np.float64)
            self.velocity_m_s = VELOCITY_MEMORY * self.velocity_m_s + (1 - VELOCITY_MEMORY) * moved / elapsed_s
        self.estimate, self.stamp_ns = estimate, stamp_ns
        self.right_vote = 0.9 * self.right_vote + 0.1 * right_probability
        if both:
            self.sights = min(self.sights + 1, SHAPE_MEMORY)
            shape = np.asarray(estimate.shape, np.float64)
            self.shape = shape if self.shape is None else self.shape + (shape - self.shape) / self.sights

    def held_shape(self) -> HandIdentity | None:
        """The track's own measured shape as an identity without a name, for a view alone; None before any stereo sight."""
        if self.shape is None:
            return None
        return HandIdentity('', self.estimate.model, self.shape, np.full(len(self.shape), SHAPE_STD), metric=True)


class StereoTracks:
    """Gives every hand of an instant the track it continues, judged in both images.

    max_gap_s: a hand unseen by both cameras for longer ends its track; ids are never used again. Stamps that run
    backward end all tracks.
    """

    def __init__(self, max_gap_s: float = 0.5):
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

    def continued(self, rig: StereoRig, hands: list[tuple[HandKeypoints | None, HandKeypoints | None]],
                  stamp_ns: int) -> list[StereoTrack | None]:
        """The track of each hand (left, right detection), None for a new one: least total image distance."""
        if not hands or not self.tracks:
            return [None] * len(hands)
        forbidden = 1e3
        costs = np.full((len(hands), len(self.tracks)), forbidden)
        for column, track in enumerate(self.tracks):
            predicted = rig.project(track.predicted_m(stamp_ns))
            for row, hand in enumerate(hands):
                away = [np.linalg.norm(seen.points_px - pixels, axis=1).mean() / max(seen.box_size_px, 1e-6)
                        for seen, pixels in zip(hand, predicted) if seen is not None]
                if np.mean(away) <= FARTHEST_HANDS:          # False for NaN: predicted outside the lens model
                    vote = np.mean([right_probability(seen) for seen in hand if seen is not None])
                    costs[row, column] = np.mean(away) + HANDEDNESS_COST * abs(vote - track.right_vote)
        rows, columns = linear_sum_assignment(costs)
        tracks = {int(row): self.tracks[column] for row, column in zip(rows, columns) if costs[row, column] < forbidden}
        return [tracks.get(row) for row in range(len(hands))]

    def add(self, estimate: HandEstimate, stamp_ns: int, right_probability: float) -> StereoTrack:
        """A new track for a hand that continues none."""
        track = StereoTrack(self._next_id, estimate, stamp_ns, right_probability)
        self._next_id += 1
        self.tracks.append(track)
        return track
