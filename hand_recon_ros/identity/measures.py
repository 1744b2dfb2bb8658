"""How wide and how long a hand is, as paper 5 measures it: at the flat pose, between joints of the model."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.hand_model.landmarks import build_skeleton, landmark_shape_dirs, rest_landmarks
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import checked

# Paper 5, sec. 4.1: W from the index to the ring finger's metacarpophalangeal joint, L from wrist to middle fingertip.
WIDTH_ENDS, LENGTH_ENDS = (5, 13), (0, 12)


@dataclass(frozen=True)
class HandSize:
    """Millimetres; the standard deviations are NaN where nobody stated the shape's."""
    width_mm: float
    length_mm: float
    width_std_mm: float = float('nan')
    length_std_mm: float = float('nan')


class HandMeasures:
    """Width and length of the shapes of one model."""

    def __init__(self, model: HandModel):
        skeleton = build_skeleton(model)
        rest, moved = np.asarray(rest_landmarks(skeleton), np.float64), landmark_shape_dirs(skeleton)
        self.shape_size = model.shape_size
        self._spans = [(rest[tip] - rest[root], np.asarray(moved[tip] - moved[root], np.float64))
                       for root, tip in (WIDTH_ENDS, LENGTH_ENDS)]

    def lengths_mm(self, shapes) -> np.ndarray:
        """(..., 2) width and length of shapes (..., B)."""
        shapes = np.asarray(shapes, np.float64)
        return np.stack([1000 * np.linalg.norm(rest + shapes @ moved.T, axis=-1) for rest, moved in self._spans], -1)

    def gradient_mm(self, shape) -> np.ndarray:
        """(2, B) how width and length change with each number of a shape (B,)."""
        rows = []
        for rest, moved in self._spans:
            span = rest + moved @ np.asarray(shape, np.float64)
            rows.append(1000 * span @ moved / np.linalg.norm(span))
        return np.stack(rows)

    def size(self, shape, covariance=None) -> HandSize:
        """Size of a shape (B,), with standard deviations from its covariance (B, B); ValueError for other lengths."""
        shape = checked('shape', shape, (self.shape_size,), np.float64)
        width, length = self.lengths_mm(shape)
        if covariance is None:
            return HandSize(float(width), float(length))
        covariance = checked('covariance', covariance, (self.shape_size, self.shape_size), np.float64)
        gradient = self.gradient_mm(shape)
        stds = np.sqrt(np.maximum(np.einsum('ib,bc,ic->i', gradient, covariance, gradient), 0.0))
        return HandSize(float(width), float(length), *(float(std) for std in stds))
