"""Scripted hands with forearms in a room, seen by one camera or a pair: any frame's images and exact labels."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import handed_faces, posed_hand
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.mesh_renderer import MeshRenderer, Rendering
from hand_recon_ros.rendering.skin import bake_skin
from hand_recon_ros.rendering.surface import SKIN, Material, Textures, WornTextures
from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.appearance import sample_appearance, turned
from hand_recon_ros.synthesis.backgrounds import VIEWS, photograph_backdrops, room_backdrops, sample_setting
from hand_recon_ros.synthesis.capture import captured, sample_capture, smeared
from hand_recon_ros.synthesis.furniture import person
from hand_recon_ros.synthesis.motion import (MOTIONS, SWAY_RAD, VIEW_DISTANCES_M, HandMotion, head_sway,
                                             motion_keypoints, script_motions)
from hand_recon_ros.synthesis.occluders import sample_occluder
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.synthesis.rigs import RIGS, miscalibrated, sample_rig
from hand_recon_ros.synthesis.sleeve import along_forearm, arm_mesh, sleeve_mesh
from hand_recon_ros.synthesis.table_shadow import shaded
from hand_recon_ros.types import PERSPECTIVE, HandEstimate

LABELLED_MODEL, DRAWN_MODEL = 'open_hand', 'open_hand_long'
MASK_VALUES = {'right': 1, 'left': 2}       # of a mask's pixels; also the hands' track ids
# The cuff's vertices lie within 1.8 mm of the labelled surface, the forearm's beyond 3.3.
ON_SURFACE_M, CUTS = 0.0023, 4
WIDE_LEAST_M = 0.60         # cameras far apart share too little space for two hands nearer than that
HOVER_M = (0.02, 0.15)      # the least height of the hands over a table
PERSONS = 0.6               # how often the hands' owner is seen behind them
CLOTH = Material(specular=0.12, gloss=6.0, bump=0.0)
THING = Material(specular=0.35, gloss=24.0, bump=0.0, two_sided=True)


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
        *streams, self._frame_seed = np.random.SeedSequence(config.seed).spawn(7)
        looks, motion_rng, room_rng, lens_rng, rig_rng, things_rng = map(np.random.default_rng, streams)
        distance = rig_rng.uniform(*VIEW_DISTANCES_M[config.view])
        distance = max(distance, WIDE_LEAST_M) if config.rig == 'wide' else distance
        self.rig, T_first_viewer = sample_rig(config.rig, config.width, config.height, distance, config.baseline_m,
                                              rig_rng)
        self.true_rig = miscalibrated(self.rig, config.calibration_error, rig_rng)
        self._T_camera_viewer = self.true_rig.T_camera_first @ T_first_viewer
        self._labelled, self._drawn = JaxHand(load_hand_model(LABELLED_MODEL)), JaxHand(load_hand_model(DRAWN_MODEL))
        self.appearance = sample_appearance(looks, self._drawn.model.shape_size)
        self.handednesses = ('right', 'left')[:config.hands]
        space = PoseSpace(self._drawn.model, self.appearance.shape)
        self.motions: tuple[HandMotion, ...] = script_motions(
            space, self.handednesses, config.frames, config.fps, config.view, config.motion, self.true_rig,
            T_first_viewer, distance, motion_rng)
        T_viewer_first = np.linalg.inv(T_first_viewer)
        keypoints = np.concatenate([motion_keypoints(space, motion) for motion in self.motions])
        keypoints = keypoints @ T_viewer_first[:3, :3].T + T_viewer_first[:3, 3]
        self._renderer = MeshRenderer(config.width, config.height, samples=4)
        self._build_surfaces(looks)
        self._furnish(keypoints, distance, room_rng)
        self.capture = sample_capture(lens_rng, config.width, *self._light_metered(), wild=config.view == 'wild')
        for backdrop in self._backdrops:
            backdrop.defocus(self.capture.background_blur_px)
        self._things = self._occluders(keypoints, np.linalg.inv(T_viewer_first), things_rng)

    def _furnish(self, keypoints_viewer_m, distance, rng) -> None:
        """Put the room, its light and the table's height behind hands that move as they do."""
        config, appearance = self.config, self.appearance
        setting = sample_setting(config.view, rng)
        down = setting.viewer_from_level
        lighting = turned(appearance.lighting, down)
        self._lightings = [turned(lighting, T[:3, :3]) for T in self._T_camera_viewer]
        moving = config.view == 'egocentric'
        self._sway = head_sway(config.frames, config.fps, rng) if moving else None
        sway_rad = float(2.2 * SWAY_RAD.max()) if moving else 0.0
        self._table = None
        if config.backgrounds is not None:
            self._backdrops = photograph_backdrops(config.backgrounds, self.true_rig, rng, sway_rad)
            return
        up, table_m = down @ [0.0, -1.0, 0.0], 1.0
        if setting.kind == 'table':
            hover = rng.uniform(*HOVER_M) if rng.random() < 0.7 else rng.uniform(0.1, 0.3)
            table_m = float(((hover - keypoints_viewer_m @ up) / np.sin(setting.pitch)).max())
            self._table = (np.array([0.0, 0.0, table_m]), up)
        others = []
        if setting.kind == 'living_room' and rng.random() < PERSONS:
            others = person(rng, distance, appearance.skin_rgb, materials.fabric(rng, appearance.sleeve_colour))
        self._backdrops = room_backdrops(config.view, self.true_rig, self._T_camera_viewer, lighting, rng, setting,
                                         table_m, others, sway_rad)

    def _build_surfaces(self, looks) -> None:
        """Hands, and behind each the sleeve or the rest of the arm; the latter counts in no mask."""
        model, appearance = self._drawn.model, self.appearance
        skin = bake_skin(model, appearance.tone, appearance.skin_seed, 1024)
        if appearance.cuff is None:
            behind, faces, uvs = arm_mesh(model, appearance.shape)
            textures, material = materials.bare_skin(looks, *arm_colours(model, skin)), SKIN
        else:
            behind, faces, uvs = sleeve_mesh(model, appearance.shape, looks, appearance.cuff)
            textures, material = materials.fabric(looks, appearance.sleeve_colour), CLOTH
        self._wrist = self._drawn(np.zeros(48), appearance.shape, np.zeros(3))[1][0]
        self._behind = behind
        labels = labelled_vertices(self._labelled.model, model)
        # Both hands wear one skin and one cloth.
        self._worn = [WornTextures(self._renderer.context, given) for given in (skin, textures)]
        self._surfaces = {}
        for side in self.handednesses:
            self._surfaces[side] = (
                self._renderer.surface(handed_faces(model.faces, side), model.uvs, handed_faces(model.uv_faces, side),
                                       model.vertex_count, self._worn[0], SKIN, vertex_labels=labels),
                self._renderer.surface(handed_faces(faces, side), uvs, handed_faces(faces, side), len(behind),
                                       self._worn[1], material, smooth=False, vertex_labels=np.zeros(len(behind))))

    def _light_metered(self) -> tuple[float, float]:
        """Mean brightness of the first image, and that of the hands' brightest tenth, 0..255."""
        meshes = [part for motion in self.motions for part in self._meshes(motion, 0)]
        items = [(surface, self.true_rig.to_camera(0, vertices)) for surface, vertices in meshes]
        rendering = self._renderer.render(self.true_rig.cameras[0], items, self._lightings[0], geometry=True)
        hands = rendering.premultiplied[rendering.mask > 0, :3]
        return (float(rendering.over(self._backdrops[0].seen()).mean()), float(np.percentile(hands.max(1), 90)))

    def _occluders(self, keypoints_viewer_m, T_first_viewer, rng) -> list[tuple]:
        """(surface, vertices in the first camera's frame) of things before the hands."""
        if rng.random() >= self.config.occluders:
            return []
        things = [sample_occluder(rng, keypoints_viewer_m) for _ in range(int(rng.integers(1, 3)))]
        out = []
        for thing in things:
            if thing is not None:
                placed = thing.moved(T_first_viewer[:3, :3], T_first_viewer[:3, 3])
                count = len(placed.vertices_m)
                out.append((self._renderer.surface(thing.faces, thing.uvs, thing.uv_faces, count, thing.textures, THING,
                                                   smooth=False, vertex_labels=np.zeros(count)), placed.vertices_m))
        return out

    def frames(self) -> Iterator[SceneFrame]:
        """Every frame in order; the same frames, noise included, at every call."""
        return map(self.frame, range(self.config.frames))

    def frame(self, index: int) -> SceneFrame:
        """One frame, which depends on the config and its index alone; ValueError when there is none."""
        if not 0 <= index < self.config.frames:
            raise ValueError(f'index: {index}, expected 0 to {self.config.frames - 1}')
        noise = np.random.default_rng([*self._frame_seed.generate_state(2).tolist(), index])
        hands = [self._meshes(motion, index) for motion in self.motions]
        meshes = [part for parts in hands for part in parts] + self._things
        # The numbers that masks carry, by the renderer's item number.
        values = np.zeros(len(meshes) + 1, np.uint8)
        for k, side in enumerate(self.handednesses):
            values[2 * k + 1] = MASK_VALUES[side]
        images, masks, depths = [], [], []
        for k, camera in enumerate(self.true_rig.cameras):
            items = [(surface, self.true_rig.to_camera(k, vertices)) for surface, vertices in meshes]
            rendering = self._renderer.render(camera, items, self._lightings[k], geometry=True)
            if self.capture.shutter_s > 0:
                rendering = self._moving(rendering, k, index)
            solid = [vertices for _, vertices in items[:2 * len(hands)]]
            images.append(captured(rendering.over(self._behind_hands(k, index, solid)), self.capture, noise))
            masks.append(values[rendering.mask])
            depths.append(rendering.depth_m)
        return SceneFrame(index, tuple(images), tuple(masks), tuple(depths), self.estimates(index))

    def _behind_hands(self, k: int, index: int, vertices_m: list[np.ndarray]) -> np.ndarray:
        """(H, W, 3) uint8: the k-th camera's background, with the shadow of hands and arms on a table."""
        T = self._T_camera_viewer[k]
        sway = None
        if self._sway is not None:
            sway = T[:3, :3] @ self._sway[index] @ T[:3, :3].T
        background = self._backdrops[k].seen(sway)
        if self._table is None:
            return background
        point, up = (T[:3, :3] @ self._table[0] + T[:3, 3], T[:3, :3] @ self._table[1])
        if sway is not None:
            # The head has turned: what stands still in the room turns the other way.
            point, up = sway.T @ point, sway.T @ up
        return shaded(background, self.true_rig.cameras[k], vertices_m, self._lightings[k], point, up)

    def _moving(self, rendering: Rendering, k: int, index: int) -> Rendering:
        """Smeared by what each hand moves in the image while the shutter is open."""
        layer = rendering.premultiplied.copy()
        before, after = max(index - 1, 0), min(index + 1, self.config.frames - 1)
        if before == after:
            return rendering
        for motion in self.motions:
            ends = [self.true_rig.project(k, posed_hand(self._labelled, motion.poses[i], self.appearance.shape,
                                                        motion.translations[i], motion.handedness)[1])
                    for i in (before, after)]
            span_s = (after - before) / self.config.fps
            move_px = (ends[1] - ends[0]).mean(0) * self.capture.shutter_s / span_s
            both = np.concatenate(ends)
            margin = 0.3 * np.ptp(both, axis=0).max()
            smeared(layer, move_px, (*(both.min(0) - margin), *(both.max(0) + margin)))
        return replace(rendering, premultiplied=layer)

    def release(self) -> None:
        """Give the GPU's memory back; the scene draws no frame afterwards."""
        for surface in (*(part for pair in self._surfaces.values() for part in pair),
                        *(surface for surface, _ in self._things)):
            surface.release()
        for worn in self._worn:
            worn.release()
        self._renderer.release()

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
        """(surface, vertices) of a hand and of what is behind it, in the first camera's frame."""
        pose, translation = motion.poses[index], motion.translations[index]
        vertices, _ = posed_hand(self._drawn, pose, self.appearance.shape, translation, motion.handedness)
        behind = along_forearm(self._behind, self._wrist, pose, translation, motion.handedness)
        hand_surface, behind_surface = self._surfaces[motion.handedness]
        return (hand_surface, vertices), (behind_surface, behind)


