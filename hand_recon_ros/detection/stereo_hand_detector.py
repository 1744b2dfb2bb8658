"""Hands in two images of one instant: the crops of both views in one batch, one view's hand sought in the other."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.detection.duplicates import SAME_HAND_DISTANCE, landmark_distance
from hand_recon_ros.detection.hand_networks import HandNetworks, SearchPolicy
from hand_recon_ros.detection.detector import checked_max_hands
from hand_recon_ros.detection.hand_regions import HandRegion
from hand_recon_ros.detection.landmark_network import HandReading
from hand_recon_ros.detection.stereo_regions import LEFT, RIGHT, in_other_view, one_hand, paired_regions
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import Frame, HandKeypoints, checked

NS_PER_S = 1e9
LONGEST_COAST_S = 0.15      # velocity is trusted this long
HANDEDNESS_COST = 0.03      # of unlike handedness, beside the epipolar distance (shares of the box)


@dataclass(frozen=True)
class PredictedHand:
    """Where a hand should be in both images: (21, 2) landmarks in pixels, None where it is out of view or unknown.

    track_id: comes back on the hand's keypoints; -1 gives it a new one.
    """
    left_px: np.ndarray | None = None
    right_px: np.ndarray | None = None
    track_id: int = -1

    def __post_init__(self):
        if self.left_px is None and self.right_px is None:
            raise ValueError('predicted: left_px and right_px both None, expected at least one')
        for name in ('left_px', 'right_px'):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checked(f'predicted {name}', getattr(self, name), (21, 2)))

    @property
    def views_px(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        return self.left_px, self.right_px


@dataclass
class FollowedHand:
    """One hand's latest readings and centre velocities (2,) px/s in both views, None in a view that did not show it."""
    track_id: int
    readings: list[HandReading | None]
    velocities: list[np.ndarray] = field(default_factory=lambda: [np.zeros(2), np.zeros(2)])

    def predicted(self, elapsed_s: float) -> PredictedHand:
        """Where it should be after a time, by constant velocity of its landmarks' centre."""
        coast_s = min(elapsed_s, LONGEST_COAST_S)
        return PredictedHand(*(None if reading is None else reading.points_px + velocity * coast_s
                               for reading, velocity in zip(self.readings, self.velocities)), self.track_id)

    def move(self, before: FollowedHand, elapsed_s: float) -> None:
        """Takes the velocity from the readings of the instant before."""
        for view, (old, new) in enumerate(zip(before.readings, self.readings)):
            if elapsed_s > 0 and old is not None and new is not None:
                self.velocities[view] = (new.points_px.mean(0) - old.points_px.mean(0)) / elapsed_s


