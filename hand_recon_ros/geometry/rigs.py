"""Two cameras with a known relative pose: rig files, triangulation with covariance, epipolar residuals."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from hand_recon_ros.geometry.cameras import Camera

_REFINEMENTS = 5


@dataclass(frozen=True, eq=False)
class StereoRig:
    """left, right: intrinsics. T_right_left: (4, 4), x_right = T_right_left @ x_left, metres.

    ValueError names the field that does not fit.
    """
    left: Camera
    right: Camera
    T_right_left: np.ndarray

    def __post_init__(self):
        T = np.array(self.T_right_left, np.float64)
        if T.shape != (4, 4) or not np.isfinite(T).all():
            raise ValueError(f'T_right_left: shape {T.shape}, expected 4 x 4 finite numbers')
        rotation = T[:3, :3]
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
            raise ValueError(f'T_right_left: upper left {rotation.round(4).tolist()} is no rotation, expected one')
        if np.abs(T[3] - (0, 0, 0, 1)).max() > 1e-9:
            raise ValueError(f'T_right_left: last row {T[3].tolist()}, expected 0 0 0 1')
        if np.linalg.norm(T[:3, 3]) < 1e-6:
            raise ValueError('T_right_left: no distance between the cameras, expected a baseline in metres')
        T.flags.writeable = False
        object.__setattr__(self, 'T_right_left', T)

    @classmethod
    def from_rectified(cls, left_size: tuple[int, int], left_P, right_size: tuple[int, int], right_P) -> StereoRig:
        """Rig of a rectified ROS pair by its P matrices (3, 4), P[0, 3] = -fx * baseline; sizes are width, height."""
        left = Camera.rectified_from_projection(*left_size, left_P)
        right = Camera.rectified_from_projection(*right_size, right_P)
        offset = [np.asarray(P, np.float64).reshape(3, 4)[:2, 3] / (camera.fx_px, camera.fy_px)
                  for camera, P in ((left, left_P), (right, right_P))]
        T = np.eye(4)
        T[:2, 3] = offset[1] - offset[0]
        if T[0, 3] >= 0 and abs(T[0, 3]) >= abs(T[1, 3]):
            raise ValueError(f'P: fourth column puts the right camera {-T[0, 3]:g} m to the right of the left one, '
                             f'expected more than 0 (P[0, 3] = -fx * baseline in the right camera; are they swapped?)')
        return cls(left, right, T)

    @property
    def baseline_m(self) -> float:
        """Distance between the optical centres."""
        return float(np.linalg.norm(self.T_right_left[:3, 3]))

    @property
    def is_rectified(self) -> bool:
        """Whether rows correspond: no distortion, no rotation, a baseline along x, one fy and cy."""
        T, left, right = self.T_right_left, self.left, self.right
        return bool(left.distortion_model == right.distortion_model == 'none'
                    and np.abs(T[:3, :3] - np.eye(3)).max() < 1e-6
                    and np.abs(T[1:3, 3]).max() < 1e-6 * self.baseline_m
                    and np.allclose(left.K[1, 1:], right.K[1, 1:], atol=1e-6, rtol=0))

    def to_right(self, points_left_m) -> np.ndarray:
        """Points (..., 3) of the left optical frame in the right one."""
        return np.asarray(points_left_m) @ self.T_right_left[:3, :3].T + self.T_right_left[:3, 3]

    def to_left(self, points_right_m) -> np.ndarray:
        """Points (..., 3) of the right optical frame in the left one."""
        return (np.asarray(points_right_m) - self.T_right_left[:3, 3]) @ self.T_right_left[:3, :3]

    def project(self, points_left_m) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (..., 2) of points (..., 3) of the left frame in both images."""
        return self.left.project(points_left_m), self.right.project(self.to_right(points_left_m))

    def scaled(self, factor: float) -> StereoRig:
        """Rig of both images resampled by one factor."""
        return StereoRig(self.left.scaled(factor), self.right.scaled(factor), self.T_right_left)


