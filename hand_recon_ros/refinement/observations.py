"""What one image says about one hand, in the form the tailor's residuals read: fixed shapes, a right hand, JAX-ready."""
from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hand_recon_ros.estimation.viewing import CHILDREN, PARENTS, nominal_camera, ray_rotation, sight_of
from hand_recon_ros.hand_model.mirroring import mirror_image_points, mirror_points
from hand_recon_ros.types import Frame, HandIdentity, HandKeypoints

# Detector noise, as a share of the hand's size in the image, and how much worse some landmarks are (measured on real
# calibrated pairs: wrist and thumb CMC 2.1, thumb MCP 1.9, rest of the thumb 1.5, index MCP 1.35, others 0.9).
RELATIVE_SIGMA = 0.025
LANDMARK_FACTORS = np.full(21, 0.9)
LANDMARK_FACTORS[[0, 1, 2, 3, 4, 5]] = 2.1, 2.1, 1.9, 1.5, 1.5, 1.35
# Landmarks that the lens model does not reach count for nothing.
UNSEEN_SIGMA_PX = 1e5
# Spread of the shape around the mean adult where nobody calibrated it. Keypoints of one image show two directions.
SHAPE_SIGMA = np.array([1.0, 1.0])
SHAPE_SIGMA_REST, SHAPE_SIGMA_KNOWN = 0.1, 0.02


class Observation(NamedTuple):
    """points: (21, 2) landmarks on the normalised image plane, x / z. focal_px: (2,). sigma_px: (21,), confidences in.
    weak: () 1 for weak perspective. crop_px: () side of the hand's box. directions: (20, 3) unit bone directions of the
    detector's 3D points in camera axes. direction_weights: (20,), 0 where there are none. shape_mean, shape_sigma: (B,).
    """
    points: np.ndarray
    focal_px: np.ndarray
    sigma_px: np.ndarray
    weak: np.ndarray
    crop_px: np.ndarray
    directions: np.ndarray
    direction_weights: np.ndarray
    shape_mean: np.ndarray
    shape_sigma: np.ndarray


def observe(frame: Frame, keypoints: HandKeypoints, shape_count: int, identity: HandIdentity | None = None) -> Observation:
    """Observation (NumPy, float32) of one detected hand. frame.camera None means weak perspective.

    Raises ValueError when the identity's shape has another length than the model's.
    """
    weak = frame.camera is None
    camera = nominal_camera(frame.width, frame.height) if weak else frame.camera
    points, reached, middle = sight_of(keypoints, camera)
    directions, direction_weights = np.zeros((20, 3)), np.zeros(20)
    if keypoints.points_m is not None:
        points_m = np.asarray(keypoints.points_m, np.float64)
        bones = points_m[CHILDREN] - points_m[PARENTS]
        if not weak:
            bones = bones @ ray_rotation(middle).T
        lengths = np.linalg.norm(bones, axis=1)
        direction_weights = (lengths > 1e-4).astype(float)
        directions = bones / np.maximum(lengths, 1e-4)[:, None]
    if keypoints.handedness == 'left':
        points, directions = mirror_image_points(points), mirror_points(directions)
    shape_mean = np.zeros(shape_count)
    shape_sigma = np.full(shape_count, SHAPE_SIGMA_REST)
    shape_sigma[:2] = SHAPE_SIGMA
    if identity is not None:
        if len(identity.shape) != shape_count:
            raise ValueError(f'identity {identity.name!r}: {len(identity.shape)} shape numbers, expected {shape_count}')
        shape_mean, shape_sigma = identity.shape, np.full(shape_count, SHAPE_SIGMA_KNOWN)
    crop = max(keypoints.box_size_px, 1.0)
    confidence = np.sqrt(np.clip(keypoints.point_scores, 0.05, 1.0))
    sigma = RELATIVE_SIGMA * crop * LANDMARK_FACTORS / confidence
    sigma = np.where(reached, sigma, UNSEEN_SIGMA_PX)
    fields = (points, (camera.K[0, 0], camera.K[1, 1]), sigma, float(weak), crop, directions, direction_weights,
              shape_mean, shape_sigma)
    return Observation(*(np.asarray(f, np.float32) for f in fields))
