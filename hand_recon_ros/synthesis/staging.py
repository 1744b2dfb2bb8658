"""Where the hands and the cameras of one training sample are, and which crops of the images a detector would take."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from hand_recon_ros.detection.crops import Crop
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.mirroring import mirror_pose, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.synthesis.poses import PoseSpace, sample_pose
from hand_recon_ros.synthesis.rigs import CameraRig, sample_rig
from hand_recon_ros.synthesis.wardrobe import ROOM_HEIGHT, ROOM_WIDTH
from hand_recon_ros.types import HANDEDNESS

DISTANCE_M = (0.26, 0.95)               # of the hand's middle from the viewer, drawn evenly in its logarithm
REACH = 0.42                            # how far off the viewer's axis the hand may be, as a part of the distance
BORDER = 0.12                           # of the image's width, within which the hand's middle must stay of its border
ARM_ANGLE_DEG = 40.0                    # a forearm nearer to the line of sight would hide the hand
NEAREST_M = 0.08
SECOND_HAND = 0.2                       # how often the other hand is beside the labelled one
SECOND_DISTANCE_M, APART_M = (0.07, 0.18), 0.006
# A detector's box: the keypoints' own, grown on every side and shifted by its errors, as parts of its longer side.
MARGIN, SHIFT = (0.15, 0.45), 0.06
MONO_RIGS, STEREO_RIGS = ('mono', 'headset'), ('rectified', 'wide', 'headset')
TRIES = 100


@dataclass(frozen=True)
class StagedHand:
    """A hand in the first view's frame. pose: (48,). translation: (3,). drawn_m: (V, 3), joints_m: (21, 3) of the drawn
    model's vertices and keypoints."""
    handedness: str
    pose: np.ndarray
    translation: np.ndarray
    drawn_m: np.ndarray
    joints_m: np.ndarray


@dataclass(frozen=True)
class StagedView:
    """crop: the window of the whole image. camera: the crop's own. T_view_first: (4, 4)."""
    crop: Crop
    camera: Camera
    T_view_first: np.ndarray

    def points(self, points_first_m) -> np.ndarray:
        """Points (..., 3) of the first view's frame in this one's, of the points' precision."""
        points = np.asarray(points_first_m)
        T = self.T_view_first.astype(points.dtype)
        return points @ T[:3, :3].T + T[:3, 3]


@dataclass(frozen=True)
class Staging:
    """hands: the labelled one first, then perhaps the other."""
    hands: tuple[StagedHand, ...]
    views: tuple[StagedView, ...]


class Stage:
    """Draws stagings for one hand model. forearm: (V,) bool, drawn vertices that are no part of the labelled hand."""

    def __init__(self, hand: JaxHand, forearm: np.ndarray, view_count: int, crop: int):
        self._hand, self._space, self._forearm = hand, PoseSpace(hand.model), forearm
        self._view_count, self._crop = view_count, crop

    def draw(self, rng: np.random.Generator, shape) -> Staging:
        """One sample's. shape: (B,) of the person's hands."""
        handedness = HANDEDNESS[rng.integers(2)]
        for _ in range(TRIES):
            rig, middle = self._rig(rng)
            labelled = self._placed(rng, shape, handedness, middle)
            if self._in_sight(rig, labelled):
                hands = [labelled]
                if rng.random() < SECOND_HAND:
                    hands += self._second(rng, rig, shape, labelled, middle)
                return Staging(tuple(hands), tuple(self._view(rng, rig, k, labelled) for k in range(self._view_count)))
        raise ValueError(f'views: no hand seen in {TRIES} tries, expected cameras that see one')

    def _rig(self, rng) -> tuple[CameraRig, np.ndarray]:
        """Cameras that bend nothing, as a detector's crops are undistorted, and the hand's middle (3,), first frame."""
        distance = np.exp(rng.uniform(*np.log(DISTANCE_M)))
        kinds = MONO_RIGS if self._view_count == 1 else STEREO_RIGS
        rig, T_first_viewer = sample_rig(kinds[rng.integers(len(kinds))], ROOM_WIDTH, ROOM_HEIGHT, distance, None, rng)
        middle = distance * np.array([*(rng.uniform(-REACH, REACH, 2) * (1.0, 0.75)), 1.0])
        ideal = CameraRig(tuple(camera.undistorted() for camera in rig.cameras), rig.T_camera_first)
        return ideal, T_first_viewer[:3, :3] @ middle + T_first_viewer[:3, 3]

    def _placed(self, rng, shape, handedness: str, middle) -> StagedHand:
        pose = sample_pose(rng, self._space)
        pose = mirror_pose(pose) if handedness == 'left' else pose
        vertices, keypoints = posed_hand(self._hand, pose, shape, np.zeros(3), handedness)
        translation = (middle - keypoints[[0, 9]].mean(0)).astype(np.float32)
        return StagedHand(handedness, pose, translation, vertices + translation, keypoints + translation)

    def _in_sight(self, rig: CameraRig, hand: StagedHand) -> bool:
        """Whether every view has the middle of the hand in the image and not behind the forearm."""
        own = hand.drawn_m[~self._forearm]
        for k in range(self._view_count):
            seen = rig.to_camera(k, own)
            middle = seen.mean(0)
            arm = rig.to_camera(k, hand.drawn_m[self._forearm].mean(0)) - middle
            towards = -middle / np.linalg.norm(middle)
            if arm @ towards > np.cos(np.radians(ARM_ANGLE_DEG)) * np.linalg.norm(arm) or seen[:, 2].min() < NEAREST_M:
                return False
            if not rig.cameras[k].inside(rig.cameras[k].project(middle), -BORDER * ROOM_WIDTH):
                return False
        return True

    def _second(self, rng, rig: CameraRig, shape, labelled: StagedHand, middle) -> list[StagedHand]:
        """The person's other hand beside the first; none where there is no room for it."""
        side = HANDEDNESS[1 - HANDEDNESS.index(labelled.handedness)]
        tree = cKDTree(labelled.drawn_m[::2])
        for reach in np.linspace(*SECOND_DISTANCE_M, 4):
            direction = rng.normal(size=3) * (1.0, 1.0, 0.6)
            hand = self._placed(rng, shape, side, middle + reach * direction / np.linalg.norm(direction))
            apart = tree.query(hand.drawn_m[::2], distance_upper_bound=APART_M)[0].min()
            if apart > APART_M and self._in_sight(rig, hand):
                return [hand]
        return []

    def _view(self, rng, rig: CameraRig, k: int, hand: StagedHand) -> StagedView:
        camera = rig.cameras[k]
        px = camera.project(rig.to_camera(k, hand.drawn_m[~self._forearm]))
        low, high = px.min(0), px.max(0)
        side = float((high - low).max())
        centre = 0.5 * (low + high) + SHIFT * side * rng.normal(size=2)
        scale = self._crop / (side * (1 + 2 * rng.uniform(*MARGIN)))
        crop = Crop(tuple(centre.tolist()), self._crop, self._crop, scale)
        K = np.vstack([crop.matrix, [0, 0, 1]]) @ camera.K
        return StagedView(crop, Camera(self._crop, self._crop, K), rig.T_camera_first[k])
