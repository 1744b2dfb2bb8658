"""Where along a row small patches of one image lie in the other: masked, weighted ZNCC, both ways. NumPy alone."""
from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

# The other image is read at quarters of a pixel.
PHASES = 4
VARIANCE_FLOOR = 1e-6


class Found(NamedTuple):
    """shift_px: (N,) how far left of the guess each patch lies, pixels. correlation: (N,) ZNCC there, -1 .. 1.
    contrast: (N,) the lesser standard deviation of the two patches, grey levels. back_px: (N,) how far from its place
    the patch is found again when searched for the other way. inside: (N,) whether both maxima lie within the range."""
    shift_px: np.ndarray
    correlation: np.ndarray
    contrast: np.ndarray
    back_px: np.ndarray
    inside: np.ndarray


class Patches(NamedTuple):
    """rows, columns: (N, K) pixels of the left image. guess_px: (N, K) each pixel's column in the right image if the
    guess were right. weights: (N, K), 0 where a pixel is not part of the patch; rows sum to 1."""
    rows: np.ndarray
    columns: np.ndarray
    guess_px: np.ndarray
    weights: np.ndarray


def search(left: np.ndarray, right: np.ndarray, patches: Patches, range_px: int) -> Found:
    """Search in float32 images (H, W) with common rows, shifts of whole pixels up to `range_px` either way.

    ZNCC(s) = sum w (l - <l>) (r_s - <r_s>) / (sigma_l sigma_r), where <x> = sum w x and r_s is the right image at the
    guess minus s; the maximum is refined by the parabola through it and its neighbours. The way back holds the right
    patch found and moves over the left image.
    """
    rows, weights = patches.rows, patches.weights
    here, contrast = _standardised(left[rows, patches.columns], weights)
    quarters = np.rint(patches.guess_px * PHASES).astype(np.intp)
    there = _moved(_phases(right), quarters % PHASES, rows, quarters // PHASES, range_px)
    score = _correlations(here, weights, there)
    best = score.argmax(1)
    place, inside = _refined(score, best)
    found = np.take_along_axis(there, best[:, None, None], 2)[..., 0]
    back, other_contrast = _standardised(found, weights)
    again = _correlations(back, weights, _moved(left[None], np.zeros_like(rows), rows, patches.columns, range_px))
    returned, inside_too = _refined(again, again.argmax(1))
    # What was read is the nearest quarter, not the guess itself.
    rounded = ((quarters / PHASES - patches.guess_px) * weights).sum(1)
    return Found(range_px - place - rounded, score[np.arange(len(score)), best], np.minimum(contrast, other_contrast),
                 np.abs(returned - range_px), inside & inside_too)


def _phases(image: np.ndarray) -> np.ndarray:
    """(PHASES, H, W): the image read k / PHASES of a pixel farther right, by Catmull and Rom's cubic."""
    phases = np.empty((PHASES, *image.shape), np.float32)
    phases[0] = image
    for k in range(1, PHASES):
        t = k / PHASES
        taps = np.array([0.0, -t + 2 * t ** 2 - t ** 3, 2 - 5 * t ** 2 + 3 * t ** 3, t + 4 * t ** 2 - 3 * t ** 3,
                         t ** 3 - t ** 2], np.float32) / 2
        cv2.sepFilter2D(image, -1, taps, np.ones(1, np.float32), phases[k], borderType=cv2.BORDER_REPLICATE)
    return phases


def _moved(images: np.ndarray, phases, rows, columns, range_px: int) -> np.ndarray:
    """(N, K, 2 range + 1) pixels of images (P, H, W) from `range_px` left of the columns to as many right of them.

    Beyond its border the image goes on with its last column.
    """
    padded = np.pad(images, ((0, 0), (0, 0), (range_px, range_px)), 'edge')
    runs = np.lib.stride_tricks.sliding_window_view(padded, 2 * range_px + 1, axis=2)
    return runs[phases, rows, np.clip(columns, 0, runs.shape[2] - 1)]


def _standardised(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Patches (N, K) as w (x - <x>) / sigma, and sigma (N,)."""
    centred = values - (weights * values).sum(1, keepdims=True)
    deviation = np.sqrt((weights * centred * centred).sum(1) + VARIANCE_FLOOR)
    return weights * centred / deviation[:, None], deviation


def _correlations(standardised: np.ndarray, weights: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """ZNCC (N, S) of standardised patches (N, K) with the pixels (N, K, S) of S places."""
    weights = weights[:, None]
    covariance = np.matmul(standardised[:, None], moved)[:, 0]
    mean = np.matmul(weights, moved)[:, 0]
    variance = np.matmul(weights, moved * moved)[:, 0] - mean * mean
    return covariance / np.sqrt(np.maximum(variance, 0) + VARIANCE_FLOOR)


def _refined(score: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Maxima (N,) of parabolas through (N, S) around the best index, and whether that was not at either end."""
    row, middle = np.arange(len(score)), np.clip(best, 1, score.shape[1] - 2)
    before, peak, after = score[row, middle - 1], score[row, middle], score[row, middle + 1]
    bend = before - 2 * peak + after
    with np.errstate(divide='ignore', invalid='ignore'):
        off = np.where(bend < -1e-9, 0.5 * (before - after) / bend, 0.0)
    return middle + np.clip(off, -1, 1), middle == best
