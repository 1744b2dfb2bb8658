"""A hand as capsules, one a bone: joints of a pose without the mesh, and whether fingers run through each other."""
from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import FINGERS, JOINT_NAMES, KEYPOINT_ROWS

FIRST, SECOND, THIRD = (np.arange(5) * 3 + level for level in (1, 2, 3))     # rows of joints, in the joints' order
TIP_ROWS = np.array([FINGERS.index(JOINT_NAMES[row][:-1]) for row in FIRST])
# How far flesh gives way, and how far more where shapes that are known to be possible touch.
SOFTNESS_M, TOUCH_M = 0.003, 0.0065


class HandCapsules:
    """Right hand of one shape. Capsules 0..14 are the phalanges in the order of joints 1..15, 15..18 metacarpals."""

    def __init__(self, model: HandModel, shape=None, touching: Iterable[np.ndarray] = ()):
        """shape: (B,) or None for the mean. touching: poses (48,) that count as possible though flesh meets in them."""
        template = model.template_m if shape is None else model.template_m + model.shape_dirs @ np.asarray(shape, float)
        self.joints_m = model.joint_regressor @ template
        self.tips_m = template[model.tip_vertices]
        self.wrist_m = self.joints_m[0]
        owner = model.weights.argmax(1)
        starts, ends = self.joints_m[1:], np.empty((15, 3))
        ends[FIRST - 1], ends[SECOND - 1], ends[THIRD - 1] = (self.joints_m[SECOND], self.joints_m[THIRD],
                                                             self.tips_m[TIP_ROWS])
        radii = np.array([np.median(_distances(template[owner == k + 1], starts[k], ends[k])) for k in range(15)])
        # A capsule ends in a half sphere: its axis stops a radius before the finger tip.
        along = ends[THIRD - 1] - starts[THIRD - 1]
        length = np.linalg.norm(along, axis=1, keepdims=True)
        self._inner_tips = starts[THIRD - 1] + along * (1 - 0.9 * radii[THIRD - 1, None] / length)
        knuckles = self.joints_m[FIRST[:4]]
        palm = template[owner == 0]
        palm = palm[palm[:, 0] < 0.3 * knuckles[:, 0].mean()]
        nearest = np.min([_distances(palm, self.wrist_m, knuckle) for knuckle in knuckles], 0)
        self._radii = np.concatenate([radii, np.full(4, np.median(nearest))])
        self._pairs = np.array(_pairs())
        self._reach = self._radii[self._pairs].sum(1) - SOFTNESS_M
        self._allowed = np.zeros(len(self._pairs))
        touching = list(touching)
        if touching:
            self._allowed = np.clip(self.penetrations_m(np.stack(touching)).max(0), 0.0, TOUCH_M)

    def posed(self, poses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints (N, 16, 3) and tips (N, 5, 3), metres, of poses (N, 48), the wrist joint where it is at rest.

        Tips ride rigidly on their last bone: within some millimetres of the mesh's.
        """
        rotations = axis_angle_to_matrix(np.asarray(poses, np.float64).reshape(-1, 16, 3))
        joints = self.joints_m
        at = np.empty((len(rotations), 16, 3))
        at[:, 0] = joints[0]
        root = rotations[:, 0]
        at[:, FIRST] = joints[0] + (joints[FIRST] - joints[0]) @ root.transpose(0, 2, 1)
        turn = root[:, None] @ rotations[:, FIRST]
        at[:, SECOND] = at[:, FIRST] + _rotated(turn, joints[SECOND] - joints[FIRST])
        turn = turn @ rotations[:, SECOND]
        at[:, THIRD] = at[:, SECOND] + _rotated(turn, joints[THIRD] - joints[SECOND])
        turn = turn @ rotations[:, THIRD]
        tips = np.empty((len(rotations), 5, 3))
        tips[:, TIP_ROWS] = at[:, THIRD] + _rotated(turn, self.tips_m[TIP_ROWS] - joints[THIRD])
        self._inner = at[:, THIRD] + _rotated(turn, self._inner_tips - joints[THIRD])
        return at, tips

    def keypoints(self, poses: np.ndarray) -> np.ndarray:
        """(N, 21, 3) metres, as `posed`."""
        return np.concatenate(self.posed(poses), 1)[:, list(KEYPOINT_ROWS)]

    def penetrations_m(self, poses: np.ndarray) -> np.ndarray:
        """How deep each pair of capsules that could meet is in the other, (N, P) metres, negative apart."""
        at, _ = self.posed(poses)
        starts = np.concatenate([at[:, 1:], np.repeat(at[:, :1], 4, 1)], 1)
        ends = np.empty_like(starts)
        ends[:, FIRST - 1], ends[:, SECOND - 1], ends[:, THIRD - 1] = at[:, SECOND], at[:, THIRD], self._inner
        ends[:, 15:] = at[:, FIRST[:4]]
        one, other = self._pairs.T
        return self._reach - _segment_distances(starts[:, one], ends[:, one], starts[:, other], ends[:, other])

    def collide(self, poses: np.ndarray) -> np.ndarray:
        """Whether in each pose (N, 48) a finger runs through another or the palm, (N,)."""
        return (self.penetrations_m(poses) > self._allowed).any(1)


def _pairs() -> list[tuple[int, int]]:
    """Capsules that can meet: phalanges of two fingers, save the first ones of neighbours, which always touch; outer
    phalanges and the metacarpals."""
    pairs = []
    order = {'index': 0, 'middle': 1, 'ring': 2, 'pinky': 3, 'thumb': 9}
    fingers = [(order[name[:-1]], int(name[-1])) for name in JOINT_NAMES[1:]]
    for i, (finger, level) in enumerate(fingers):
        for k in range(i):
            other, other_level = fingers[k]
            neighbours = abs(finger - other) == 1 and level == other_level == 1
            thumb_root = 9 in (finger, other) and (level if finger == 9 else other_level) == 1
            if finger != other and not neighbours and not thumb_root:
                pairs.append((i, k))
        if level > 1:
            pairs += [(i, 15 + k) for k in range(4) if not (finger == 9 and level == 2 and k == 0)]
    return pairs


def _rotated(turns, vectors):
    return (turns @ vectors[..., None])[..., 0]


def _distances(points, start, end) -> np.ndarray:
    """Of points (N, 3) from one segment."""
    along = end - start
    t = np.clip((points - start) @ along / (along @ along), 0, 1)
    return np.linalg.norm(points - start - t[:, None] * along, axis=1)


def _segment_distances(a, b, c, d) -> np.ndarray:
    """Least distance of segments a-b and c-d, each (..., 3) (Ericson 2005, Real-Time Collision Detection, 5.1.9)."""
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
    uw, vw = (u * w).sum(-1), (v * w).sum(-1)
    s = np.clip((uv * vw - uw * vv) / np.maximum(uu * vv - uv * uv, 1e-12), 0, 1)
    t = (uv * s + vw) / vv
    s = np.where(t < 0, np.clip(-uw / uu, 0, 1), np.where(t > 1, np.clip((uv - uw) / uu, 0, 1), s))
    t = np.clip(t, 0, 1)
    return np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)