def triangulate(rig: StereoRig, left_px, right_px, left_std_px=1.0, right_std_px=1.0) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (..., 2) of one point in both images to (points (..., 3), covariances (..., 3, 3)), left frame, metres.

    Linear (DLT, Hartley & Zisserman 12.2), then Gauss-Newton on the reprojection in pixels; std: (...) pixels, one
    sigma per coordinate. The covariance is (J^T W J)^-1 there. NaN where the rays are parallel or meet behind a camera.
    """
    left_px, right_px = np.broadcast_arrays(np.asarray(left_px, np.float64), np.asarray(right_px, np.float64))
    batch = left_px.shape[:-1]
    stds = [np.broadcast_to(np.asarray(std, np.float64), batch) for std in (left_std_px, right_std_px)]
    for name, std in zip(('left_std_px', 'right_std_px'), stds):
        if not (std > 0).all():
            raise ValueError(f'{name}: least {std.min():g}, expected positive pixels')
    observed = np.concatenate([left_px, right_px], axis=-1)
    weights = np.stack([stds[0], stds[0], stds[1], stds[1]], axis=-1) ** -2
    with np.errstate(invalid='ignore', divide='ignore'):
        points = _linear(rig, left_px, right_px)
        normal = np.full((*batch, 3, 3), np.nan)
        for refinement in range(_REFINEMENTS + 1):
            jacobian = _pixel_jacobian(rig, points)
            normal = np.swapaxes(jacobian, -1, -2) @ (weights[..., None] * jacobian)
            if refinement < _REFINEMENTS:
                residual = observed - np.concatenate(rig.project(points), axis=-1)
                gradient = np.swapaxes(jacobian, -1, -2) @ (weights * residual)[..., None]
                points = points + (_inverse(normal) @ gradient)[..., 0]
        covariances = _inverse(normal)
    valid = np.isfinite(covariances).all((-1, -2)) & (np.diagonal(covariances, axis1=-2, axis2=-1) > 0).all(-1)
    return (np.where(valid[..., None], points, np.nan), np.where(valid[..., None, None], covariances, np.nan))


def _linear(rig: StereoRig, left_px, right_px) -> np.ndarray:
    """DLT in normalised coordinates; NaN where a pixel has no direction, or the point is at infinity or behind."""
    left, right = rig.left.normalise(left_px), rig.right.normalise(right_px)
    known = np.isfinite(left).all(-1) & np.isfinite(right).all(-1)
    left, right = (np.where(known[..., None], plane, 0) for plane in (left, right))
    P = rig.T_right_left[:3]
    eye = np.eye(4)[:3]
    rows = np.stack([left[..., :1] * eye[2] - eye[0], left[..., 1:] * eye[2] - eye[1],
                     right[..., :1] * P[2] - P[0], right[..., 1:] * P[2] - P[1]], axis=-2)
    solution = np.linalg.svd(rows)[2][..., 3, :]
    scale = solution[..., 3:]
    points = solution[..., :3] / np.where(np.abs(scale) > 1e-9, scale, np.nan)
    ahead = known & (points[..., 2] > 0) & (rig.to_right(points)[..., 2] > 0)
    return np.where(ahead[..., None], points, np.nan)


def _pixel_jacobian(rig: StereoRig, points) -> np.ndarray:
    """d(left u v, right u v) / d(point) (..., 4, 3), by central differences: right for every lens model alike."""
    step = 1e-6 * np.maximum(np.abs(points[..., 2]), 1e-3)
    columns = []
    for axis in range(3):
        move = step[..., None] * np.eye(3)[axis]
        ahead, back = (np.concatenate(rig.project(moved), axis=-1) for moved in (points + move, points - move))
        columns.append((ahead - back) / (2 * step[..., None]))
    return np.stack(columns, axis=-1)


def _inverse(normal) -> np.ndarray:
    """Inverse of (..., 3, 3); NaN where it has none."""
    singular = ~np.isfinite(normal).all((-1, -2))
    safe = np.where(singular[..., None, None], np.eye(3), normal)
    # parallel rays leave one direction without information: not a matrix to invert
    singular |= np.linalg.cond(safe) > 1e14
    safe = np.where(singular[..., None, None], np.eye(3), safe)
    return np.where(singular[..., None, None], np.nan, np.linalg.inv(safe))


def epipolar_residual_px(rig: StereoRig, left_px, right_px) -> np.ndarray:
    """Signed Sampson distance (...) in undistorted pixels of pixel pairs (..., 2) from the rig's epipolar geometry."""
    return plane_residual_px(rig, rig.left.normalise(left_px), rig.right.normalise(right_px))


