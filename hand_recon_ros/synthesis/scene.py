"""Scripted hands with forearms in a room, seen by one camera or by a rectified pair: images and exact labels."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.mirroring import handed_faces, mirror_points, mirror_pose, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.mesh_renderer import MeshRenderer
from hand_recon_ros.rendering.skin import bake_skin
from hand_recon_ros.rendering.surface import SKIN, Material
from hand_recon_ros.synthesis.appearance import sample_appearance
from hand_recon_ros.synthesis.backgrounds import VIEWS, photograph_images, room_images
from hand_recon_ros.synthesis.capture import captured, defocused, sample_capture
from hand_recon_ros.synthesis.materials import fabric
from hand_recon_ros.synthesis.motion import HandMotion, script_motion
from hand_recon_ros.synthesis.sleeve import sleeve_mesh
from hand_recon_ros.types import PERSPECTIVE, HandEstimate

LABELLED_MODEL, DRAWN_MODEL = 'open_hand', 'open_hand_long'
TRACK_IDS = {'right': 1, 'left': 2}
FOCAL_OF_WIDTH = 0.94       # 56 degrees across, a common webcam's
CLOTH = Material(specular=0.12, gloss=6.0, bump=0.0)


@dataclass(frozen=True)
class SceneConfig:
    """What to synthesize. baseline_m: between two rectified cameras. view: 'facing' or 'egocentric'.

    backgrounds: a folder of photographs, or None for generated rooms. hands: 1 (a right one) or 2.
    """
    frames: int = 150
    fps: float = 30.0
    seed: int = 0
    cameras: int = 1
    baseline_m: float = 0.12
    hands: int = 2
    width: int = 640
    height: int = 480
    view: str = 'facing'
    backgrounds: Path | None = None

    def __post_init__(self):
        for name, low, high in (('frames', 1, 10 ** 6), ('fps', 1e-3, 1000), ('cameras', 1, 2), ('hands', 1, 2),
                                ('width', 64, 8192), ('height', 64, 8192), ('baseline_m', 1e-3, 1.0),
                                ('seed', 0, 2 ** 63 - 1)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'{name}: {value}, expected {low} to {high}')
        if self.view not in VIEWS:
            raise ValueError(f'view: {self.view!r}, expected one of {", ".join(VIEWS)}')


@dataclass(frozen=True)
class SceneFrame:
    """images: one (H, W, 3) uint8 RGB a camera. estimates: the exact hands, in the first camera's optical frame."""
    index: int
    images: tuple[np.ndarray, ...]
    estimates: tuple[HandEstimate, ...]


