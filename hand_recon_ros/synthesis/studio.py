"""Training crops, each on its own: a person, a pose, a light, cameras and their crops, by (config, index) alone."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import handed_faces, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.mesh_renderer import MeshRenderer, Rendering
from hand_recon_ros.rendering.skin import SkinTone
from hand_recon_ros.rendering.surface import SKIN, Surface, Textures, WornTextures
from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.appearance import Appearance, sample_appearance, turned
from hand_recon_ros.synthesis.capture import captured, sample_capture, smeared
from hand_recon_ros.synthesis.occluders import sample_occluder
from hand_recon_ros.synthesis.scene import CLOTH, DRAWN_MODEL, LABELLED_MODEL, MASK_VALUES, THING, labelled_vertices
from hand_recon_ros.synthesis.sleeve import along_forearm, arm_mesh, sleeve_mesh
from hand_recon_ros.synthesis.staging import Stage, StagedView, Staging
from hand_recon_ros.synthesis.wardrobe import ROOM_WIDTH, ROOM_HEIGHT, Wardrobe
from hand_recon_ros.types import HANDEDNESS

CLOTHS = 12
OCCLUDERS, WILD = 0.12, 0.5     # how often a thing is before the hand, and a camera is a poor one
SPEED_M_S = 0.35            # standard deviation of the hands' speed along each axis
LEAST_SEEN = 0.03           # of a crop's pixels that must show the labelled hand
LEAST_BLUR_PX = 0.2         # less than this leaves an image as it is
TRIES = 20
_SAMPLES, _STUDIO = 3, 4    # streams of random numbers, beside the wardrobe's


@dataclass(frozen=True)
class StudioConfig:
    """What to draw. crop: pixels of a side. views: one crop a sample, or a stereo pair's two.

    skins, rooms: how many different ones the set has. backgrounds: a folder of photographs in place of rooms, or None.
    """
    samples: int = 1000
    crop: int = 128
    views: int = 1
    seed: int = 0
    skins: int = 48
    rooms: int = 60
    backgrounds: Path | None = None

    def __post_init__(self):
        for name, low, high in (('samples', 1, 10 ** 9), ('crop', 32, 1024), ('views', 1, 2), ('seed', 0, 2 ** 63 - 1),
                                ('skins', 1, 1000), ('rooms', 1, 1000)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f'{name}: {value}, expected {low} to {high}')

    @property
    def wardrobe(self) -> Wardrobe:
        """The skins and rooms of the set."""
        return Wardrobe(self.seed, self.skins, self.rooms, self.backgrounds)


@dataclass(frozen=True)
class StudioSample:
    """One labelled hand in one or two crops; metres, in the first view's optical frame.

    images: (S, S, 3) uint8 a view. masks: (S, S) uint8 a view, 1 where a right hand is seen, 2 a left one, 0 elsewhere.
    depths_m: (S, S) float32 a view, along its z, of hands and whatever is drawn with them. joints_px: (views, 21, 2).
    tone, skin, room: of the person, and their numbers in the wardrobe. second_hand: whether the other one is in view.
    """
    index: int
    images: tuple[np.ndarray, ...]
    masks: tuple[np.ndarray, ...]
    depths_m: tuple[np.ndarray, ...]
    cameras: tuple[Camera, ...]
    T_view_first: np.ndarray
    handedness: str
    pose: np.ndarray
    shape: np.ndarray
    translation: np.ndarray
    joints_m: np.ndarray
    joints_px: np.ndarray
    tone: SkinTone
    skin: int
    room: int
    second_hand: bool
    occluder: bool


class Studio:
    """Makes any sample of a set. folder: a workspace's, where the wardrobe lies."""

    def __init__(self, config: StudioConfig, folder: Path):
        self.config, wardrobe = config, config.wardrobe
        self._labelled, self._drawn = JaxHand(load_hand_model(LABELLED_MODEL)), JaxHand(load_hand_model(DRAWN_MODEL))
        model = self._drawn.model
        labels = labelled_vertices(self._labelled.model, model)
        self._stage = Stage(self._drawn, labels < 0.5, config.views, config.crop)
        self._rooms = [wardrobe.load_room(folder, number) for number in range(config.rooms)]
        self._renderer = MeshRenderer(config.crop, config.crop, samples=4)
        skins = [wardrobe.load_skin(folder, number) for number in range(config.skins)]
        rng = np.random.default_rng([config.seed, _STUDIO])
        self._tones = [skin.tone for skin in skins]
        self._skins, self._arms = ([self._worn(textures) for textures in part] for part in zip(
            *((skin.textures, skin.arm) for skin in skins)))
        self._cloths = [self._worn(materials.fabric(rng)) for _ in range(CLOTHS)]
        self._hands = {side: self._renderer.surface(
            handed_faces(model.faces, side), model.uvs, handed_faces(model.uv_faces, side), model.vertex_count,
            skins[0].textures, SKIN, vertex_labels=labels) for side in HANDEDNESS}
        shape = np.zeros(model.shape_size)
        tubes = {True: (arm_mesh(model, shape), SKIN), False: (sleeve_mesh(model, shape, rng), CLOTH)}
        self._behind = {(bare, side): self._unlabelled(faces=handed_faces(faces, side), uvs=uvs, count=len(vertices),
                                                       textures=skins[0].arm, material=material)
                        for bare, ((vertices, faces, uvs), material) in tubes.items() for side in HANDEDNESS}

    def _worn(self, textures: Textures) -> WornTextures:
        return WornTextures(self._renderer.context, textures)

    def _unlabelled(self, faces, uvs, count: int, textures: Textures, material, uv_faces=None) -> Surface:
        """A surface of `count` vertices that counts in no mask."""
        return self._renderer.surface(faces, uvs, faces if uv_faces is None else uv_faces, count, textures, material,
                                      smooth=False, vertex_labels=np.zeros(count))

    def sample(self, index: int) -> StudioSample:
        """One sample; ValueError when there is none of this index."""
        if not 0 <= index < self.config.samples:
            raise ValueError(f'index: {index}, expected 0 to {self.config.samples - 1}')
        rng = np.random.default_rng([self.config.seed, _SAMPLES, index])
        for _ in range(TRIES):
            sample = self._try(index, rng)
            if sample is not None:
                return sample
        raise ValueError(f'index: sample {index} showed no hand in {TRIES} tries')

    def _try(self, index: int, rng) -> StudioSample | None:
        """A sample, or None when too little of its hand is to be seen."""
        appearance = sample_appearance(rng, self._drawn.model.shape_size)
        staging = self._stage.draw(rng, appearance.shape)
        skin, room, cloth = (int(rng.integers(len(things))) for things in (self._skins, self._rooms, self._cloths))
        meshes = self._meshes(rng, staging, appearance, skin, cloth)
        occluder = self._occluder(rng, staging)
        meshes += occluder
        values = np.array([0] + [value for *_, value in meshes], np.uint8)
        labelled, renderings, masks, depths = staging.hands[0], [], [], []
        for view in staging.views:
            items = [(surface, view.points(vertices)) for surface, vertices, _ in meshes]
            lighting = turned(appearance.lighting, view.T_view_first[:3, :3])
            renderings.append(self._renderer.render(view.camera, items, lighting, geometry=True))
            outside = ~self._inside(view)
            masks.append(np.where(outside, 0, values[renderings[-1].mask]).astype(np.uint8))
            depths.append(np.where(outside, np.float32(0), renderings[-1].depth_m))
        for surface, *_ in occluder:
            surface.release()
        value = MASK_VALUES[labelled.handedness]
        if min((mask == value).mean() for mask in masks) < LEAST_SEEN:
            return None
        images = self._photographed(rng, staging, renderings, masks[0] == value, self._rooms[room])
        _, joints = posed_hand(self._labelled, labelled.pose, appearance.shape, labelled.translation,
                               labelled.handedness)
        joints_px = [view.camera.project(view.points(joints.astype(np.float64))) for view in staging.views]
        return StudioSample(
            index, tuple(images), tuple(masks), tuple(depths), tuple(view.camera for view in staging.views),
            np.stack([view.T_view_first for view in staging.views]), labelled.handedness, labelled.pose,
            appearance.shape, labelled.translation, joints, np.stack(joints_px), self._tones[skin], skin, room,
            len(staging.hands) > 1, bool(occluder))

    def _meshes(self, rng, staging: Staging, appearance: Appearance, skin: int, cloth: int) -> list[tuple]:
        """(surface, vertices in the first view's frame, value in the mask) of the hands and what is behind them."""
        model, shape, bare = self._drawn.model, appearance.shape, appearance.cuff is None
        behind = (arm_mesh(model, shape) if bare else sleeve_mesh(model, shape, rng, appearance.cuff))[0]
        wrist = self._drawn(np.zeros(48), shape, np.zeros(3))[1][0]
        meshes = []
        for hand in staging.hands:
            hand_surface, behind_surface = self._hands[hand.handedness], self._behind[bare, hand.handedness]
            hand_surface.set_textures(self._skins[skin])
            behind_surface.set_textures(self._arms[skin] if bare else self._cloths[cloth])
            meshes.append((hand_surface, hand.drawn_m, MASK_VALUES[hand.handedness]))
            placed = along_forearm(behind, wrist, hand.pose, hand.translation, hand.handedness)
            meshes.append((behind_surface, placed, 0))
        return meshes

    def _occluder(self, rng, staging: Staging) -> list[tuple]:
        """Now and then one thing before the hand, as the first view sees it."""
        if rng.random() >= OCCLUDERS:
            return []
        thing = sample_occluder(rng, staging.hands[0].joints_m[None])
        if thing is None:
            return []
        surface = self._unlabelled(thing.faces, thing.uvs, len(thing.vertices_m), thing.textures, THING, thing.uv_faces)
        return [(surface, thing.vertices_m, 0)]

    def _photographed(self, rng, staging: Staging, renderings: list[Rendering], hand: np.ndarray,
                      room: np.ndarray) -> list[np.ndarray]:
        """The views' images: before the room, in motion perhaps, by a camera metered on room and hand.

        hand: (S, S) bool, the labelled hand in the first view.
        """
        brightest = float(np.percentile(renderings[0].premultiplied[hand, :3].max(1), 90))
        capture = sample_capture(rng, ROOM_WIDTH, float(room.mean()), brightest, wild=rng.random() < WILD)
        speed_m_s, images = rng.normal(0, SPEED_M_S, 3), []
        for view, rendering in zip(staging.views, renderings):
            scale, size = view.crop.scale, self.config.crop
            if capture.shutter_s > 0:
                depth = view.points(staging.hands[0].joints_m)[:, 2].mean()
                move_px = (view.T_view_first[:3, :3] @ speed_m_s)[:2] * capture.shutter_s * view.camera.fx_px / depth
                layer = rendering.premultiplied.copy()
                smeared(layer, move_px, (0, 0, size, size))
                rendering = replace(rendering, premultiplied=layer)
            backdrop, sigma_px = view.crop.take(room), scale * capture.background_blur_px
            if sigma_px > LEAST_BLUR_PX:
                backdrop = cv2.GaussianBlur(backdrop, (0, 0), sigma_px)
            # A crop smaller than its window averages the noise away.
            less = min(scale, 1.0)
            shown = replace(capture, blur_px=scale * capture.blur_px, falloff=0.0, read_noise=less * capture.read_noise,
                            shot_noise=less * capture.shot_noise)
            image = captured(rendering.over(backdrop), shown, rng)
            # Beyond the border of the whole image there is nothing, black as detection.crops leaves it.
            image[~self._inside(view)] = 0
            images.append(image)
        return images

    def _inside(self, view: StagedView) -> np.ndarray:
        """(S, S) bool: pixels of the crop that lie on the whole image."""
        line = np.arange(self.config.crop)
        at = view.crop.to_image(np.stack([line, line], 1))
        across, down = (np.abs(at[:, axis] - 0.5 * (size - 1)) <= 0.5 * size
                        for axis, size in enumerate((ROOM_WIDTH, ROOM_HEIGHT)))
        return down[:, None] & across[None]