class StereoHandDetector:
    """Follows hands through the two image streams of a rig.

    rig: where the cameras stand. max_hands, min_detection_score, min_tracking_score, threads, precision: as of
    HandNetworksDetector. paired: in a rectified rig, crops of one hand alike in both views, see paired_regions.

    Each instant: every known hand is read in both views at once (a view that did not show it yet: where the rig says it
    should be), all crops in one batch. Palms are searched for as SearchPolicy says, one view an instant, in turns; what
    the search finds in one view is looked for in the other in the same instant. Both readings of a hand carry one
    track_id. Two readings that cannot be of one hand go on as two hands. Not for use from two threads.
    """
    name = 'mediapipe'      # of the landmarks' definition: tables of offsets hold

    def __init__(self, rig: StereoRig, max_hands: int = 2, min_detection_score: float = 0.5,
                 min_tracking_score: float = 0.5, threads: int = 1, precision: str = 'auto', paired: bool = True):
        self.max_hands, self._wants_paired = checked_max_hands(max_hands), bool(paired)
        self._networks = HandNetworks((1, 2, 4), min_detection_score, min_tracking_score, threads, precision)
        self._next_id = 0
        self.use(rig)

    def use(self, rig: StereoRig) -> None:
        """Another rig from now on; the hands followed so far are forgotten."""
        self.rig, self._paired = rig, self._wants_paired and rig.is_rectified
        self.restart()

    def detect(self, left: Frame, right: Frame,
               predicted: list[PredictedHand] | None = None) -> tuple[list[HandKeypoints], list[HandKeypoints]]:
        """Hands of both images, at most `max_hands` each, in pixels of each image.

        predicted: where the caller's own tracks expect hands; None: where this detector's own do. ValueError when an
        image is missing or not of the rig's size. A backward stamp starts afresh.
        """
        if self._networks is None:
            raise ValueError('detector: already closed')
        for name, frame, camera in (('left', left, self.rig.left), ('right', right, self.rig.right)):
            if frame.image is None:
                raise ValueError(f'{name}.image: None, expected the (H, W, 3) RGB image to search for hands')
            if (frame.width, frame.height) != (camera.width, camera.height):
                raise ValueError(f'{name}: {frame.width} x {frame.height}, expected the rig\'s '
                                 f'{camera.width} x {camera.height}')
        if self._stamp_ns is not None and left.stamp_ns < self._stamp_ns:
            self._forget()
        elapsed_s = 0.0 if self._stamp_ns is None else (left.stamp_ns - self._stamp_ns) / NS_PER_S
        self._stamp_ns = left.stamp_ns
        before = {hand.track_id: hand for hand in self._followed}
        if predicted is None:
            predicted = [hand.predicted(elapsed_s) for hand in self._followed]
        images = left.image, right.image
        hands = self._read(images, predicted)
        self._search(images, hands, lost=len(hands) < len(predicted))
        self._followed = self._named(self._joined(hands))
        for hand in self._followed:
            if hand.track_id in before:
                hand.move(before[hand.track_id], elapsed_s)
        seen = tuple([hand.readings[view].keypoints(hand.track_id) for hand in self._followed
                      if hand.readings[view] is not None][:self.max_hands] for view in (LEFT, RIGHT))
        return seen[LEFT], seen[RIGHT]

    def close(self) -> None:
        """Frees the networks. Harmless when repeated."""
        self._networks = None

    def __enter__(self) -> StereoHandDetector:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def restart(self) -> None:
        """Forgets the hands followed so far: what comes next is another recording."""
        self._forget()
        self._stamp_ns = None

    def _forget(self) -> None:
        self._followed: list[FollowedHand] = []
        self._policies = SearchPolicy(), SearchPolicy()
        self._turn = LEFT

    def _read(self, images, predicted: list[PredictedHand]) -> list[FollowedHand]:
        """The predicted hands that are there in a view at least."""
        before = {hand.track_id: hand for hand in self._followed}
        crops = []
        for index, hand in enumerate(predicted):
            views = list(hand.views_px)
            followed = before.get(hand.track_id)
            for view in (LEFT, RIGHT):
                known = None if followed is None else followed.readings[1 - view]
                if views[view] is None and known is not None and views[1 - view] is not None:
                    views[view] = in_other_view(self.rig, 1 - view, views[1 - view], known.points_m)
            crops += [(index, view, region) for view, region in enumerate(self._regions(views)) if region is not None]
        readings = self._networks.read([images[view] for _, view, _ in crops], [region for _, _, region in crops])
        found = [FollowedHand(hand.track_id, [None, None]) for hand in predicted]
        for (index, view, _), reading in zip(crops, readings):
            found[index].readings[view] = reading
        return self._consistent(found)

    def _regions(self, views) -> list[HandRegion | None]:
        """Crops of one hand from its landmarks in both views, None where there are none."""
        if self._paired and views[LEFT] is not None and views[RIGHT] is not None:
            return list(paired_regions(*views))
        return [None if points is None else HandRegion.from_landmarks(points) for points in views]

    def _search(self, images, hands: list[FollowedHand], lost: bool) -> None:
        """Looks for further hands in the view whose turn it is, and for each of those in the other; adds them."""
        view = self._turn
        known = [hand.readings[view] for hand in hands if hand.readings[view] is not None]
        if not self._policies[view].due(len(known), self.max_hands, lost):
            # A view that has all its hands leaves its turn to the other.
            view = 1 - view
            known = [hand.readings[view] for hand in hands if hand.readings[view] is not None]
            if not self._policies[view].due(len(known), self.max_hands, lost):
                return
        self._turn = 1 - view
        new = self._networks.search(images[view], known, self.max_hands - len(known))
        elsewhere = [in_other_view(self.rig, view, reading.points_px, reading.points_m) for reading in new]
        sought = [index for index, points in enumerate(elsewhere) if points is not None]
        others = self._networks.read([images[1 - view]] * len(sought),
                                     [HandRegion.from_landmarks(elsewhere[index]) for index in sought])
        for index, reading in enumerate(new):
            other = others[sought.index(index)] if index in sought else None
            hands += self._consistent([FollowedHand(-1, [reading, other] if view == LEFT else [other, reading])])

    def _consistent(self, hands: list[FollowedHand]) -> list[FollowedHand]:
        """The hands seen in a view at least; one whose two readings cannot be of one hand becomes two."""
        kept = []
        for hand in hands:
            left, right = hand.readings
            if left is not None and right is not None and not np.isfinite(one_hand(self.rig, left, right)):
                kept += [FollowedHand(hand.track_id, [left, None]), FollowedHand(-1, [None, right])]
            elif left is not None or right is not None:
                kept.append(hand)
        return kept

    def _joined(self, hands: list[FollowedHand]) -> list[FollowedHand]:
        """No hand twice: of two alike in a view the one seen in both views stays, then the surer one. Hands of one view
        each that can be one hand become one, by least total epipolar distance."""
        order = sorted(hands, key=lambda hand: (-sum(r is not None for r in hand.readings),
                                                -max(r.presence for r in hand.readings if r is not None)))
        kept: list[FollowedHand] = []
        for hand in order:
            for view in (LEFT, RIGHT):
                if any(_same(hand.readings[view], other.readings[view]) for other in kept):
                    hand.readings[view] = None
            if any(reading is not None for reading in hand.readings):
                kept.append(hand)
        lefts = [hand for hand in kept if hand.readings[RIGHT] is None]
        rights = [hand for hand in kept if hand.readings[LEFT] is None]
        if lefts and rights:
            forbidden = 1e3
            costs = np.array([[one_hand(self.rig, a.readings[LEFT], b.readings[RIGHT])
                               + HANDEDNESS_COST * (a.readings[LEFT].handedness != b.readings[RIGHT].handedness)
                               for b in rights] for a in lefts])
            costs = np.where(np.isfinite(costs), costs, forbidden)
            for row, column in zip(*linear_sum_assignment(costs)):
                if costs[row, column] < forbidden:
                    lefts[row].readings[RIGHT] = rights[column].readings[RIGHT]
                    if lefts[row].track_id < 0:
                        lefts[row].track_id = rights[column].track_id
                    kept.remove(rights[column])
        return kept

    def _named(self, hands: list[FollowedHand]) -> list[FollowedHand]:
        """The hands with an id each, old ones first; ids are never reused."""
        self._next_id = max([self._next_id, *(hand.track_id + 1 for hand in hands)])
        for hand in hands:
            if hand.track_id < 0:
                hand.track_id, self._next_id = self._next_id, self._next_id + 1
        return sorted(hands, key=lambda hand: hand.track_id)


def _same(first: HandReading | None, second: HandReading | None) -> bool:
    """Whether two readings of one view are of one hand."""
    if first is None or second is None:
        return False
    return landmark_distance(first.keypoints(), second.keypoints()) < SAME_HAND_DISTANCE
