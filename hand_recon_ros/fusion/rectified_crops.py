"""The two images of one hand, cut out and turned so that rows correspond: what a search along rows needs."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import Frame

# Beyond this angle between a camera's axis and the common viewing direction, a turned image is stretched too far.
MOST_TURN_RAD = float(np.radians(35))
# Lens maps are computed on every 8th pixel and interpolated: within 0.02 px for lenses that bend 30 % at the corner.
MAP_STEP_PX = 8
# Longest side of a crop: a hand larger than that is nearer than any camera is sharp.
MOST_CROP_PX = 1024


@dataclass(frozen=True)
class Crop:
    """image: (H, W) float32 grey. valid: (H, W) uint8, 1 where the camera saw something. origin_px: (2,) whole pixels,
    the place of pixel (0, 0) in the rectified plane."""
    image: np.ndarray
    valid: np.ndarray
    origin_px: np.ndarray


class RectifiedRig:
    """Two pinholes with one K, looking one way, side by side along x, in place of a rig's cameras.

    A point x of the left optical frame is rotation @ x in the rectified one; it is seen at focal * (x, y) / z in the
    left image plane (no principal point: planes are cut where the hand is), and disparity_px = focal_x * baseline / z
    farther left in the right one. Raises ValueError when the cameras look too far away from each other's direction,
    or along their baseline.
    """

    def __init__(self, rig: StereoRig):
        self.rig, self.baseline_m = rig, rig.baseline_m
        T = rig.T_right_left
        self.identical = rig.is_rectified and rig.left.fx_px == rig.right.fx_px and T[0, 3] < 0 and not (
            rig.left.K[0, 1] or rig.right.K[0, 1])
        self.rotation, self.focal_px = np.eye(3), np.array([rig.left.fx_px, rig.left.fy_px])
        if self.identical:
            return
        axis = -T[:3, :3].T @ T[:3, 3] / self.baseline_m                      # from the left to the right camera
        views = np.stack([np.array([0, 0, 1.0]), T[2, :3]])                   # both optical axes, left frame
        forward = views.sum(0) - axis * (axis @ views.sum(0))
        forward /= max(np.linalg.norm(forward), 1e-9)                        # 0 for two that look along their baseline
        self.rotation = np.stack([axis, np.cross(forward, axis), forward])
        turn = float(np.arccos(np.clip(views @ forward, -1, 1)).max())
        if turn > MOST_TURN_RAD or self.rotation[0, 0] < 0:
            raise ValueError(f'rig: a camera looks {np.degrees(turn):.0f} degrees away from the pair\'s common '
                             f'direction, expected at most {np.degrees(MOST_TURN_RAD):.0f} with the right camera on the '
                             'right (disparity cannot be measured; switch it off)')
        self.focal_px = np.full(2, np.sqrt(rig.left.fx_px * rig.right.fx_px))

    def points_px(self, points_left_m) -> tuple[np.ndarray, np.ndarray]:
        """Left plane's coordinates (N, 2) and disparities (N,), pixels, of points (N, 3) of the left optical frame."""
        turned = np.asarray(points_left_m, np.float64) @ self.rotation.T
        return (turned[:, :2] / turned[:, 2:] * self.focal_px, self.focal_px[0] * self.baseline_m / turned[:, 2])

    def rays(self, points_px) -> np.ndarray:
        """Directions (N, 3) in the left optical frame, of unit rectified depth, of left plane coordinates (N, 2)."""
        plane = np.asarray(points_px) / self.focal_px
        return np.concatenate([plane, np.ones_like(plane[:, :1])], axis=1) @ self.rotation

    def crop(self, side: int, frame: Frame, low_px, high_px) -> Crop:
        """Part of a camera's image (side 0: left) between two corners (2,) of the rectified plane, made whole pixels.

        Raises ValueError when the frame carries no image or the part is larger than MOST_CROP_PX.
        """
        if frame.image is None:
            raise ValueError(f'{("left", "right")[side]} frame: no image, expected one to measure disparity in')
        centre = (self.rig.left, self.rig.right)[side].centre_px if self.identical else np.zeros(2)
        # On whole pixels of an image that needs no resampling, which keeps its noise white.
        origin = np.floor(np.asarray(low_px, np.float64)) - (centre - np.floor(centre))
        width, height = (np.ceil(np.asarray(high_px) - origin).astype(int) + 1).tolist()
        if not 0 < max(width, height) <= MOST_CROP_PX:
            raise ValueError(f'hand: {width} x {height} px, expected at most {MOST_CROP_PX}')
        if self.identical:
            return self._cut(frame.image, np.rint(origin + centre).astype(int), origin, width, height)
        return self._turned(side, frame.image, origin, width, height)

    @staticmethod
    def _cut(image, corner, origin, width: int, height: int) -> Crop:
        rows, columns = image.shape[:2]
        grey, valid = np.zeros((height, width), np.float32), np.zeros((height, width), np.uint8)
        x0, y0 = np.maximum(corner, 0)
        x1, y1 = np.minimum(corner + (width, height), (columns, rows))
        if x1 > x0 and y1 > y0:
            inside = slice(y0 - corner[1], y1 - corner[1]), slice(x0 - corner[0], x1 - corner[0])
            grey[inside] = cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
            valid[inside] = 1
        return Crop(grey, valid, origin)

    def _turned(self, side: int, image, origin, width: int, height: int) -> Crop:
        camera: Camera = (self.rig.left, self.rig.right)[side]
        coarse = [np.arange(0, size + MAP_STEP_PX, MAP_STEP_PX) for size in (width, height)]
        grid = np.stack(np.meshgrid(*coarse), -1).reshape(-1, 2) + origin
        rays = self.rays(grid)
        if side == 1:
            rays = rays @ self.rig.T_right_left[:3, :3].T
        pixels = camera.project(rays).reshape(len(coarse[1]), len(coarse[0]), 2).astype(np.float32)
        pixels = np.where(np.isfinite(pixels), pixels, -1e6)
        # Grid points sit on pixels 0, 8, 16 ..: an affine warp with bilinear interpolation, which reaches them exactly.
        fine = cv2.warpAffine(pixels, np.array([[1 / MAP_STEP_PX, 0, 0], [0, 1 / MAP_STEP_PX, 0]]), (width, height),
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        valid = camera.inside(fine).astype(np.uint8)
        grey = cv2.remap(image, fine, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return Crop(cv2.cvtColor(grey, cv2.COLOR_RGB2GRAY).astype(np.float32), valid, origin)
