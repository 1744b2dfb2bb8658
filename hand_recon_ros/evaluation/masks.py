"""Silhouettes of estimated meshes against true masks."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.evaluation.records import MaskErrors

# Labels of a true mask: visible surface of the hand; forearm, sleeve and whatever hides the hand are 0.
LABELS = {'right': 1, 'left': 2}
# Accuracy is counted in the true hand's box, made this much longer: a crop as networks get it.
CROP = 1.5


def draw_labels(width: int, height: int, hands) -> np.ndarray:
    """(H, W) uint8 label mask of meshes: the label of the nearest triangle over each pixel's centre, 0 where none is.

    hands: (vertices_px (V, 2), depths_m (V,), faces (F, 3), label) each; triangles with a vertex that is not finite or
    not in front of the camera are left out. Depth is interpolated as 1/z, which is exact on a plane.
    """
    nearest = np.zeros(height * width)
    labels = np.zeros(height * width, np.uint8)
    for vertices_px, depths_m, faces, label in hands:
        pixels, inverse_depths = _covered(np.asarray(vertices_px, np.float64), np.asarray(depths_m, np.float64),
                                          np.asarray(faces), width, height)
        best = np.zeros(height * width)
        np.maximum.at(best, pixels, inverse_depths)
        closer = best > nearest
        labels[closer], nearest[closer] = label, best[closer]
    return labels.reshape(height, width)


def _covered(vertices_px, depths_m, faces, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Flat pixel indices under triangles, one entry a triangle and pixel, and 1/z there."""
    seen = np.isfinite(vertices_px).all(-1) & (depths_m > 0)
    faces = faces[seen[faces].all(-1)]
    corners = vertices_px[faces]
    low = np.clip(np.ceil(corners.min(1)), 0, (width, height)).astype(np.int64)
    high = np.clip(np.floor(corners.max(1)) + 1, 0, (width, height)).astype(np.int64)
    extent = np.maximum(high - low, 0)
    counts = extent[:, 0] * extent[:, 1]
    row = np.repeat(np.arange(len(faces)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    x = low[row, 0] + within % extent[row, 0]
    y = low[row, 1] + within // extent[row, 0]
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k].T for k in range(3))
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    area = np.where(area == 0, np.nan, area)
    # Barycentric coordinates of the pixel's centre: all non-negative inside, whichever way the triangle is wound.
    b = ((x - ax[row]) * (cy - ay)[row] - (y - ay[row]) * (cx - ax)[row]) / area[row]
    c = ((bx - ax)[row] * (y - ay[row]) - (by - ay)[row] * (x - ax[row])) / area[row]
    inside = (b >= 0) & (c >= 0) & (b + c <= 1)
    row, x, y, b, c = row[inside], x[inside], y[inside], b[inside], c[inside]
    inverse = 1.0 / depths_m[faces[row]]
    return y * width + x, (1 - b - c) * inverse[:, 0] + b * inverse[:, 1] + c * inverse[:, 2]


def mask_errors(drawn, true, true_box) -> MaskErrors:
    """One hand's drawn and true pixels, (H, W) bool each. true_box: (4,) x_min, y_min, x_max, y_max, pixels."""
    drawn, true = np.asarray(drawn, bool), np.asarray(true, bool)
    if drawn.shape != true.shape:
        raise ValueError(f'true_mask: shape {true.shape}, expected {drawn.shape}')
    x_min, y_min, x_max, y_max = true_box
    half = 0.5 * CROP * max(x_max - x_min, y_max - y_min)
    centre = np.array([x_min + x_max, y_min + y_max]) / 2
    low = np.clip(np.ceil(centre - half), 0, drawn.shape[::-1]).astype(int)
    high = np.clip(np.floor(centre + half) + 1, 0, drawn.shape[::-1]).astype(int)
    crop = np.s_[low[1]:high[1], low[0]:high[0]]
    return MaskErrors(int((drawn & true).sum()), int((drawn | true).sum()), int((drawn[crop] == true[crop]).sum()),
                      int(drawn[crop].size))
