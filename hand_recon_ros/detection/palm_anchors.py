"""Anchors of MediaPipe's palm detector: the fixed points of the image that its 2016 answers are offsets from."""
from __future__ import annotations

from functools import cache

import numpy as np

PALM_INPUT_SIZE = 192               # pixels, square
STRIDES = (8, 16, 16, 16)           # pixels of the input between neighbours, one entry per feature layer
ANCHORS_PER_LAYER = 2               # one of the layer's own scale and one between it and the next; both of size 1
CENTRE = 0.5                        # of a cell


@cache
def anchor_centres() -> np.ndarray:
    """(2016, 2) x, y as fractions of the input, in the order of the network's answers; read-only float32.

    Layers of equal stride share one grid: per cell, row by row, all their anchors. Every anchor's size is 1 (the
    network was trained with fixed sizes), so a centre is all there is to say.
    """
    grids = []
    for stride in dict.fromkeys(STRIDES):
        cells = -(-PALM_INPUT_SIZE // stride)
        rows, columns = np.mgrid[:cells, :cells]
        centres = (np.stack([columns, rows], -1).reshape(-1, 2) + CENTRE) / cells
        grids.append(np.repeat(centres, ANCHORS_PER_LAYER * STRIDES.count(stride), axis=0))
    centres = np.concatenate(grids).astype(np.float32)
    centres.flags.writeable = False
    return centres
