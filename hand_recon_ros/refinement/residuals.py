"""The tailor's energies, one small residual function per term: half the sum of squares of a residual is its energy.

Everything is for one hand; the solvers add the batch axis. `keypoints` and `landmarks` are (21, 3) metres in the
optical frame, as landmarks.place returns them.
"""
from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from hand_recon_ros.hand_model.anatomy import FLEXION, joint_ranges
from hand_recon_ros.hand_model.skeleton import JOINT_NAMES
from hand_recon_ros.estimation.viewing import CHILDREN, PARENTS
from hand_recon_ros.refinement.observations import Observation
from hand_recon_ros.hand_model.parameters import HandParameters

RANGES = joint_ranges()
MIDDLE, DISTAL = ([row for row, name in enumerate(JOINT_NAMES[1:]) if name.endswith(level) and 'thumb' not in name]
                  for level in '23')
# Tip to palm, as HandTailor's eq. 10 names them: a, b, c, d of each finger.
TIP_TO_PALM = np.array([[4, 3, 2, 1], [8, 7, 6, 5], [12, 11, 10, 9], [16, 15, 14, 13], [20, 19, 18, 17]])
MIDDLE_KNUCKLE, WRIST = 9, 0
# A hand crop of 256 pixels, HandTailor's input size: the unit of its eq. 9 here.
CROP_SIDE = 256.0
NEAREST_M = 0.02
LIMIT_SLACK_RAD, LIMIT_SIGMA_RAD = float(np.radians(4)), float(np.radians(2))


def project(points, root, observation: Observation):
    """(N, 3) -> (N, 2) on the normalised plane. Weak perspective (HandTailor eq. 3) divides by the root's depth."""
    depth = points[:, 2] + observation.weak * (root[2] - points[:, 2])
    return points[:, :2] / jnp.maximum(depth, NEAREST_M)[:, None]


def reprojection_px(landmarks, root, observation: Observation):
    """Fitted minus detected landmarks, (21, 2) pixels."""
    return observation.focal_px * (project(landmarks, root, observation) - observation.points)


def huber(residual, limit: float):
    """Rows of residual (N, K) scaled so that the squared norm beyond `limit` grows only linearly (Huber's loss)."""
    square = jnp.sum(residual ** 2, axis=-1, keepdims=True)
    norm = jnp.sqrt(jnp.maximum(square, limit ** 2))
    return residual * jnp.where(square > limit ** 2, jnp.sqrt(2 * limit * norm - limit ** 2) / norm, 1.0)


def reprojection(landmarks, root, observation: Observation, limit: float):
    """Landmarks against detections in standard deviations, Huber beyond `limit`: (42,)."""
    whitened = reprojection_px(landmarks, root, observation) / observation.sigma_px[:, None]
    return huber(whitened, limit).ravel()


def bone_units(landmarks):
    """Unit bone vectors (20, 3) of landmarks (21, 3)."""
    bones = landmarks[CHILDREN] - landmarks[PARENTS]
    return bones / jnp.maximum(jnp.linalg.norm(bones, axis=1, keepdims=True), 1e-4)


def bone_directions(landmarks, observation: Observation, sigma: float):
    """Unit bone vectors against the observed ones: (60,)."""
    return ((bone_units(landmarks) - observation.directions) * observation.direction_weights[:, None] / sigma).ravel()


def pose_prior(angles):
    """Everyday postures: angles (15, 3) from their means in standard deviations, (45,)."""
    return ((angles - RANGES['mean']) / RANGES['spread']).ravel()


def joint_limits(angles, slack_rad: float, sigma_rad: float):
    """How far angles leave their limits by more than the slack, (45,)."""
    below = jnp.maximum(0.0, RANGES['lower'] - slack_rad - angles)
    above = jnp.maximum(0.0, angles - RANGES['upper'] - slack_rad)
    return ((below + above) / sigma_rad).ravel()


def distal_coupling(angles, ratio: float = 0.6, sigma_rad: float = np.radians(20)):
    """DIP flexion follows the PIP's: tendons couple them. (4,)."""
    flexion = angles[:, FLEXION]
    return (flexion[np.array(DISTAL)] - ratio * flexion[np.array(MIDDLE)]) / sigma_rad


def anatomy(angles, prior_weight: float):
    """Posture, joint limits and tendon coupling of any hand with angles (15, 3), in standard deviations: (94,)."""
    return jnp.concatenate([prior_weight ** 0.5 * pose_prior(angles),
                            joint_limits(angles, LIMIT_SLACK_RAD, LIMIT_SIGMA_RAD), distal_coupling(angles)])


def shape_prior(shape, observation: Observation):
    """Shape from its expectation, in standard deviations, (B,)."""
    return (shape - observation.shape_mean) / observation.shape_sigma


def joint_location(landmarks, root, observation: Observation):
    """HandTailor eq. 9: squared distances in pixels of a 256 px crop, (42,)."""
    return (reprojection_px(landmarks, root, observation) * CROP_SIDE / observation.crop_px).ravel()


def unnatural_twist(keypoints):
    """HandTailor eq. 10 per finger, (5,), in units of the reference bone: |(ab x bc) . cd| - min(0, (ab x bc) . (bc x cd)).

    The square root of the energy, so that its square is the paper's; the small constant keeps the gradient finite at 0.
    """
    points = keypoints / jnp.linalg.norm(keypoints[MIDDLE_KNUCKLE] - keypoints[WRIST])
    a, b, c, d = (points[TIP_TO_PALM[:, k]] for k in range(4))
    ab, bc, cd = a - b, b - c, c - d
    normal = jnp.cross(ab, bc)
    energy = jnp.abs(jnp.sum(normal * cd, -1)) - jnp.minimum(0.0, jnp.sum(normal * jnp.cross(bc, cd), -1))
    return jnp.sqrt(energy + 1e-12)


def initial_estimate(parameters: HandParameters, initial: HandParameters):
    """HandTailor eq. 11: pose and shape from their initial values, (48 + B,). The wrist by its rotation's skew part."""
    relative = parameters.rotation @ initial.rotation.T
    wrist = jnp.stack([relative[2, 1] - relative[1, 2], relative[0, 2] - relative[2, 0],
                       relative[1, 0] - relative[0, 1]]) / 2
    return jnp.concatenate([wrist, (parameters.angles - initial.angles).ravel(), parameters.shape - initial.shape])
