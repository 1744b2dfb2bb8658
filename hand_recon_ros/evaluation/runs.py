"""The mono pipeline over one labelled recording, judged frame by frame."""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from hand_recon_ros.evaluation.ground_truth import MeshCompletion
from hand_recon_ros.evaluation.summary import Evaluation
from hand_recon_ros.evaluation.truth_detector import TruthDetector
from hand_recon_ros.pipeline import MonoPipeline, MonoSettings
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints, checked_choice

DETECTORS = ('mediapipe', 'truth', 'truth+noise')
NO_VERTICES = np.zeros((0, 3), np.float32)


@dataclass(frozen=True)
class RunSettings:
    """What is evaluated. detector: one of DETECTORS. noise_px, seed: of truth+noise."""
    pipeline: MonoSettings = field(default_factory=MonoSettings)
    detector: str = DETECTORS[0]
    noise_px: float = 1.0
    seed: int = 0

    def __post_init__(self):
        checked_choice('detector', self.detector, DETECTORS)

    def truth_detector(self, truths: Mapping[int, list[HandEstimate]]) -> TruthDetector | None:
        """The detector that knows these truths, None where the settings want a real one."""
        if self.detector == 'mediapipe':
            return None
        return TruthDetector(truths, self.noise_px if self.detector == 'truth+noise' else 0.0, self.seed)


@dataclass(frozen=True)
class Judged:
    """One recording's figures, and what was found in its frames, by stamp: estimates without vertices (they follow from
    the parameters) and the detector's hands. refused: what the pipeline said of frames that it could not use.
    """
    evaluation: Evaluation
    found: dict[int, tuple[list[HandEstimate], list[HandKeypoints]]]
    refused: list[str] = field(default_factory=list)


class FrameJudging:
    """Puts what was found in a recording's frames beside its truth, the same way whoever found it."""

    def __init__(self, name: str, model_name: str, truths: Mapping[int, list[HandEstimate]],
                 mask: Callable[[int], np.ndarray | None] = lambda _: None):
        """model_name: of the estimates. mask(stamp_ns): (H, W) uint8, see Evaluation.add, or None."""
        model, truth_model = _model(model_name), _model('open_hand')
        self.judged = Judged(Evaluation(name, {model.name: model.faces, truth_model.name: truth_model.faces}), {})
        self._truths, self._mask, self._complete = truths, mask, _completion()

    def add(self, frame: Frame, estimates: list[HandEstimate], keypoints: list[HandKeypoints] | None,
            latency_s: float | None) -> None:
        """One frame; one without ground truth is not judged. keypoints, latency_s: None where nothing is known."""
        stamp_ns = frame.stamp_ns
        if stamp_ns not in self._truths:
            return
        self.judged.evaluation.add(stamp_ns, estimates, self._complete(self._truths[stamp_ns]), latency_s, keypoints,
                                   frame.camera, self._mask(stamp_ns))
        self.judged.found[stamp_ns] = ([replace(hand, vertices_m=NO_VERTICES) for hand in estimates], keypoints or [])


def evaluate_frames(name: str, frames: Iterable[Frame], truths: Mapping[int, list[HandEstimate]],
                    settings: RunSettings = RunSettings(),
                    mask: Callable[[int], np.ndarray | None] = lambda _: None) -> Judged:
    """The pipeline on a recording's frames, in their order, with images and cameras, judged.

    The result depends on nothing that ran before: the pipeline is kept from call to call, but starts over. A frame that
    the pipeline refuses counts as one in which nothing was found; ValueError when it refuses all of them.
    """
    pipeline = _pipeline(settings.pipeline, settings.detector == 'mediapipe')
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
    refused = judging.judged.refused
    if refused and len(refused) == judging.judged.evaluation.frames:
        raise ValueError(refused[0])
    return judging.judged


@functools.lru_cache(maxsize=1)
def _pipeline(settings: MonoSettings, real_detector: bool) -> MonoPipeline:
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    prepare_jax()
    return MonoPipeline(settings, None if real_detector else TruthDetector({}))


@functools.cache
def _model(name: str):
    from hand_recon_ros.hand_model.assets import load_hand_model
    return load_hand_model(name)


@functools.cache
def _completion() -> MeshCompletion:
    return MeshCompletion(_model('open_hand'))
