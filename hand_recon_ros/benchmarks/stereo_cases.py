"""Ways to make metric hands of the same detections, run side by side on labelled recordings and judged alike."""
from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.detection.paired_detectors import PairedDetectors
from hand_recon_ros.detection.registry import build_detector, build_stereo_detector
from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.metrics import aligned_mm, distances_mm
from hand_recon_ros.evaluation.runs import FrameJudging
from hand_recon_ros.evaluation.stereo_reference import StereoReference
from hand_recon_ros.evaluation.summary import Evaluation
from hand_recon_ros.evaluation.truth_detector import StereoTruthDetector
from hand_recon_ros.geometry.rigs import StereoRig, triangulate
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.pipeline import MonoPipeline, MonoSettings, StereoPipeline, StereoResult, StereoSettings
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

MODEL = 'open_hand'
Seen = Mapping[int, tuple[list[HandKeypoints], list[HandKeypoints]]]


@dataclass(frozen=True)
class Case:
    """One way. truth_px: noise of the truth's own projections that it gets in place of detections, None for those."""
    name: str
    settings: MonoSettings | StereoSettings
    truth_px: float | None = None

    @property
    def stereo(self) -> bool:
        """Whether it reads both views."""
        return isinstance(self.settings, StereoSettings)


def cases(offsets: str, disparity: bool = True) -> tuple[Case, ...]:
    """What is compared: one camera, the methods of fusion, joint with the skin's disparity and without any limit of
    time, and joint on true landmarks with 1 px of noise. disparity: False for cameras that look too far apart to
    match skin."""
    stereo = StereoSettings(offsets=offsets)
    skin = Case('joint + disparity', replace(stereo, fusion='joint', disparity=True, disparity_budget_ms=1000.0))
    return (Case('mono', MonoSettings(offsets=offsets)),
            Case('weights', replace(stereo, fusion='weights')),
            Case('triangulation', replace(stereo, fusion='triangulation')),
            Case('joint', replace(stereo, fusion='joint')),
            *([skin] if disparity else []),
            Case('joint, truth + 1 px', StereoSettings(fusion='joint', offsets='none'), truth_px=1.0))


@dataclass(frozen=True)
class Detected:
    """One recording, what a detector saw in it (by the left image's stamp), and its truth."""
    name: str
    rig: StereoRig
    pairs: list[tuple[Frame, Frame]]
    seen: Seen
    truths: Mapping[int, list[HandEstimate]]


class Detections:
    """Detects in whole recordings, one after the other. detector: 'mediapipe', 'openvino', or 'openvino, single views',
    which follows hands in each view for itself."""

    def __init__(self, detector: str):
        self._kind, self._detector = detector, None

    def of(self, name: str, recording: StereoRecording, most: int | None = None,
           cover: Callable[[Frame, Frame], tuple[Frame, Frame]] = lambda left, right: (left, right)) -> Detected:
        """The recording's first `most` instants. cover(left, right): the images as the detector gets them."""
        rig = recording.rig
        if self._detector is None:
            self._detector = self._built(rig)
        self._detector.use(rig)
        self._detector.restart()
        pairs, seen = [], {}
        for left, right in recording.pairs(most):
            left, right = cover(replace(left, camera=rig.left), replace(right, camera=rig.right))
            pairs.append((left, right))
            seen[left.stamp_ns] = self._detector.detect(left, right)
        return Detected(name, rig, pairs, seen, recording.labels.truths)

    def _built(self, rig: StereoRig):
        name, _, alone = self._kind.partition(', ')
        if not alone:
            return build_stereo_detector(name, rig)
        return PairedDetectors(*(build_detector(name, 'video') for _ in range(2)))

    def close(self) -> None:
        """Release the detector."""
        if self._detector is not None:
            self._detector.close()


