"""Detectors by name, as the configuration chooses them."""
from __future__ import annotations

import importlib.util

from hand_recon_ros.detection.detector import Detector
from hand_recon_ros.detection.hand_networks_detector import HandNetworksDetector
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.detection.paired_detectors import PairedDetectors
from hand_recon_ros.detection.stereo_hand_detector import StereoHandDetector
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import checked_choice

DETECTORS = {'openvino': HandNetworksDetector, 'mediapipe': MediaPipeDetector}
BACKENDS = ('auto', *DETECTORS)


def chosen_backend(name: str) -> str:
    """Detector that a name of BACKENDS stands for: 'auto' is OpenVINO where it is installed, else MediaPipe."""
    if checked_choice('backend', name, BACKENDS) != 'auto':
        return name
    return 'mediapipe' if importlib.util.find_spec('openvino') is None else 'openvino'


def build_detector(name: str, mode: str = 'image', max_hands: int = 2, min_detection_score: float = 0.5,
                   min_tracking_score: float = 0.5, retry: bool = True, threads: int = 1) -> Detector:
    """Detector `name`: 'openvino' (fast) or 'mediapipe' (the reference). threads: of 'openvino'; MediaPipe takes one.

    ValueError for an unknown name or setting, and for 'openvino' where OpenVINO is not installed, naming its pip extra.
    """
    checked_choice('detector', name, tuple(DETECTORS))
    more = {'threads': threads} if name == 'openvino' else {}
    return DETECTORS[name](mode, max_hands, min_detection_score, min_tracking_score, retry, **more)


def build_stereo_detector(name: str, rig: StereoRig, max_hands: int = 2, min_detection_score: float = 0.5,
                          min_tracking_score: float = 0.5, max_gap_s: float = 0.5, threads: int = 1,
                          precision: str = 'auto') -> StereoHandDetector | PairedDetectors:
    """Detector of both images of a pair; `name` and settings as of build_detector, in video mode.

    max_gap_s: of 'mediapipe', a hand unseen for longer gets a new id. precision: of 'openvino', see inference.Network.
    """
    if checked_choice('detector', name, tuple(DETECTORS)) == 'openvino':
        return StereoHandDetector(rig, max_hands, min_detection_score, min_tracking_score, threads, precision)
    left, right = (build_detector(name, 'video', max_hands, min_detection_score, min_tracking_score, False)
                   for _ in range(2))
    return PairedDetectors(left, right, max_gap_s)
