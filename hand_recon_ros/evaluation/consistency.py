"""What a stereo recording says of its rig, its hands and their fusion where nobody knows the truth."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from hand_recon_ros.evaluation.metrics import M_TO_MM, aligned_mm, distances_mm
from hand_recon_ros.geometry.rigs import StereoRig, epipolar_residual_px, triangulate
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.parameters import from_pose
from hand_recon_ros.identity.fused_sights import fused_sights
from hand_recon_ros.identity.measures import HandMeasures
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

NS_PER_S = 1e9
NAN = float('nan')
# A hand is at rest while its triangulated landmarks, averaged over WINDOW_S before and after, go slower than this.
STILL_M_S, WINDOW_S = 0.1, 0.14


@dataclass(frozen=True)
class Instant:
    """What was found at one stamp. left, right: detections in each image. hands: fused, left optical frame."""
    stamp_ns: int
    left: list[HandKeypoints]
    right: list[HandKeypoints]
    hands: list[HandEstimate]


@dataclass(frozen=True)
class Consistency:
    """Figures that need no label; NaN where nothing could be measured. docs/evaluation.md defines each.

    instants, with_hand, hands: counts. seen_twice: share of hands with a detection in both images. tracks: ids.
    side_changes: hands of another side than most of their track. *_px: means over hands seen twice; *_p95: 95th
    percentile. *_percent: of the hand's box. length_mm, width_mm and their std: of the shape, over hands seen twice.
    acceleration_mm: mm per frame^2 over all joints; still_*: of hands at rest, still_instants of them.
    """
    instants: int
    with_hand: int
    hands: int
    seen_twice: float
    tracks: int
    side_changes: int
    epipolar_px: float
    epipolar_px_p95: float
    reprojection_px: float
    reprojection_px_p95: float
    reprojection_percent: float
    length_mm: float
    length_std_mm: float
    width_mm: float
    width_std_mm: float
    stated_std_mm: float
    acceleration_mm: float
    still_instants: int
    still_acceleration_mm: float
    still_jitter_mm: float


@dataclass(frozen=True)
class Agreement:
    """With labelled joints (21, 3) of some instants: hands compared, mean distances in mm.

    landmarks_*: of the detector's landmarks on the fused hand, joints_*: of its keypoints. *_scaled_mm: after scale and
    shift, *_aligned_mm: and turn.
    """
    labelled: int
    compared: int
    landmarks_mm: float
    landmarks_scaled_mm: float
    landmarks_aligned_mm: float
    joints_mm: float
    joints_scaled_mm: float
    joints_aligned_mm: float
    triangulated_mm: float


@dataclass(frozen=True)
class _SeenHand:
    """One hand of one instant. pixels: (21, 2) of its detections, left and right, or None where a view lacks it.
    triangulated: (21, 3) metres, NaN where rays do not meet ahead, or None."""
    place: int
    stamp_ns: int
    estimate: HandEstimate
    landmarks_m: np.ndarray
    pixels: tuple[np.ndarray, np.ndarray] | None
    box_px: float
    triangulated: np.ndarray | None


class ConsistencyJudge:
    """Measures the instants of one rig. offsets_m: (21, 3), the detector's landmarks on `model`."""

    def __init__(self, model: HandModel, offsets_m, rig: StereoRig):
        self._rig, self._measures, self._skeleton = rig, HandMeasures(model), build_skeleton(model, offsets_m)
        self._place = jax.jit(lambda parameters: place(self._skeleton, parameters)[1])

    def figures(self, instants: Sequence[Instant]) -> Consistency:
        """Of a recording's instants in the order of their stamps; ValueError when they are not in order."""
        stamps = np.array([instant.stamp_ns for instant in instants], np.int64)
        if (np.diff(stamps) <= 0).any():
            raise ValueError('instants: stamps not in order, expected each later than the one before')
        hands = list(self._seen(instants))
        twice = [hand for hand in hands if hand.pixels is not None]
        epipolar = [float(np.median(np.abs(epipolar_residual_px(self._rig, *hand.pixels)))) for hand in twice]
        away = [self._reprojection_px(hand) for hand in twice]
        sizes = self._measures.lengths_mm(np.array([hand.estimate.shape for hand in twice])) if twice else \
            np.zeros((0, 2))
        sides = {}
        for hand in hands:
            sides.setdefault(hand.estimate.track_id, Counter())[hand.estimate.handedness] += 1
        acceleration, still, jitter = _motion(hands, stamps)
        return Consistency(
            len(instants), sum(bool(instant.hands) for instant in instants), len(hands),
            len(twice) / len(hands) if hands else NAN, len(sides),
            sum(sum(votes.values()) - max(votes.values()) for votes in sides.values()),
            _mean(epipolar), _p95(epipolar), _mean(away), _p95(away),
            _mean([100 * px / hand.box_px for px, hand in zip(away, twice)]),
            _mean(sizes[:, 1]), float(sizes[:, 1].std()) if twice else NAN,
            _mean(sizes[:, 0]), float(sizes[:, 0].std()) if twice else NAN,
            _mean(M_TO_MM * np.array([hand.estimate.joint_std_m for hand in hands])),
            _mean(acceleration), len(jitter), _mean(still), _mean(jitter))

    def agreement(self, instants: Sequence[Instant], labels: Mapping[int, np.ndarray]) -> Agreement:
        """With joints (21, 3) metres in the left optical frame by the place of their instant, of one hand each."""
        scored, triangulated = [], []
        by_place: dict[int, list[_SeenHand]] = {}
        for hand in self._seen(instants):
            by_place.setdefault(hand.place, []).append(hand)
        for place_, label in labels.items():
            hands = by_place.get(place_, [])
            if not hands:
                continue
            nearest = min(hands, key=lambda hand: distances_mm(hand.landmarks_m, label).mean())
            row = []
            for points in (nearest.landmarks_m, nearest.estimate.joints_m):
                row += [distances_mm(points, label).mean(), distances_mm(_scaled(points, label), label).mean(),
                        aligned_mm(points, label).mean()]
            scored.append(row)
            if nearest.triangulated is not None:
                triangulated.append(distances_mm(nearest.triangulated, label).mean())
        means = np.mean(scored, axis=0) if scored else [NAN] * 6
        return Agreement(len(labels), len(scored), *(float(value) for value in means), _mean(triangulated))

    def _seen(self, instants: Sequence[Instant]) -> Iterator[_SeenHand]:
        frames = tuple(Frame(camera.width, camera.height, None, camera) for camera in (self._rig.left, self._rig.right))
        for number, instant in enumerate(instants):
            sights = fused_sights(self._rig, frames, instant.left, instant.right, instant.hands)
            for estimate in instant.hands:
                sight, pixels, box, points = sights.get(estimate.track_id), None, NAN, None
                if sight is not None:
                    pixels = tuple(np.asarray(hand.points_px, np.float64) for hand in sight.keypoints)
                    box = max(hand.box_size_px for hand in sight.keypoints)
                    points = triangulate(self._rig, *pixels)[0]
                yield _SeenHand(number, instant.stamp_ns, estimate, self._landmarks_m(estimate), pixels, box, points)

    def _landmarks_m(self, hand: HandEstimate) -> np.ndarray:
        parameters = from_pose(hand.pose, hand.shape, hand.joints_m[0], self._skeleton.axes, hand.handedness)
        landmarks = np.asarray(self._place(parameters), np.float64)
        return mirror_points(landmarks) if hand.handedness == 'left' else landmarks

    def _reprojection_px(self, hand: _SeenHand) -> float:
        projected = self._rig.project(hand.landmarks_m)
        return float(np.mean([np.linalg.norm(a - b, axis=-1) for a, b in zip(projected, hand.pixels)]))


