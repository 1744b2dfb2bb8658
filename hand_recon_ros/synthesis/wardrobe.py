"""What the hands of a training set wear and stand before: skins and rooms, made once and shared by its workers."""
from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.rendering.skin import SkinBaker, SkinTone
from hand_recon_ros.rendering.surface import Textures
from hand_recon_ros.synthesis.appearance import sample_appearance, sample_lighting, turned
from hand_recon_ros.synthesis.backgrounds import VIEWS, photograph_backdrops, room_backdrops, sample_setting
from hand_recon_ros.synthesis.materials import bare_skin
from hand_recon_ros.synthesis.rigs import CameraRig
from hand_recon_ros.synthesis.scene import DRAWN_MODEL, arm_colours

SKIN_SIZE = 512
ROOM_WIDTH, ROOM_HEIGHT, ROOM_FOCAL = 640, 480, 0.94     # the focal length as a part of the width
_SKINS, _ROOMS = 1, 2       # streams of random numbers


@dataclass(frozen=True)
class Skin:
    """Baked textures of a hand, those of the arm behind it, and the tone they were baked from."""
    textures: Textures
    arm: Textures
    tone: SkinTone


@dataclass(frozen=True)
class Wardrobe:
    """Skins first, then rooms, one a unit. seed: of both. backgrounds: a folder of photographs instead of rooms."""
    seed: int
    skins: int
    rooms: int
    backgrounds: Path | None = None
    step = 'piece'

    @property
    def unit_count(self) -> int:
        return self.skins + self.rooms

    def unit_name(self, unit: int) -> str:
        return f'wardrobe/skin-{unit:03d}.npz' if unit < self.skins else f'wardrobe/room-{unit - self.skins:03d}.npz'

    def unit_steps(self, _) -> int:
        return 1

    def open(self, _) -> Callable[[int, Callable[[], None]], bytes]:
        baker = SkinBaker(load_hand_model(DRAWN_MODEL), SKIN_SIZE)

        def make(unit: int, tick: Callable[[], None]) -> bytes:
            arrays = self._skin(baker, unit) if unit < self.skins else {'image': self._room(unit - self.skins)}
            tick()
            data = io.BytesIO()
            np.savez(data, **arrays)
            return data.getvalue()
        return make

    def _skin(self, baker: SkinBaker, number: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.seed, _SKINS, number])
        appearance = sample_appearance(rng, baker.model.shape_size)
        textures, tone = baker.bake(appearance.tone, appearance.skin_seed), appearance.tone
        arm = bare_skin(rng, *arm_colours(baker.model, textures))
        return {'albedo': textures.albedo, 'height_m': textures.height_m, 'arm': arm.albedo,
                'arm_height_m': arm.height_m, 'tone': np.array([tone.lightness, tone.a, tone.b])}

    def _room(self, number: int) -> np.ndarray:
        """(H, W, 3) uint8."""
        rng = np.random.default_rng([self.seed, _ROOMS, number])
        focal = ROOM_FOCAL * ROOM_WIDTH
        rig = CameraRig((Camera(ROOM_WIDTH, ROOM_HEIGHT, np.array(
            [[focal, 0, 0.5 * (ROOM_WIDTH - 1)], [0, focal, 0.5 * (ROOM_HEIGHT - 1)], [0, 0, 1]])),), np.eye(4)[None])
        if self.backgrounds is not None:
            backdrop, = photograph_backdrops(self.backgrounds, rig, rng)
        else:
            view = tuple(VIEWS)[number % len(VIEWS)]
            setting = sample_setting(view, rng)
            lighting = turned(sample_lighting(rng), setting.viewer_from_level)
            backdrop, = room_backdrops(view, rig, np.eye(4)[None], lighting, rng, setting)
        return backdrop.seen()

    def load_skin(self, folder: Path, number: int) -> Skin:
        """A skin from a workspace's folder."""
        with np.load(folder / self.unit_name(number)) as stored:
            return Skin(Textures(stored['albedo'], stored['height_m']), Textures(stored['arm'], stored['arm_height_m']),
                        SkinTone(*stored['tone'].tolist()))

    def load_room(self, folder: Path, number: int) -> np.ndarray:
        """(H, W, 3) uint8 from a workspace's folder."""
        with np.load(folder / self.unit_name(self.skins + number)) as stored:
            return stored['image']
