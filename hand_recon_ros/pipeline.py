"""The stages in order, in one process: what the launch file does with nodes, for scripts, tests and `reconstruct`."""
from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hand_recon_ros.detection.detector import Detector
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.detection.paired_detectors import PairedDetectors
from hand_recon_ros.detection.registry import build_detector, build_stereo_detector, chosen_backend
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.estimation.names import AUTO, WITH_FEATURES
from hand_recon_ros.estimation.registry import build_estimator, chosen_estimator
from hand_recon_ros.estimation.rehearsal import rehearse
from hand_recon_ros.fusion import rehearsal
from hand_recon_ros.fusion.skin_term import SkinSettings
from hand_recon_ros.fusion.stereo_fuser import FusedHand, StereoFuser, View
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.assets import BUILT_IN, load_hand_model
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice


def _exchanged(detector, other):
    """`other` in place of `detector`, which is closed; `detector` itself where other is None. ValueError when the two
    do not define the same landmarks."""
    if other is None:
        return detector
    if other.name != detector.name:
        raise ValueError(f'detector: {other.name!r}, expected {detector.name!r}, whose offsets are in use')
    detector.close()
    return other


def _chosen(settings: MonoSettings | StereoSettings) -> str:
    """The estimator that the settings' name stands for; ValueError for an unknown one."""
    model = settings.model if settings.model in BUILT_IN else load_hand_model(settings.model).name
    return chosen_estimator(settings.estimator, model, settings.weights_dir)


@dataclass(frozen=True)
class MonoSettings:
    """What the mono pipeline is made of; the same names as the nodes' parameters.

    mode: 'video' follows hands from frame to frame, 'image' looks at each image anew and harder.
    estimator: see estimation.names. tailor: 'gauss_newton', 'adam' or 'none'. offsets: 'real',
    'synthetic', 'none' or a table's path. weights_dir: a folder of one's own weights, see weights.files.
    """
    mode: str = 'video'
    model: str = 'open_hand'
    offsets: str = 'real'
    estimator: str = 'auto'
    tailor: str = 'gauss_newton'
    max_hands: int = 2
    min_detection_score: float = 0.5
    weights_dir: str = ''

    @property
    def chosen_estimator(self) -> str:
        """The estimator that its name stands for; ValueError for an unknown one."""
        return _chosen(self)

    @property
    def method(self) -> str:
        """How the meshes are made, in the words of the nodes' messages."""
        return self.chosen_estimator + ('' if self.tailor == 'none' else f'+{self.tailor}')


@dataclass(frozen=True)
class MonoResult:
    """Keypoints and estimates of one frame, in the same order, and the seconds each stage took."""
    keypoints: list[HandKeypoints]
    estimates: list[HandEstimate]
    stage_seconds: dict[str, float]


class MonoPipeline:
    """Detection, tracking, estimation and the tailor on the frames of one camera."""

    def __init__(self, settings: MonoSettings | None = None, detector: Detector | None = None):
        """settings: None for the defaults. detector: one to use instead of MediaPipe; offsets, mode and detection score
        are then its own affair."""
        self.settings = settings = settings or MonoSettings()
        self.model = load_hand_model(settings.model)
        offsets = load_offsets('mediapipe' if detector is None else detector.name, settings.offsets).offsets_m
        self._detector = detector or MediaPipeDetector(mode=settings.mode, max_hands=settings.max_hands,
                                                       min_detection_score=settings.min_detection_score)
        self._tracker = HandTracker()
        self._estimator = build_estimator(settings.chosen_estimator, self.model, offsets, weights_dir=settings.weights_dir)
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
        self._detector = _exchanged(self._detector, detector)
        self._detector.restart()
        self._tracker = HandTracker()

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()


@dataclass(frozen=True)
class StereoSettings:
    """What the stereo pipeline is made of; the same names as the nodes' parameters.

    mode: 'video' follows hands from frame to frame, 'image' looks at each pair of images anew and harder.
    fusion: its method, 'joint', 'triangulation' or 'weights'. disparity: joint measures the skin between the images
    too, disparity_budget_ms an instant at most. detector: 'openvino', 'mediapipe' or 'auto'. tailor: of the single
    views, before they are fused. estimator, weights_dir: as of MonoSettings.
    """
    mode: str = 'video'
    fusion: str = 'joint'
    detector: str = 'auto'
    model: str = 'open_hand'
    offsets: str = 'real'
    estimator: str = 'auto'
    tailor: str = 'none'
    max_hands: int = 2
    min_detection_score: float = 0.5
    max_gap_s: float = 1.0
    disparity: bool = False
    disparity_budget_ms: float = 40.0
    weights_dir: str = ''

    @property
    def chosen_estimator(self) -> str:
        """The estimator that its name stands for: with method weights, auto is the one whose features it weighs.

        ValueError for an unknown one, or one that the method has no use for.
        """
        if self.fusion != 'weights':
            return _chosen(self)
        chosen = WITH_FEATURES[0] if self.estimator == AUTO else _chosen(self)
        if chosen not in WITH_FEATURES:
            raise ValueError(f'estimator: {chosen!r}, expected {" or ".join(WITH_FEATURES)}, whose features fusion weights '
                             'weighs')
        return chosen

    @property
    def method(self) -> str:
        """How the meshes are made, in the words of the nodes' messages."""
        return '+'.join([self.chosen_estimator] + ([] if self.tailor == 'none' else [self.tailor]) + [self.fusion]
                        + (['disparity'] if self.disparity else []))

    @property
    def skin(self) -> SkinSettings | None:
        """Settings of the skin-disparity term; None where it is off."""
        return SkinSettings(budget_ms=self.disparity_budget_ms) if self.disparity else None


