"""The stages in order, in one process: what the launch file does with nodes, for scripts, tests and `reconstruct`."""
from __future__ import annotations

import time
from dataclasses import dataclass

from hand_recon_ros.detection.detector import Detector
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.estimation.rehearsal import rehearse
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints


@dataclass(frozen=True)
class MonoSettings:
    """What the mono pipeline is made of; the same names as the nodes' parameters.

    mode: 'video' follows hands from frame to frame, 'image' looks at each image anew and harder.
    tailor: 'gauss_newton', 'adam' or 'none'. offsets: 'real', 'synthetic', 'none' or a table's path.
    """
    mode: str = 'video'
    model: str = 'open_hand'
    offsets: str = 'real'
    estimator: str = 'closed_form_ik'
    tailor: str = 'gauss_newton'
    max_hands: int = 2
    min_detection_score: float = 0.5

    @property
    def method(self) -> str:
        """How the meshes are made, in the words of the nodes' messages."""
        return self.estimator if self.tailor == 'none' else f'{self.estimator}+{self.tailor}'


@dataclass(frozen=True)
class MonoResult:
    """Keypoints and estimates of one frame, in the same order, and the seconds each stage took."""
    keypoints: list[HandKeypoints]
    estimates: list[HandEstimate]
    stage_seconds: dict[str, float]


class MonoPipeline:
    """Detection, tracking, estimation and the tailor on the frames of one camera."""

    def __init__(self, settings: MonoSettings = MonoSettings(), detector: Detector | None = None):
        """detector: one to use instead of MediaPipe; offsets, mode and detection score are then its own affair."""
        self.settings = settings
        self.model = load_hand_model(settings.model)
        offsets = load_offsets('mediapipe' if detector is None else detector.name, settings.offsets).offsets_m
        self._detector = detector or MediaPipeDetector(mode=settings.mode, max_hands=settings.max_hands,
                                                       min_detection_score=settings.min_detection_score)
        self._tracker = HandTracker()
        self._estimator = build_estimator(settings.estimator, self.model, offsets)
        if not self._estimator.needs_image:
            rehearse(self._estimator, self.model, self._detector.name)      # the first frame is not to compile anything
        self._tailor = None
        if settings.tailor != 'none':
            self._tailor = Tailor(self.model, offsets, solver=settings.tailor, max_hands=settings.max_hands)

    def process(self, frame: Frame, identity: HandIdentity | None = None) -> MonoResult:
        """Hands of one frame with its image; frames of a recording in the order of their stamps."""
        started = time.perf_counter()
        keypoints = self._tracker.update(self._detector.detect(frame), frame.stamp_ns)
        detected = time.perf_counter()
        estimates = [self._estimator.estimate(frame, k, identity) for k in keypoints]
        estimated = time.perf_counter()
        if self._tailor is not None:
            estimates = self._tailor.refine(frame, keypoints, estimates, identity)
        return MonoResult(keypoints, estimates, {'detection': detected - started, 'estimation': estimated - detected,
                                                 'tailor': time.perf_counter() - estimated})

    def restart(self, detector: Detector | None = None) -> None:
        """Forget the frames seen so far: what comes next is another recording, and gives what a new pipeline would.

        detector: one of the same landmark definition to use from now on.
        """
        if detector is not None and detector.name != self._detector.name:
            raise ValueError(f'detector: {detector.name!r}, expected {self._detector.name!r}, whose offsets are in use')
        if detector is not None:
            self._detector.close()
            self._detector = detector
        self._detector.restart()
        self._tracker = HandTracker()

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()
