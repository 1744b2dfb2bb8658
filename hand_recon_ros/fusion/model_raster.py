"""A mesh drawn into a small image on the CPU: which triangle each pixel sees, and how far away it is. NumPy alone."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Pixels that no triangle covers.
NOTHING = -1
# Of corners 0, 1, 2 and the sides that begin there: where each side ends, and the corner that it does not touch.
NEXT, OPPOSITE = [1, 2, 0], [2, 0, 1]


class Raster(NamedTuple):
    """triangles: (H, W) int32 index of the nearest face, or NOTHING. nearness: (H, W) float32, what was drawn, 0
    there."""
    triangles: np.ndarray
    nearness: np.ndarray

    @property
    def covered(self) -> np.ndarray:
        """(H, W) uint8, 1 where the mesh is."""
        return (self.triangles != NOTHING).astype(np.uint8)


def rasterise(points_px: np.ndarray, nearness: np.ndarray, faces: np.ndarray, size: tuple[int, int]) -> Raster:
    """Mesh with vertices at points_px (V, 2), integers naming pixel centres, drawn into (height, width).

    nearness: (V,) positive and linear over a triangle's pixels, as 1 / depth or disparity are; the greatest wins.
    faces: (F, 3), counter-clockwise as seen from outside; those that show their inside are left out.

    A pixel (x, y) is inside where all three edges say a_i x + b_i y + c_i >= 0: every row of a triangle is one span of
    pixels, and spans are laid down from the farthest triangle to the nearest.
    """
    height, width = size
    raster = Raster(np.full((height, width), NOTHING, np.int32), np.zeros((height, width), np.float32))
    # Clockwise, because the rows of an image run downwards. Sides and corners are the first axis: long axes are fast.
    corners = np.ascontiguousarray(faces.T[::-1])
    x, y = (np.ascontiguousarray(axis, np.float64) for axis in np.asarray(points_px).T)
    area = ((x[corners[1]] - x[corners[0]]) * (y[corners[2]] - y[corners[0]])
            - (y[corners[1]] - y[corners[0]]) * (x[corners[2]] - x[corners[0]]))
    kept = np.flatnonzero(area > 1e-6)
    value = np.asarray(nearness, np.float64)[corners[:, kept]]               # (3, F')
    order = np.argsort(value.sum(0))
    kept, value = kept[order], value[:, order]
    x, y = x[corners[:, kept]], y[corners[:, kept]]
    # Edge functions of the three sides, positive inside, for which the third corner gives twice the area.
    a, b = y - y[NEXT], x[NEXT] - x
    c = -(a * x + b * y)
    first, last = np.maximum(np.ceil(y.min(0)), 0), np.minimum(np.floor(y.max(0)), height - 1)
    rows = np.maximum(last - first + 1, 0).astype(np.intp)
    of = np.repeat(np.arange(len(kept)), rows)
    line = first[of] + _counted(rows)
    slope, offset = a[:, of], b[:, of] * line + c[:, of]
    with np.errstate(divide='ignore', invalid='ignore'):
        border = -offset / slope
    # A side that runs along the row says all of it or nothing.
    level = np.where(offset < 0, np.inf, -np.inf)
    low = np.ceil(np.maximum(np.where(slope > 0, border, np.where(slope == 0, level, -np.inf)).max(0), 0))
    high = np.floor(np.minimum(np.where(slope < 0, border, np.inf).min(0), width - 1))
    spans = np.flatnonzero(high >= low)
    of, line, low = of[spans], line[spans], low[spans]
    count = (high[spans] - low + 1).astype(np.intp)
    # The value at each corner weighs with the edge function of the side opposite to it.
    weight = value[OPPOSITE] / area[kept]
    step, at_edge = (weight * a).sum(0), (weight[:, of] * (offset[:, spans] + slope[:, spans] * low)).sum(0)
    within = _counted(count)
    at = np.repeat((line * width + low).astype(np.intp), count) + within
    # Of repeated targets the last one stays, which is the nearest.
    raster.triangles.reshape(-1)[at] = np.repeat(kept[of], count)
    raster.nearness.reshape(-1)[at] = np.repeat(at_edge, count) + np.repeat(step[of], count) * within
    return raster


def _counted(counts: np.ndarray) -> np.ndarray:
    """0 .. n - 1 for every n of counts, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
