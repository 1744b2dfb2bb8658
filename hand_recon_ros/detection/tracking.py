"""Track ids of detected hands: stable through short losses and crossings, never reused; handedness by vote."""
from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.types import HandKeypoints

NS_PER_S = 1e9
FARTHEST_MATCH = 1.0        # mean landmark distance from the prediction, in hand sizes, beyond which it is another hand
HANDEDNESS_COST = 0.4       # hand sizes: what full disagreement about handedness weighs against distance
LONGEST_COAST_S = 0.15      # velocity is trusted this long, then the prediction stands still
VELOCITY_MEMORY = 0.5       # weight of the older velocity; a landmark jitters by as much as a slow hand moves
VOTES_KEPT = 30             # frames of handedness remembered: a second of video


@dataclass
class Track:
    """One hand followed: its last sight, velocity (2,) px/s and the latest votes, each the probability of 'right'."""
    track_id: int
    hand: HandKeypoints
    stamp_ns: int
    velocity_px_s: np.ndarray = field(default_factory=lambda: np.zeros(2))
    votes: deque = field(default_factory=lambda: deque(maxlen=VOTES_KEPT))

    def __post_init__(self):
        self.votes.append(right_probability(self.hand))

    @property
    def right_vote(self) -> float:
        """Mean probability of 'right' over the latest sights."""
        return float(np.mean(self.votes))

    def predicted_px(self, stamp_ns: int) -> np.ndarray:
        """(21, 2): where the landmarks should be by constant velocity."""
        coast_s = min((stamp_ns - self.stamp_ns) / NS_PER_S, LONGEST_COAST_S)
        return self.hand.points_px + self.velocity_px_s * coast_s

    def see(self, hand: HandKeypoints, stamp_ns: int) -> None:
        """Takes up a new sight of the hand."""
        elapsed_s = (stamp_ns - self.stamp_ns) / NS_PER_S
        if elapsed_s > 0:
            moved = hand.points_px.mean(0) - self.hand.points_px.mean(0)
            self.velocity_px_s = VELOCITY_MEMORY * self.velocity_px_s + (1 - VELOCITY_MEMORY) * moved / elapsed_s
        self.hand, self.stamp_ns = hand, stamp_ns
        self.votes.append(right_probability(hand))


def right_probability(hand: HandKeypoints) -> float:
    """Probability that the hand is a right hand, by this sight alone."""
    return hand.handedness_score if hand.handedness == 'right' else 1.0 - hand.handedness_score


class HandTracker:
    """Gives every hand the id of the track it continues, by optimal assignment of distance and handedness.

    max_gap_s: a hand unseen for longer gets a new id. vote_handedness: report the handedness that the track's latest
    frames agree on, so that a single frame's slip does not flip the hand; False passes each frame's own answer on.
    One tracker per camera. Stamps that run backward (a recording that starts over) end all tracks.
    """

    def __init__(self, max_gap_s: float = 0.5, vote_handedness: bool = True):
        if not (np.isfinite(max_gap_s) and max_gap_s >= 0):
            raise ValueError(f'max_gap_s: {max_gap_s!r}, expected seconds, at least 0')
        self.max_gap_s, self.vote_handedness = float(max_gap_s), bool(vote_handedness)
        self._tracks: list[Track] = []
        self._next_id = 0
        self._last_stamp_ns: int | None = None

    def update(self, hands: list[HandKeypoints], stamp_ns: int) -> list[HandKeypoints]:
        """The same hands in the same order, with track ids. Call for every frame, also when nothing was detected."""
        if self._last_stamp_ns is not None and stamp_ns < self._last_stamp_ns:
            self._tracks = []
        self._last_stamp_ns = stamp_ns
        self._tracks = [track for track in self._tracks if stamp_ns - track.stamp_ns <= self.max_gap_s * NS_PER_S]
        continued = self._assign(hands, stamp_ns)
        named = []
        for index, hand in enumerate(hands):
            track = continued.get(index)
            if track is None:
                track = Track(self._next_id, hand, stamp_ns)
                self._next_id += 1
                self._tracks.append(track)
            else:
                track.see(hand, stamp_ns)
            named.append(self._named(hand, track))
        return named

    def _assign(self, hands: list[HandKeypoints], stamp_ns: int) -> dict[int, Track]:
        """Track continued by each hand (by its index): least total cost among pairs near enough."""
        if not hands or not self._tracks:
            return {}
        forbidden = 1e3     # above any real cost: such pairs are dropped after the assignment
        costs = np.full((len(hands), len(self._tracks)), forbidden)
        for row, hand in enumerate(hands):
            for column, track in enumerate(self._tracks):
                size = max(track.hand.box_size_px, hand.box_size_px, 1e-6)
                away = np.linalg.norm(hand.points_px - track.predicted_px(stamp_ns), axis=1).mean() / size
                if away <= FARTHEST_MATCH:
                    costs[row, column] = away + HANDEDNESS_COST * abs(right_probability(hand) - track.right_vote)
        rows, columns = linear_sum_assignment(costs)
        return {int(row): self._tracks[column] for row, column in zip(rows, columns) if costs[row, column] < forbidden}

    def _named(self, hand: HandKeypoints, track: Track) -> HandKeypoints:
        """The hand with its track's id and, where asked for, the handedness the track has agreed on."""
        if not self.vote_handedness:
            return replace(hand, track_id=track.track_id)
        vote = track.right_vote
        if vote == 0.5:     # undecided: this frame's own answer
            return replace(hand, track_id=track.track_id)
        return replace(hand, track_id=track.track_id, handedness='right' if vote > 0.5 else 'left',
                       handedness_score=max(vote, 1.0 - vote))
