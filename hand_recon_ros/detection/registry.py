"""Detectors by name, as the configuration chooses them."""
from __future__ import annotations

from hand_recon_ros.detection.detector import Detector
from hand_recon_ros.detection.hand_networks_detector import HandNetworksDetector
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.types import checked_choice

DETECTORS = {'openvino': HandNetworksDetector, 'mediapipe': MediaPipeDetector}


def build_detector(name: str, mode: str = 'image', max_hands: int = 2, min_detection_score: float = 0.5,
                   min_tracking_score: float = 0.5, retry: bool = True, threads: int = 1) -> Detector:
    """Detector `name`: 'openvino' (fast) or 'mediapipe' (the reference). threads: of 'openvino'; MediaPipe takes one.

    ValueError for an unknown name or setting, and for 'openvino' where OpenVINO is not installed, naming its pip extra.
    """
    checked_choice('detector', name, tuple(DETECTORS))
    more = {'threads': threads} if name == 'openvino' else {}
    return DETECTORS[name](mode, max_hands, min_detection_score, min_tracking_score, retry, **more)
