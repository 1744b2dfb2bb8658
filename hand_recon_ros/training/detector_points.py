"""A detector's 3D points beside the true hand they belong to: "3DPosData" of Zhou et al. 2020, sec. 3.3."""
from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
import torch
from tqdm import tqdm

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.estimation.bone_shape import BoneShape
from hand_recon_ros.estimation.viewing import lifted_points, ray_rotation, sight_of
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.mirroring import mirror_image_points, mirror_points
from hand_recon_ros.networks.forward_kinematics import LandmarkKinematics, world_rotations
from hand_recon_ros.training.detected_hands import DetectedHands
from hand_recon_ros.training.hand_labels import LabelModel, hand_labels
from hand_recon_ros.types import checked

_FIELDS = ('points', 'truth', 'rest', 'shape', 'world')
_SHAPES = {'points': (21, 3), 'truth': (21, 3), 'rest': (21, 3), 'shape': (None,), 'world': (16, 3, 3)}


@dataclass(frozen=True)
class DetectorPoints:
    """Right hands (left ones mirrored), camera axes.

    points: (N, 21, 3) m as the detector sees them, lifted (estimation.viewing.lifted_points). truth: (N, 21, 3) m true
    landmarks by the detector's definition. rest: (N, 21, 3) the same at rest. shape: (N, B). world: (N, 16, 3, 3) true
    rotations of the joints.
    """
    points: np.ndarray
    truth: np.ndarray
    rest: np.ndarray
    shape: np.ndarray
    world: np.ndarray

    def __post_init__(self):
        count = len(self.points)
        for name in _FIELDS:
            object.__setattr__(self, name, checked(name, getattr(self, name), (count, *_SHAPES[name])))

    def __len__(self) -> int:
        return len(self.points)

    def tensors(self) -> dict[str, torch.Tensor]:
        """All arrays by name, as copies of their own."""
        return {name: torch.tensor(getattr(self, name)) for name in _FIELDS}

    def part(self, rows) -> DetectorPoints:
        """Only these rows."""
        return DetectorPoints(*(getattr(self, name)[rows] for name in _FIELDS))


def detector_points(dataset: Dataset, detected: DetectedHands, told: LabelModel, offsets_m: np.ndarray,
                    progress: bool = True) -> DetectorPoints:
    """Pairs of every hand that the detector saw and whose pose, shape and camera are labelled.

    offsets_m: (21, 3) landmark offsets of the detector on such images, which say where its landmarks truly are.
    ValueError when there is no such hand.
    """
    model = told.model
    kinematics = LandmarkKinematics(model)
    bone_lengths_m = BoneShape.build(build_skeleton(model, offsets_m)).lengths(np.zeros(model.shape_size))
    lift = jax.jit(jax.vmap(lambda points, image_points: lifted_points(points, image_points, False, bone_lengths_m)))
    points, image_points, rotations, shapes = [], [], [], []
    for number in tqdm(range(len(dataset)), 'pairing', disable=not progress, unit='sample'):
        sample = dataset[number]
        for place, view in enumerate(sample.views[:detected.presence.shape[1]]):
            keypoints = detected.keypoints(number, place, sample.handedness or 'right')
            labels = hand_labels(sample, place, told)
            if keypoints is None or view.camera is None or labels.rotations is None or labels.shape is None:
                continue
            at, _, middle = sight_of(keypoints, view.camera)
            seen = keypoints.points_m @ np.asarray(ray_rotation(middle)).T
            points.append(mirror_points(seen) if labels.mirrored else seen)
            image_points.append(mirror_image_points(at) if labels.mirrored else at)
            rotations.append(labels.rotations)
            shapes.append(labels.shape)
    if not points:
        raise ValueError(f'{dataset.root}: no hand that the detector sees and whose pose, shape and camera are '
                         f'labelled for model {model.name!r}, expected some')
    world = world_rotations(torch.as_tensor(np.stack(rotations), dtype=torch.float32))
    shape = torch.as_tensor(np.stack(shapes), dtype=torch.float32)
    offsets = torch.tensor(offsets_m, dtype=torch.float32).expand(len(shape), 21, 3)
    points, image_points = (np.stack(each).astype(np.float32) for each in (points, image_points))
    return DetectorPoints(np.asarray(lift(points, image_points)), kinematics(world, shape, offsets).numpy(),
                          kinematics.rest(shape, offsets).numpy(), shape.numpy(), world.numpy())
