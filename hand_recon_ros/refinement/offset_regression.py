"""A detector's landmark offsets where the true hand is known (renders): robust least squares per landmark, 2D only."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model import skinning
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import KEYPOINT_JOINTS
from hand_recon_ros.refinement.calibration_frames import curl_factors
from hand_recon_ros.refinement.energies import AnatomicalEnergy
from hand_recon_ros.refinement.observations import observe
from hand_recon_ros.refinement.offset_calibration import FRAMES_THAT_AGREE, OFFSET_SIGMA_M
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

ITERATIONS = 20
FARTHEST_MATCH = 0.25       # mean landmark distance, in boxes: a detection farther off the truth is not of this hand


@dataclass(frozen=True)
class Sighting:
    """One detected hand with its truth, as a right hand: keypoints_m (21, 3) and the rotations (21, 3, 3) of their
    joints in the optical frame; points (21, 2) detected, normalised; focal_px (2,); sigma_px (21,); box_px, the hand's
    size."""
    keypoints_m: np.ndarray
    rotations: np.ndarray
    points: np.ndarray
    focal_px: np.ndarray
    sigma_px: np.ndarray
    box_px: float


def matched(hands: list[HandKeypoints], truths: list[HandEstimate],
            camera: Camera) -> list[tuple[HandKeypoints, HandEstimate]]:
    """Detections with the true hand they show: nearest in the image, of the same side, most landmarks about right."""
    if not hands or not truths:
        return []
    projected = [camera.project(np.asarray(truth.joints_m, np.float64)) for truth in truths]
    costs = np.array([[np.linalg.norm(hand.points_px - points, axis=1).mean() / hand.box_size_px
                       for points in projected] for hand in hands])
    costs = np.where(np.isfinite(costs), costs, 1e3)
    rows, columns = linear_sum_assignment(costs)
    return [(hands[row], truths[column]) for row, column in zip(rows, columns)
            if costs[row, column] < FARTHEST_MATCH and hands[row].handedness == truths[column].handedness]


class OffsetRegression:
    """Collects sightings of known hands of one model, then solves for the offsets."""

    def __init__(self, model: HandModel):
        self._model = model
        self._constants = skinning.tip_constants(model, np.float64)
        self._sightings: list[Sighting] = []

    def __len__(self) -> int:
        return len(self._sightings)

    def add(self, hand: HandKeypoints, truth: HandEstimate, camera: Camera) -> None:
        """One detection with its true hand in the camera's frame. ValueError when the truth is of another model."""
        if len(truth.shape) != self._model.shape_size or truth.model.removesuffix('_long') != self._model.name:
            raise ValueError(f'ground truth: of model {truth.model!r}, expected {self._model.name!r}')
        pose, translation = np.asarray(truth.pose, np.float64), np.asarray(truth.translation, np.float64)
        shape = np.asarray(truth.shape, np.float64)
        if truth.handedness == 'left':
            pose, translation = mirror_pose(pose), mirror_points(translation)
        local = axis_angle_to_matrix(pose.reshape(16, 3))
        rotations, _ = skinning.joint_frames(self._constants, local, shape)
        _, keypoints = skinning.skin_rotations(self._constants, local, shape, translation)
        seen = observe(Frame(camera.width, camera.height, camera=camera), hand, self._model.shape_size)
        if not np.isfinite(seen.points).all():
            return
        self._sightings.append(Sighting(keypoints, rotations[list(KEYPOINT_JOINTS)], seen.points, seen.focal_px,
                                        seen.sigma_px * curl_factors(keypoints), hand.box_size_px))

    def residual_px(self, offsets_m) -> np.ndarray:
        """(N, 21) distances of the landmarks with these offsets from the detections."""
        sightings = self._stacked()
        return np.linalg.norm(self._off(sightings, np.asarray(offsets_m, np.float64))[0], axis=-1)

    @property
    def box_px(self) -> np.ndarray:
        """(N,) sizes of the detected hands."""
        return np.array([sighting.box_px for sighting in self._sightings])

    def solve(self) -> np.ndarray:
        """Offsets (21, 3), metres: Huber's loss on whitened residuals, prior of 4 mm. ValueError without sightings."""
        sightings, offsets = self._stacked(), np.zeros((21, 3))
        limit = AnatomicalEnergy().huber_limit
        prior = FRAMES_THAT_AGREE / OFFSET_SIGMA_M ** 2
        for _ in range(ITERATIONS):
            off, jacobian = self._off(sightings, offsets)
            whitened = np.linalg.norm(off, axis=-1) / sightings.sigma_px
            weights = np.minimum(1.0, limit / np.maximum(whitened, 1e-9)) / sightings.sigma_px ** 2
            normal = np.einsum('nk,nkai,nkaj->kij', weights, jacobian, jacobian) + prior * np.eye(3)
            gradient = np.einsum('nk,nkai,nka->ki', weights, jacobian, off) + prior * offsets
            offsets = offsets - np.linalg.solve(normal, gradient[..., None])[..., 0]
        return offsets

    def _stacked(self) -> Sighting:
        if not self._sightings:
            raise ValueError('ground truth: no hand was detected where the truth has one, expected some')
        fields = ('keypoints_m', 'rotations', 'points', 'focal_px', 'sigma_px', 'box_px')
        return Sighting(*(np.stack([np.asarray(getattr(s, name)) for s in self._sightings]) for name in fields))

    @staticmethod
    def _off(sightings: Sighting, offsets) -> tuple[np.ndarray, np.ndarray]:
        """Fitted minus detected (N, 21, 2) px and its derivative by the offsets (N, 21, 2, 3)."""
        landmarks = sightings.keypoints_m + np.einsum('nkab,kb->nka', sightings.rotations, offsets)
        depth = landmarks[..., 2:]
        plane = landmarks[..., :2] / depth
        focal = sightings.focal_px[:, None]
        by_point = np.concatenate([np.broadcast_to(np.eye(2), (*plane.shape[:2], 2, 2)), -plane[..., None]], axis=-1)
        jacobian = (focal / depth)[..., None] * by_point @ sightings.rotations
        return focal * (plane - sightings.points), jacobian
