"""Detectors by name, as the configuration chooses them."""
from __future__ import annotations

from typing import Protocol

from hand_recon_ros.detection.hand_networks_detector import HandNetworksDetector
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.types import Frame, HandKeypoints, checked_choice


class Detector(Protocol):
    """Image in, hands out. Their landmarks are MediaPipe's by either detector, and so are the tables of offsets."""
    name: str
    mode: str
    max_hands: int

    def detect(self, frame: Frame) -> list[HandKeypoints]:
        """Hands of a frame's image, in pixels; ValueError when it has none."""

    def close(self) -> None:
        """Frees what it holds."""


DETECTORS = {detector.name: detector for detector in (HandNetworksDetector, MediaPipeDetector)}


def build_detector(name: str, mode: str = 'image', max_hands: int = 2, min_detection_score: float = 0.5,
                   min_tracking_score: float = 0.5, retry: bool = True, threads: int = 1) -> Detector:
    """Detector `name`: 'openvino' (fast) or 'mediapipe' (the reference). threads: of 'openvino'; MediaPipe takes one.

    ValueError for an unknown name or setting, and for 'openvino' where OpenVINO is not installed, naming its pip extra.
    """
    checked_choice('detector', name, tuple(DETECTORS))
    more = {'threads': threads} if name == HandNetworksDetector.name else {}
    return DETECTORS[name](mode, max_hands, min_detection_score, min_tracking_score, retry, **more)
