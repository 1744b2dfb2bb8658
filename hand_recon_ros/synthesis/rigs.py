"""Where the cameras of a scene stand and how they see: one, a rectified pair, a wide pair, a headset's pair.

A scene is staged before a `viewer`: a frame like an optical one, from which somebody looks at the middle of the hands,
`distance_m` ahead. The cameras stand around it and look at the same place.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.types import checked_choice

RIGS = ('mono', 'rectified', 'wide', 'headset')
RECTIFIED_BASELINE_M, HEADSET_BASELINE_M = (0.04, 0.25), (0.06, 0.14)
WIDE_ANGLE_DEG = (40.0, 90.0)           # between the optical axes of a wide pair
WEBCAM_FOCAL = (0.82, 1.02)             # focal length as a part of the image's width: 63 to 52 degrees across
HEADSET_FOCAL = (0.50, 0.62)            # 90 to 78 degrees
# One standard deviation of a careful calibration's errors, see `miscalibrated`.
ROTATION_ERROR_RAD, POSITION_ERROR_M, FOCAL_ERROR, CENTRE_ERROR_PX = np.radians(0.1), 5e-4, 0.002, 0.6


@dataclass(frozen=True, eq=False)
class CameraRig:
    """cameras: intrinsics, lens distortion included. T_camera_first: (N, 4, 4), x_k = T_camera_first[k] @ x_0, m."""
    cameras: tuple[Camera, ...]
    T_camera_first: np.ndarray

    def __post_init__(self):
        T = np.array(self.T_camera_first, np.float64)
        if T.shape != (len(self.cameras), 4, 4) or not np.isfinite(T).all():
            raise ValueError(f'T_camera_first: shape {T.shape}, expected {len(self.cameras)} x 4 x 4 finite numbers')
        if np.abs(T[0] - np.eye(4)).max() > 1e-9:
            raise ValueError('T_camera_first: the first is no identity, expected the first camera\'s own frame')
        T.flags.writeable = False
        object.__setattr__(self, 'cameras', tuple(self.cameras))
        object.__setattr__(self, 'T_camera_first', T)

    @property
    def is_rectified(self) -> bool:
        """Whether the cameras are one, or a pair whose rows correspond and whose lenses bend nothing."""
        return len(self.cameras) == 1 or self.stereo_rig().is_rectified

    @property
    def baseline_m(self) -> float:
        """Distance between the first and the last camera; 0 of one."""
        return float(np.linalg.norm(self.T_camera_first[-1, :3, 3]))

    def stereo_rig(self) -> StereoRig:
        """The pair as geometry.rigs knows it; ValueError when it is none."""
        if len(self.cameras) != 2:
            raise ValueError(f'cameras: {len(self.cameras)}, expected 2')
        return StereoRig(*self.cameras, self.T_camera_first[1])

    def to_camera(self, k: int, points_first_m) -> np.ndarray:
        """Points (..., 3) of the first camera's frame in the k-th one's, of the points' precision."""
        points = np.asarray(points_first_m)
        T = self.T_camera_first[k].astype(points.dtype)
        return points @ T[:3, :3].T + T[:3, 3]

    def project(self, k: int, points_first_m) -> np.ndarray:
        """Pixels (..., 2) in the k-th image of points (..., 3) of the first camera's frame."""
        return self.cameras[k].project(self.to_camera(k, points_first_m))


def sample_rig(kind: str, width: int, height: int, distance_m: float, baseline_m: float | None,
               rng: np.random.Generator) -> tuple[CameraRig, np.ndarray]:
    """A rig and T_first_viewer (4, 4). distance_m: from the viewer to the hands. baseline_m: None to draw it.

    Of a wide pair the baseline is the chord of its angle, b = 2 d sin(angle / 2). ValueError names what does not fit.
    """
    checked_choice('rig', kind, RIGS)
    if kind == 'mono':
        if baseline_m is not None:
            raise ValueError(f'baseline_m: {baseline_m}, expected none with one camera')
        return CameraRig((_camera(width, height, rng.uniform(*WEBCAM_FOCAL)),), np.eye(4)[None]), np.eye(4)
    if kind == 'rectified':
        baseline = rng.uniform(*RECTIFIED_BASELINE_M) if baseline_m is None else baseline_m
        camera = _camera(width, height, rng.uniform(*WEBCAM_FOCAL))
        return _rig((camera, camera), (_placed((-0.5 * baseline, 0, 0)), _placed((0.5 * baseline, 0, 0))))
    if kind == 'headset':
        baseline = rng.uniform(*HEADSET_BASELINE_M) if baseline_m is None else baseline_m
        focal, outward = rng.uniform(*HEADSET_FOCAL), np.radians(rng.uniform(0, 10))
        cameras = [_lens(width, height, focal * rng.uniform(0.99, 1.01), rng) for _ in range(2)]
        poses = [_placed((0.5 * side * baseline, 0, 0), (np.radians(rng.normal(0, 0.7)), side * outward,
                                                         np.radians(rng.normal(0, 0.7)))) for side in (-1, 1)]
        return _rig(cameras, poses)
    if baseline_m is None:
        angle = np.radians(rng.uniform(*WIDE_ANGLE_DEG))
    elif baseline_m < 2 * distance_m:
        angle = 2 * np.arcsin(0.5 * baseline_m / distance_m)
    else:
        raise ValueError(f'baseline_m: {baseline_m}, expected less than {2 * distance_m:.2f} in a wide rig')
    cameras, poses = [], []
    for side in (-1, 1):
        # Around the place looked at, each at its own height, distance and tilt, as tripods end up.
        turn = axis_angle_to_matrix(np.array([np.radians(rng.uniform(-8, 8)), 0, 0])) @ axis_angle_to_matrix(
            np.array([0, -0.5 * side * angle, 0]))
        away = distance_m * rng.uniform(0.92, 1.1)
        centre = np.array([0, 0, distance_m]) - away * turn[:, 2]
        roll = axis_angle_to_matrix(np.array([0, 0, np.radians(rng.uniform(-5, 5))]))
        cameras.append(_lens(width, height, rng.uniform(0.78, 1.0), rng))
        poses.append(_pose(turn @ roll, centre))
    return _rig(cameras, poses)


