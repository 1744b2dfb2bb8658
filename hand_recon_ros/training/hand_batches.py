"""Batches of labelled crops for the image networks: augmented, of right hands, every batch a function of seed and step."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.datasets.sample import MASK_VALUES
from hand_recon_ros.detection.crops import Crop
from hand_recon_ros.estimation.hand_crop import HandCrop, network_image
from hand_recon_ros.estimation.viewing import nominal_camera
from hand_recon_ros.hand_model.mirroring import mirror_rotations
from hand_recon_ros.training.bounds import check_not_negative
from hand_recon_ros.training.detected_hands import DetectedHands
from hand_recon_ros.training.hand_labels import LabelModel, hand_labels

VALIDATION_BATCH = 64


@dataclass(frozen=True)
class Augmentation:
    """What is done to a crop: RealisticHands sec. 3.6 names rescaling, rotating, cropping and blurring, not how much.

    scale: largest change of the box's size. rotate_deg, shift: of the crop; shift in its sides. blur: probability of a
    Gaussian of up to 1.5 px. colour: largest gain of a channel. lost, garbage: probabilities that the keypoints are
    missing, or those of another hand, of which the fusion learns when not to trust them.
    """
    scale: float = 0.2
    rotate_deg: float = 40.0
    shift: float = 0.08
    blur: float = 0.2
    colour: float = 0.15
    lost: float = 0.1
    garbage: float = 0.1

    def __post_init__(self):
        check_not_negative(self)


class HandBatch(NamedTuple):
    """image: (N, 3, S, S). keypoints_px: (N, 21, 2) detected, crop pixels, NaN where missing. joints_px: (N, 21, 2) true
    ones. joints_m: (N, 21, 3) true, about the wrist, in the crop's axes. rotations: (N, 16, 3, 3) local, the wrist's in
    the crop's axes. shape: (N, B). mask: (N, S, S) 0 or 1. NaN stands for labels that are not there."""
    image: torch.Tensor
    keypoints_px: torch.Tensor
    joints_px: torch.Tensor
    joints_m: torch.Tensor
    rotations: torch.Tensor
    shape: torch.Tensor
    mask: torch.Tensor

    def to(self, device: torch.device) -> HandBatch:
        """All parts on a device, the image laid out as its convolutions are fastest."""
        image, *labels = (part.to(device, non_blocking=True) for part in self)
        return HandBatch(image.contiguous(memory_format=torch.channels_last), *labels)


class LabelledCrop(NamedTuple):
    """One row of a HandBatch; image: (S, S, 3) uint8. turn: (3, 3), a right hand's directions in the axes of its view to
    those of its crop."""
    image: np.ndarray
    keypoints_px: np.ndarray
    joints_px: np.ndarray
    joints_m: np.ndarray
    rotations: np.ndarray
    shape: np.ndarray
    mask: np.ndarray
    turn: np.ndarray