def joint_differences_mm(first: Sequence[Instant], second: Sequence[Instant]) -> np.ndarray:
    """(N,) mean distances of like joints of hands that both runs found at one stamp, nearest wrists paired."""
    others = {instant.stamp_ns: list(instant.hands) for instant in second}
    differences = []
    for instant in first:
        left_over = others.get(instant.stamp_ns, [])
        for hand in instant.hands:
            if not left_over:
                break
            nearest = min(range(len(left_over)),
                          key=lambda k: float(np.linalg.norm(left_over[k].joints_m[0] - hand.joints_m[0])))
            differences.append(distances_mm(left_over.pop(nearest).joints_m, hand.joints_m).mean())
    return np.array(differences)


def _motion(hands: list[_SeenHand], stamps: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Per hand: acceleration everywhere, acceleration at rest, and at rest the distance of the joints from the parabola
    through those around it, which follows what motion there is; mm. A hand of an id, unseen for an instant, is two."""
    if len(stamps) < 3:
        return [], [], []
    step_s = float(np.median(np.diff(stamps))) / NS_PER_S
    half = max(2, round(WINDOW_S / step_s))
    # Row of the projection onto parabolas over the window: their value in its middle.
    parabola = np.linalg.pinv(np.vander(np.arange(-half, half + 1), 3))[2]
    tracks: dict[int, dict[int, _SeenHand]] = {}
    for hand in hands:
        tracks.setdefault(hand.estimate.track_id, {})[hand.place] = hand
    everywhere, still, jitter = [], [], []
    for track in tracks.values():
        for at in track:
            if at - 1 not in track or at + 1 not in track:
                continue
            before, here, after = (np.asarray(track[k].estimate.joints_m, np.float64) for k in (at - 1, at, at + 1))
            acceleration = float(distances_mm(before + after, 2 * here).mean())
            everywhere.append(acceleration)
            around = [track.get(k) for k in range(at - half, at + half + 1)]
            if any(hand is None or hand.triangulated is None for hand in around):
                continue
            points = np.stack([hand.triangulated for hand in around])
            moved = np.linalg.norm(points[half + 1:].mean(0) - points[:half].mean(0), axis=-1)
            if not np.nanmean(moved) / ((half + 1) * step_s) < STILL_M_S:
                continue
            still.append(acceleration)
            joints = np.stack([hand.estimate.joints_m for hand in around]).astype(np.float64)
            jitter.append(float(distances_mm(here, np.tensordot(parabola, joints, 1)).mean()))
    return everywhere, still, jitter


def _scaled(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`points` (21, 3) after the best scale and shift onto `target`, without turning."""
    points, target = np.asarray(points, np.float64), np.asarray(target, np.float64)
    a, b = points - points.mean(0), target - target.mean(0)
    return (a * b).sum() / (a * a).sum() * a + target.mean(0)


def _mean(values) -> float:
    return float(np.mean(values)) if len(values) else NAN


def _p95(values) -> float:
    return float(np.percentile(values, 95)) if len(values) else NAN