class Scene:
    """One person, one room, one scripted motion; everything follows from the config, the seed included."""

    def __init__(self, config: SceneConfig):
        self.config = config
        focal = FOCAL_OF_WIDTH * config.width
        camera = Camera(config.width, config.height, np.array(
            [[focal, 0, 0.5 * (config.width - 1)], [0, focal, 0.5 * (config.height - 1)], [0, 0, 1]]))
        # (camera, its position in the first one's frame); rectified, so both share axes and intrinsics.
        self.cameras = [(camera, np.array([k * config.baseline_m, 0.0, 0.0])) for k in range(config.cameras)]
        # One stream of random numbers for each concern: another background leaves the motion as it is.
        *streams, self._noise_seed = np.random.SeedSequence(config.seed).spawn(5)
        person, motion_rng, room_rng, lens_rng = map(np.random.default_rng, streams)
        self._labelled, self._drawn = JaxHand(load_hand_model(LABELLED_MODEL)), JaxHand(load_hand_model(DRAWN_MODEL))
        self.appearance = sample_appearance(person, self._drawn.model.shape_size)
        sides = ('right', 'left')[:config.hands]
        self.motions: tuple[HandMotion, ...] = tuple(
            script_motion(self._drawn, load_named_poses(), self.appearance.shape, side, config.frames, config.fps,
                          config.view, self.cameras, motion_rng) for side in sides)
        if config.backgrounds is None:
            images = room_images(config.view, self.cameras, self.appearance.lighting, room_rng)
        else:
            images = photograph_images(config.backgrounds, self.cameras, room_rng)
        self._capture = sample_capture(lens_rng, config.width, float(images[0].mean()))
        self._backgrounds = [defocused(image, self._capture) for image in images]
        self._renderer = MeshRenderer(config.width, config.height, samples=4)
        self._build_surfaces(sides, person)

    def _build_surfaces(self, sides, person) -> None:
        model, appearance = self._drawn.model, self.appearance
        skin = bake_skin(model, appearance.tone, appearance.skin_seed, 1024)
        cloth = fabric(person, appearance.sleeve_colour)
        sleeve, faces, uvs = sleeve_mesh(model, appearance.shape, person)
        self._wrist = self._drawn(np.zeros(48), appearance.shape, np.zeros(3))[1][0]
        self._sleeve = sleeve - self._wrist
        self._surfaces = {}
        for side in sides:
            self._surfaces[side] = (
                self._renderer.surface(handed_faces(model.faces, side), model.uvs, handed_faces(model.uv_faces, side),
                                       model.vertex_count, skin, SKIN),
                self._renderer.surface(handed_faces(faces, side), uvs, handed_faces(faces, side), len(sleeve), cloth,
                                       CLOTH, smooth=False))

    def frames(self) -> Iterator[SceneFrame]:
        """Every frame in order; the same frames, noise included, at every call."""
        noise = np.random.default_rng(self._noise_seed)
        for index in range(self.config.frames):
            meshes = [part for motion in self.motions for part in self._meshes(motion, index)]
            images = []
            for (camera, position), background in zip(self.cameras, self._backgrounds):
                shift = position.astype(np.float32)
                rendering = self._renderer.render(camera, [(surface, vertices - shift) for surface, vertices in meshes],
                                                  self.appearance.lighting)
                images.append(captured(rendering.over(background), self._capture, noise))
            yield SceneFrame(index, tuple(images), tuple(self.estimate(motion, index) for motion in self.motions))

    def estimate(self, motion: HandMotion, index: int) -> HandEstimate:
        """The exact hand of one frame, in the form a perfect estimator would give."""
        pose, shape, translation = motion.poses[index], self.appearance.shape, motion.translations[index]
        vertices, keypoints = posed_hand(self._labelled, pose, shape, translation, motion.handedness)
        camera, wrist = self.cameras[0][0], keypoints[0]
        scale = camera.fx_px / float(wrist[2])
        return HandEstimate(
            track_id=TRACK_IDS[motion.handedness], handedness=motion.handedness, handedness_score=1.0, score=1.0,
            model=LABELLED_MODEL, pose=pose, shape=shape, translation=translation, joints_m=keypoints,
            vertices_m=vertices,
            weak_camera=np.concatenate([[scale], camera.project(wrist)]), projection=PERSPECTIVE,
            joint_std_m=np.zeros(21, np.float32), reprojection_px=0.0, identity='synthetic', metric=True)

    def _meshes(self, motion: HandMotion, index: int):
        """(surface, vertices) of hand and sleeve in the first camera's frame."""
        pose, translation = motion.poses[index], motion.translations[index]
        vertices, _ = posed_hand(self._drawn, pose, self.appearance.shape, translation, motion.handedness)
        left = motion.handedness == 'left'
        if left:
            pose, translation = mirror_pose(pose), mirror_points(translation)
        # The sleeve is as stiff as the forearm: it follows the root alone.
        turn = axis_angle_to_matrix(pose[:3].astype(np.float64))
        sleeve = (self._sleeve @ turn.T + self._wrist + translation).astype(np.float32)
        skin_surface, cloth_surface = self._surfaces[motion.handedness]
        return (skin_surface, vertices), (cloth_surface, mirror_points(sleeve) if left else sleeve)