class HandBatches:
    """Crops of a data set's views: for training augmented, by number as an estimator would take them."""

    def __init__(self, dataset: Dataset, detected: DetectedHands, told: LabelModel, size: int,
                 augmentation: Augmentation = Augmentation(), seed: int = 0):
        if len(detected) != len(dataset):
            raise ValueError(f'detected: {len(detected)} samples, expected the {len(dataset)} of {dataset.root}')
        self.views = detected.presence.shape[1]
        self._dataset, self._detected, self._told, self._size = dataset, detected, told, size
        self._augmentation, self._seed = augmentation, seed

    def __len__(self) -> int:
        """Samples; each has `views` crops, of which a batch takes one."""
        return len(self._dataset)

    def batch(self, step: int, size: int, rank: int = 0) -> HandBatch:
        """`size` crops of a training step, one view of each sample; an epoch of a process sees every sample once."""
        crops = []
        for number, rng in self._drawn(step, size, rank):
            place = int(rng.integers(self.views))
            crops.append(self.crop(self._next_shown(number, (place,)), place, rng))
        return stacked(crops)

    def pairs(self, step: int, size: int, rank: int = 0) -> tuple[HandBatch, HandBatch, torch.Tensor]:
        """As `batch`, two views of every sample: second (right) crops, first (left) ones, and (N, 3, 3) the left's axes
        to the right's."""
        return _stacked_pairs([self._pair(number, rng) for number, rng in self._drawn(step, size, rank)])

    def in_order(self, count: int) -> Iterator[HandBatch]:
        """Crops of `count` samples at most, evenly over the set, unaugmented, a view of each by turns, in batches to
        validate on; without those that nothing is known of."""
        places = [(number, number % self.views) for number in self._spread(count)]
        for part in _blocks([(number, place) for number, place in places if self._shows(number, place)]):
            yield stacked([self.crop(number, place) for number, place in part])

    def pairs_in_order(self, count: int) -> Iterator[tuple[HandBatch, HandBatch, torch.Tensor]]:
        """As in_order, pairs as `pairs` has them."""
        for part in _blocks([number for number in self._spread(count) if self._shows(number, 0) and self._shows(number, 1)]):
            yield _stacked_pairs([self._pair(number, None) for number in part])

    def _spread(self, count: int) -> range:
        return range(0, len(self), max(len(self) // max(count, 1), 1))[:count]

    def _shows(self, number: int, place: int) -> bool:
        """Whether a crop can be taken: the detector sees a hand there, or enough of its joints are labelled."""
        if self._detected.presence[number, place] >= 0.5:
            return True
        sample = self._dataset[number]
        joints_px = hand_labels(sample, min(place, len(sample.views) - 1), self._told).joints_px
        return np.isfinite(joints_px).all(-1).sum() >= 2

    def _next_shown(self, number: int, places: tuple[int, ...]) -> int:
        """The first sample from this one on that shows a hand at all these places."""
        for away in range(len(self)):
            other = (number + away) % len(self)
            if all(self._shows(other, place) for place in places):
                return other
        raise ValueError(f'{self._dataset.root}: no hand that is detected or labelled, expected some')

    def _drawn(self, step: int, size: int, rank: int):
        """(number, generator) of each sample of a step."""
        for place in range(step * size, (step + 1) * size):
            epoch, row = divmod(place, len(self))
            number = int(_order(self._seed, rank, epoch, len(self))[row])
            yield number, np.random.default_rng([self._seed, rank, epoch, number])

    def _pair(self, number: int, rng) -> tuple[LabelledCrop, LabelledCrop, np.ndarray]:
        number = self._next_shown(number, (0, 1))
        left, right = (self.crop(number, place, rng) for place in (0, 1))
        sample = self._dataset[number]
        between = sample.views[1].T_view_first[:3, :3]
        if sample.handedness == 'left':
            between = mirror_rotations(between)
        return right, left, right.turn @ between @ left.turn.T

    def crop(self, number: int, place: int, rng: np.random.Generator | None = None) -> LabelledCrop:
        """Crop of view `place` of a sample; augmented with what `rng` draws, as it is without."""
        sample = self._dataset[number]
        place = min(place, len(sample.views) - 1)
        view, labels = sample.views[place], hand_labels(sample, place, self._told)
        camera = view.camera or nominal_camera(view.width, view.height)
        points_px = np.full((21, 2), np.nan)
        if self._detected.presence[number, place] >= 0.5:
            points_px = np.asarray(self._detected.points_px[number, place], np.float64)
        around = points_px if np.isfinite(points_px).all() else labels.joints_px
        hand = HandCrop.around(around, labels.mirrored, camera, self._size)
        if rng is not None:
            hand = _moved(hand, self._augmentation, rng)
            points_px = self._untrusted(points_px, around, place, rng)
        image, mask = hand.take(view.image()), view.mask()
        if rng is not None:
            image = _recoloured(image, self._augmentation, rng)
        if mask is None:
            mask = np.full((self._size, self._size), np.nan, np.float32)
        else:
            side = MASK_VALUES.get(sample.handedness, 1)
            mask = (hand.take((mask == side).astype(np.uint8) * 255) > 127).astype(np.float32)
        turn = hand.wrist_to_crop(np.eye(3))
        joints_m = (labels.joints_m - labels.joints_m[:1]) @ turn.T
        rotations = np.full((16, 3, 3), np.nan)
        if labels.rotations is not None:
            rotations = labels.rotations.copy()
            rotations[0] = turn @ rotations[0]
        shape = np.full(self._told.model.shape_size, np.nan) if labels.shape is None else labels.shape
        return LabelledCrop(image, hand.to_crop(points_px), hand.to_crop(labels.joints_px), joints_m, rotations, shape,
                            mask, turn)

    def _untrusted(self, points_px: np.ndarray, around: np.ndarray, place: int, rng) -> np.ndarray:
        """Keypoints as they are, lost, or those of another hand laid over this one's box."""
        drawn, other = rng.random(), int(rng.integers(len(self)))
        if drawn < self._augmentation.lost or not np.isfinite(points_px).all():
            return np.full((21, 2), np.nan)
        if drawn >= self._augmentation.lost + self._augmentation.garbage:
            return points_px
        strange = np.asarray(self._detected.points_px[other, place], np.float64)
        if not np.isfinite(strange).all():
            return np.full((21, 2), np.nan)
        return laid_over(strange, around)


def laid_over(strange: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Points (..., 21, 2) of another hand, scaled and moved into the box of one's own, whose points may be NaN."""
    size = (np.nanmax(own, -2) - np.nanmin(own, -2)).max(-1)
    grown = size / np.maximum(np.ptp(strange, axis=-2).max(-1), 1.0)
    return (strange - strange.mean(-2, keepdims=True)) * grown[..., None, None] + np.nanmean(own, -2, keepdims=True)


def stacked(crops: list[LabelledCrop]) -> HandBatch:
    """Crops as one batch."""
    image, *others = (np.stack(parts) for parts in zip(*(crop[:-1] for crop in crops)))
    return HandBatch(torch.from_numpy(network_image(image)),
                     *(torch.from_numpy(np.ascontiguousarray(part, np.float32)) for part in others))


def _blocks(rows: list) -> Iterator[list]:
    for first in range(0, len(rows), VALIDATION_BATCH):
        yield rows[first:first + VALIDATION_BATCH]


def _stacked_pairs(pairs) -> tuple[HandBatch, HandBatch, torch.Tensor]:
    right, left, between = zip(*pairs)
    return stacked(list(right)), stacked(list(left)), torch.from_numpy(np.stack(between).astype(np.float32))


@lru_cache(maxsize=2)
def _order(seed: int, rank: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng([seed, rank, epoch]).permutation(count)


def _moved(hand: HandCrop, change: Augmentation, rng: np.random.Generator) -> HandCrop:
    """The crop rescaled, turned and shifted."""
    crop = hand.crop
    grown = np.exp(rng.uniform(-1, 1) * np.log1p(change.scale))
    angle = np.deg2rad(rng.uniform(-1, 1) * change.rotate_deg)
    shift = rng.uniform(-1, 1, 2) * change.shift * crop.width / crop.scale
    centre = (crop.centre_px[0] + shift[0], crop.centre_px[1] + shift[1])
    return HandCrop(Crop(centre, crop.width, crop.height, crop.scale / grown, angle), hand.mirrored, hand.camera)


def _recoloured(image: np.ndarray, change: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """The crop blurred, and its channels' gains and common offset changed."""
    if rng.random() < change.blur:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.5))
    gains = 1 + change.colour * rng.uniform(-1, 1, 3)
    return np.clip(image * gains + 255 * change.colour * rng.uniform(-0.5, 0.5), 0, 255).astype(np.uint8)
