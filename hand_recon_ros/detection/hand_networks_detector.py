"""MediaPipe's two networks run directly by OpenVINO, as this package's fast detector: image in, HandKeypoints out.

The same files as MediaPipe's graph, the same crops and rules, so the same landmarks (within 0.02 % of the hand's box on
single images at f32, 0.1 % at mixed, 0.3-0.5 % at bf16), for half of its CPU time or less: no graph, no copies, fewer
palm searches, and OpenVINO's kernels.
MediaPipe's coordinates are this package's (see mediapipe_detector); its handedness is for mirrored images and is read
the other way round here.
"""
from __future__ import annotations

import numpy as np

from hand_recon_ros.detection.detector import checked_max_hands
from hand_recon_ros.detection.duplicates import without_duplicates
from hand_recon_ros.detection.hand_networks import HandNetworks, SearchPolicy
from hand_recon_ros.detection.hand_regions import HandRegion
from hand_recon_ros.detection.landmark_network import HandReading
from hand_recon_ros.detection.mediapipe_detector import MODES, SMALLEST_SIDE_PX, reduced
from hand_recon_ros.detection.retry import detect_with_retries
from hand_recon_ros.detection.succession import Succession
from hand_recon_ros.types import Frame, HandKeypoints, checked_choice


class HandNetworksDetector:
    """Detects hands in single images ('image': every frame anew) or follows them through a recording ('video').

    max_hands, min_detection_score, min_tracking_score, retry: as of MediaPipeDetector. threads: CPU threads. precision:
    'auto', 'f32', 'mixed' or 'bf16', see inference.Network. The score is the hand's presence; the
    handedness has its own. In video mode palms are searched for as SearchPolicy says. One
    detector per camera in video mode; not for two threads.
    Raises ValueError, naming the pip extra, when OpenVINO is not installed.
    """
    name = 'mediapipe'      # of the landmarks' definition: tables of offsets hold

    def __init__(self, mode: str = 'image', max_hands: int = 2, min_detection_score: float = 0.5,
                 min_tracking_score: float = 0.5, retry: bool = True, threads: int = 1, precision: str = 'auto'):
        self.mode = checked_choice('mode', mode, MODES)
        self.max_hands, self.retry = checked_max_hands(max_hands), bool(retry)
        self._networks = HandNetworks((1, 2), min_detection_score, min_tracking_score, threads, precision)
        self._forget()
        self._succession = Succession()

    def detect(self, frame: Frame) -> list[HandKeypoints]:
        """The hands in a frame's image, at most `max_hands`, in pixels of the full image; empty when there is none.

        ValueError when the frame has no image. In video mode a new image size or a backward stamp starts afresh.
        """
        if self._networks is None:
            raise ValueError('detector: already closed')
        if frame.image is None:
            raise ValueError('frame.image: None, expected the (H, W, 3) RGB image to search for hands')
        if min(frame.width, frame.height) < SMALLEST_SIDE_PX:
            return []
        if self.mode == 'video':
            if self._succession.broken_by(frame):
                self._forget()
            return self._follow(frame.image)
        if self.retry:
            return detect_with_retries(frame.image, self._search_any_size, self.max_hands)
        return without_duplicates(self._search_any_size(frame.image))[:self.max_hands]

    def close(self) -> None:
        """Frees the networks. Harmless when repeated."""
        self._networks = None

    def __enter__(self) -> HandNetworksDetector:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def restart(self) -> None:
        """Forgets the hands followed so far: what comes next is another recording."""
        self._forget()
        self._succession.restart()

    def _forget(self) -> None:
        self._followed: list[HandReading] = []
        self._policy = SearchPolicy()

    def _follow(self, image: np.ndarray) -> list[HandKeypoints]:
        """Hands where they were in the frame before, and others where it is time to search."""
        regions = [HandRegion.from_landmarks(reading.points_px) for reading in self._followed]
        readings = [reading for reading in self._networks.read([image] * len(regions), regions) if reading is not None]
        if self._policy.due(len(readings), self.max_hands, lost=len(readings) < len(regions)):
            readings += self._networks.search(image, readings, self.max_hands - len(readings))
        hands = [reading.keypoints() for reading in readings]
        kept = without_duplicates(hands)
        self._followed = [reading for reading, hand in zip(readings, hands) if any(hand is other for other in kept)]
        return kept

    def _search_any_size(self, image: np.ndarray) -> list[HandKeypoints]:
        """Hands of one image by palm search alone. Very large ones are reduced first, as MediaPipeDetector does."""
        small, stretch = reduced(image)
        readings = self._networks.search(small, [], self.max_hands)
        return [(reading if small is image else reading.stretched(stretch)).keypoints() for reading in readings]
