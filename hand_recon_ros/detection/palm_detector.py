"""MediaPipe's palm detector run directly: an image in, palms out, the best first."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hand_recon_ros.detection.hand_regions import HandRegion
from hand_recon_ros.detection.inference import PALM_MODEL, Network
from hand_recon_ros.detection.palm_anchors import PALM_INPUT_SIZE, anchor_centres
from hand_recon_ros.detection.palm_suppression import weighted_suppression

SAME_PALM_OVERLAP = 0.3     # intersection over union above which two answers mean one palm
LARGEST_LOGIT = 100.0


@dataclass(frozen=True)
class Palm:
    """score: 0..1. box_px: (4,) x_min, y_min, x_max, y_max. points_px: (7, 2): wrist, MCP of index, middle, ring and
    pinky, thumb CMC and MCP; pixels of the image, which they may leave.
    """
    score: float
    box_px: np.ndarray
    points_px: np.ndarray

    @property
    def region(self) -> HandRegion:
        """Where the whole hand is to be looked for."""
        return HandRegion.from_palm(self.box_px, self.points_px)


def decoded(raw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (N, 4) and points (N, 7, 2), fractions of the network's input, of its raw answers (N, 18) at all anchors.

    raw: pixels of the input from the anchor: centre x, y, width, height, then x, y of seven points.
    """
    raw = raw.astype(np.float64) / PALM_INPUT_SIZE
    anchors = anchor_centres()
    centre, half = raw[:, :2] + anchors, raw[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1), raw[:, 4:].reshape(-1, 7, 2) + anchors[:, None]


class PalmDetector:
    """Finds palms. min_score: below which an answer is none. threads, precision: of inference.Network."""

    def __init__(self, min_score: float = 0.5, threads: int = 1, precision: str = 'auto'):
        if not 0.0 <= min_score <= 1.0:
            raise ValueError(f'min_detection_score: {min_score!r}, expected 0 to 1')
        self.min_score = float(min_score)
        self._network = Network(PALM_MODEL, (1,), threads, precision)

    def find(self, image: np.ndarray) -> list[Palm]:
        """Palms of an (H, W, 3) uint8 RGB image, the best first."""
        height, width = image.shape[:2]
        side = float(max(width, height))
        # The whole image in the middle of a square, black around it; corners on corners, as MediaPipe does it.
        scale = PALM_INPUT_SIZE / side
        matrix = np.array([[scale, 0, (side - width) / 2 * scale], [0, scale, (side - height) / 2 * scale]])
        square = cv2.warpAffine(image, matrix, (PALM_INPUT_SIZE, PALM_INPUT_SIZE), flags=cv2.INTER_LINEAR)
        raw, logits = self._network(square[None])
        scores = 1.0 / (1.0 + np.exp(-np.clip(logits[0, :, 0].astype(np.float64), -LARGEST_LOGIT, LARGEST_LOGIT)))
        likely = scores >= self.min_score
        if not likely.any():
            return []
        boxes, points = (part[likely] for part in decoded(raw[0]))
        values = np.concatenate([boxes, points.reshape(-1, 14)], axis=1)
        means, best = weighted_suppression(boxes, values, scores[likely], SAME_PALM_OVERLAP)
        corner = np.array([side - width, side - height]) / 2
        palms = []
        for mean, score in zip(means, best):
            pixels = mean.reshape(-1, 2) * side - corner
            palms.append(Palm(float(score), pixels[:2].reshape(4), pixels[2:]))
        return palms
