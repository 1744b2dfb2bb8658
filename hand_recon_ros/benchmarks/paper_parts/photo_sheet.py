"""Every estimator on one's own photographs: a row a hand, a column a way, and HandNet's mask beside skin colour's."""
from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from hand_recon_ros.benchmarks.paper_parts.segmentation import skin_coloured
from hand_recon_ros.datasets.sample import MASK_VALUES
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.detection.registry import build_detector
from hand_recon_ros.estimation.names import NAMES
from hand_recon_ros.estimation.painting import painted_masks
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.media.images import close_up, contact_sheet, write_image
from hand_recon_ros.media.sources import Source
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.rendering.overlay import OverlayRenderer
from hand_recon_ros.types import Frame

CELL_PX, ROWS, MASK_TINT = 168, 14, (60, 220, 90)
COLUMNS = ('photograph', 'HandNet mask', 'HSV mask', *NAMES, *(f'{name} + tailor' for name in NAMES))


def draw_photo_sheets(photos: Path, folder: Path) -> list[Path]:
    """Sheets of ROWS hands each, photos_01.png and on; ValueError where no hand is found."""
    model = load_hand_model('open_hand')
    offsets_m = load_offsets('mediapipe', 'real').offsets_m
    estimators = {name: build_estimator(name, model, offsets_m, masks=name == 'handnet') for name in NAMES}
    tailor, renderer = Tailor(model, offsets_m), OverlayRenderer(model)
    detector, rows, source = build_detector('mediapipe', 'image', max_hands=2), [], Source.open(photos)
    try:
        for item in tqdm(source, 'photographs', source.count, disable=not sys.stderr.isatty()):
            if item.image is None:
                continue
            frame = Frame.from_image(item.image)
            for hand in detector.detect(frame):
                found = {name: estimator.estimate(frame, hand) for name, estimator in estimators.items()}
                mask = painted_masks([found['handnet']], frame.width, frame.height) == MASK_VALUES[hand.handedness]
                pictures = [frame.image, _tinted(frame.image, mask), _tinted(frame.image, skin_coloured(frame.image))]
                pictures += [renderer.draw(frame, [estimate], labels=False) for estimate in found.values()]
                pictures += [renderer.draw(frame, tailor.refine(frame, [hand], [estimate]), labels=False)
                             for estimate in found.values()]
                rows.append([close_up(picture, hand.box_px) for picture in pictures])
    finally:
        detector.close()
    if not rows:
        raise ValueError(f'{photos}: no hand found, expected photographs of hands')
    files = []
    for first in range(0, len(rows), ROWS):
        sheet = contact_sheet([cell for row in rows[first:first + ROWS] for cell in row], len(COLUMNS), CELL_PX)
        files.append(folder / f'photos_{len(files) + 1:02d}.png')
        write_image(files[-1], np.concatenate([_titles(), sheet]))
    return files


def _titles() -> np.ndarray:
    strip = np.full((24, CELL_PX * len(COLUMNS), 3), 255, np.uint8)
    for number, name in enumerate(COLUMNS):
        cv2.putText(strip, name, (number * CELL_PX + 4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (30, 40, 50), 1, cv2.LINE_AA)
    return strip


def _tinted(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    tinted = image.copy()
    tinted[mask] = (0.45 * image[mask] + 0.55 * np.array(MASK_TINT)).astype(np.uint8)
    return tinted
