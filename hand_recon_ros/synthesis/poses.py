"""Poses drawn at random: fingers within their joints' limits, moving together as fingers do, never through each other.

Four sources in turn: named shapes, a little changed; synergies of all named shapes; fingers of different shapes put
together; flexions drawn evenly. Most are then led part of the way back towards rest (Zhou et al. 2020, "Monocular
Real-time Hand Shape and Motion Capture", sec. 3.3: fingers are independent, and whatever lies between rest and a
possible pose is possible too).
"""
from __future__ import annotations

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.anatomy import (anatomical_angles, angles_to_rotations, joint_ranges, rotation_axes,
                                              rotations_to_angles)
from hand_recon_ros.hand_model.assets import load_named_poses
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import JOINT_NAMES
from hand_recon_ros.synthesis.hand_capsules import HandCapsules
from hand_recon_ros.synthesis.hand_shapes import SHAPES, shape_angles
from hand_recon_ros.types import checked_choice

# The end joint follows the middle one: the two share a tendon. Rijpkema and Girard 1991 take 2 / 3; a little less here.
COUPLING, COUPLING_STD = 0.6, 0.1
# Two carry 80 % of grasps' variance (Santello, Flanders, Soechting 1998); of the shapes here two 74 %, six 98 %.
SYNERGIES = 6
SOURCES = ('shape', 'synergy', 'recombined', 'even')
SOURCE_SHARES = (0.30, 0.30, 0.25, 0.15)
NOISE_RAD = np.radians(5.0)
TRIES = 200
# Standing of the wrist, degrees (low, high): roll in the image, pitch towards the viewer, turn about the forearm
# (0 palm to the viewer, 180 back). Roll > 0 leans a right hand to the image's right.
WRISTS = {
    'facing': ((-22, 28), (-25, 25), (-35, 35)),
    'egocentric': ((-30, 10), (-50, 5), (145, 215)),
    'desk': ((-30, 10), (-35, 10), (145, 215)),
    'wild': ((-60, 60), (-40, 40), (-60, 60)),
}
FLIPS = {'facing': 0.3, 'egocentric': 0.25, 'desk': 0.35, 'wild': 0.5}     # how often the other side is shown
# Fingers up, palm to the viewer, thumb to its right: rest frame (fingers -x, back +y, thumb +z) to an optical one.
_UPRIGHT = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])
_THUMB = JOINT_NAMES.index('thumb1') - 1
_FINGER_ROWS = np.array([row for row, name in enumerate(JOINT_NAMES[1:]) if not name.startswith('thumb')]).reshape(4, 3)


