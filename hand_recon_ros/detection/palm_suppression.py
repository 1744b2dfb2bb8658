"""Weighted non-maximum suppression: overlapping answers to one palm become their mean, weighted by their scores."""
from __future__ import annotations

import numpy as np


def overlaps(box, boxes) -> np.ndarray:
    """(N,) intersection over union of one box (4,) with boxes (N, 4), all x_min, y_min, x_max, y_max; 0 for no area."""
    box, boxes = np.asarray(box, float), np.asarray(boxes, float)
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.clip(high - low, 0.0, None).prod(axis=1)
    union = (box[2:] - box[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) - shared
    return np.divide(shared, union, out=np.zeros(len(boxes)), where=union > 0)


def weighted_suppression(boxes, values, scores, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """(M, D) means and (M,) best scores of the groups, the best first.

    boxes: (N, 4). values: (N, D), what is averaged. scores: (N,). The best answer left gathers all that overlap it by
    more than `limit`; the group's mean is weighted by score, its score the best one's. An answer without area overlaps
    nothing, not even itself: it stands alone.
    """
    boxes, values, scores = (np.asarray(array, float) for array in (boxes, values, scores))
    left = np.argsort(-scores, kind='stable')
    means, best = [], []
    while len(left):
        first = left[0]
        together = overlaps(boxes[first], boxes[left]) > limit
        together[0] = True
        group = left[together]
        means.append(scores[group] @ values[group] / scores[group].sum())
        best.append(scores[first])
        left = left[~together]
    return np.reshape(means, (len(means), values.shape[1])), np.array(best)
