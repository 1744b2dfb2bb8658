"""Paired landmarks and rotations drawn on the fly, in place of motion capture (Zhou et al. 2020, sec. 3.3, "MoCap data").

A pool of anatomical poses stands for the paper's 1554 captured ones. From it samples are made by the paper's two
assumptions: fingers are independent of each other, and whatever lies between rest and a possible pose is possible. The
pool itself was drawn so (synthesis.poses): shares of samples are recombined and led to rest again, not all.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, quaternion_to_matrix
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.networks.forward_kinematics import LandmarkKinematics, world_rotations
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.training.draws import generator


@dataclass(frozen=True)
class MotionCaptureSettings:
    """poses: size of the pool. shape_std: of each shape number; the paper draws from N(0, 3), read as a variance.

    offset_std_m: the landmark offsets vary about the detectors' tables, so that one network serves them all.
    recombined: share of samples whose fingers come from different poses. towards_rest: share led back towards rest.
    """
    poses: int = 50_000
    shape_std: float = 3 ** 0.5
    offset_std_m: float = 0.002
    recombined: float = 0.5
    towards_rest: float = 0.5
    seed: int = 0

    def __post_init__(self):
        if self.poses < 1:
            raise ValueError(f'poses: {self.poses}, expected at least 1')
        for name in ('shape_std', 'offset_std_m', 'recombined', 'towards_rest'):
            if not getattr(self, name) >= 0:
                raise ValueError(f'{name}: {getattr(self, name)!r}, expected at least 0')


class PosedHands(NamedTuple):
    """points, rest: (N, 21, 3) m landmarks posed (wrist at the origin) and at rest. world: (N, 16, 3, 3).
    shape: (N, B). offsets: (N, 21, 3) m."""
    points: torch.Tensor
    rest: torch.Tensor
    world: torch.Tensor
    shape: torch.Tensor
    offsets: torch.Tensor


class MotionCapture:
    """Batches of posed right hands; batch k of a seed is the same in every run."""

    def __init__(self, model: HandModel, tables, settings: MotionCaptureSettings = MotionCaptureSettings(),
                 progress: bool = False):
        """tables: (T, 21, 3) landmark offsets of the detectors, metres, drawn from evenly."""
        self.settings = settings
        self._tables = torch.as_tensor(np.asarray(tables), dtype=torch.float32)
        self._kinematics = LandmarkKinematics(model)
        space, rng = PoseSpace(model), np.random.default_rng([settings.seed, 0])
        angles = [space.pose(space.sample_angles(rng))[3:] for _ in tqdm(range(settings.poses), 'poses',
                                                                        disable=not progress)]
        self._pool = torch.as_tensor(np.stack(angles), dtype=torch.float32).unflatten(1, (5, 3, 3))

    def batch(self, step: int, size: int, rank: int = 0) -> PosedHands:
        """`size` hands of a training step; every process, by its rank, draws others."""
        draw = generator(self.settings.seed, step, rank)
        pool = self._pool
        whole = torch.randint(len(pool), (size, 1), generator=draw).expand(size, 5)
        mixed = torch.randint(len(pool), (size, 5), generator=draw)
        rows = torch.where(torch.rand(size, 1, generator=draw) < self.settings.recombined, mixed, whole)
        fingers = pool[rows, torch.arange(5)]
        # The arc from rest in quaternion space is a scaled rotation vector.
        part = torch.rand(size, 1, 1, 1, generator=draw)
        led = torch.rand(size, 1, 1, 1, generator=draw) < self.settings.towards_rest
        local = axis_angle_to_matrix(torch.where(led, part, torch.ones_like(part)) * fingers).flatten(1, 2)
        wrist = quaternion_to_matrix(torch.randn(size, 1, 4, generator=draw))
        world = world_rotations(torch.cat([wrist, local], dim=1))
        shape = self.settings.shape_std * torch.randn(size, self._kinematics.shape_size, generator=draw)
        table = self._tables[torch.randint(len(self._tables), (size,), generator=draw)]
        offsets = table + self.settings.offset_std_m * torch.randn(size, 21, 3, generator=draw)
        points = self._kinematics(world, shape, offsets)
        return PosedHands(points, self._kinematics.rest(shape, offsets), world, shape, offsets)
