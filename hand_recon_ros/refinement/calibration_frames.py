"""Pairs of detections made ready for the offset calibration: epipolar-checked, diverse, initialised."""
from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np

from hand_recon_ros.estimation.inverse_kinematics import InverseKinematics
from hand_recon_ros.geometry.rigs import StereoRig, epipolar_residual_px, triangulate
from hand_recon_ros.hand_model.landmarks import Skeleton
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.refinement.observations import observe
from hand_recon_ros.refinement.offset_calibration import PairViews
from hand_recon_ros.types import Frame, HandKeypoints

MOST_EPIPOLAR = 0.03        # median Sampson distance of a pair's landmarks, as a share of the hand's box
# Landmarks of a finger this much curled (first to last bone) are hidden in most views, and the detector invents them,
# always too near the palm: their sigma is multiplied, or the table would take up the invention.
CURLED_RAD, CURLED_SIGMA = np.radians(90), 4.0
FINGER_ROWS = np.arange(5, 21).reshape(4, 4)        # MCP, PIP, DIP, tip of index .. pinky
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


@dataclass(frozen=True)
class HandPair:
    """One hand detected in both images of one frame, and its landmarks (21, 3) triangulated, left frame, metres."""
    index: int
    left: HandKeypoints
    right: HandKeypoints
    points_m: np.ndarray

    @property
    def handedness(self) -> str:
        """Of the left view; both agree."""
        return self.left.handedness


def usable_pair(rig: StereoRig, index: int, left: list[HandKeypoints], right: list[HandKeypoints]) -> HandPair | None:
    """The hand of a frame that shows exactly one in each view, of one side, on matching rays; else None."""
    if len(left) != 1 or len(right) != 1 or left[0].handedness != right[0].handedness:
        return None
    left, right = left[0], right[0]
    off = np.abs(epipolar_residual_px(rig, left.points_px, right.points_px))
    size = (left.box_size_px + right.box_size_px) / 2
    if not np.median(off) <= MOST_EPIPOLAR * size:          # not so for a NaN
        return None
    points, _ = triangulate(rig, left.points_px, right.points_px)
    return HandPair(index, left, right, points) if np.isfinite(points).all() else None


def diverse(pairs: list[HandPair], count: int) -> list[HandPair]:
    """At most `count` pairs that differ most in posture and view: farthest-point sampling, root-relative points."""
    if len(pairs) <= count:
        return list(pairs)
    features = np.stack([(pair.points_m - pair.points_m[0]).ravel() for pair in pairs])
    chosen = [int(np.linalg.norm(features - features.mean(0), axis=1).argmin())]
    nearest = np.linalg.norm(features - features[chosen[0]], axis=1)
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, np.linalg.norm(features - features[chosen[-1]], axis=1))
    return [pairs[index] for index in sorted(chosen)]


def curl_factors(points_m: np.ndarray) -> np.ndarray:
    """(21,) by which the detector's sigma grows for a hand of landmarks (21, 3): CURLED_SIGMA beyond the knuckle of a
    curled finger, else 1. The thumb never hides in its own palm."""
    factors = np.ones(21)
    fingers = points_m[FINGER_ROWS]
    first, last = fingers[:, 1] - fingers[:, 0], fingers[:, 3] - fingers[:, 2]
    cosine = (first * last).sum(1) / np.maximum(np.linalg.norm(first, axis=1) * np.linalg.norm(last, axis=1), 1e-9)
    factors[FINGER_ROWS[cosine < np.cos(CURLED_RAD), 1:]] = CURLED_SIGMA
    return factors


def prepare(rig: StereoRig, pairs: list[HandPair], skeleton: Skeleton) -> tuple[PairViews, HandParameters, np.ndarray]:
    """Views and initial parameters of all pairs as right hands, and the triangulated landmarks (N, 21, 3).

    A left hand enters as the right hand that mirrors it. ValueError when there is no pair.
    """
    if not pairs:
        raise ValueError('pairs: none, expected frames with one hand seen in both views')
    kinematics, count = InverseKinematics.build(skeleton), skeleton.joint_dirs.shape[-1]
    views, starts, triangulated = [], [], []
    for pair in pairs:
        mirrored = pair.handedness == 'left'
        T = MIRROR @ rig.T_right_left @ MIRROR if mirrored else rig.T_right_left
        points = mirror_points(pair.points_m) if mirrored else pair.points_m
        seen = [observe(Frame(camera.width, camera.height, camera=camera), hand, count)
                for camera, hand in ((rig.left, pair.left), (rig.right, pair.right))]
        factors = curl_factors(points).astype(np.float32)
        seen = [view._replace(sigma_px=view.sigma_px * factors) for view in seen]
        views.append(PairViews(*seen, T.astype(np.float32)))
        rotation, angles = kinematics.solve(points)
        start = rotation, angles, points[0], np.zeros(count)
        starts.append(HandParameters(*(np.asarray(part, np.float32) for part in start)))
        triangulated.append(points)
    stack = lambda rows: jax.tree.map(lambda *leaves: np.stack(leaves), *rows)      # noqa: E731
    return stack(views), stack(starts), np.stack(triangulated)
