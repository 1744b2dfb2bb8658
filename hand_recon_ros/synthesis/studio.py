"""Training crops, each on its own: a person, a pose, a light, cameras and their crops, drawn from (config, index) alone."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import handed_faces, mirror_points, mirror_pose, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.rendering.mesh_renderer import Lighting, MeshRenderer
from hand_recon_ros.rendering.skin import SkinTone
from hand_recon_ros.rendering.surface import SKIN, Material, WornTextures
from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.appearance import sample_appearance, turned
from hand_recon_ros.synthesis.capture import Capture, captured, sample_capture
from hand_recon_ros.synthesis.furniture import Solid, box, cylinder
from hand_recon_ros.synthesis.scene import CLOTH, DRAWN_MODEL, LABELLED_MODEL, MASK_VALUES, labelled_vertices
from hand_recon_ros.synthesis.sleeve import sleeve_mesh
from hand_recon_ros.synthesis.staging import Stage, StagedHand, StagedView, Staging
from hand_recon_ros.synthesis.wardrobe import ROOM_HEIGHT, ROOM_WIDTH, Wardrobe
from hand_recon_ros.types import HANDEDNESS

CLOTHS, PROPS = 10, 8
PROP_SHARE = 0.12           # how often an object is before the hand
PROP_NEARER = (0.55, 0.85)  # its distance, as a part of the hand's
LEAST_SEEN = 0.03           # of a crop's pixels that must show the labelled hand
LEAST_BLUR_PX = 0.2         # less than this leaves an image as it is
TRIES = 20
_SAMPLES, _STUDIO = 3, 4    # streams of random numbers, beside the wardrobe's
_PROP = Material(specular=0.25, gloss=20.0, two_sided=True)


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
        skins = [wardrobe.load_skin(folder, number) for number in range(config.skins)]
        self._rooms = [wardrobe.load_room(folder, number) for number in range(config.rooms)]
        rng = np.random.default_rng([config.seed, _STUDIO])
        self._renderer = MeshRenderer(config.crop, config.crop, samples=4)
        self._tones = [skin.tone for skin in skins]
        self._skins = [WornTextures(self._renderer.context, skin.textures) for skin in skins]
        self._cloths = [WornTextures(self._renderer.context, materials.fabric(rng)) for _ in range(CLOTHS)]
        _, sleeve_faces, sleeve_uvs = sleeve_mesh(model, np.zeros(model.shape_size), rng)
        self._hands = {side: self._renderer.surface(
            handed_faces(model.faces, side), model.uvs, handed_faces(model.uv_faces, side), model.vertex_count,
            skins[0].textures, SKIN, vertex_labels=labels) for side in HANDEDNESS}
        count = len(sleeve_uvs)
        self._sleeves = {side: self._renderer.surface(
            handed_faces(sleeve_faces, side), sleeve_uvs, handed_faces(sleeve_faces, side), count, skins[0].textures, CLOTH,
            smooth=False, vertex_labels=np.zeros(count)) for side in HANDEDNESS}
        self._props = [_prop(rng) for _ in range(PROPS)]
        self._prop_surfaces = [self._renderer.surface(
            prop.faces, prop.uvs, prop.uv_faces, len(prop.vertices_m), prop.textures, _PROP, smooth=False,
            vertex_labels=np.zeros(len(prop.vertices_m))) for prop in self._props]

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
        meshes = self._meshes(rng, staging, appearance.shape, skin, cloth)
        capture = sample_capture(rng, ROOM_WIDTH, float(self._rooms[room].mean()))
        labelled = staging.hands[0]
        images, masks, depths = [], [], []
        for view in staging.views:
            items = [(surface, view.points(vertices)) for surface, vertices, _ in meshes]
            lighting = turned(appearance.lighting, view.T_view_first[:3, :3])
            image, mask, depth = self._picture(rng, view, items, lighting, self._rooms[room], capture)
            mask = np.array([0] + [value for *_, value in meshes], np.uint8)[mask]
            if (mask == MASK_VALUES[labelled.handedness]).mean() < LEAST_SEEN:
                return None
            images.append(image), masks.append(mask), depths.append(depth)
        _, joints = posed_hand(self._labelled, labelled.pose, appearance.shape, labelled.translation, labelled.handedness)
        return StudioSample(
            index, tuple(images), tuple(masks), tuple(depths), tuple(view.camera for view in staging.views),
            np.stack([view.T_view_first for view in staging.views]), labelled.handedness, labelled.pose, appearance.shape,
            labelled.translation, joints, np.stack([view.camera.project(view.points(joints.astype(np.float64)))
                                                    for view in staging.views]),
            self._tones[skin], skin, room, len(staging.hands) > 1, len(meshes) > 2 * len(staging.hands))

    def _meshes(self, rng, staging: Staging, shape, skin: int, cloth: int) -> list[tuple]:
        """(surface, vertices in the first view's frame, value in the mask) of all that is drawn."""
        sleeve, _, _ = sleeve_mesh(self._drawn.model, shape, rng)
        wrist = self._drawn(np.zeros(48), shape, np.zeros(3))[1][0]
        meshes = []
        for hand in staging.hands:
            skin_surface, cloth_surface = self._hands[hand.handedness], self._sleeves[hand.handedness]
            skin_surface.set_textures(self._skins[skin])
            cloth_surface.set_textures(self._cloths[cloth])
            meshes.append((skin_surface, hand.drawn_m, MASK_VALUES[hand.handedness]))
            meshes.append((cloth_surface, _worn(sleeve, wrist, hand), 0))
        if rng.random() < PROP_SHARE:
            number = int(rng.integers(len(self._props)))
            meshes.append((self._prop_surfaces[number], _held_before(rng, self._props[number], staging.hands[0]), 0))
        return meshes

    def _picture(self, rng, view: StagedView, items, lighting: Lighting, room, capture: Capture):
        """Image, item numbers of the labelled surfaces and depth of one view."""
        rendering = self._renderer.render(view.camera, items, lighting, geometry=True)
        scale = view.crop.scale
        shown = replace(capture, blur_px=scale * capture.blur_px, falloff=0.0,
                        # A crop smaller than its window averages the noise away.
                        read_noise=min(scale, 1.0) * capture.read_noise, shot_noise=min(scale, 1.0) * capture.shot_noise)
        backdrop = view.crop.take(room)
        sigma_px = scale * capture.background_blur_px
        if sigma_px > LEAST_BLUR_PX:
            backdrop = cv2.GaussianBlur(backdrop, (0, 0), sigma_px)
        image = captured(rendering.over(backdrop), shown, rng)
        # Beyond the border of the whole image there is nothing, black as detection.crops leaves it.
        outside = ~self._inside(view)
        image[outside] = 0
        return image, np.where(outside, 0, rendering.mask), np.where(outside, np.float32(0), rendering.depth_m)

    def _inside(self, view: StagedView) -> np.ndarray:
        """(S, S) bool: pixels of the crop that lie on the whole image."""
        line = np.arange(self.config.crop)
        at = view.crop.to_image(np.stack([line, line], 1))
        across, down = (np.abs(at[:, axis] - 0.5 * (size - 1)) <= 0.5 * size
                        for axis, size in enumerate((ROOM_WIDTH, ROOM_HEIGHT)))
        return down[:, None] & across[None]


def _worn(sleeve, wrist, hand: StagedHand) -> np.ndarray:
    """(V, 3) of a sleeve at rest on a hand: as stiff as the forearm, it follows the root alone."""
    left = hand.handedness == 'left'
    pose, translation = (mirror_pose(hand.pose), mirror_points(hand.translation)) if left else (hand.pose, hand.translation)
    turn = axis_angle_to_matrix(pose[:3].astype(np.float64))
    vertices = ((sleeve - wrist) @ turn.T + wrist + translation).astype(np.float32)
    return mirror_points(vertices) if left else vertices


def _prop(rng) -> Solid:
    """A small thing around the origin: a box, a tin or a bottle."""
    size = rng.uniform(0.02, 0.07, 3)
    textures = (materials.paint, materials.fabric, materials.wood)[rng.integers(3)](rng)
    if rng.random() < 0.5:
        return box(size, (0, 0, 0), textures)
    return cylinder(0.5 * size[0], 2 * size[1], (0, size[1], 0), textures, 0.5 * size[0] * rng.uniform(0.4, 1.0))


def _held_before(rng, prop: Solid, hand: StagedHand) -> np.ndarray:
    """(V, 3) of a prop that hides a part of the hand: nearer on the way to one of its vertices."""
    aim = hand.drawn_m[rng.integers(len(hand.drawn_m))]
    return prop.moved(axis_angle_to_matrix(rng.normal(0, 1.2, 3)), rng.uniform(*PROP_NEARER) * aim).vertices_m