class PoseSpace:
    """All that posing one hand at random needs: its axes, its capsules and the library of named shapes."""

    def __init__(self, model: HandModel, shape=None):
        """shape: (B,) of the person, or None for the mean hand."""
        self.axes = rotation_axes(model.rest_joints_m, model.template_m[model.tip_vertices])
        ranges = joint_ranges()
        self._lower, self._upper = ranges['lower'], ranges['upper']
        named = load_named_poses()
        self.library = {name: self.angles(pose) for name, pose in named.items()}
        self.library |= {name: self._within(shape_angles(name)) for name in SHAPES}
        # Flesh meets flesh in all of these, and they are possible: what is deeper than in any of them is not.
        self.capsules = HandCapsules(model, shape, [self.pose(angles) for angles in self.library.values()])
        self.names = tuple(self.library)
        self._shapes = np.stack([self.library[name] for name in self.names])
        self._free = list(anatomical_angles())
        rows = self._shapes.reshape(len(self.names), 45)[:, self._free]
        self._mean = rows.mean(0)
        _, singular, directions = np.linalg.svd(rows - self._mean, full_matrices=False)
        spread = singular / np.sqrt(len(rows) - 1)
        self.synergies = spread[:SYNERGIES, None] * directions[:SYNERGIES]
        self.explained = np.cumsum(singular ** 2) / (singular ** 2).sum()

    def angles(self, pose) -> np.ndarray:
        """Anatomical angles (15, 3) of a pose (48,), brought within the limits."""
        rotations = axis_angle_to_matrix(np.asarray(pose, np.float64).reshape(16, 3)[1:])
        return self._within(rotations_to_angles(rotations, self.axes))

    def pose(self, angles, rotation=None) -> np.ndarray:
        """(48,) axis-angle of anatomical angles (15, 3) and a wrist rotation (3, 3), none when not given."""
        fingers = matrix_to_axis_angle(angles_to_rotations(np.asarray(angles, np.float64), self.axes)).ravel()
        wrist = np.zeros(3) if rotation is None else matrix_to_axis_angle(np.asarray(rotation, np.float64))
        return np.concatenate([wrist, fingers])

    def possible(self, angles) -> bool:
        """Whether no finger runs through another in these angles (15, 3)."""
        return not self.capsules.collide(self.pose(angles)[None])[0]

    def _within(self, angles) -> np.ndarray:
        return np.clip(angles, self._lower, self._upper)

    def sample_angles(self, rng: np.random.Generator, source: str | None = None) -> np.ndarray:
        """Anatomical angles (15, 3) within the limits, no finger in another; source: one of SOURCES, None for any."""
        if source is not None:
            checked_choice('source', source, SOURCES)
        for _ in range(TRIES):
            angles = self._proposal(rng, rng.choice(SOURCES, p=SOURCE_SHARES) if source is None else source)
            if self.possible(angles):
                return angles
        raise ValueError(f'shape: {TRIES} poses with fingers in each other, expected a hand whose fingers have room')

    def _proposal(self, rng, source) -> np.ndarray:
        if source == 'shape':
            angles = self._shapes[rng.integers(len(self.names))].copy()
        elif source == 'synergy':
            rows = np.zeros(45)
            rows[self._free] = self._mean + rng.normal(0, 1.2, SYNERGIES) @ self.synergies
            angles = rows.reshape(15, 3)
        elif source == 'recombined':
            angles = self._shapes[rng.integers(len(self.names), size=15), np.arange(15)]
            for finger in range(5):     # all three joints of a finger come from one shape
                rows = slice(3 * finger, 3 * finger + 3)
                angles[rows] = self._shapes[rng.integers(len(self.names)), rows]
        else:
            angles = self._even(rng)
        if source != 'shape' or rng.random() < 0.5:
            # From rest part of the way: the shorter arc between quaternions, that is a scaled rotation vector.
            part = np.sqrt(rng.uniform(0.1, 1.0)) if source != 'shape' else rng.uniform(0.7, 1.0)
            angles = self.angles(part * self.pose(angles))
        noise = np.zeros(45)
        noise[self._free] = rng.normal(0, NOISE_RAD, len(self._free))
        return self._within(angles + noise.reshape(15, 3) * [[1.0, 0.5, 0.5]])

    def _even(self, rng) -> np.ndarray:
        """Every joint evenly within its limits, but end joints follow the middle ones, neighbours follow each other."""
        angles = np.zeros((15, 3))
        common, share = rng.random(2), rng.uniform(0.0, 0.7)
        for rows in _FINGER_ROWS:
            place = share * common + (1 - share) * rng.random(2)
            flexion = self._lower[rows[:2], 0] + place * (self._upper - self._lower)[rows[:2], 0]
            angles[rows[:2], 0] = flexion
            angles[rows[2], 0] = flexion[1] * rng.normal(COUPLING, COUPLING_STD)
            tight = 1.0 - 0.8 * np.clip(flexion[0] / np.radians(80), 0, 1)
            angles[rows[0], 1] = tight * rng.uniform(self._lower[rows[0], 1], self._upper[rows[0], 1])
        rows = slice(_THUMB, _THUMB + 3)
        angles[rows] = rng.uniform(self._lower[rows], self._upper[rows])
        return angles


def sample_pose(rng: np.random.Generator, space: PoseSpace, wrist: str = 'free') -> np.ndarray:
    """One pose (48,) float32 of a right hand in an optical frame. wrist: a key of WRISTS, or 'free' for any."""
    return space.pose(space.sample_angles(rng), sample_wrist(rng, wrist)).astype(np.float32)


def sample_wrist(rng: np.random.Generator, wrist: str = 'free') -> np.ndarray:
    """Rotation (3, 3) of a right hand's wrist in an optical frame; 'free': evenly over all rotations."""
    checked_choice('wrist', wrist, (*WRISTS, 'free'))
    if wrist == 'free':
        quaternion = rng.normal(size=4)
        w, x, y, z = quaternion / np.linalg.norm(quaternion)
        angle = 2 * np.arctan2(np.linalg.norm([x, y, z]), w)
        return axis_angle_to_matrix(angle * np.array([x, y, z]) / max(np.linalg.norm([x, y, z]), 1e-12))
    roll, pitch, turn = (rng.uniform(low, high) for low, high in WRISTS[wrist])
    return wrist_rotation(np.radians([roll, pitch, turn + 180.0 * (rng.random() < FLIPS[wrist])]))


def wrist_rotation(angles) -> np.ndarray:
    """(..., 3, 3) of roll in the image, pitch and turn about the forearm, (..., 3) radians; all 0: fingers up, palm
    to the viewer."""
    angles = np.asarray(angles, np.float64)
    zero = np.zeros(angles.shape[:-1])
    lean = axis_angle_to_matrix(np.stack([zero, zero, angles[..., 0]], -1))
    nod = axis_angle_to_matrix(np.stack([angles[..., 1], zero, zero], -1))
    twist = axis_angle_to_matrix(np.stack([zero, angles[..., 2], zero], -1))
    return lean @ nod @ twist @ _UPRIGHT
