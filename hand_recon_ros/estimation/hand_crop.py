"""What a learned estimator sees of an image: a square around the keypoints, of a right hand, and the way back from it."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.detection.crops import Crop
from hand_recon_ros.estimation.viewing import image_plane_points, ray_rotation
from hand_recon_ros.geometry.cameras import Camera

MARGIN = 0.2            # the box of the keypoints grown on every side, in its longer side
MEAN, STD = 0.5, 0.25   # of pixels in 0..1, taken out of a network's input


@dataclass(frozen=True)
class HandCrop:
    """A crop of an image in which every hand is a right one: a left hand's is mirrored, left to right.

    The network sees the hand as if the crop's centre lay on the optical axis. camera: of the whole image.
    """
    crop: Crop
    mirrored: bool
    camera: Camera

    @classmethod
    def around(cls, points_px, mirrored: bool, camera: Camera, size: int) -> HandCrop:
        """Of a detected hand: its box with MARGIN. points_px: (21, 2) image pixels, NaN where unknown."""
        points = np.asarray(points_px, np.float64)
        points = points[np.isfinite(points).all(-1)]
        if len(points) < 2:
            raise ValueError(f'points_px: {len(points)} points, expected at least 2 to crop around')
        box = np.concatenate([points.min(0), points.max(0)])
        return cls(Crop.square(box, size, MARGIN), mirrored, camera)

    @property
    def size(self) -> int:
        """Pixels of a side."""
        return self.crop.width

    @property
    def turn(self) -> np.ndarray:
        """(3, 3): directions of the unmirrored crop's axes in the camera's: about the optical axis, then onto the ray."""
        middle = image_plane_points(np.asarray(self.crop.centre_px)[None], self.camera)[0][0]
        about = np.eye(3)
        about[:2, :2] = self.crop.rotation.T
        return ray_rotation(middle) @ about

    def take(self, image: np.ndarray) -> np.ndarray:
        """The crop of an (H, W, 3) or (H, W) uint8 image, (size, size, ...); black outside the image."""
        taken = self.crop.take(image)
        return np.ascontiguousarray(taken[:, ::-1]) if self.mirrored else taken

    def to_crop(self, points_px) -> np.ndarray:
        """Image pixels (..., 2) to crop pixels."""
        points = self.crop.to_crop(points_px)
        if self.mirrored:
            points[..., 0] = self.size - 1 - points[..., 0]
        return points

    def to_image(self, points_px) -> np.ndarray:
        """Inverse of to_crop."""
        points = np.array(points_px, np.float64)
        if self.mirrored:
            points[..., 0] = self.size - 1 - points[..., 0]
        return self.crop.to_image(points)

    @property
    def A_image_crop(self) -> np.ndarray:
        """(2, 3): crop pixels (column, row, 1) to image pixels."""
        at = self.to_image(np.array([[0.0, 0], [1, 0], [0, 1]]))
        return np.column_stack([at[1] - at[0], at[2] - at[0], at[0]])

    def wrist_to_crop(self, rotation: np.ndarray) -> np.ndarray:
        """A right hand's wrist rotation (3, 3) in the (mirrored) camera's axes, as the crop shows it."""
        return self._turn_of_right_hand.T @ rotation

    def wrist_to_camera(self, rotation: np.ndarray) -> np.ndarray:
        """Inverse of wrist_to_crop."""
        return self._turn_of_right_hand @ rotation

    @property
    def _turn_of_right_hand(self) -> np.ndarray:
        turn = self.turn
        if not self.mirrored:
            return turn
        flip = np.diag([-1.0, 1.0, 1.0])
        return flip @ turn @ flip


def network_image(crops: np.ndarray) -> np.ndarray:
    """Crops (N, S, S, 3) uint8 to a network's input (N, 3, S, S) float32."""
    return np.ascontiguousarray(((crops.astype(np.float32) / 255.0 - MEAN) / STD).transpose(0, 3, 1, 2))

