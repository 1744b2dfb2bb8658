"""Which estimate belongs to which true hand of a frame."""
from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.types import HandEstimate

# A true hand whose image is farther from every estimate than its own size was missed.
FARTHEST_HANDS = 1.0


def match_hands(estimates: list[HandEstimate], truths: list[HandEstimate]) -> list[tuple[int, int]]:
    """Pairs (estimate, truth) of least total distance in the image, by joints on the normalised plane.

    Handedness takes no part, so that it can be judged; nor does depth, so that a hand placed wrongly is an error, not a
    miss. Pairs farther apart than the true hand's own size are left out.
    """
    if not estimates or not truths:
        return []
    seen, true = (np.stack([h.joints_m[:, :2] / np.maximum(h.joints_m[:, 2:], 1e-3) for h in hands])
                  for hands in (estimates, truths))
    cost = np.linalg.norm(seen[:, None] - true[None], axis=-1).mean(-1)
    size = np.ptp(true, axis=1).max(-1)
    rows, columns = linear_sum_assignment(cost)
    return [(int(r), int(c)) for r, c in zip(rows, columns) if cost[r, c] <= FARTHEST_HANDS * size[c]]