class Replayed:
    """A detector that has its answers already: of both views, or, asked for one frame, of the left one."""
    name = 'mediapipe'

    def __init__(self, seen: Seen):
        self._seen = seen

    def detect(self, left: Frame, right: Frame | None = None):
        """The hands of both images, or of the left one alone."""
        hands = self._seen[left.stamp_ns]
        return hands[0] if right is None else hands

    def use(self, rig: StereoRig) -> None:
        """What was seen was seen by the recording's own rig."""

    def restart(self) -> None:
        """Nothing is remembered from frame to frame."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass
class CaseRun:
    """One way over many recordings: evaluations, and seconds spent on hands without detecting them."""
    case: Case
    evaluations: list[Evaluation] = field(default_factory=list)
    seconds: float = 0.0
    hands: int = 0
    _pipeline: MonoPipeline | StereoPipeline | None = None

    def add(self, recording: Detected) -> list[StereoResult]:
        """Run it on a recording; what came of each instant, [] for one camera."""
        case, detector = self.case, Replayed(recording.seen)
        if case.truth_px is not None:
            detector = StereoTruthDetector(recording.truths, case.truth_px)
        if self._pipeline is None:
            self._pipeline = (StereoPipeline(recording.rig, case.settings, detector) if case.stereo
                              else MonoPipeline(case.settings, detector))
        self._pipeline.restart(*([recording.rig] if case.stereo else []), detector=detector)
        judging, results = FrameJudging(recording.name, MODEL, recording.truths), []
        for left, right in recording.pairs:
            result = self._pipeline.process(left, right) if case.stereo else self._pipeline.process(left)
            stages = result.stage_seconds
            self.seconds += sum(stages.values()) - stages['detection']
            self.hands += len(result.estimates)
            judging.add(left, result.estimates, None, sum(stages.values()))
            results += [result] * case.stereo
        self.evaluations.append(judging.judged.evaluation)
        return results

    def metrics(self) -> dict:
        """Named figures over all recordings."""
        return Evaluation.merged(self.evaluations).metrics()

    def hand_errors_mm(self) -> dict[tuple, float]:
        """Mean distance of each found hand's keypoints, by recording, stamp and true hand."""
        return {(recording.name, frame.stamp_ns, hand.true_id): float(hand.camera_space_mm.mean())
                for evaluation in self.evaluations for recording in evaluation.recordings
                for frame in recording.frames for hand in frame.matched}


class PointRun:
    """Plain two-view triangulation of the detector's points, of the hands that a fusion found in both views.

    Against the model's joints, as they are; and against where the table of offsets has the detector's landmarks of the
    true hand, which no method that knows nothing of hands could do better than.
    """
    NAMES = ('points as they are', 'points, offset table')

    def __init__(self, offsets: str):
        model = load_hand_model(MODEL)
        self._reference = StereoReference(model, load_offsets('mediapipe', offsets).offsets_m)
        self.errors_mm: tuple[dict, dict] = ({}, {})
        self.aligned_mm: tuple[dict, dict] = ({}, {})
        self.seconds = 0.0
        self.met = self.points = 0

    def add(self, recording: Detected, results: list[StereoResult]) -> None:
        """Triangulate what the results of a fusion say belongs together."""
        for (frame, _), result in zip(recording.pairs, results):
            truths = recording.truths.get(frame.stamp_ns, [])
            for index, true_index in match_hands(result.estimates, truths):
                pair, truth = result.hands[index].pair, truths[true_index]
                if None in pair:
                    continue
                pixels = [view.keypoints[k].points_px for view, k in zip((result.left, result.right), pair)]
                started = time.perf_counter()
                points, _ = triangulate(recording.rig, *pixels)
                self.seconds += time.perf_counter() - started
                met = np.isfinite(points).all(1)
                self.met, self.points = self.met + int(met.sum()), self.points + len(met)
                if met.sum() < 4:
                    continue
                key = recording.name, frame.stamp_ns, truth.hand_id
                for kind, target in enumerate((np.asarray(truth.joints_m, np.float64),
                                               self._reference.landmarks_m(truth))):
                    self.errors_mm[kind][key] = float(distances_mm(points[met], target[met]).mean())
                    self.aligned_mm[kind][key] = float(aligned_mm(points[met], target[met]).mean())
