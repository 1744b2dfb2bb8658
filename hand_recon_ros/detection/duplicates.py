"""One hand reported twice: found by the distance of like landmarks, the better one kept."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.types import HandKeypoints

# Two reports of one hand differ by the landmark noise, 2-6 % of the box; two hands, even crossed, by far more.
SAME_HAND_DISTANCE = 0.15


def landmark_distance(first: HandKeypoints, second: HandKeypoints) -> float:
    """Mean distance of like landmarks, in units of the smaller hand's box."""
    size = max(min(first.box_size_px, second.box_size_px), 1e-6)
    return float(np.linalg.norm(first.points_px - second.points_px, axis=1).mean()) / size


def without_duplicates(hands: list[HandKeypoints], limit: float = SAME_HAND_DISTANCE) -> list[HandKeypoints]:
    """The hands in the order given, less those closer than `limit` to one of a higher score (earlier, where equal)."""
    kept: list[int] = []
    for index in sorted(range(len(hands)), key=lambda i: -hands[i].score):
        if all(landmark_distance(hands[index], hands[other]) >= limit for other in kept):
            kept.append(index)
    return [hands[index] for index in sorted(kept)]
