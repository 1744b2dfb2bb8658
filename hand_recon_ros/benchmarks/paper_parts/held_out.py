"""The held-out synthetic hands on which the papers' experiments are repeated, and what the detector sees of them."""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.datasets.sample import Sample
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.geometry.rotations import matrix_to_axis_angle
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import mirror_points, posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.training.hand_labels import HandLabels, LabelModel, hand_labels
from hand_recon_ros.training.recipe import IkRecipe, load_recipe, recipe_path
from hand_recon_ros.training.training_sets import TrainingSet, synthetic_set
from hand_recon_ros.types import Frame, HandKeypoints

# The set is made as the validation set of this recipe, with another seed: no network learned from it, and no weights
# were chosen on it.
SYSTEM, CONFIG, SEED = 'iknet', 'small', 1003
OFFSETS = 'synthetic'


@dataclass(frozen=True)
class Sight:
    """One hand in one view, with its image. labels: of a right hand. joints_m, vertices_m: true, of the hand as it is,
    (21, 3) and (V, 3), the view's optical frame."""
    number: int
    place: int
    frame: Frame
    keypoints: HandKeypoints
    labels: HandLabels
    joints_m: np.ndarray
    vertices_m: np.ndarray


class HeldOut:
    """Hands of a set that the detector sees in all views. most: samples looked at, None for all."""

    def __init__(self, held_out: TrainingSet, most: int | None = None):
        self.set = held_out
        self.told = LabelModel.load('open_hand')
        self.model: HandModel = load_hand_model('open_hand')
        self._hand = JaxHand(self.model)
        self.offsets_m = load_offsets('mediapipe', OFFSETS).offsets_m
        count = len(self.set.dataset) if most is None else min(most, len(self.set.dataset))
        self.numbers = [n for n in range(count) if (self.set.detected.presence[n] >= 0.5).all()]

    @classmethod
    def of_small_recipe(cls, most: int | None = None) -> HeldOut:
        """Of the test set, which is made where it is not there yet."""
        recipe = load_recipe(IkRecipe, recipe_path(SYSTEM, CONFIG)).data.validation
        return cls(synthetic_set(replace(recipe, seed=SEED), os.cpu_count() or 1), most)

    def __len__(self) -> int:
        return len(self.numbers)

    def sample(self, number: int) -> Sample:
        """One of `numbers`."""
        return self.set.dataset[number]

    def sight(self, number: int, place: int) -> Sight:
        """View `place` of sample `number`."""
        sample = self.sample(number)
        view = sample.views[place]
        keypoints = self.set.detected.keypoints(number, place, sample.handedness)
        labels = hand_labels(sample, place, self.told)
        pose = matrix_to_axis_angle(labels.rotations).reshape(48)
        right = (np.float32(part) for part in (pose, labels.shape, np.zeros(3)))
        vertices, joints = posed_hand(self._hand, *right, 'right')
        there = labels.joints_m, vertices - joints[0] + labels.joints_m[0]
        return Sight(number, place, Frame.from_image(view.image(), view.camera), keypoints, labels,
                     *(mirror_points(points) if labels.mirrored else points for points in there))

    def first_views(self) -> Iterator[Sight]:
        """The first view of every sample."""
        return (self.sight(number, 0) for number in self.numbers)
