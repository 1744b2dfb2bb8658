"""The palm detector and the landmark network together: hands read where they are expected, new ones searched for."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.detection.hand_regions import HandRegion
from hand_recon_ros.detection.landmark_network import HandReading, LandmarkNetwork
from hand_recon_ros.detection.palm_detector import PalmDetector

SAME_REGION_OVERLAP = 0.5       # intersection over union above which a palm is of a hand already followed
SEARCH_EVERY = 3                # images: how often a further hand is searched for while one is followed


class HandNetworks:
    """Both networks with their thresholds. batch_sizes: numbers of crops compiled for, see LandmarkNetwork.

    min_detection_score: of a palm. min_tracking_score: of the landmark network's presence; below it there is no hand.
    """

    def __init__(self, batch_sizes: tuple[int, ...], min_detection_score: float, min_tracking_score: float,
                 threads: int, precision: str):
        if not 0.0 <= min_tracking_score <= 1.0:
            raise ValueError(f'min_tracking_score: {min_tracking_score!r}, expected 0 to 1')
        self.min_tracking_score = float(min_tracking_score)
        self._palms = PalmDetector(min_detection_score, threads, precision)
        self._landmarks = LandmarkNetwork(batch_sizes, threads, precision)

    def read(self, images: list[np.ndarray], regions: list[HandRegion]) -> list[HandReading | None]:
        """One reading for each region of its image, all in one batch; None where there is no hand."""
        return [reading if reading.presence >= self.min_tracking_score else None
                for reading in self._landmarks.read(images, regions)]

    def search(self, image: np.ndarray, known: list[HandReading], count: int) -> list[HandReading]:
        """At most `count` hands of an image that are not among the known ones, the best palm first."""
        taken = [HandRegion.from_landmarks(reading.points_px) for reading in known]
        regions = []
        for palm in self._palms.find(image):
            region = palm.region
            if len(regions) < count and all(region.overlap(other) <= SAME_REGION_OVERLAP for other in taken):
                regions.append(region)
        return [reading for reading in self.read([image] * len(regions), regions) if reading is not None]


class SearchPolicy:
    """When to search a view for palms: at every image while no hand is followed, at once when one is lost, and every
    SEARCH_EVERY-th image while there are fewer hands than wanted; never while all are followed.
    """

    def __init__(self):
        self._waited = 0

    def due(self, followed: int, wanted: int, lost: bool) -> bool:
        """Whether to search in this image. followed: hands found where they were expected. lost: one was not."""
        self._waited += 1
        if followed >= wanted or not (followed == 0 or lost or self._waited >= SEARCH_EVERY):
            return False
        self._waited = 0
        return True