@dataclass(frozen=True)
class StereoResult:
    """left, right: each camera's own hands, in its frame. hands: fused, left optical frame. Seconds of each stage."""
    left: View
    right: View
    hands: list[FusedHand]
    stage_seconds: dict[str, float]

    @property
    def estimates(self) -> list[HandEstimate]:
        """The fused hands alone."""
        return [hand.estimate for hand in self.hands]


class StereoPipeline:
    """Detection, estimation and fusion on the frames of two cameras."""

    def __init__(self, rig: StereoRig, settings: StereoSettings | None = None, detector=None):
        """settings: None for the defaults. detector: one of both views to use instead of the settings', see
        detection.registry.build_stereo_detector."""
        self.settings, self.rig = settings or StereoSettings(), rig
        settings = self.settings
        self.model = load_hand_model(settings.model)
        self._detector = detector or _stereo_detector(rig, settings)
        self.offsets_m = load_offsets(self._detector.name, settings.offsets).offsets_m
        self._estimator = build_estimator(settings.chosen_estimator, self.model, self.offsets_m,
                                          weights_dir=settings.weights_dir)
        self._tailor = None
        if settings.tailor != 'none':
            self._tailor = Tailor(self.model, self.offsets_m, solver=settings.tailor, max_hands=settings.max_hands)
        self._fuser = StereoFuser(self.model, self.offsets_m, settings.fusion, max_hands=settings.max_hands,
                                  max_gap_s=settings.max_gap_s, disparity=settings.skin,
                                  weights_dir=settings.weights_dir)
        rehearsal.rehearse(self._fuser, self._estimator, self.model, rig, self._detector.name)
        self._fuser.restart()

    def process(self, left: Frame, right: Frame, identities: Mapping[int, HandIdentity] | None = None,
                default_identity: HandIdentity | None = None) -> StereoResult:
        """Hands of one instant's images, seen by the rig's cameras; instants in the order of their stamps.

        identities: by the fused hands' track ids. default_identity: of all others. ValueError when an image is not of
        its camera's size.
        """
        for side, frame, camera in (('left', left, self.rig.left), ('right', right, self.rig.right)):
            if (frame.width, frame.height) != (camera.width, camera.height):
                raise ValueError(f'{side}: {frame.width} x {frame.height}, expected the rig\'s '
                                 f'{camera.width} x {camera.height}')
        left, right = replace(left, camera=self.rig.left), replace(right, camera=self.rig.right)
        if self.settings.mode == 'image':
            self._fuser.restart()           # unlike instants: what was seen before says nothing of these images
        started = time.perf_counter()
        seen = self._detector.detect(left, right)
        detected = time.perf_counter()
        views = [self._view(frame, keypoints, default_identity) for frame, keypoints in zip((left, right), seen)]
        estimated = time.perf_counter()
        hands = self._fuser.fuse(self.rig, *views, dict(identities or {}), default_identity)
        return StereoResult(*views, hands, {'detection': detected - started, 'estimation': estimated - detected,
                                            'fusion': time.perf_counter() - estimated})

    def _view(self, frame: Frame, keypoints: list[HandKeypoints], identity: HandIdentity | None) -> View:
        estimates = [self._estimator.estimate(frame, hand, identity) for hand in keypoints]
        if self._tailor is not None and estimates:
            estimates = self._tailor.refine(frame, keypoints, estimates, identity)
        return View(frame, keypoints, estimates)

    @property
    def disparity_counts(self) -> dict[str, int]:
        """What became of the hands whose skin was to be measured, see StereoFuser; empty where it is off."""
        return self._fuser.disparity_counts

    def restart(self, rig: StereoRig | None = None, detector=None) -> None:
        """Forget the frames seen so far: what comes next is another recording. rig: of its cameras, None for the same.

        detector: one of the same landmark definition to use from now on.
        """
        self._detector = _exchanged(self._detector, detector)
        self.rig = rig or self.rig
        self._detector.use(self.rig)
        self._detector.restart()
        self._fuser.restart()

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()


def _stereo_detector(rig: StereoRig, settings: StereoSettings):
    backend = chosen_backend(settings.detector)
    if checked_choice('mode', settings.mode, ('video', 'image')) == 'video':
        return build_stereo_detector(backend, rig, settings.max_hands, settings.min_detection_score,
                                     max_gap_s=settings.max_gap_s)
    left, right = (build_detector(backend, 'image', settings.max_hands, settings.min_detection_score) for _ in range(2))
    return PairedDetectors(left, right, settings.max_gap_s)
