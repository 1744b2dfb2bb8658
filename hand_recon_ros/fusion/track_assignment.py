"""Which hands of an instant continue which tracks: both views and all tracks decided together, by least total cost."""
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.detection.duplicates import landmark_distance
from hand_recon_ros.detection.ray_meeting import meet
from hand_recon_ros.detection.tracking import right_probability
from hand_recon_ros.fusion.association import Association
from hand_recon_ros.fusion.stereo_tracks import StereoTrack
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import HandKeypoints

Pair = tuple[int | None, int | None]
UNKNOWN = np.full(3, np.nan)


@dataclass(frozen=True)
class Assigned:
    """One hand of the instant: indices into the left and right view's lists, and its track, None for a new one.

    middle_m: (3,) where the middles of both detections meet, left frame; None for one view, and where they do not.
    """
    pair: Pair
    track: StereoTrack | None
    middle_m: np.ndarray | None = None


@dataclass(frozen=True)
class TrackAssignment:
    """Costs of the assignment, in hand sizes of the image unless said otherwise.

    farthest: mean landmark distance from a track's prediction beyond which a detection is another hand; reach_per_s:
    by how much that grows while the hand is lost. unseen_cost: of a track without a detection in a view, and of a
    detection without a track. handedness_cost: of full disagreement about handedness. split_cost: of giving a track one
    detection of two that can be one hand, and the other to another track or none. doubt_cost: of a detection without
    score. pair_weight: on what keeps two detections from being one hand. depth_m: distance of a triangulated hand
    from its track's prediction that weighs as one hand size; farthest_m, speed_m_s: beyond the former, which grows by
    the latter while lost, a hand once measured by both views does not come back. crowd: a detection that continues no
    track and is nearer to one is that hand seen a second time. again_m, again: a hand that would be new, of the side
    of a track that nothing continues and nearer to it than that (again in the image, where one view sees it), is that
    hand. hidden: of two tracks' detections nearer to each other, one is the hand in front read a second time, in
    place of the hand behind it.
    """
    association: Association = field(default_factory=Association)
    farthest: float = 1.0
    reach_per_s: float = 2.0
    unseen_cost: float = 0.5
    handedness_cost: float = 0.8
    split_cost: float = 0.5
    doubt_cost: float = 0.3
    pair_weight: float = 5.0
    depth_m: float = 0.2
    farthest_m: float = 0.15
    speed_m_s: float = 1.0
    crowd: float = 0.6
    hidden: float = 0.3
    again_m: float = 0.35
    again: float = 2.5

    def assign(self, rig: StereoRig, left: list[HandKeypoints], right: list[HandKeypoints], tracks: list[StereoTrack],
               stamp_ns: int, most: int) -> list[Assigned]:
        """Hands that continue tracks, then at most as many new ones as make `most`. A detection is of one hand."""
        views = left, right
        pair_costs = self.association.costs(rig, left, right)
        middles = _middles(rig, views, np.argwhere(np.isfinite(pair_costs)))
        away = [self._away(rig, views, track, stamp_ns) for track in tracks]
        options = [self._options(views, track, stamp_ns, distances, pair_costs, middles)
                   for track, distances in zip(tracks, away)]
        chosen = self._in_front(views, away, _least(options, self.split_cost * np.isfinite(pair_costs)))
        continued = [Assigned(pair, track, middles.get(pair)) for pair, track in zip(chosen, tracks)
                     if pair != (None, None)]
        taken = [{hand.pair[view] for hand in continued} for view in (0, 1)]
        free = [[k for k in range(len(views[view])) if k not in taken[view]
                 and all(distances[view][k] >= self.crowd for distances in away)] for view in (0, 1)]
        new = self._new(rig, views, free)[:max(most - len(continued), 0)]
        lost = [(track, distances) for track, distances, pair in zip(tracks, away, chosen) if pair == (None, None)]
        return continued + self._found_again(views, new, lost, middles, stamp_ns)

    def _found_again(self, views, new: list[Pair], lost, middles, stamp_ns: int) -> list[Assigned]:
        """The hands under the lost tracks of their side that they are not too far from, the others as new ones."""
        costs = np.full((len(new), len(lost)), np.inf)
        for row, pair in enumerate(new):
            seen = [(view, k) for view, k in enumerate(pair) if k is not None]
            side = np.mean([right_probability(views[view][k]) for view, k in seen])
            for column, (track, distances) in enumerate(lost):
                cost = np.mean([distances[view][k] for view, k in seen]) / self.again
                if track.measured and None not in pair:
                    reach_m = self.again_m + self.speed_m_s * track.lost_s(stamp_ns)
                    middle = middles.get(pair, UNKNOWN)
                    cost = float(np.linalg.norm(middle - track.predicted_m(stamp_ns).mean(0))) / reach_m
                if cost <= 1.0 and abs(side - track.right_probability) < 0.5:
                    costs[row, column] = cost
        forbidden = 1e3
        rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, forbidden))
        again = {int(r): lost[c][0] for r, c in zip(rows, columns) if np.isfinite(costs[r, c])}
        return [Assigned(pair, again.get(row), middles.get(pair)) for row, pair in enumerate(new)]

    def _away(self, rig: StereoRig, views, track: StereoTrack, stamp_ns: int) -> list[np.ndarray]:
        """Of every detection of each view: mean landmark distance from the track's prediction; inf where unknown."""
        predicted = rig.project(track.predicted_m(stamp_ns))
        distances = []
        for seen, pixels in zip(views, predicted):
            away = np.array([np.linalg.norm(hand.points_px - pixels, axis=1).mean() / max(hand.box_size_px, 1e-6)
                             for hand in seen])
            distances.append(np.where(np.isfinite(away), away, np.inf))
        return distances

    def _in_front(self, views, away, chosen: list[Pair]) -> list[Pair]:
        """The choice without detections that read the hand in front of their own: the one farther from its track."""
        kept = [list(pair) for pair in chosen]
        for view, hands in enumerate(views):
            for one, other in combinations(range(len(kept)), 2):
                k, m = kept[one][view], kept[other][view]
                if k is None or m is None or landmark_distance(hands[k], hands[m]) >= self.hidden:
                    continue
                worse = one if away[one][view][k] > away[other][view][m] else other
                kept[worse][view] = None
        return [tuple(pair) for pair in kept]

    def _options(self, views, track, stamp_ns, distances, pair_costs, middles) -> list[tuple[float, Pair]]:
        """What a track could be continued by, best first, each with what it costs beyond leaving all alone."""
        lost_s = track.lost_s(stamp_ns)
        reach = self.farthest + self.reach_per_s * lost_s
        likely = []
        for seen, away in zip(views, distances):
            unlike = np.array([abs(right_probability(hand) - track.right_probability) for hand in seen])
            doubt = np.array([1.0 - hand.score for hand in seen])
            cost = away + self.handedness_cost * unlike + self.doubt_cost * doubt
            likely.append(np.where(away <= reach, cost, np.inf))
        gain = 2 * self.unseen_cost
        options = [(0.0, (None, None))]
        options += [(cost - gain, (k, None)) for k, cost in enumerate(likely[0])]
        options += [(cost - gain, (None, k)) for k, cost in enumerate(likely[1])]
        predicted = track.predicted_m(stamp_ns).mean(0)
        for row, column in np.argwhere(np.isfinite(pair_costs)).tolist():
            off_m = float(np.linalg.norm(middles.get((row, column), UNKNOWN) - predicted))
            if track.measured and not off_m <= self.reach_m(lost_s):
                continue
            cost = likely[0][row] + likely[1][column] + self.pair_weight * pair_costs[row, column]
            cost += off_m / self.depth_m if track.measured else 0.0
            options.append((cost - 2 * gain, (row, column)))
        return sorted((option for option in options if option[0] <= 0), key=lambda option: option[0])

    def reach_m(self, lost_s: float) -> float:
        """Farthest from its prediction that a measured hand is seen again after so long."""
        return self.farthest_m + self.speed_m_s * lost_s

    def _new(self, rig, views, free) -> list[Pair]:
        """Hands of detections that continue no track: pairs first, then those that one view sees, surest first."""
        left, right = ([view[k] for k in kept] for view, kept in zip(views, free))
        pairs = [(free[0][row], free[1][column]) for row, column in self.association.match(rig, left, right)]
        alone = [(k, None) for k in free[0] if k not in {row for row, _ in pairs}]
        alone += [(None, k) for k in free[1] if k not in {column for _, column in pairs}]
        scores = {pair: max(view[k].score for view, k in zip(views, pair) if k is not None) for pair in alone}
        return pairs + sorted(alone, key=lambda pair: -scores[pair])


