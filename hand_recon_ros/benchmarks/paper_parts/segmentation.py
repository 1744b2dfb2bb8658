"""HandNet's masks beside thresholds on skin colour (RealisticHands, table 3), on held-out hands."""
from __future__ import annotations

import sys

import cv2
import numpy as np
from tqdm import tqdm

from hand_recon_ros.benchmarks.paper_parts.held_out import HeldOut
from hand_recon_ros.datasets.sample import MASK_VALUES
from hand_recon_ros.estimation.hand_crop import HandCrop
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.weights.files import read_card

# Kolkur et al. 2017, "Human Skin Detection Using RGB, HSV and YCbCr Color Models": H 0-50 degrees, S 0.23-0.68.
HSV_LOWER, HSV_UPPER = (0, 0.23 * 255, 0), (50 / 2, 0.68 * 255, 255)
# Table 3, synthetic data.
PAPER_IOU = {'HandNet': 0.95, 'HSV': 0.18}


def segmentation_rows(held_out: HeldOut) -> list[dict]:
    """Mean intersection over union and share of right pixels in the crops of the first views."""
    estimator = build_estimator('handnet', held_out.model, held_out.offsets_m, masks=True)
    scores, size = {'HandNet': [], 'HSV': []}, read_card('handnet').crop_px
    for sight in tqdm(held_out.first_views(), 'masks', len(held_out), disable=not sys.stderr.isatty()):
        view = held_out.sample(sight.number).views[sight.place]
        crop = HandCrop.around(sight.keypoints.points_px, sight.labels.mirrored, sight.frame.camera, size)
        truth = crop.take((view.mask() == MASK_VALUES[sight.keypoints.handedness]).astype(np.uint8) * 255) > 127
        found = {'HandNet': estimator.estimate(sight.frame, sight.keypoints).mask.probability > 0.5,
                 'HSV': skin_coloured(crop.take(sight.frame.image))}
        for name, mask in found.items():
            union = (mask | truth).sum()
            scores[name].append(((mask & truth).sum() / union if union else 1.0, (mask == truth).mean()))
    return [{'case': f'mask, {name}', 'section': 'segmentation', 'hands': len(values),
             'iou': float(np.mean([iou for iou, _ in values])), 'paper_iou': PAPER_IOU[name],
             'accuracy': float(np.mean([right for _, right in values]))} for name, values in scores.items()]


def skin_coloured(image: np.ndarray) -> np.ndarray:
    """(H, W) bool of an RGB image by thresholds on hue and saturation."""
    return cv2.inRange(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), HSV_LOWER, HSV_UPPER) > 0
