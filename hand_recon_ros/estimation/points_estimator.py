"""Estimators that start from a detector's 2D and 3D points: inverse kinematics, shape by proportions, analytic placement."""
from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from hand_recon_ros.estimation.assembly import check_identity, posed_estimate
from hand_recon_ros.estimation.bone_shape import BoneShape
from hand_recon_ros.estimation.inverse_kinematics import PALM
from hand_recon_ros.estimation.posing import MIRRORS, PosedHand, posed_in_view
from hand_recon_ros.estimation.viewing import lifted_points, nominal_camera, ray_rotation, sight_of
from hand_recon_ros.hand_model.landmarks import Skeleton, build_skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import jax_constants
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice

SHAPES = ('mean', 'proportions')
# Squared spread below which points have no extent: metres and normalised plane.
NO_SPREAD = 1e-12


class Kinematics(Protocol):
    """From points to a pose, traceable by JAX."""

    def __call__(self, points, shape):
        """Wrist rotation (3, 3) and angles (15, 3), rad, of a right hand of `shape` (B,) whose landmarks are `points`
        (21, 3) m."""


class PointsEstimator(ABC):
    """Pose by the subclass's inverse kinematics, shape from the identity, else as `shape_from` says.

    shape_from 'proportions': minimal-hand eq. 8 on the detector's bone lengths. 'mean': the mean adult hand.
    Needs the detector's 3D points and no image.
    """
    name: str
    needs_image = False

    @abstractmethod
    def build_kinematics(self, model: HandModel, skeleton: Skeleton) -> Kinematics:
        """The inverse kinematics for a model with a detector's landmarks."""

    def __init__(self, model: HandModel, offsets_m=None, shape_from: str = 'mean'):
        self._shape_from = checked_choice('shape_from', shape_from, SHAPES)
        self._model, self._constants = model, jax_constants(model)
        self._skeleton = build_skeleton(model, offsets_m)
        self._kinematics = self.build_kinematics(model, self._skeleton)
        self._bones = BoneShape.build(self._skeleton)
        self._bone_lengths = self._bones.lengths(np.zeros(model.shape_size)).astype(np.float32)
        # One compiled call a hand: its hundred small steps cost NumPy ten times as much.
        self._fit = jax.jit(self._fitted, static_argnames='weak')
        self._lift = jax.jit(self._lifted, static_argnames='weak')

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand. frame.camera None: weak perspective (HandTailor eq. 17).

        Raises ValueError when the detector gave no 3D points, they or the pixels all fall together, or the identity
        belongs to another model.
        """
        if keypoints.points_m is None:
            raise ValueError(f'points_m: missing, expected the 3D points of detector {keypoints.detector!r}')
        check_identity(identity, self._model.name)
        weak = frame.camera is None
        camera = nominal_camera(frame.width, frame.height) if weak else frame.camera
        image_points, _, middle = sight_of(keypoints, camera)
        for name, points in (('points_px', image_points), ('points_m', keypoints.points_m[PALM])):
            if ((points - points.mean(0)) ** 2).sum() <= NO_SPREAD:
                raise ValueError(f'{name}: all in one place, expected points apart from each other')
        sight = (image_points.astype(np.float32), middle.astype(np.float32), keypoints.points_m,
                 MIRRORS[keypoints.handedness])
        shape = self._shape(sight, weak, identity)
        found = PosedHand(*map(np.asarray, self._fit(self._constants, *sight, shape, weak=weak)))
        return posed_estimate(frame, self._model.name, keypoints, found, shape, identity)

    def _shape(self, sight, weak: bool, identity) -> np.ndarray:
        """(B,) float32."""
        if identity is not None:
            return np.asarray(identity.shape, np.float32)
        if self._shape_from == 'proportions':
            return self._bones.solve(np.asarray(self._lift(*sight, weak=weak)[0])).astype(np.float32)
        return np.zeros(self._model.shape_size, np.float32)

    def _lifted(self, image_points, middle, points, mirror, weak: bool):
        """The points (21, 3) of a right hand in the camera's axes, and its image points (21, 2), mirrored where needed.

        image_points: (21, 2) and middle: (2,) of the box, normalised plane. points: (21, 3) m the detector's own.
        """
        if not weak:
            points = points @ ray_rotation(middle).T
        image_points = image_points * jnp.stack([mirror, 1])
        return lifted_points(points * jnp.stack([mirror, 1, 1]), image_points, weak, self._bone_lengths), image_points

    def _fitted(self, constants, image_points, middle, points, mirror, shape, weak: bool) -> PosedHand:
        points, image_points = self._lifted(image_points, middle, points, mirror, weak)
        wrist, angles = self._kinematics(points, shape)
        return posed_in_view(constants, self._skeleton, wrist, angles, shape, image_points, mirror, weak)
