"""A second chance for a single image in which the detector saw nothing: other scales, rotations and overlapping tiles.

MediaPipe's palm detector sees the whole image at 192 x 192 pixels and knows upright hands best; hands that are small,
cut by the border, fill the image or point down are missed. Each retry shows it a similarity crop; what it finds is
mapped back exactly, and kept only when a second look, upright and close up, finds the same hand again: that is what
keeps false alarms out.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from hand_recon_ros.detection.crops import Crop
from hand_recon_ros.detection.duplicates import SAME_HAND_DISTANCE, landmark_distance, without_duplicates
from hand_recon_ros.types import HandKeypoints

Detect = Callable[[np.ndarray], list[HandKeypoints]]

WORKING_SIZE = 640              # pixels of the longer side of a retried view
SECOND_LOOK_SIZE = 448          # pixels; the hand then fills about half of it
SECOND_LOOK_MARGIN = 0.5        # of the box's longer side, on each side
# Of 59 twice-seen finds in 35 photographs with the easy hands painted over, 2 were no hands (a foot, scored 0.87, and a
# face, seen only with six tiles a side): hence this score, and no more than four tiles a side.
LEAST_CONFIRMED_SCORE = 0.9
QUARTER_TURNS_RAD = (np.pi / 2, -np.pi / 2, np.pi)


def window(width: int, height: int, box, pad: float = 0.0, angle_rad: float = 0.0) -> Crop:
    """Crop showing the box (fractions of the image: x0, y0, x1, y1) with `pad` of its size added on every side."""
    x0, y0, x1, y1 = box
    size = np.array([(x1 - x0) * width, (y1 - y0) * height]) * (1 + 2 * pad)
    scale = WORKING_SIZE / size.max()
    if abs(np.sin(angle_rad)) > 0.5:
        size = size[::-1]
    crop_width, crop_height = (max(1, int(round(float(side)))) for side in size * scale)
    centre = (x0 + x1) / 2 * width - 0.5, (y0 + y1) / 2 * height - 0.5
    return Crop(centre, crop_width, crop_height, float(scale), angle_rad)


def tiles(count: int, overlap: float = 0.3) -> list[tuple[float, float, float, float]]:
    """count x count boxes (fractions of the image) that cover it, overlapping by `overlap` of their side."""
    side = 1.0 / (1.0 + (count - 1) * (1.0 - overlap))
    starts = [index * side * (1.0 - overlap) for index in range(count)]
    return [(x, y, x + side, y + side) for y in starts for x in starts]


def retry_stages(width: int, height: int) -> Iterator[list[Crop]]:
    """Views of a width x height image, cheapest and least risky first; the first stage that succeeds is the last."""
    whole = (0.0, 0.0, 1.0, 1.0)
    yield [window(width, height, whole, pad) for pad in (0.0, 0.25, 0.75)]
    yield [window(width, height, whole, 0.1, angle) for angle in QUARTER_TURNS_RAD]
    for count in (2, 3, 4):
        yield [window(width, height, box) for box in tiles(count)]
    yield [window(width, height, box, 0.0, angle) for angle in QUARTER_TURNS_RAD for box in tiles(2)]


def to_image(hand: HandKeypoints, crop: Crop) -> HandKeypoints:
    """The hand found in a crop, in the image it was taken from: pixels mapped back, 3D points turned back."""
    x0, y0, x1, y1 = hand.box_px
    centre = crop.to_image([(x0 + x1) / 2, (y0 + y1) / 2])
    points_px = crop.to_image(hand.points_px)
    # The box keeps its margin about the landmarks, whose extent along the image's axes changes with the rotation.
    margin = (hand.box_size_px - np.ptp(hand.points_px, axis=0).max()) / (2 * crop.scale)
    box = np.concatenate([points_px.min(0) - margin, points_px.max(0) + margin]) if margin >= 0 else np.tile(centre, 2)
    points_m = None if hand.points_m is None else crop.directions_to_image(hand.points_m)
    return replace(hand, points_px=points_px, box_px=box, points_m=points_m)


def second_look(image: np.ndarray, hand: HandKeypoints, detect: Detect) -> HandKeypoints | None:
    """The same hand found again in an upright close-up, in image coordinates; None when it is not."""
    along = hand.points_px[9] - hand.points_px[0]                     # wrist to middle MCP: to point up in the close-up
    angle_rad = -np.pi / 2 - float(np.arctan2(along[1], along[0]))
    crop = Crop.square(hand.box_px, SECOND_LOOK_SIZE, SECOND_LOOK_MARGIN, angle_rad)
    seen = [to_image(found, crop) for found in detect(crop.take(image))]
    seen = [found for found in seen
            if min(found.score, found.handedness_score) >= LEAST_CONFIRMED_SCORE
            and landmark_distance(found, hand) < SAME_HAND_DISTANCE]
    return min(seen, key=lambda found: landmark_distance(found, hand)) if seen else None


def detect_with_retries(image: np.ndarray, detect: Detect, max_hands: int) -> list[HandKeypoints]:
    """Hands in an (H, W, 3) image by `detect`; where it finds none, by the first retry stage with a confirmed hand."""
    hands = without_duplicates(detect(image))
    if hands:
        return hands[:max_hands]
    height, width = image.shape[:2]
    for stage in retry_stages(width, height):
        found = [to_image(hand, crop) for crop in stage for hand in detect(crop.take(image))]
        confirmed = [second_look(image, hand, detect) for hand in without_duplicates(found)]
        hands = without_duplicates([hand for hand in confirmed if hand is not None])
        if hands:
            return sorted(hands, key=lambda hand: -hand.score)[:max_hands]
    return []
