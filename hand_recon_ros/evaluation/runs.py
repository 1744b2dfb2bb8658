"""A pipeline, of one camera or of two, over one labelled recording, judged frame by frame."""
from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.estimation.viewing import nominal_camera
from hand_recon_ros.evaluation.ground_truth import MeshCompletion
from hand_recon_ros.evaluation.records import StereoErrors
from hand_recon_ros.evaluation.stereo_reference import StereoReference
from hand_recon_ros.evaluation.summary import Evaluation
from hand_recon_ros.evaluation.truth_detector import StereoTruthDetector, TruthDetector
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.pipeline import MonoPipeline, MonoSettings, StereoPipeline, StereoSettings
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints, checked_choice

DETECTORS = ('mediapipe', 'openvino', 'truth', 'truth+noise')
TRUE_DETECTORS = DETECTORS[2:]
NO_VERTICES = np.zeros((0, 3), np.float32)


@dataclass(frozen=True)
class RunSettings:
    """What is evaluated. detector: one of DETECTORS. noise_px, seed: of truth+noise."""
    pipeline: MonoSettings | StereoSettings = field(default_factory=MonoSettings)
    detector: str = DETECTORS[0]
    noise_px: float = 1.0
    seed: int = 0

    def __post_init__(self):
        checked_choice('detector', self.detector, DETECTORS)

    def truth_detector(self, truths: Mapping[int, list[HandEstimate]]):
        """The detector that knows these truths, of one view or of two; None where the settings want a real one."""
        if self.detector not in TRUE_DETECTORS:
            return None
        kind = StereoTruthDetector if isinstance(self.pipeline, StereoSettings) else TruthDetector
        return kind(truths, self.noise_px if self.detector == 'truth+noise' else 0.0, self.seed)


@dataclass(frozen=True)
class Judged:
    """One recording's figures, and what was found in its frames, by stamp: estimates without vertices (they follow from
    the parameters) and the detector's hands. refused: what the pipeline said of frames that it could not use.
    disparity_counts: hands by what became of the skin-disparity term, empty without it.
    """
    evaluation: Evaluation
    found: dict[int, tuple[list[HandEstimate], list[HandKeypoints]]]
    refused: list[str] = field(default_factory=list)
    disparity_counts: Counter[str] = field(default_factory=Counter)


class FrameJudging:
    """Puts what was found in a recording's frames beside its truth, the same way whoever found it."""

    def __init__(self, name: str, model_name: str, truths: Mapping[int, list[HandEstimate]],
                 mask: Callable[[int], np.ndarray | None] = lambda _: None):
        """model_name: of the estimates. mask(stamp_ns): (H, W) uint8, see Evaluation.add, or None."""
        model, truth_model = _model(model_name), _model('open_hand')
        self.judged = Judged(Evaluation(name, {model.name: model.faces, truth_model.name: truth_model.faces}), {})
        self._truths, self._mask, self._complete = truths, mask, _completion()

    def add(self, frame: Frame, estimates: list[HandEstimate], keypoints: list[HandKeypoints] | None,
            latency_s: float | None, stereo: StereoErrors | None = None) -> None:
        """One frame; one without ground truth is not judged. keypoints, latency_s: None where nothing is known."""
        stamp_ns = frame.stamp_ns
        if stamp_ns not in self._truths:
            return
        self.judged.evaluation.add(stamp_ns, estimates, self._complete(self._truths[stamp_ns]), latency_s, keypoints,
                                   frame.camera, self._mask(stamp_ns), stereo)
        self.judged.found[stamp_ns] = ([replace(hand, vertices_m=NO_VERTICES) for hand in estimates], keypoints or [])


def evaluate_frames(name: str, frames: Iterable[Frame], truths: Mapping[int, list[HandEstimate]],
                    settings: RunSettings | None = None,
                    mask: Callable[[int], np.ndarray | None] = lambda _: None) -> Judged:
    """The pipeline on a recording's frames, in their order, with images and cameras, judged.

    The result depends on nothing that ran before: the pipeline is kept from call to call, but starts over. A frame that
    the pipeline refuses counts as one in which nothing was found; ValueError when it refuses all of them.
    """
    settings = settings or RunSettings()
    pipeline = _pipeline(settings.pipeline, settings.detector)
    pipeline.restart(settings.truth_detector(truths))
    judging = FrameJudging(name, settings.pipeline.model, truths, mask)
    for frame in frames:
        try:
            result = pipeline.process(frame)
        except ValueError as error:
            judging.judged.refused.append(f'{name}: frame {frame.index}: {error}')
            judging.add(frame, [], None, None)
        else:
            judging.add(frame, result.estimates, result.keypoints, sum(result.stage_seconds.values()))
    return _finished(judging.judged)


def evaluate_pairs(name: str, rig: StereoRig, pairs: Iterable[tuple[Frame, Frame]],
                   truths: Mapping[int, list[HandEstimate]], settings: RunSettings,
                   mask: Callable[[int], np.ndarray | None] = lambda _: None) -> Judged:
    """As evaluate_frames, of a rig's pairs of frames; all that is judged is of the left one.

    settings.pipeline: StereoSettings. Beside the fused hands stands the plain triangulation of the same detections.
    """
    pipeline = _stereo_pipeline(settings.pipeline, settings.detector)
    pipeline.restart(rig, settings.truth_detector(truths))
    judging = FrameJudging(name, settings.pipeline.model, truths, mask)
    before = Counter(pipeline.disparity_counts)
    reference = StereoReference(_model('open_hand'), pipeline.offsets_m)
    for left, right in pairs:
        left = replace(left, camera=rig.left)
        try:
            result = pipeline.process(left, right)
        except ValueError as error:
            judging.judged.refused.append(f'{name}: frame {left.index}: {error}')
            judging.add(left, [], None, None)
        else:
            judging.add(left, result.estimates, result.left.keypoints, sum(result.stage_seconds.values()),
                        reference(rig, result, truths.get(left.stamp_ns, [])))
    judging.judged.disparity_counts.update(Counter(pipeline.disparity_counts) - before)
    return _finished(judging.judged)


def _finished(judged: Judged) -> Judged:
    if judged.refused and len(judged.refused) == judged.evaluation.frames:
        raise ValueError(judged.refused[0])
    return judged


@functools.lru_cache(maxsize=1)
def _pipeline(settings: MonoSettings, detector: str) -> MonoPipeline:
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    prepare_jax()
    if detector in TRUE_DETECTORS:
        return MonoPipeline(settings, TruthDetector({}))
    return MonoPipeline(settings, None if detector == 'mediapipe' else
                        build_detector(detector, settings.mode, settings.max_hands, settings.min_detection_score))


@functools.lru_cache(maxsize=1)
def _stereo_pipeline(settings: StereoSettings, detector: str) -> StereoPipeline:
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    prepare_jax()
    camera = nominal_camera(640, 480)
    T = np.eye(4)
    T[0, 3] = -0.1
    rig = StereoRig(camera, camera, T)          # until a recording tells its own
    if detector in TRUE_DETECTORS:
        return StereoPipeline(rig, settings, StereoTruthDetector({}))
    return StereoPipeline(rig, replace(settings, detector=detector))


@functools.cache
def _model(name: str):
    from hand_recon_ros.hand_model.assets import load_hand_model
    return load_hand_model(name)


@functools.cache
def _completion() -> MeshCompletion:
    return MeshCompletion(_model('open_hand'))