def plane_residual_px(rig: StereoRig, left, right) -> np.ndarray:
    """epipolar_residual_px of directions (x/z, y/z) (..., 2), as Camera.normalise gives them."""
    rays = [np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1) for plane in (left, right)]
    tx, ty, tz = rig.T_right_left[:3, 3] / rig.baseline_m
    essential = np.array([[0, -tz, ty], [tz, 0, -tx], [-ty, tx, 0]]) @ rig.T_right_left[:3, :3]
    on_right = rays[0] @ essential.T
    on_left = rays[1] @ essential
    value = (rays[1] * on_right).sum(-1)
    gradient = ((on_right[..., :2] / (rig.right.fx_px, rig.right.fy_px)) ** 2).sum(-1) \
        + ((on_left[..., :2] / (rig.left.fx_px, rig.left.fy_px)) ** 2).sum(-1)
    return value / np.sqrt(gradient)


def load_rig(path: str | Path) -> StereoRig:
    """Rig of a rig.yaml: cameras.left|right with width height distortion_model K[9] D[], and T_right_left 4 x 4."""
    path = Path(path)
    try:
        stored = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'{path}: not a readable YAML file ({error})') from error
    try:
        cameras = [_camera(stored, side) for side in ('left', 'right')]
        return StereoRig(*cameras, _numbers('T_right_left', _entry(stored, 'T_right_left')))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _entry(stored, *keys: str):
    for depth, key in enumerate(keys):
        if not isinstance(stored, dict) or key not in stored:
            raise ValueError(f'{".".join(keys[:depth + 1])}: missing, expected it in the rig')
        stored = stored[key]
    return stored


def _numbers(name: str, value) -> np.ndarray:
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f'{name}: {value!r}, expected numbers') from None


def _camera(stored, side: str) -> Camera:
    get = lambda key: _entry(stored, 'cameras', side, key)
    sizes = [get('width'), get('height')]
    if not all(isinstance(size, (int, float)) for size in sizes):
        raise ValueError(f'cameras.{side}: width and height {sizes}, expected numbers of pixels')
    K, D = _numbers(f'cameras.{side}.K', get('K')), _numbers(f'cameras.{side}.D', get('D'))
    model = get('distortion_model')
    try:
        return Camera.from_calibration(*sizes, K, D, None, model, rectified=False)
    except ValueError as error:
        raise ValueError(f'cameras.{side}: {error}') from error


def rig_text(rig: StereoRig) -> str:
    """A rig.yaml's text, which says the rig to the last digit."""
    cameras = {side: {'width': camera.width, 'height': camera.height, 'distortion_model': camera.distortion_model,
                      'K': camera.K.ravel().tolist(), 'D': camera.D.tolist()}
               for side, camera in (('left', rig.left), ('right', rig.right))}
    text = yaml.safe_dump({'cameras': cameras, 'T_right_left': rig.T_right_left.tolist()}, sort_keys=False,
                          default_flow_style=None, width=120)
    return '# Metres and pixels; x_right = T_right_left @ x_left.\n' + text


def save_rig(rig: StereoRig, path: str | Path) -> None:
    """Write a rig.yaml that load_rig reads back to the last digit."""
    Path(path).write_text(rig_text(rig), encoding='utf-8')