def miscalibrated(rig: CameraRig, size: float, rng: np.random.Generator) -> CameraRig:
    """The cameras as they truly are when `rig` is what their calibration says; size: 1 = a careful calibration's error.

    Of one standard deviation each: rotation 0.1 degrees and position 0.5 mm between the cameras, focal lengths 0.2 %,
    principal points 0.6 px at 640 px of width. The first camera's frame stays the frame of everything.
    """
    if not 0 <= size <= 20:
        raise ValueError(f'calibration_error: {size}, expected 0 to 20')
    if size == 0:
        return rig
    cameras, poses = [], []
    for k, (camera, T) in enumerate(zip(rig.cameras, rig.T_camera_first)):
        K = camera.K.copy()
        K[[0, 1], [0, 1]] *= 1 + size * FOCAL_ERROR * rng.normal()
        K[:2, 2] += size * CENTRE_ERROR_PX * camera.width / 640 * rng.normal(size=2)
        cameras.append(Camera(camera.width, camera.height, K, camera.distortion_model, camera.D))
        shift = np.eye(4)
        if k:
            shift[:3, :3] = axis_angle_to_matrix(size * ROTATION_ERROR_RAD * rng.normal(size=3))
            shift[:3, 3] = size * POSITION_ERROR_M * rng.normal(size=3)
        poses.append(shift @ T)
    return CameraRig(tuple(cameras), np.stack(poses))


def hands_in_frame(T_frame_viewer: np.ndarray, poses: np.ndarray, translations: np.ndarray, wrist_m: np.ndarray,
                   handedness: str) -> tuple[np.ndarray, np.ndarray]:
    """Poses (N, 48) and translations (N, 3) of a hand, given in the viewer's frame, in another: the same hand.

    The root turns about the shape's wrist at rest, wrist_m (3,) of the right hand: t' = R (w + t) + s - w.
    """
    rotation, shift = T_frame_viewer[:3, :3], T_frame_viewer[:3, 3]
    left = handedness == 'left'
    wrist = mirror_points(wrist_m) if left else wrist_m
    moved = (translations + wrist) @ rotation.T + shift - wrist
    turned = matrix_to_axis_angle(rotation @ axis_angle_to_matrix(poses[:, :3].astype(np.float64)))
    return np.concatenate([turned, poses[:, 3:]], 1), moved


def _camera(width: int, height: int, focal: float) -> Camera:
    """An ideal camera; focal: as a part of the width."""
    f = focal * width
    return Camera(width, height, np.array([[f, 0, 0.5 * (width - 1)], [0, f, 0.5 * (height - 1)], [0, 0, 1]]))


def _lens(width: int, height: int, focal: float, rng) -> Camera:
    """A real camera: plumb_bob distortion as wide lenses have it, axis off the middle, pixels almost square."""
    ideal = _camera(width, height, focal)
    K = ideal.K.copy()
    K[1, 1] *= rng.uniform(0.995, 1.005)
    K[:2, 2] += rng.normal(0, 0.012, 2) * width
    # Barrel distortion that moves the corners by 3 to 20 %; k2 > 0.45 k1^2 keeps it one to one at any angle.
    corner = 0.5 * np.hypot(width, height) / (focal * width)
    bulge = min(rng.uniform(0.03, 0.20) / corner ** 2, 0.35)
    D = (-bulge, bulge * bulge * rng.uniform(0.50, 0.65), *rng.normal(0, 4e-4, 2), 0.0)
    return Camera(width, height, K, 'plumb_bob', np.array(D))


def _placed(centre, rotation_vector=(0.0, 0.0, 0.0)) -> np.ndarray:
    return _pose(axis_angle_to_matrix(np.asarray(rotation_vector, np.float64)), np.asarray(centre, np.float64))


def _pose(rotation, centre) -> np.ndarray:
    """T_viewer_camera (4, 4)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = rotation, centre
    return T


def _rig(cameras, T_viewer_camera) -> tuple[CameraRig, np.ndarray]:
    T_first_viewer = np.linalg.inv(T_viewer_camera[0])
    T_camera_first = np.stack([np.eye(4)] + [np.linalg.inv(T) @ T_viewer_camera[0] for T in T_viewer_camera[1:]])
    if len(cameras) == 2 and np.abs(T_camera_first[1, :3, :3] - np.eye(3)).max() < 1e-12:
        T_camera_first[1, 1:3, 3] = 0.0
    return CameraRig(tuple(cameras), T_camera_first), T_first_viewer
