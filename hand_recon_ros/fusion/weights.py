"""Method `weights`: two single-view estimates blended, RealisticHands eq. 6-7."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand_recon_ros.estimation.assembly import assemble
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HandEstimate


class WeightsFusion:
    """Pose p = w p_l + (1 - w) p_r per parameter (eq. 6), shape and camera averaged (eq. 7), the right camera's through
    the rig.

    w comes from how well each view shows each joint, until the learned regressor's are there. Rotations are blended
    along the shortest arc, of which the paper's eq. 6 on axis-angle numbers is the limit for like rotations.
    """
    name = 'weights'

    def __init__(self, model: HandModel, offsets_m=None, max_hands: int = 2):
        self._skeleton, self._hand = build_skeleton(model), JaxHand(model)

    def fuse(self, rig: StereoRig, pairs: list[HandPair]) -> list[HandEstimate]:
        """One estimate a pair, in the left optical frame."""
        return [self._fused(rig, pair) for pair in pairs]

    def _fused(self, rig: StereoRig, pair: HandPair) -> HandEstimate:
        views = [(view, *_in_left(rig, view, view is pair.right)) for view in pair.views]
        keypoints = max(pair.views, key=lambda view: view.keypoints.score).keypoints
        if len(views) == 1:
            view, rotations, root = views[0]
            shape = view.estimate.shape
        else:
            (left, left_rotations, left_root), (right, right_rotations, right_root) = views
            share = _left_share(left, right)
            rotations = blended_rotations(left_rotations, right_rotations, share)
            shape = 0.5 * (left.estimate.shape + right.estimate.shape)
            root = 0.5 * (left_root + right_root)
        if pair.identity is not None:
            shape = pair.identity.shape
        pose = matrix_to_axis_angle(rotations).reshape(48).astype(np.float32)
        estimate = assemble(pair.frames[0], self._skeleton, self._hand, keypoints, pose, shape, root, pair.identity)
        return replace(estimate, reprojection_px=float(np.sqrt(np.mean([v.estimate.reprojection_px ** 2
                                                                        for v in pair.views]))),
                       joint_std_m=np.full(21, np.nan, np.float32))


def blended_rotations(left: np.ndarray, right: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rotations (16, 3, 3) the way from right to left by shares (16,), along the shortest arc: 1 is left, 0 right."""
    between = matrix_to_axis_angle(left @ np.swapaxes(right, -1, -2))
    return axis_angle_to_matrix(share[:, None] * between) @ right


def _in_left(rig: StereoRig, view: ViewHand, is_right: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (16, 3, 3) and wrist (3,) of a view's estimate in the left frame."""
    rotations = axis_angle_to_matrix(np.asarray(view.estimate.pose, np.float64).reshape(16, 3))
    root = np.asarray(view.estimate.joints_m[0], np.float64)
    if is_right:
        rotations[0] = rig.T_right_left[:3, :3].T @ rotations[0]
        root = rig.to_left(root)
    return rotations, root


def _left_share(left: ViewHand, right: ViewHand) -> np.ndarray:
    """(16,) share of the left view in each joint: by the landmark scores and by how far bones lie across the view.

    A bone that points at the camera shows its direction badly; one that lies across it, well.
    """
    evidence = []
    for view in (left, right):
        joints = np.asarray(view.estimate.joints_m, np.float64)
        score = np.asarray(view.keypoints.point_scores, np.float64)
        evidence.append(np.array([_across(joints, tip, root) * score[tip] for root, tip in BONES]))
    return (evidence[0] + 1e-6) / (evidence[0] + evidence[1] + 2e-6)


def _across(joints: np.ndarray, tip: int, root: int) -> float:
    bone, ray = joints[tip] - joints[root], joints[root]
    cosine = bone @ ray / max(np.linalg.norm(bone) * np.linalg.norm(ray), 1e-9)
    return 1.0 - min(cosine ** 2, 1.0)


# Keypoints at both ends of the bone that each of the 16 joints turns, in the model's joint order.
BONES = ((0, 9), (5, 6), (6, 7), (7, 8), (9, 10), (10, 11), (11, 12), (17, 18), (18, 19), (19, 20), (13, 14), (14, 15),
         (15, 16), (1, 2), (2, 3), (3, 4))