def _middles(rig: StereoRig, views, pairs) -> dict[Pair, np.ndarray]:
    """Where the middles of both detections of each pair (N, 2) of indices meet, (3,) m, left frame; none where they do
    not."""
    if not len(pairs):
        return {}
    points, _ = meet(rig, *(np.stack([seen[k].points_px.mean(0) for k in column])
                            for seen, column in zip(views, pairs.T)))
    return {(int(row), int(column)): point for (row, column), point in zip(pairs, points)
            if np.isfinite(point).all()}


def _least(options: list[list[tuple[float, Pair]]], split_costs: np.ndarray) -> list[Pair]:
    """One option a track, no detection twice, of least total cost, by branch and bound.

    options: per track, cheapest first. split_costs: (left, right) of two detections of which a track gets one alone.
    """
    bounds = np.concatenate([np.cumsum([choices[0][0] for choices in options][::-1])[::-1], [0.0]])
    best: tuple[float, list[Pair]] = (np.inf, [])

    def extend(cost: float, chosen: list[Pair]) -> None:
        nonlocal best
        if cost + bounds[len(chosen)] >= best[0]:
            return
        if len(chosen) == len(options):
            cost += _split(chosen, split_costs)
            best = min(best, (cost, chosen), key=lambda found: found[0])
            return
        for more, pair in options[len(chosen)]:
            if all(k is None or all(k != other[view] for other in chosen) for view, k in enumerate(pair)):
                extend(cost + more, [*chosen, pair])

    extend(0.0, [])
    return best[1]


def _split(chosen: list[Pair], split_costs: np.ndarray) -> float:
    """Sum over all pairs of detections, neither part of a whole pair, of which a track gets one."""
    whole = [{pair[view] for pair in chosen if None not in pair} for view in (0, 1)]
    alone = [{pair[view] for pair in chosen if None in pair} - {None} for view in (0, 1)]
    return float(sum(split_costs[row, column] for row, column in np.ndindex(split_costs.shape)
                     if row not in whole[0] and column not in whole[1] and (row in alone[0] or column in alone[1])))
