"""Similarity crops: a rotated, scaled window of an image, and the exact mapping of points and directions both ways."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Crop:
    """A window of `width` x `height` crop pixels, centred on `centre_px` of the image, turned by `angle_rad`.

    crop = scale * R(angle) @ (image - centre) + (crop size - 1) / 2; integer coordinates name pixel centres in both.
    centre_px: (x, y) in image pixels. scale: crop pixels per image pixel. angle_rad: positive turns the image content
    clockwise as seen (x right, y down). ValueError when the size or the scale is not positive.
    """
    centre_px: tuple[float, float]
    width: int
    height: int
    scale: float = 1.0
    angle_rad: float = 0.0

    def __post_init__(self):
        if self.width < 1 or self.height < 1:
            raise ValueError(f'crop size: {self.width} x {self.height}, expected at least 1 x 1')
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f'crop scale: {self.scale}, expected a positive number')

    @classmethod
    def square(cls, box_px, size: int, margin: float = 0.0, angle_rad: float = 0.0) -> Crop:
        """Square crop of `size` pixels around a box (x0, y0, x1, y1), its longer side grown by 2 * margin."""
        x_min, y_min, x_max, y_max = (float(value) for value in box_px)
        side = max(x_max - x_min, y_max - y_min) * (1.0 + 2.0 * margin)
        if not side > 0:
            raise ValueError(f'box_px: {tuple(box_px)}, expected x_max > x_min or y_max > y_min')
        return cls(((x_min + x_max) / 2, (y_min + y_max) / 2), size, size, size / side, angle_rad)

    @property
    def rotation(self) -> np.ndarray:
        """(2, 2): turns image directions into crop directions."""
        cosine, sine = np.cos(self.angle_rad), np.sin(self.angle_rad)
        return np.array([[cosine, -sine], [sine, cosine]])

    @property
    def matrix(self) -> np.ndarray:
        """(2, 3) affine: crop = matrix[:, :2] @ image + matrix[:, 2]."""
        linear = self.scale * self.rotation
        middle = np.array([self.width - 1, self.height - 1]) / 2
        return np.column_stack([linear, middle - linear @ np.asarray(self.centre_px, float)])

    def to_crop(self, points_px) -> np.ndarray:
        """Image pixels (..., 2) to crop pixels, float64."""
        matrix = self.matrix
        return np.asarray(points_px, float) @ matrix[:, :2].T + matrix[:, 2]

    def to_image(self, points_px) -> np.ndarray:
        """Crop pixels (..., 2) to image pixels, float64: the exact inverse of `to_crop`."""
        middle = np.array([self.width - 1, self.height - 1]) / 2
        return (np.asarray(points_px, float) - middle) @ self.rotation / self.scale + np.asarray(self.centre_px, float)

    def directions_to_image(self, vectors) -> np.ndarray:
        """Vectors (..., 3) in the crop's optical axes to the image's: turned back about the optical axis."""
        vectors = np.asarray(vectors, float)
        return np.concatenate([vectors[..., :2] @ self.rotation, vectors[..., 2:]], axis=-1)

    def take(self, image: np.ndarray) -> np.ndarray:
        """The crop of an (H, W, 3) image, (height, width, 3) of the same type; black outside the image."""
        image, matrix = self._shrunk(image)
        return cv2.warpAffine(image, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR)

    def _shrunk(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Image and matrix after an area-averaging reduction: a crop far smaller than its source must not alias."""
        factor = int(1.0 / self.scale)
        if factor < 2:
            return image, self.matrix
        size = max(1, image.shape[1] // factor), max(1, image.shape[0] // factor)
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        stretch = np.array([image.shape[1] / size[0], image.shape[0] / size[1]])
        # image = (small + 0.5) * stretch - 0.5, put into crop = A @ image + b.
        linear, offset = self.matrix[:, :2], self.matrix[:, 2]
        return small, np.column_stack([linear * stretch, linear @ (0.5 * stretch - 0.5) + offset])
