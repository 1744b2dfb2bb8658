"""What IKNet takes and what its output belongs to, without PyTorch (Zhou et al. 2020, sec. 3.1 and 3.3)."""
from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace

from hand_recon_ros.hand_model.skeleton import JOINT_PARENTS, KEYPOINT_NAMES, KEYPOINT_PARENTS, KEYPOINT_ROWS

KEYPOINTS = len(KEYPOINT_NAMES)
# Sec. 3.1: positions are relative to the middle finger's knuckle, in units of the bone from there to the wrist.
ROOT, WRIST = KEYPOINT_NAMES.index('middle1'), KEYPOINT_NAMES.index('wrist')
# Joint -> a keypoint that sits on it, to read a rotation per joint out of one per keypoint.
JOINT_KEYPOINTS = tuple(KEYPOINT_ROWS.index(joint) for joint in range(len(JOINT_PARENTS)))


def ik_inputs(points, rest):
    """I = [X, D, X_ref, D_ref] (..., 4, 21, 3) of a right hand's points (..., 21, 3) and the same points at rest.

    X: relative to the middle knuckle, in units of the reference bone. D: unit vectors from the parent, zero for the wrist.
    PyTorch and JAX arrays alike.
    """
    xp = array_namespace(points)
    return xp.stack([*_encoded(xp, points), *_encoded(xp, rest)], axis=-3)


def _encoded(xp, points):
    def length(vectors):
        # A floor under the root: its gradient stays finite where points fall together.
        return xp.sqrt(xp.clip(xp.sum(vectors * vectors, axis=-1, keepdims=True), 1e-12, None))
    bones = points - points[..., np.maximum(np.asarray(KEYPOINT_PARENTS), 0), :]
    reference = length(points[..., WRIST:WRIST + 1, :] - points[..., ROOT:ROOT + 1, :])
    return (points - points[..., ROOT:ROOT + 1, :]) / reference, bones / length(bones)
