"""Sights of hands whose fused estimates and detections come apart from each other, as topics bring them."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.identity.sights import Sight
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

# Mean distance of landmarks from the estimate's joints, in hand sizes, beyond which they are another hand's.
FARTHEST = 0.25


def fused_sights(rig: StereoRig, frames: tuple[Frame, Frame], left: list[HandKeypoints], right: list[HandKeypoints],
                 estimates: list[HandEstimate]) -> dict[int, Sight]:
    """{track id: stereo sight} of the estimates (left frame) that detections of both views belong to, by where the
    estimate lies in each image."""
    projected = [rig.project(np.asarray(estimate.joints_m, np.float64)) for estimate in estimates]
    owned = [_owned([pixels[view] for pixels in projected], hands) for view, hands in enumerate((left, right))]
    sights = {}
    for number, estimate in enumerate(estimates):
        if number in owned[0] and number in owned[1]:
            keypoints = tuple(replace(hands[numbers[number]], handedness=estimate.handedness)
                              for hands, numbers in zip((left, right), owned))
            sights[estimate.track_id] = Sight(estimate, keypoints, frames, rig)
    return sights


def _owned(projected: list[np.ndarray], hands: list[HandKeypoints]) -> dict[int, int]:
    """{index of the projected joints (21, 2): index of its detection}."""
    if not projected or not hands:
        return {}
    away = np.array([[np.linalg.norm(hand.points_px - pixels, axis=1).mean() / max(hand.box_size_px, 1e-6)
                      for hand in hands] for pixels in projected])
    forbidden = 1e3
    costs = np.where(away <= FARTHEST, away, forbidden)         # also where it is not finite
    return {int(row): int(column) for row, column in zip(*linear_sum_assignment(costs))
            if costs[row, column] < forbidden}
