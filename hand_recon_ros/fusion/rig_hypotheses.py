"""What a pair of sights of one hand would look like were the rig another one than it says."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.fusion.association import PALM
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, plane_residual_px
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix

STEP = 1e-3                 # rad, or part of a focal length: of the numerical derivatives
STEP_S = 2e-3
# Columns: three rotations, fx and fy of either camera, the whole of either K, the skew.
FOCAL_LEFT, FOCAL_RIGHT, MATRIX_LEFT, MATRIX_RIGHT, SKEW = 3, 4, 5, 6, 7
COLUMNS = 8
SKEWED = 'right images later'
# Weak beliefs that keep what cannot be seen at zero: rad, part of the focal length, s.
BELIEFS = np.array([0.1, 0.1, 0.1, 0.3, 0.3, 0.3, 0.3, 0.2])


@dataclass(frozen=True)
class Hypothesis:
    """A cause of residuals. basis: (COLUMNS, n) which of the columns it moves, in which proportions."""
    name: str
    basis: np.ndarray


def _columns(*rows: tuple[int, ...]) -> np.ndarray:
    return np.stack([np.isin(np.arange(COLUMNS), row) for row in rows], axis=1).astype(float)


HYPOTHESES = (
    Hypothesis('right camera turned', _columns((0,), (1,), (2,))),
    Hypothesis('left fx and fy', _columns((FOCAL_LEFT,))),
    Hypothesis('right fx and fy', _columns((FOCAL_RIGHT,))),
    Hypothesis('fx and fy of both cameras', _columns((FOCAL_LEFT, FOCAL_RIGHT))),
    Hypothesis('left K', _columns((MATRIX_LEFT,))),
    Hypothesis('right K', _columns((MATRIX_RIGHT,))),
    Hypothesis('K of both cameras', _columns((MATRIX_LEFT, MATRIX_RIGHT))),
    Hypothesis(SKEWED, _columns((SKEW,))),
)


@dataclass(frozen=True)
class Planes:
    """Directions (x/z, y/z) (N, 2) of one hand's landmarks: in each view by its own camera, and by the other view's.

    residual, slopes: (N,) px and (N, COLUMNS). The residual by the true rig is residual + slopes @ x: x is how far the
    stated rig is from the true one; x of SKEW: by how many seconds the right image is the later one.
    """
    left: np.ndarray
    right: np.ndarray
    left_by_right: np.ndarray
    right_by_left: np.ndarray
    residual: np.ndarray
    slopes: np.ndarray


class Sighting:
    """Looks at pairs of detections by a rig, and how their residuals change with what may be wrong in it."""

    def __init__(self, rig: StereoRig):
        self._rig, self._turned = rig, []
        for axis in np.eye(3):
            turn = np.eye(4)
            turn[:3, :3] = axis_angle_to_matrix(STEP * axis)
            self._turned.append(StereoRig(rig.left, rig.right, turn @ rig.T_right_left))
        self._longer = (StereoRig(_scaled(rig.left), rig.right, rig.T_right_left),
                        StereoRig(rig.left, _scaled(rig.right), rig.T_right_left))

    def __call__(self, left_px, right_px, right_speed_px_s) -> Planes:
        """Pixels (N, 2) of both views, and the speed (N, 2) of the right ones."""
        rig, count = self._rig, len(left_px)
        # Undistorting costs most: once a camera, whatever is to be looked at. A pixel by a camera whose K is larger is
        # another pixel by the camera as it is.
        by_left = rig.left.normalise(np.concatenate([
            left_px, _shrunk(left_px, rig.left.centre_px), _shrunk(left_px, 0.0), right_px])).reshape(-1, count, 2)
        by_right = rig.right.normalise(np.concatenate([
            right_px, _shrunk(right_px, rig.right.centre_px), _shrunk(right_px, 0.0), left_px,
            right_px - STEP_S * right_speed_px_s])).reshape(-1, count, 2)
        left, right = by_left[0], by_right[0]
        base = plane_residual_px(rig, left, right)
        moved = [plane_residual_px(turned, left, right) for turned in self._turned]
        for variant in (1, 2):
            moved += [plane_residual_px(self._longer[0], by_left[variant], right),
                      plane_residual_px(self._longer[1], left, by_right[variant])]
        slopes = [(residual - base) / STEP for residual in moved]
        slopes.append((plane_residual_px(rig, left, by_right[4]) - base) / STEP_S)
        return Planes(left, right, by_right[3], by_left[3], base, np.stack(slopes, -1))


def _shrunk(px, about) -> np.ndarray:
    return about + (px - about) / (1 + STEP)


def _scaled(camera: Camera) -> Camera:
    """Longer focal lengths: of what counts here, pixels per direction."""
    K = camera.K.copy()
    K[[0, 1], [0, 1]] *= 1 + STEP
    return Camera(camera.width, camera.height, K, camera.distortion_model, camera.D)


def palm_m(rig: StereoRig, left, right) -> tuple[float, bool]:
    """Mean length of the palm's bones, metres, and whether it is ahead of both cameras, by the nearest points of
    directions (21, 2), as Camera.normalise gives them."""
    left, right = (np.concatenate([plane, np.ones((len(plane), 1))], axis=1) for plane in (left, right))
    right = right @ rig.T_right_left[:3, :3]
    centre = rig.to_left(np.zeros(3))
    # s left = centre + t right, least squares
    ll, lr, rr = (left * left).sum(-1), (left * right).sum(-1), (right * right).sum(-1)
    lc, rc = left @ centre, right @ centre
    with np.errstate(divide='ignore', invalid='ignore'):
        determinant = ll * rr - lr * lr
        s, t = (lc * rr - lr * rc) / determinant, (lr * lc - ll * rc) / determinant
        points = 0.5 * (s[:, None] * left + centre + t[:, None] * right)
    ends = points[[0, 5, 9, 13, 17]]
    if not np.isfinite(ends).all():
        return float('nan'), False
    ahead = np.median(s) > 0 and np.median(t) > 0
    return float(np.mean([np.linalg.norm(points[a] - points[b]) for a, b in PALM])), bool(ahead)


def other_rigs(rig: StereoRig) -> dict[str, tuple[StereoRig, bool]]:
    """Rigs by the fault that would make `rig` of them, and whether the images change places."""
    negated = rig.T_right_left.copy()
    negated[:3, 3] *= -1
    return {'swapped_images': (rig, True), 'baseline_sign': (StereoRig(rig.left, rig.right, negated), False),
            'inverse': (StereoRig(rig.left, rig.right, np.linalg.inv(rig.T_right_left)), False)}
