"""MediaPipe's hand landmark network run directly: regions of images in, landmarks out, all regions in one batch."""
from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hand_recon_ros.detection.hand_regions import CROP_SIZE, HandRegion
from hand_recon_ros.detection.inference import LANDMARK_MODEL, Network
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector, box_around
from hand_recon_ros.types import HandKeypoints


@dataclass(frozen=True)
class HandReading:
    """What the network says of one region. presence: 0..1, that a hand is there. right: 0..1, that it is a right hand,
    the person's own. points_px: (21, 2) pixels of the image. points_m: (21, 3) metres, axes of the image, about the
    hand's centre.
    """
    region: HandRegion
    presence: float
    right: float
    points_px: np.ndarray
    points_m: np.ndarray

    @property
    def handedness(self) -> str:
        return 'right' if self.right > 0.5 else 'left'

    def stretched(self, factors) -> HandReading:
        """The reading in the pixels of an image `factors` (2,) times as large: (small + 0.5) * factor - 0.5."""
        return replace(self, points_px=((self.points_px + 0.5) * factors - 0.5).astype(np.float32))

    def keypoints(self, track_id: int = -1) -> HandKeypoints:
        """The reading in the package's currency. The landmarks are MediaPipe's, so the detector named is that one: its
        tables of offsets hold. The score of the hand, and of every landmark, is its presence.
        """
        return HandKeypoints(
            handedness=self.handedness, handedness_score=max(self.right, 1.0 - self.right), score=self.presence,
            box_px=box_around(self.points_px), points_px=self.points_px,
            point_scores=np.full(21, self.presence, np.float32), points_m=self.points_m,
            detector=MediaPipeDetector.name, track_id=track_id)


class LandmarkNetwork:
    """Reads hands. batch_sizes: numbers of regions worth a compilation of their own. threads, precision: of Network."""

    def __init__(self, batch_sizes: tuple[int, ...] = (1, 2), threads: int = 1, precision: str = 'auto'):
        self._network = Network(LANDMARK_MODEL, batch_sizes, threads, precision)

    def read(self, images: list[np.ndarray], regions: list[HandRegion]) -> list[HandReading]:
        """One reading for each region of its image (H, W, 3) uint8 RGB; images may repeat. Black outside an image."""
        if len(images) != len(regions):
            raise ValueError(f'regions: {len(regions)}, expected one for each of the {len(images)} images')
        if not regions:
            return []
        crops = np.empty((len(regions), CROP_SIZE, CROP_SIZE, 3), np.uint8)
        for crop, image, region in zip(crops, images, regions):
            cv2.warpAffine(image, region.matrix, (CROP_SIZE, CROP_SIZE), dst=crop, flags=cv2.INTER_LINEAR)
        landmarks, presence, right, world = self._network(crops)
        return [HandReading(region, float(presence[i, 0]), float(right[i, 0]),
                            region.to_image(landmarks[i].reshape(21, 3)[:, :2]).astype(np.float32),
                            region.directions_to_image(world[i].reshape(21, 3)).astype(np.float32))
                for i, region in enumerate(regions)]
