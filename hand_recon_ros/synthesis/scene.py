"""Scripted hands with forearms in a room, seen by one camera or a pair: any frame's images and exact labels."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import handed_faces, mirror_points, mirror_pose, posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.mesh_renderer import MeshRenderer
from hand_recon_ros.rendering.skin import bake_skin
from hand_recon_ros.rendering.surface import SKIN, Material
from hand_recon_ros.synthesis.appearance import sample_appearance, turned
from hand_recon_ros.synthesis.backgrounds import VIEWS, photograph_backdrops, room_backdrops
from hand_recon_ros.synthesis.capture import captured, sample_capture
from hand_recon_ros.synthesis.materials import fabric
from hand_recon_ros.synthesis.motion import MOTIONS, VIEW_DISTANCES_M, HandMotion, script_motions
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.synthesis.rigs import RIGS, CameraRig, miscalibrated, sample_rig
from hand_recon_ros.synthesis.sleeve import sleeve_mesh
from hand_recon_ros.types import PERSPECTIVE, HandEstimate

LABELLED_MODEL, DRAWN_MODEL = 'open_hand', 'open_hand_long'
MASK_VALUES = {'right': 1, 'left': 2}       # of a mask's pixels; also the hands' track ids
SAME_VERTEX_M = 1e-4
CLOTH = Material(specular=0.12, gloss=6.0, bump=0.0)


@dataclass(frozen=True)
class SceneConfig:
    """What to synthesize; what it does not say is drawn from the seed.

    view: what the cameras look at: 'facing' a person in a room, down on a 'desk', 'egocentric' from a moving head, or
    'wild', anything. rig: 'mono', 'rectified' (a pair), 'wide' (a converging pair with real lenses), 'headset' (a
    slightly diverging pair of wide lenses). baseline_m: of a pair, None to draw it. hands: 1 (a right one) or 2.
    motion: 'free', or 'crossing' where two hands pass one before the other. backgrounds: a folder of photographs, or
    None for generated rooms. occluders: probability of an object nearer than the hands. calibration_error: how wrong
    the reported cameras are, in units of a careful calibration's error (see rigs.miscalibrated).
    """
    frames: int = 150
    fps: float = 30.0
    seed: int = 0
    view: str = 'facing'
    rig: str = 'mono'
    baseline_m: float | None = None
    hands: int = 2
    motion: str = 'free'
    width: int = 640
    height: int = 480
    backgrounds: Path | None = None
    occluders: float = 0.0
    calibration_error: float = 0.0

    def __post_init__(self):
        for name, low, high in (('frames', 1, 10 ** 6), ('fps', 1e-3, 1000), ('hands', 1, 2), ('width', 64, 8192),
                                ('height', 64, 8192), ('baseline_m', 1e-3, 2.0), ('seed', 0, 2 ** 63 - 1),
                                ('occluders', 0.0, 1.0), ('calibration_error', 0.0, 20.0)):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f'{name}: {value}, expected {low} to {high}')
        for name, choices in (('view', VIEWS), ('rig', RIGS), ('motion', MOTIONS)):
            if getattr(self, name) not in choices:
                raise ValueError(f'{name}: {getattr(self, name)!r}, expected one of {", ".join(choices)}')
        if self.baseline_m is not None and self.rig == 'mono':
            raise ValueError(f'baseline_m: {self.baseline_m}, expected none with one camera')
        if self.motion == 'crossing' and self.hands != 2:
            raise ValueError(f'motion: crossing of {self.hands} hand, expected hands 2')


@dataclass(frozen=True)
class SceneFrame:
    """images: one (H, W, 3) uint8 RGB a camera. masks: one (H, W) uint8 a camera, 1 where the right hand's labelled
    model is seen, 2 the left's, 0 elsewhere (forearm and sleeve too). depths_m: one (H, W) float32 a camera, along its
    z, of hands and all that is drawn with them, 0 where nothing is. estimates: the exact hands, in the first camera's
    true optical frame.
    """
    index: int
    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    depths_m: tuple[np.ndarray, ...]
    estimates: tuple[HandEstimate, ...]


class Scene:
    """One person, one room, one scripted motion, any frame of it; everything follows from the config, the seed
    included. rig: the cameras as their calibration says; true_rig: as they are, the same without calibration_error."""

    def __init__(self, config: SceneConfig):
        self.config = config
        # One stream of random numbers for each concern: another background leaves the motion as it is.
        *streams, self._frame_seed = np.random.SeedSequence(config.seed).spawn(6)
        person, motion_rng, room_rng, lens_rng, rig_rng = map(np.random.default_rng, streams)
        distance = rig_rng.uniform(*VIEW_DISTANCES_M[config.view])
        self.rig, T_first_viewer = sample_rig(config.rig, config.width, config.height, distance, config.baseline_m,
                                              rig_rng)
        self.true_rig: CameraRig = miscalibrated(self.rig, config.calibration_error, rig_rng)
        self._labelled, self._drawn = JaxHand(load_hand_model(LABELLED_MODEL)), JaxHand(load_hand_model(DRAWN_MODEL))
        self.appearance = sample_appearance(person, self._drawn.model.shape_size)
        self.handednesses = ('right', 'left')[:config.hands]
        self.motions: tuple[HandMotion, ...] = script_motions(
            PoseSpace(self._drawn.model, self.appearance.shape), self.handednesses, config.frames, config.fps,
            config.view, config.motion, self.true_rig, T_first_viewer, distance, motion_rng)
        T_camera_viewer = self.true_rig.T_camera_first @ T_first_viewer
        self._lightings = [turned(self.appearance.lighting, T[:3, :3]) for T in T_camera_viewer]
        if config.backgrounds is None:
            self._backdrops = room_backdrops(config.view, self.true_rig, T_camera_viewer, self.appearance.lighting,
                                             room_rng)
        else:
            self._backdrops = photograph_backdrops(config.backgrounds, self.true_rig, room_rng)
        self.capture = sample_capture(lens_rng, config.width, self._backdrops[0].brightness)
        for backdrop in self._backdrops:
            backdrop.defocus(self.capture.background_blur_px)
        self._renderer = MeshRenderer(config.width, config.height, samples=4)
        self._build_surfaces(person)

    def _build_surfaces(self, person) -> None:
        model, appearance = self._drawn.model, self.appearance
        skin = bake_skin(model, appearance.tone, appearance.skin_seed, 1024)
        cloth = fabric(person, appearance.sleeve_colour)
        sleeve, faces, uvs = sleeve_mesh(model, appearance.shape, person)
        self._wrist = self._drawn(np.zeros(48), appearance.shape, np.zeros(3))[1][0]
        self._sleeve = sleeve - self._wrist
        labels = labelled_vertices(self._labelled.model, model)
        self._surfaces = {}
        for side in self.handednesses:
            self._surfaces[side] = (
                self._renderer.surface(handed_faces(model.faces, side), model.uvs, handed_faces(model.uv_faces, side),
                                       model.vertex_count, skin, SKIN, vertex_labels=labels),
                self._renderer.surface(handed_faces(faces, side), uvs, handed_faces(faces, side), len(sleeve), cloth,
                                       CLOTH, smooth=False, vertex_labels=np.zeros(len(sleeve))))

    def frames(self) -> Iterator[SceneFrame]:
        """Every frame in order; the same frames, noise included, at every call."""
        return map(self.frame, range(self.config.frames))

    def frame(self, index: int) -> SceneFrame:
        """One frame, which depends on the config and its index alone; ValueError when there is none."""
        if not 0 <= index < self.config.frames:
            raise ValueError(f'index: {index}, expected 0 to {self.config.frames - 1}')
        noise = np.random.default_rng([*self._frame_seed.generate_state(2).tolist(), index])
        meshes = [part for motion in self.motions for part in self._meshes(motion, index)]
        # The numbers that masks carry, by the renderer's item number.
        values = np.zeros(len(meshes) + 1, np.uint8)
        for k, side in enumerate(self.handednesses):
            values[2 * k + 1] = MASK_VALUES[side]
        images, masks, depths = [], [], []
        for k, (camera, backdrop) in enumerate(zip(self.true_rig.cameras, self._backdrops)):
            items = [(surface, self.true_rig.to_camera(k, vertices)) for surface, vertices in meshes]
            rendering = self._renderer.render(camera, items, self._lightings[k], geometry=True)
            images.append(captured(rendering.over(backdrop.seen(index)), self.capture, noise))
            masks.append(values[rendering.mask])
            depths.append(rendering.depth_m)
        return SceneFrame(index, tuple(images), tuple(masks), tuple(depths), self.estimates(index))

    def estimates(self, index: int) -> tuple[HandEstimate, ...]:
        """The exact hands of one frame, in the form a perfect estimator would give."""
        return tuple(self._estimate(motion, index) for motion in self.motions)

    def _estimate(self, motion: HandMotion, index: int) -> HandEstimate:
        pose, shape, translation = motion.poses[index], self.appearance.shape, motion.translations[index]
        vertices, keypoints = posed_hand(self._labelled, pose, shape, translation, motion.handedness)
        camera, wrist = self.true_rig.cameras[0], keypoints[0]
        scale = camera.fx_px / float(wrist[2])
        return HandEstimate(
            track_id=MASK_VALUES[motion.handedness], handedness=motion.handedness, handedness_score=1.0, score=1.0,
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


def labelled_vertices(labelled: HandModel, drawn: HandModel) -> np.ndarray:
    """(V,) of the drawn model: 1 where it shares a vertex with the labelled one, 0 on what it has more, the forearm."""
    distance, _ = cKDTree(labelled.template_m).query(drawn.template_m)
    return (distance < SAME_VERTEX_M).astype(np.float32)
