"""Two views' hands in, the metric hands of the instant out: matched, tracked, fused by the chosen method."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.detection.tracking import right_probability
from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.fusion.held_distance import at_held_distance
from hand_recon_ros.fusion.joint import JointFusion
from hand_recon_ros.fusion.skin_term import SkinSettings
from hand_recon_ros.fusion.stereo_tracks import StereoTrack, StereoTracks
from hand_recon_ros.fusion.track_assignment import Assigned, Pair, TrackAssignment
from hand_recon_ros.fusion.triangulation import TriangulationFusion
from hand_recon_ros.fusion.view_conflict import ViewConflict
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.fusion.weights import WeightsFusion
from hand_recon_ros.geometry.rigs import StereoRig, epipolar_residual_px
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice

METHODS = {method.name: method for method in (JointFusion, TriangulationFusion, WeightsFusion)}


@dataclass(frozen=True)
class View:
    """One camera's answer for an instant: keypoints[i] belongs to estimates[i], all in that camera's optical frame."""
    frame: Frame
    keypoints: list[HandKeypoints]
    estimates: list[HandEstimate]

    def __post_init__(self):
        if len(self.keypoints) != len(self.estimates):
            raise ValueError(f'keypoints: {len(self.keypoints)} hands, expected {len(self.estimates)} as in estimates')


@dataclass(frozen=True)
class FusedHand:
    """One hand of an instant. pair: indices into the left and right view's lists, None where a view does not see it.

    epipolar_px: median distance of like landmarks from each other's epipolar line, NaN for one view. one_view: whether
    one view alone made the estimate: no other saw the hand, or what it saw cannot be the same.
    """
    estimate: HandEstimate
    pair: tuple[int | None, int | None]
    epipolar_px: float
    one_view: bool


class StereoFuser:
    """Matches, tracks and fuses. method: 'joint', 'triangulation' or 'weights'. One fuser per rig; not thread-safe.

    max_gap_s: after this long without any view a hand's track ends. Cameras' frames must carry their calibration.
    disparity: settings of the joint method's skin-disparity term, which needs frames with images; None: without it.
    weights_dir: of method 'weights', a folder of one's own weights, see weights.files.
    """

    def __init__(self, model: HandModel, offsets_m=None, method: str = 'joint', noise: ViewNoise = ViewNoise(),
                 max_hands: int = 2, max_gap_s: float = 1.0, assignment: TrackAssignment = TrackAssignment(),
                 conflict: ViewConflict = ViewConflict(), disparity: SkinSettings | None = None,
                 weights_dir: str = ''):
        self.method = checked_choice('method', method, tuple(METHODS)) + ('' if disparity is None else '+disparity')
        options = {'weights_dir': weights_dir} if method == 'weights' else {'noise': noise}
        if disparity is not None:
            if method != 'joint':
                raise ValueError(f'disparity: not with method {method!r}, expected joint')
            options['disparity'] = disparity
        self._fusion = METHODS[method](model, offsets_m, max_hands=max_hands, **options)
        self._estimator = ClosedFormIk(model, offsets_m)
        self._assignment, self._max_hands, self._max_gap_s = assignment, max_hands, max_gap_s
        self._noise, self._conflict = noise, conflict
        self.restart()

    @property
    def feature_count(self) -> int:
        """Numbers that the method needs of each view's estimate, 0 where it needs none."""
        return getattr(self._fusion, 'feature_count', 0)

    @property
    def disparity_counts(self) -> dict[str, int]:
        """What became of the hands whose skin was to be measured, by skin_term.OUTCOMES; empty without the term."""
        skin = getattr(self._fusion, 'skin', None)
        return {} if skin is None else dict(skin.counts)

    def forget_counts(self) -> None:
        """Count from 0 again."""
        skin = getattr(self._fusion, 'skin', None)
        if skin is not None:
            skin.forget_counts()

    def restart(self) -> None:
        """Forget all hands: what comes next is another recording."""
        self._tracks = StereoTracks(self._max_gap_s)

    def fuse(self, rig: StereoRig, left: View, right: View, identities: dict[int, HandIdentity] | None = None,
             default_identity: HandIdentity | None = None) -> list[FusedHand]:
        """Every hand that at least one view sees, in the left optical frame, with the ids of their tracks.

        identities: by track id, for hands whose person is known. default_identity: for all others.
        """
        stamp_ns = left.frame.stamp_ns
        self._tracks.begin(stamp_ns)
        hands = self._assignment.assign(rig, left.keypoints, right.keypoints, self._tracks.tracks, stamp_ns,
                                        self._max_hands)
        sides = [self._right_probability((left, right), hand) for hand in hands]
        residuals = [self._residual_px(rig, left, right, hand.pair) for hand in hands]
        apart = [self._disagreement(rig, left, right, hand, residual) for hand, residual in zip(hands, residuals)]
        pairs = []
        for hand, side, disagreement in zip(hands, sides, apart):
            track = hand.track
            identity = (identities or {}).get(track.track_id, default_identity) if track else default_identity
            trusted = self._trusted(left, right, hand.pair, disagreement)
            if identity is None and None in trusted:
                identity = self._tracks.assumed_shape(track)
            handedness = track.handedness_with(side) if track is not None else ('right' if side > 0.5 else 'left')
            pairs.append(self._pair(left, right, trusted, handedness, identity, hand.middle_m))
        estimates = self._fusion.fuse(rig, pairs)
        return [self._tracked(rig, stamp_ns, pair, hand, estimate, side, residual, disagreement)
                for pair, hand, estimate, side, residual, disagreement
                in zip(pairs, hands, estimates, sides, residuals, apart)
                if self._believable(hand, pair, estimate, stamp_ns)]

    def _believable(self, hand: Assigned, pair: HandPair, estimate: HandEstimate, stamp_ns: int) -> bool:
        """False where one view places a hand that both had measured far from where it can be: what it read is another
        hand, or parts of two. Its track goes on without this sight."""
        track = hand.track
        if track is None or pair.both or not track.measured:
            return True
        off_m = np.linalg.norm(np.mean(estimate.joints_m, 0) - track.predicted_m(stamp_ns).mean(0))
        return bool(off_m <= self._assignment.reach_m(track.lost_s(stamp_ns)))

    def _trusted(self, left: View, right: View, pair: Pair, disagreement: float) -> Pair:
        """The pair without the less sure view where both cannot be right."""
        if disagreement <= self._conflict.limit:
            return pair
        if left.keypoints[pair[0]].score < right.keypoints[pair[1]].score:
            return None, pair[1]
        return pair[0], None

    @staticmethod
    def _residual_px(rig: StereoRig, left: View, right: View, pair: Pair) -> np.ndarray | None:
        """(21,) epipolar residuals of a hand that both views see, else None."""
        if None in pair:
            return None
        return epipolar_residual_px(rig, left.keypoints[pair[0]].points_px, right.keypoints[pair[1]].points_px)

    def _disagreement(self, rig: StereoRig, left: View, right: View, hand: Assigned, residual_px) -> float:
        """How far the two views are from agreeing about a hand, 0 where one alone sees it."""
        if residual_px is None:
            return 0.0
        seen = left.keypoints[hand.pair[0]], right.keypoints[hand.pair[1]]
        return self._conflict.disagreement(rig, self._noise, *seen, residual_px, hand.middle_m)

    @staticmethod
    def _right_probability(views: tuple[View, View], hand: Assigned) -> float:
        """By this instant's sights alone."""
        seen = [view.keypoints[k] for view, k in zip(views, hand.pair) if k is not None]
        return float(np.mean([right_probability(keypoints) for keypoints in seen]))

    def _pair(self, left, right, indices, handedness, identity, middle_m) -> HandPair:
        views = []
        for view, index in zip((left, right), indices):
            if index is None:
                views.append(None)
                continue
            keypoints = view.keypoints[index]
            if keypoints.handedness != handedness:
                # This view took the hand for the other one: its points stand, its estimate mirrors the hand.
                keypoints = replace(keypoints, handedness=handedness, handedness_score=1.0 - keypoints.handedness_score)
                views.append(ViewHand(view.frame, keypoints, self._estimator.estimate(view.frame, keypoints, identity)))
                continue
            views.append(ViewHand(view.frame, keypoints, view.estimates[index]))
        return HandPair(*views, (left.frame, right.frame), identity, None if None in indices else middle_m)

    def _tracked(self, rig: StereoRig, stamp_ns: int, pair: HandPair, hand: Assigned, estimate: HandEstimate,
                 side: float, residual_px: np.ndarray | None, disagreement: float) -> FusedHand:
        """The estimate under its track's id, and the track brought up to date."""
        track: StereoTrack = hand.track or self._tracks.add(estimate, stamp_ns, side)
        eye_m = None if pair.both else np.zeros(3) if pair.right is None else rig.to_left(np.zeros(3))
        if eye_m is not None:
            estimate = at_held_distance(estimate, track, rig.left, eye_m, stamp_ns)
        if hand.track is not None:
            track.judge(side)
        track.see(estimate, stamp_ns, eye_m)
        if pair.both and disagreement <= self._conflict.clear:
            track.hold(estimate, stamp_ns)
        epipolar = float('nan') if residual_px is None else float(np.median(np.abs(residual_px)))
        sure = track.right_probability if estimate.handedness == 'right' else 1.0 - track.right_probability
        return FusedHand(replace(estimate, track_id=track.track_id, handedness_score=sure), hand.pair, epipolar,
                         not pair.both)
