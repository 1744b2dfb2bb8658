"""Where the outline of a hand really is in an image: skin against what is behind it, across the model's own outline.

A detector draws hands nearer to the mean than they are; the outline it did not draw. Used where images are at hand.
"""
from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

POINTS = 64             # of one outline and view, at most
REACH_PX = 10           # how far to either side of the model's outline the hand's is looked for
RING_PX = (14, 34)      # what lies this far outside the model is background
CORE_PX = 5             # what lies this deep inside is hand
BINS = 12               # of every colour axis
LEAST_CONTRAST = 1.0    # mean log likelihood ratio inside minus outside, nats a pixel


class Outline(NamedTuple):
    """vertices: (POINTS,) numbers of the model's vertices. normals: (POINTS, 2) outwards, image axes. targets:
    (POINTS, 2) pixels of the hand's outline. weights: (POINTS,), 0 for points that are not there."""
    vertices: np.ndarray
    normals: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def no_outline() -> Outline:
    """An outline that says nothing."""
    return Outline(np.zeros(POINTS, np.int32), np.zeros((POINTS, 2), np.float32), np.zeros((POINTS, 2), np.float32),
                   np.zeros(POINTS, np.float32))


def find_outline(image: np.ndarray, pixels: np.ndarray, faces: np.ndarray, allowed: np.ndarray) -> Outline:
    """Outline of one hand in an RGB image (H, W, 3). pixels: (V, 2) the model's vertices projected. faces: (F, 3).
    allowed: (V,) which vertices' outline is the hand's own (the wrist's goes on as forearm)."""
    height, width = image.shape[:2]
    margin = RING_PX[1] + 4
    low = np.maximum(np.floor(pixels.min(0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(pixels.max(0)).astype(int) + margin, (width, height))
    if not np.isfinite(pixels).all() or (high - low < 20).any():
        return no_outline()
    crop = cv2.GaussianBlur(image[low[1]:high[1], low[0]:high[0]], (0, 0), 0.7)
    local = pixels - low
    mask = np.zeros(crop.shape[:2], np.uint8)
    for triangle in np.round(local[faces] * 16).astype(np.int32):
        cv2.fillConvexPoly(mask, triangle, 255, shift=4)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    outside = cv2.distanceTransform(255 - mask, cv2.DIST_L2, 3)
    core, ring = inside > CORE_PX, (outside > RING_PX[0]) & (outside < RING_PX[1])
    if core.sum() < 100 or ring.sum() < 100:
        return no_outline()
    ratio = _log_ratio(crop, core, ring)
    signed = cv2.GaussianBlur(outside - inside, (0, 0), 1.5)
    gradient = np.stack([cv2.Sobel(signed, cv2.CV_32F, *axis, ksize=3) for axis in ((1, 0), (0, 1))], -1)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([c[:, 0] for c in contours]).astype(np.float64)
    normals = gradient[points[:, 1].astype(int), points[:, 0].astype(int)].astype(np.float64)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    away = np.linalg.norm(points[:, None] - local[None], axis=2)
    nearest = away.argmin(1)
    inner = (points > REACH_PX + 2).all(1) & (points < np.array(crop.shape[1::-1]) - REACH_PX - 3).all(1)
    keep = np.flatnonzero(allowed[nearest] & (away.min(1) < 3.0) & inner)
    if len(keep) == 0:
        return no_outline()
    keep = keep[np.linspace(0, len(keep) - 1, min(POINTS, len(keep))).astype(int)]
    nearest, normals = nearest[keep], normals[keep]
    shift, good = _steps(ratio, local[nearest], normals)
    outline = no_outline()
    count = len(keep)
    outline.vertices[:count], outline.normals[:count] = nearest, normals
    outline.targets[:count] = local[nearest] + low + shift[:, None] * normals
    outline.weights[:count] = good
    return outline


def _log_ratio(crop: np.ndarray, core: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """(H, W) log of how much likelier a pixel's colour is in the hand than behind it, within +-3."""
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)
    edges = [np.linspace(lab[..., axis].min(), lab[..., axis].max() + 1, BINS + 1) for axis in range(3)]
    cells = [np.clip(np.digitize(lab[..., axis], edges[axis]) - 1, 0, BINS - 1) for axis in range(3)]
    index = (cells[0] * BINS + cells[1]) * BINS + cells[2]
    counts = []
    for area in (core, ring):
        histogram = np.bincount(index[area], minlength=BINS ** 3).reshape(BINS, BINS, BINS).astype(np.float32)
        for axis in range(3):       # neighbouring colours are likely too
            padded = np.pad(histogram, [(1, 1) if a == axis else (0, 0) for a in range(3)])
            beside = np.take(padded, range(BINS), axis) + np.take(padded, range(2, BINS + 2), axis)
            histogram = 0.5 * histogram + 0.25 * beside
        counts.append((histogram.ravel() + 1e-2) / (area.sum() + 1e-2 * BINS ** 3))
    ratio = np.clip(np.log(counts[0] / counts[1])[index], -3, 3).astype(np.float32)
    return cv2.GaussianBlur(ratio, (0, 0), 0.7)


def _steps(ratio: np.ndarray, points: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Along each normal, where hand turns into background: shift (N,) px outwards, and 1 where that is plain."""
    offsets = np.arange(-REACH_PX, REACH_PX + 1)
    at = points[:, None] + offsets[None, :, None] * normals[:, None]
    profile = cv2.remap(ratio, at[..., 0].astype(np.float32), at[..., 1].astype(np.float32), cv2.INTER_LINEAR)
    # The best step: the most hand before it, the most background behind it.
    before = np.cumsum(profile, axis=1)
    score = 2 * before - before[:, -1:]         # sum before minus sum after, the step behind sample k
    best = np.clip(score[:, 2:-3].argmax(1) + 2, 2, len(offsets) - 4)
    rows = np.arange(len(points))
    # Sub-pixel: where the ratio itself crosses zero between the sample before the step and the one behind it.
    a, b = profile[rows, best], profile[rows, best + 1]
    fraction = np.where(a - b > 1e-3, np.clip(a / np.maximum(a - b, 1e-3), 0, 1), 0.5)
    contrast = sum(profile[rows, best - k] - profile[rows, best + 1 + k] for k in range(3)) / 3
    ends = (best > 2) & (best < len(offsets) - 4)
    return offsets[best] + fraction, ((contrast > LEAST_CONTRAST) & ends).astype(np.float32)
