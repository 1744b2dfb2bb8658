"""Two views' hands in, the metric hands of the instant out: matched, tracked, fused by the chosen method."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.detection.tracking import right_probability
from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.fusion.association import Association
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.fusion.joint import JointFusion
from hand_recon_ros.fusion.stereo_tracks import StereoTracks
from hand_recon_ros.fusion.triangulation import TriangulationFusion
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

    epipolar_px: median distance of like landmarks from each other's epipolar line, NaN for one view.
    """
    estimate: HandEstimate
    pair: tuple[int | None, int | None]
    epipolar_px: float


class StereoFuser:
    """Matches, tracks and fuses. method: 'joint', 'triangulation' or 'weights'. One fuser per rig; not thread-safe.

    max_gap_s: after this long without any view a hand's track ends. Cameras' frames must carry their calibration.
    """

    def __init__(self, model: HandModel, offsets_m=None, method: str = 'joint', noise: ViewNoise = ViewNoise(),
                 max_hands: int = 2, max_gap_s: float = 0.5, association: Association = Association()):
        self.method = checked_choice('method', method, tuple(METHODS))
        options = {} if method == 'weights' else {'noise': noise}
        self._fusion = METHODS[method](model, offsets_m, max_hands=max_hands, **options)
        self._estimator = ClosedFormIk(model, offsets_m)
        self._association, self._max_gap_s = association, max_gap_s
        self.restart()

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
        indices = self._matched(rig, left, right)
        seen = [tuple(None if i is None else view.keypoints[i] for view, i in zip((left, right), pair)) for pair in indices]
        tracks = self._tracks.continued(rig, seen, stamp_ns)
        pairs = []
        for pair, keypoints, track in zip(indices, seen, tracks):
            identity = (identities or {}).get(track.track_id, default_identity) if track else default_identity
            if identity is None and track is not None and None in pair:
                identity = track.held_shape()
            pairs.append(self._pair(left, right, pair, self._handedness(keypoints, track), identity))
        estimates = self._fusion.fuse(rig, pairs)
        return [self._tracked(rig, hand, index, estimate, track, stamp_ns)
                for hand, index, estimate, track in zip(pairs, indices, estimates, tracks)]

    def _matched(self, rig, left: View, right: View) -> list[tuple[int | None, int | None]]:
        """Pairs first, then the hands that one view alone sees."""
        pairs = self._association.match(rig, left.keypoints, right.keypoints)
        rows, columns = {row for row, _ in pairs}, {column for _, column in pairs}
        return ([*pairs] + [(row, None) for row in range(len(left.keypoints)) if row not in rows]
                + [(None, column) for column in range(len(right.keypoints)) if column not in columns])

    @staticmethod
    def _handedness(keypoints, track) -> str:
        votes = [right_probability(hand) for hand in keypoints if hand is not None]
        vote = np.mean(votes) if track is None else 0.3 * np.mean(votes) + 0.7 * track.right_vote
        return 'right' if vote > 0.5 else 'left'

    def _pair(self, left, right, indices, handedness, identity) -> HandPair:
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
        return HandPair(*views, (left.frame, right.frame), identity)

    def _tracked(self, rig: StereoRig, pair: HandPair, indices, estimate: HandEstimate, track, stamp_ns: int) -> FusedHand:
        """The estimate under its track's id, and the track brought up to date."""
        vote = float(np.mean([right_probability(view.keypoints) for view in pair.views]))
        if track is None:
            track = self._tracks.add(estimate, stamp_ns, vote)
        track.see(estimate, stamp_ns, pair.both, vote)
        epipolar = float('nan')
        if pair.both:
            epipolar = float(np.median(np.abs(epipolar_residual_px(rig, *(k.points_px for k in pair.keypoints)))))
        vote = track.right_vote if estimate.handedness == 'right' else 1.0 - track.right_vote
        return FusedHand(replace(estimate, track_id=track.track_id, handedness_score=vote), indices, epipolar)
