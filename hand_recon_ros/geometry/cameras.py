"""Cameras: pinhole with ROS's distortion models, projection and its inverse, checked at the door. NumPy, float64.

Optical frame: x right, y down, z forward. Integer pixel coordinates name pixel centres.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hand_recon_ros.geometry import distortion
from hand_recon_ros.geometry.distortion import COEFFICIENTS


def _positive_integer(name: str, value) -> int:
    if isinstance(value, bool) or not np.isfinite(value) or int(value) != value or value <= 0:
        raise ValueError(f'{name}: {value}, expected a positive whole number of pixels')
    return int(value)


def _matrix(name: str, value, shape: tuple[int, int]) -> np.ndarray:
    """A 3 x 3 or 3 x 4 camera matrix, given as such or row by row; its focal lengths positive, its last row 0 0 1."""
    matrix = np.asarray(value, np.float64)
    if matrix.shape not in (shape, (shape[0] * shape[1],)):
        raise ValueError(f'{name}: shape {matrix.shape}, expected {shape[0]} x {shape[1]}')
    matrix = matrix.reshape(shape).copy()
    if not np.isfinite(matrix).all():
        raise ValueError(f'{name}: {matrix.ravel().tolist()}, expected finite numbers')
    for axis, which in enumerate(('fx', 'fy')):
        if matrix[axis, axis] <= 0:
            raise ValueError(f'{name}: {which} is {matrix[axis, axis]:g}, expected a positive focal length in pixels '
                             f'(zero means an uncalibrated camera)')
    if np.abs(matrix[2, :3] - (0, 0, 1)).max() > 1e-9 or matrix[1, 0] != 0:
        raise ValueError(f'{name}: rows 2 and 3 are {matrix[1].tolist()} {matrix[2].tolist()}, '
                         'expected 0 fy cy and 0 0 1')
    return matrix


@dataclass(frozen=True, eq=False)
class Camera:
    """Intrinsics of one image. ValueError names the field that does not fit.

    width, height: pixels. K: (3, 3) pixels. distortion_model: 'none', 'plumb_bob' (D: k1 k2 p1 p2 k3),
    'rational_polynomial' (8: k1 k2 p1 p2 k3 k4 k5 k6) or 'equidistant' (4: k1 k2 k3 k4).
    """
    width: int
    height: int
    K: np.ndarray
    distortion_model: str = 'none'
    D: np.ndarray = ()

    def __post_init__(self):
        for name in ('width', 'height'):
            object.__setattr__(self, name, _positive_integer(name, getattr(self, name)))
        if self.distortion_model not in COEFFICIENTS:
            raise ValueError(f'distortion_model: {self.distortion_model!r}, expected one of {", ".join(COEFFICIENTS)}')
        coefficients = np.array(self.D, np.float64).ravel()
        count = COEFFICIENTS[self.distortion_model]
        if len(coefficients) != count:
            raise ValueError(f'D: {len(coefficients)} numbers, expected {count} for {self.distortion_model}')
        if not np.isfinite(coefficients).all():
            raise ValueError(f'D: {coefficients.tolist()}, expected finite numbers')
        K = _matrix('K', self.K, (3, 3))
        for array in (K, coefficients):
            array.flags.writeable = False
        object.__setattr__(self, 'K', K)
        object.__setattr__(self, 'D', coefficients)

    @classmethod
    def rectified_from_projection(cls, width: int, height: int, P) -> Camera:
        """Camera of a rectified image from ROS's P (3, 4): P[:3, :3], no distortion. The baseline goes to the rig."""
        return cls(width, height, _matrix('P', P, (3, 4))[:, :3])

    @classmethod
    def from_calibration(cls, width: int, height: int, K, D, P, distortion_model: str, rectified: bool,
                         binning: tuple[int, int] = (1, 1), roi: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Camera:
        """Camera of an image by its sensor_msgs/CameraInfo. width, height: the full resolution the calibration is for.

        rectified: the image is, so P holds and neither K nor D does. binning: pixels joined, 0 as 1. roi: x, y, width,
        height at full resolution, zero size for the whole. An empty distortion_model stands for 'none', and needs no D.
        """
        if rectified:
            camera = cls.rectified_from_projection(width, height, P)
        else:
            D = np.asarray(D, np.float64).ravel()
            if distortion_model == 'plumb_bob' and len(D) == 4:
                # drivers often leave the fifth, k3, away
                D = np.append(D, 0.0)
            if distortion_model == '' and not D.any():
                distortion_model, D = 'none', ()
            camera = cls(width, height, K, distortion_model, D)
        x, y, roi_width, roi_height = roi
        if roi_width or roi_height:
            camera = camera.cropped(x, y, roi_width, roi_height)
        factors = [1 if n == 0 else _positive_integer(name, n) for name, n in zip(('binning_x', 'binning_y'), binning)]
        return camera if factors == [1, 1] else camera.resized(camera.width // factors[0], camera.height // factors[1],
                                                               (1 / factors[0], 1 / factors[1]))

    @property
    def fx_px(self) -> float:
        """Horizontal focal length."""
        return float(self.K[0, 0])

    @property
    def fy_px(self) -> float:
        """Vertical focal length."""
        return float(self.K[1, 1])

    @property
    def centre_px(self) -> np.ndarray:
        """Principal point (2,)."""
        return self.K[:2, 2]

    @cached_property
    def _reach(self) -> float:
        return distortion.reach(self.distortion_model, self.D)

    def project(self, points_m) -> np.ndarray:
        """Points (..., 3) in the optical frame, any unit, to pixels (..., 2).

        NaN where no pixel exists: behind the camera, or farther off axis than the distortion is one to one.
        """
        points = np.asarray(points_m, np.float64)
        return self._to_pixels(distortion.distort(self.distortion_model, self.D, points, self._reach))

    def normalise(self, px) -> np.ndarray:
        """Pixels (..., 2) to (x/z, y/z) (..., 2) without distortion; NaN where there is no such direction."""
        flat = self._from_pixels(np.asarray(px, np.float64))
        return distortion.undistort(self.distortion_model, self.D, flat, self._reach)

    def rays(self, px) -> np.ndarray:
        """Unit directions (..., 3) of pixels (..., 2); for 'equidistant' sideways and backwards ones too."""
        flat = self._from_pixels(np.asarray(px, np.float64))
        if self.distortion_model == 'equidistant':
            return distortion.equidistant_rays(self.D, flat, self._reach)
        plane = distortion.undistort(self.distortion_model, self.D, flat, self._reach)
        rays = np.concatenate([plane, np.ones_like(plane[..., :1])], axis=-1)
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    def _to_pixels(self, plane):
        x, y = plane[..., 0], plane[..., 1]
        return np.stack([self.K[0, 0] * x + self.K[0, 1] * y + self.K[0, 2], self.K[1, 1] * y + self.K[1, 2]], axis=-1)

    def _from_pixels(self, px):
        y = (px[..., 1] - self.K[1, 2]) / self.K[1, 1]
        return np.stack([(px[..., 0] - self.K[0, 2] - self.K[0, 1] * y) / self.K[0, 0], y], axis=-1)

    def inside(self, px, margin_px: float = 0.0) -> np.ndarray:
        """Whether pixels (..., 2) lie on the image, or beyond its border by at most the margin; False for NaN."""
        px = np.asarray(px)
        low, high = -0.5 - margin_px, np.array([self.width, self.height]) - 0.5 + margin_px
        return ((px >= low) & (px <= high)).all(axis=-1)

    def resized(self, width: int, height: int, factors: tuple[float, float] | None = None) -> Camera:
        """Camera of the image resampled to a new size; factors default to the ratios of the sizes."""
        sx, sy = (width / self.width, height / self.height) if factors is None else factors
        K = self.K.copy()
        K[0] *= sx
        K[1] *= sy
        K[0, 2] = (self.K[0, 2] + 0.5) * sx - 0.5
        K[1, 2] = (self.K[1, 2] + 0.5) * sy - 0.5
        return Camera(width, height, K, self.distortion_model, self.D)

    def scaled(self, factor: float) -> Camera:
        """Camera of the image resampled by one factor: c becomes (c + 0.5) s - 0.5; the size is rounded."""
        if not np.isfinite(factor) or factor <= 0:
            raise ValueError(f'factor: {factor}, expected a positive number')
        return self.resized(max(1, round(self.width * factor)), max(1, round(self.height * factor)), (factor, factor))

    def cropped(self, x: int, y: int, width: int, height: int) -> Camera:
        """Camera of a rectangle of the image, its corner at pixel (x, y); ValueError when it is not within."""
        if x < 0 or y < 0 or x + width > self.width or y + height > self.height:
            raise ValueError(f'roi: x {x} y {y} {width} x {height}, expected within {self.width} x {self.height}')
        K = self.K.copy()
        K[:2, 2] -= (x, y)
        return Camera(width, height, K, self.distortion_model, self.D)

    def undistorted(self) -> Camera:
        """The ideal pinhole with the same K and size."""
        return Camera(self.width, self.height, self.K)
