"""The real detector run over a data set once, for training with the detector in the loop: inputs of every network here."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.detection.hand_regions import HandRegion
from hand_recon_ros.detection.landmark_network import LandmarkNetwork
from hand_recon_ros.types import HandKeypoints

BATCH = 16
PASSES = 2          # a region taken from the true joints, then one from what was read, as when a hand is followed


@dataclass(frozen=True)
class DetectedHands:
    """Of sample n in view v: points_px (N, V, 21, 2) image pixels, points_m (N, V, 21, 3) metres in the image's axes,
    presence (N, V) 0..1 that the detector sees a hand there. NaN, and 0, where nothing was looked for."""
    points_px: np.ndarray
    points_m: np.ndarray
    presence: np.ndarray

    def __post_init__(self):
        samples, views = np.shape(self.presence)
        for name, shape in (('points_px', (samples, views, 21, 2)), ('points_m', (samples, views, 21, 3)),
                            ('presence', (samples, views))):
            array = np.asarray(getattr(self, name), np.float32)
            if array.shape != shape:
                raise ValueError(f'{name}: shape {array.shape}, expected {shape}')
            object.__setattr__(self, name, array)

    def __len__(self) -> int:
        return len(self.presence)

    def keypoints(self, sample: int, view: int, handedness: str) -> HandKeypoints | None:
        """The detection as a detector gives it, its side as labelled; None where no hand was seen."""
        presence, points_px = float(self.presence[sample, view]), self.points_px[sample, view]
        if presence < 0.5:
            return None
        return HandKeypoints(
            handedness=handedness, handedness_score=1.0, score=presence,
            box_px=np.concatenate([points_px.min(0), points_px.max(0)]), points_px=points_px,
            point_scores=np.full(21, presence, np.float32), points_m=self.points_m[sample, view])

    @classmethod
    def joined(cls, parts: list[DetectedHands]) -> DetectedHands:
        """All samples of several, views that some do not have filled up with nothing."""
        views = max(part.presence.shape[1] for part in parts)

        def whole(name: str, nothing: float) -> np.ndarray:
            arrays = [getattr(part, name) for part in parts]
            return np.concatenate([np.pad(array, [(0, 0), (0, views - array.shape[1])] + [(0, 0)] * (array.ndim - 2),
                                          constant_values=nothing) for array in arrays])
        return cls(whole('points_px', np.nan), whole('points_m', np.nan), whole('presence', 0.0))

    @classmethod
    def load(cls, path: Path | str) -> DetectedHands:
        """From save's file; ValueError names the file and what is wrong."""
        try:
            with np.load(path) as stored:
                return cls(*(stored[name] for name in ('points_px', 'points_m', 'presence')))
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f'{path}: {error}, expected an .npz of detected hands') from error

    def save(self, path: Path | str) -> None:
        """To an .npz that appears only when it is whole."""
        path = Path(path)
        part = path.with_name(path.name + '.part')
        with open(part, 'wb') as file:
            np.savez_compressed(file, points_px=self.points_px, points_m=self.points_m, presence=self.presence)
        os.replace(part, path)


def detect_hands(dataset: Dataset, threads: int = 1, progress: bool = True) -> DetectedHands:
    """Run the landmark network on every labelled hand of a data set, in the region that following it would have."""
    network = LandmarkNetwork((1, BATCH), threads)
    views = max((len(dataset[n].views) for n in (0, len(dataset) - 1)), default=1)
    found = DetectedHands(np.full((len(dataset), views, 21, 2), np.nan), np.full((len(dataset), views, 21, 3), np.nan),
                          np.zeros((len(dataset), views)))
    waiting: list[tuple[tuple[int, int], np.ndarray, HandRegion]] = []
    for number in tqdm(range(len(dataset)), 'detecting', disable=not progress, unit='sample'):
        for place, view in enumerate(dataset[number].views[:views]):
            if view.joints_px is None or not np.isfinite(view.joints_px).all():
                continue
            waiting.append(((number, place), view.image(), HandRegion.from_landmarks(view.joints_px)))
        if len(waiting) >= BATCH:
            _read(network, waiting[:BATCH], found)
            waiting = waiting[BATCH:]
    for one in waiting:
        _read(network, [one], found)
    return found


def _read(network: LandmarkNetwork, waiting, found: DetectedHands) -> None:
    places, images, regions = zip(*waiting)
    for _ in range(PASSES):
        readings = network.read(list(images), list(regions))
        regions = [HandRegion.from_landmarks(reading.points_px) for reading in readings]
    for place, reading in zip(places, readings):
        found.points_px[place], found.points_m[place] = reading.points_px, reading.points_m
        found.presence[place] = reading.presence
