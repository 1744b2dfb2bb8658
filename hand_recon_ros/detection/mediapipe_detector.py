"""MediaPipe Hands 0.10.21, whose models come inside its wheel, as this package's detector: image in, HandKeypoints out.

What MediaPipe's own numbers mean, and what is made of them here:
- Handedness assumes a mirrored (selfie) image; camera images are not mirrored, so its answer is swapped.
- Landmarks are fractions of the image size. fraction * size is already the coordinate of this package (integers name
  pixel centres): on 105 photographs turned by 180 degrees the sum of both answers is W - 0.96 px, and enlarging three
  times moves them by 0.333 px of the small image, both as that convention says and half a pixel from the other.
- It gives no score per landmark and, in this interface, no score of the hand but that of its handedness (0.5 to 1):
  that one stands for both, and every landmark carries it.
- World landmarks are metres about the hand's centre, axes of the optical frame, at MediaPipe's own assumed hand size.
"""
from __future__ import annotations

import cv2
import numpy as np

from hand_recon_ros.detection.detector import checked_max_hands
from hand_recon_ros.detection.duplicates import without_duplicates
from hand_recon_ros.detection.retry import detect_with_retries
from hand_recon_ros.detection.stderr_filter import without_chatter
from hand_recon_ros.detection.succession import Succession
from hand_recon_ros.types import Frame, HandKeypoints, checked_choice

MODES = ('image', 'video')
UNMIRRORED = {'Left': 'right', 'Right': 'left'}
BOX_MARGIN = 0.05           # of the longer side, on every side: flesh around the landmarks
SMALLEST_SIDE_PX = 8        # below this no hand can be told from noise
LARGEST_SIDE_PX = 4096      # larger images are reduced first: the networks see 224 pixels of a hand at most
LONGEST_GAP_S = 1.0         # a hand is not looked for where it was longer ago


def box_around(points_px: np.ndarray, margin: float = BOX_MARGIN) -> np.ndarray:
    """(4,) x_min, y_min, x_max, y_max of (21, 2) points, grown by margin * longer side; not clipped to the image."""
    low, high = points_px.min(0), points_px.max(0)
    grow = margin * float((high - low).max())
    return np.concatenate([low - grow, high + grow]).astype(np.float32)


def reduced(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A very large image made smaller, LARGEST_SIDE_PX at most, and how many times the given one is as large, (2,) x, y.

    Any other image comes back as it is, with ones.
    """
    height, width = image.shape[:2]
    if max(width, height) <= LARGEST_SIDE_PX:
        return image, np.ones(2)
    scale = LARGEST_SIDE_PX / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.array([width, height]) / size


class MediaPipeDetector:
    """Detects hands in single images ('image': every frame anew) or follows them through a recording ('video').

    max_hands: most hands to report. min_detection_score: of the palm detector. min_tracking_score: of the landmark
    network's "is a hand" output, below which a hand is dropped. retry: in image mode, search again at other scales,
    rotations and in tiles when nothing was found (up to 0.5 s more). One detector per camera in video mode; not for use
    from two threads.
    """
    name = 'mediapipe'

    def __init__(self, mode: str = 'image', max_hands: int = 2, min_detection_score: float = 0.5,
                 min_tracking_score: float = 0.5, retry: bool = True):
        self.mode = checked_choice('mode', mode, MODES)
        for name, value in (('min_detection_score', min_detection_score), ('min_tracking_score', min_tracking_score)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f'{name}: {value!r}, expected 0 to 1')
        self.max_hands, self.retry = checked_max_hands(max_hands), bool(retry)
        self._seen_any = False
        self._succession = Succession(LONGEST_GAP_S)
        with without_chatter():
            from mediapipe.python.solutions import hands as mediapipe_hands     # 1-2 s: only for who makes a detector
            self._hands = mediapipe_hands.Hands(
                static_image_mode=mode == 'image', max_num_hands=self.max_hands, model_complexity=1,
                min_detection_confidence=float(min_detection_score), min_tracking_confidence=float(min_tracking_score))
            self._hands.process(np.zeros((64, 64, 3), np.uint8))    # loads the networks now, not in the first frame

    def detect(self, frame: Frame) -> list[HandKeypoints]:
        """The hands in a frame's image, at most `max_hands`, in pixels of the full image; empty when there is none.

        ValueError when the frame has no image. In video mode a new image size, a backward stamp or a gap
        of more than LONGEST_GAP_S starts afresh.
        """
        if self._hands is None:
            raise ValueError('detector: already closed')
        if frame.image is None:
            raise ValueError('frame.image: None, expected the (H, W, 3) RGB image to search for hands')
        if min(frame.width, frame.height) < SMALLEST_SIDE_PX:
            return []
        if self.mode == 'video':
            if self._succession.broken_by(frame):
                self._forget()
            return without_duplicates(self._detect_any_size(frame.image))[:self.max_hands]
        if not self.retry:
            return without_duplicates(self._detect_any_size(frame.image))[:self.max_hands]
        return detect_with_retries(frame.image, self._detect_any_size, self.max_hands)

    def close(self) -> None:
        """Frees the graph's threads. Harmless when repeated."""
        if self._hands is not None:
            self._hands.close()
            self._hands = None

    def __enter__(self) -> MediaPipeDetector:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def restart(self) -> None:
        """Forget the hands seen so far: what comes next is another recording."""
        if self.mode == 'video' and self._succession.begun:
            self._forget()
        self._succession.restart()

    def _forget(self) -> None:
        with without_chatter():
            self._hands.reset()
            self._hands.process(np.zeros((64, 64, 3), np.uint8))    # loads the networks again, chatter and all
        self._seen_any = False

    def _detect_any_size(self, image: np.ndarray) -> list[HandKeypoints]:
        """One pass over an image, reduced first when it is very large; answers in pixels of the image given."""
        image, stretch = reduced(image)
        image = np.ascontiguousarray(image)
        if self._seen_any:
            result = self._hands.process(image)
        else:
            with without_chatter():     # the last of the chatter comes with the first hand
                result = self._hands.process(image)
        if not result.multi_hand_landmarks:
            return []
        self._seen_any = True
        # (small + 0.5) * s - 0.5, with s = 1 unless the image was reduced.
        size = np.array([image.shape[1], image.shape[0]], float)
        hands = []
        for landmarks, world, handedness in zip(result.multi_hand_landmarks, result.multi_hand_world_landmarks,
                                                result.multi_handedness):
            fractions = np.array([(point.x, point.y) for point in landmarks.landmark])
            points_px = (fractions * size + 0.5) * stretch - 0.5
            best = handedness.classification[0]
            hands.append(HandKeypoints(
                handedness=UNMIRRORED[best.label], handedness_score=float(best.score), score=float(best.score),
                box_px=box_around(points_px), points_px=points_px, point_scores=np.full(21, best.score, np.float32),
                points_m=np.array([(point.x, point.y, point.z) for point in world.landmark], np.float32),
                detector=self.name))
        return hands
