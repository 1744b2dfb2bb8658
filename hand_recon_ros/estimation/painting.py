"""Hands' masks on the image they were seen in."""
from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from hand_recon_ros.datasets.sample import MASK_VALUES
from hand_recon_ros.types import HandEstimate


def painted_masks(estimates: Iterable[HandEstimate], width: int, height: int) -> np.ndarray:
    """(height, width) uint8: 0 elsewhere, MASK_VALUES where a hand is likelier than not, of two hands the likelier."""
    labels, best = np.zeros((height, width), np.uint8), np.full((height, width), 0.5, np.float32)
    for estimate in estimates:
        if estimate.mask is None:
            raise ValueError(f'mask: none of track {estimate.track_id}, expected one of every hand')
        inverse = cv2.invertAffineTransform(estimate.mask.A_image_grid)
        seen = cv2.warpAffine(estimate.mask.probability, inverse, (width, height),
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        labels[seen > best] = MASK_VALUES[estimate.handedness]
        best = np.maximum(best, seen)
    return labels
