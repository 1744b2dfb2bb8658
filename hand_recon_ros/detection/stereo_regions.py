"""Where a hand's crops are taken in two views: paired crops of a rectified pair, and one view's hand in the other."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.detection.hand_regions import HandRegion
from hand_recon_ros.detection.landmark_network import HandReading
from hand_recon_ros.detection.ray_meeting import meet
from hand_recon_ros.geometry.placement import place_by_spread
from hand_recon_ros.geometry.rigs import StereoRig, epipolar_residual_px

LEFT, RIGHT = 0, 1
SEEN_SHARE = 0.5                    # of the landmarks inside an image, below which the hand is not looked for there
# Of the hand's box, mean over the landmarks: one hand's are 1-2 % off the epipolar lines, another hand's far more.
FARTHEST_OFF_EPIPOLAR = 0.10
# Wrist to the four finger MCPs, and across: bones of the palm, which no pose changes, and their mean in an adult.
PALM_BONES = np.array([[0, 5], [0, 9], [0, 13], [0, 17], [5, 17]])
PALM_M = 0.085
NEAREST_M, FARTHEST_M = 0.05, 5.0   # depths at which a hand can be


def paired_regions(left_px, right_px) -> tuple[HandRegion, HandRegion]:
    """Regions of one hand in both views of a rectified pair, from its landmarks (21, 2) in each.

    Both have one size, one rotation and one row, and lie a whole number of pixels apart, the mean disparity: both crops
    are resampled alike, and what the network makes of the crop, not of the hand, is the same in both. Of one picture
    shifted that error cancels (0.3-0.5 px otherwise); of a hand seen from two places it is the smaller part: over
    120 mm the difference in x scatters by 1.5 px (robust) instead of 1.6. Smaller crops looked better on renders but
    followed real hands worse.
    """
    left, right = np.asarray(left_px, np.float64), np.asarray(right_px, np.float64)
    middle = HandRegion.from_landmarks((left + right) / 2)
    disparity = round(float((left - right)[:, 0].mean()))
    x, y = middle.centre_px
    return (HandRegion((x + disparity / 2, y), middle.side_px, middle.angle_rad),
            HandRegion((x - disparity / 2, y), middle.side_px, middle.angle_rad))


def palm_size_m(points_m) -> float:
    """Mean length of the palm's bones of 21 landmarks (21, 3)."""
    points = np.asarray(points_m, np.float64)
    return float(np.linalg.norm(points[PALM_BONES[:, 0]] - points[PALM_BONES[:, 1]], axis=1).mean())


def in_other_view(rig: StereoRig, view: int, points_px, points_m, palm_m: float = PALM_M) -> np.ndarray | None:
    """(21, 2) where a hand seen in one view (LEFT or RIGHT) is to be looked for in the other; None where it cannot be.

    points_px: (21, 2) its landmarks there. points_m: (21, 3) the network's 3D points, whose size is not to be trusted
    (too small by a third on open hands): they are brought to a palm of palm_m, which gives the depth, within about a
    tenth for an adult; the crop is twice the hand's size and forgives it.
    """
    camera, other = (rig.left, rig.right) if view == LEFT else (rig.right, rig.left)
    plane = camera.normalise(np.asarray(points_px, np.float64))
    if not np.isfinite(plane).all():
        return None
    hand = np.asarray(points_m, np.float64) * (palm_m / max(palm_size_m(points_m), 1e-6))
    depths = (hand + place_by_spread(hand, plane))[:, 2:]
    points = np.concatenate([plane, np.ones((21, 1))], axis=1) * depths
    moved = rig.to_right(points) if view == LEFT else rig.to_left(points)
    if (moved[:, 2] < NEAREST_M).any():
        return None
    projected = other.project(moved)
    if not np.isfinite(projected).all() or other.inside(projected).mean() < SEEN_SHARE:
        return None
    return projected


def one_hand(rig: StereoRig, left: HandReading, right: HandReading) -> float:
    """How far two readings are from being of one hand: mean distance from the epipolar lines in shares of the smaller
    box; infinite where the points meet behind a camera, nowhere near, or it is more than FARTHEST_OFF_EPIPOLAR.
    """
    off = epipolar_residual_px(rig, left.points_px.astype(np.float64), right.points_px.astype(np.float64))
    if not np.isfinite(off).all():
        return np.inf
    size = min(float(np.ptp(reading.points_px, axis=0).max()) for reading in (left, right))
    share = float(np.abs(off).mean()) / max(size, 1e-6)
    middle, _ = meet(rig, left.points_px.mean(0), right.points_px.mean(0))
    near = np.isfinite(middle).all() and NEAREST_M < middle[2] < FARTHEST_M
    return share if near and share <= FARTHEST_OFF_EPIPOLAR else np.inf
