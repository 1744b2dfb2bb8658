"""Where a hand's crop is taken: a turned square of the image, from a palm or from the landmarks of the frame before.

The rules are MediaPipe's (its graphs `palm_detection_detection_to_roi` and `hand_landmark_landmarks_to_roi`): the
landmark network was trained on crops made by them, fingers up, the hand filling about half of the square.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.types import checked

CROP_SIZE = 224                     # pixels, square: the landmark network's input
PALM_SCALE, PALM_SHIFT = 2.6, -0.5          # of the palm's box: grown, and moved along the fingers
LANDMARK_SCALE, LANDMARK_SHIFT = 2.0, -0.1  # of the box around the steady landmarks
PALM_WRIST, PALM_MIDDLE_MCP = 0, 2          # among a palm's seven points
# Wrist, thumb CMC to IP, and MCP and PIP of the fingers: tips come and go with the fist, these stay.
STEADY_LANDMARKS = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
WRIST, INDEX_MCP, MIDDLE_MCP, RING_MCP = 0, 5, 9, 13


@dataclass(frozen=True)
class HandRegion:
    """A square of the image around a hand. centre_px: (x, y). side_px: its side. angle_rad: how far the hand is turned
    clockwise, as seen, from fingers up.

    The corner of the square is the first pixel *centre* of the crop: crop = (R(-angle) @ (image - centre) / side + 0.5)
    * CROP_SIZE. That is how MediaPipe cuts and reads its crops on the CPU, half a pixel from `crops.Crop`'s convention.
    """
    centre_px: tuple[float, float]
    side_px: float
    angle_rad: float

    def __post_init__(self):
        centre = checked('region centre_px', self.centre_px, (2,), np.float64)
        object.__setattr__(self, 'centre_px', (float(centre[0]), float(centre[1])))
        if not (np.isfinite(self.side_px) and self.side_px > 0):
            raise ValueError(f'region side_px: {self.side_px}, expected a positive number')
        if not np.isfinite(self.angle_rad):
            raise ValueError(f'region angle_rad: {self.angle_rad}, expected a finite number')

    @classmethod
    def from_palm(cls, box_px, points_px) -> HandRegion:
        """Region of the whole hand from a palm's box (4,) and seven points (7, 2), pixels of the image."""
        box, points = checked('box_px', box_px, (4,), np.float64), checked('points_px', points_px, (7, 2), np.float64)
        angle_rad = _turned_from_up(points[PALM_MIDDLE_MCP] - points[PALM_WRIST])
        size = box[2:] - box[:2]
        centre = (box[:2] + box[2:]) / 2 + _rotation(angle_rad) @ [0.0, PALM_SHIFT * size[1]]
        return cls(tuple(centre), PALM_SCALE * float(size.max()), angle_rad)

    @classmethod
    def from_landmarks(cls, points_px) -> HandRegion:
        """Region of a hand from its 21 landmarks (21, 2), pixels of the image, as MediaPipe takes it."""
        points = checked('points_px', points_px, (21, 2), np.float64)
        knuckles = ((points[INDEX_MCP] + points[RING_MCP]) / 2 + points[MIDDLE_MCP]) / 2
        angle_rad = _turned_from_up(knuckles - points[WRIST])
        rotation = _rotation(angle_rad)
        upright = points[STEADY_LANDMARKS] @ rotation
        low, high = upright.min(0), upright.max(0)
        middle = (low + high) / 2 + [0.0, LANDMARK_SHIFT * (high[1] - low[1])]
        return cls(tuple(rotation @ middle), LANDMARK_SCALE * max(float((high - low).max()), 1.0), angle_rad)

    @property
    def rotation(self) -> np.ndarray:
        """(2, 2): turns directions of the crop into directions of the image."""
        return _rotation(self.angle_rad)

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine: crop = matrix[:, :2] @ image + matrix[:, 2]."""
        linear = CROP_SIZE / self.side_px * self.rotation.T
        return np.column_stack([linear, CROP_SIZE / 2 - linear @ np.asarray(self.centre_px)])

    def to_crop(self, points_px) -> np.ndarray:
        """Image pixels (..., 2) to crop pixels, float64."""
        matrix = self.matrix
        return np.asarray(points_px, float) @ matrix[:, :2].T + matrix[:, 2]

    def to_image(self, points_px) -> np.ndarray:
        """Crop pixels (..., 2) to image pixels, float64: the exact inverse of `to_crop`."""
        return ((np.asarray(points_px, float) / CROP_SIZE - 0.5) * self.side_px @ self.rotation.T
                + np.asarray(self.centre_px))

    def directions_to_image(self, vectors) -> np.ndarray:
        """Vectors (..., 3) in the crop's optical axes to the image's: turned about the optical axis."""
        vectors = np.asarray(vectors, float)
        return np.concatenate([vectors[..., :2] @ self.rotation.T, vectors[..., 2:]], axis=-1)

    def overlap(self, other: HandRegion) -> float:
        """Intersection over union of the two squares, as if neither were turned (MediaPipe's own test)."""
        shared = 1.0
        for axis in (0, 1):
            low = max(self.centre_px[axis] - self.side_px / 2, other.centre_px[axis] - other.side_px / 2)
            high = min(self.centre_px[axis] + self.side_px / 2, other.centre_px[axis] + other.side_px / 2)
            shared *= max(0.0, high - low)
        return shared / (self.side_px ** 2 + other.side_px ** 2 - shared)


def _turned_from_up(along) -> float:
    """Radians in -pi..pi by which a direction (x right, y down) is turned clockwise from straight up."""
    angle = np.pi / 2 - np.arctan2(-along[1], along[0])
    return float(angle - 2 * np.pi * np.floor((angle + np.pi) / (2 * np.pi)))


def _rotation(angle_rad: float) -> np.ndarray:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, -sine], [sine, cosine]])