def labelled_vertices(labelled: HandModel, drawn: HandModel) -> np.ndarray:
    """(V,) of the drawn model: 1 where it lies on the labelled one's surface, 0 on what it has more, the forearm.

    The cuff at the wrist is cut into other triangles in the two models, so surfaces are compared, not vertices.
    """
    steps = np.array([(i, j, CUTS - i - j) for i in range(CUTS + 1) for j in range(CUTS + 1 - i)]) / CUTS
    surface = np.einsum('sk,fkc->fsc', steps, labelled.template_m[labelled.faces]).reshape(-1, 3)
    distance, _ = cKDTree(surface).query(drawn.template_m)
    return (distance < ON_SURFACE_M).astype(np.float32)


def arm_colours(model: HandModel, skin: Textures) -> tuple[np.ndarray, np.ndarray]:
    """sRGB 0..1 (3,) of the forearm's back and of its inside: the skin's mean colours where it will be covered."""
    a, b, c = (model.template_m[model.faces[:, k]] for k in range(3))
    behind, outward = ((a + b + c) / 3)[:, 0], np.cross(b - a, c - a)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    height, width = skin.albedo.shape[:2]
    u, v = model.uvs[model.uv_faces].mean(1).T
    x, y = np.clip(u * width, 0, width - 1).astype(int), np.clip((1 - v) * height, 0, height - 1).astype(int)
    part = (behind > 0.4 * behind.max()) & (behind < 0.75 * behind.max())
    return tuple(skin.albedo[y, x, :3][part & (sign * outward[:, 1] > 0.6)].mean(0) / 255.0 for sign in (1, -1))
