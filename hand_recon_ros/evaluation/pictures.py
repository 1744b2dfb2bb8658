"""Frames drawn again with what was found in them."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.evaluation.ground_truth import MeshCompletion
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.rendering.overlay import OverlayRenderer
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints


class FoundHandsPainter:
    """Draws estimates of one model, with or without their vertices, and the detector's landmarks over images."""

    def __init__(self, model: HandModel):
        self._renderer, self._complete = OverlayRenderer(model), MeshCompletion(model)

    def paint(self, frame: Frame, estimates: list[HandEstimate], keypoints: list[HandKeypoints]) -> np.ndarray:
        """(H, W, 3) uint8 RGB; ValueError when the frame has no image."""
        return self._renderer.draw(frame, self._complete(estimates), keypoints)
