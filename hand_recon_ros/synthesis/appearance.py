"""Who stands before the camera and in what light: skin, hand shape, clothes, lamps. All drawn from one seed."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.rendering.mesh_renderer import Light, Lighting
from hand_recon_ros.rendering.patterns import lab_to_srgb
from hand_recon_ros.rendering.skin import SkinTone
from hand_recon_ros.synthesis.materials import random_colour

# L*, a*, b* of six tones from light to dark (the back of the hand), between which people are sampled.
TONES = ((71.0, 8.5, 14.0), (66.0, 10.5, 16.5), (60.0, 12.0, 18.5), (52.0, 12.5, 19.0),
         (43.0, 11.5, 17.0), (35.0, 9.5, 13.5))
SHAPE_LIMIT = 2.0      # standard deviations


@dataclass(frozen=True)
class Appearance:
    """tone, skin_seed: the skin. shape: (B,) of the hand. sleeve_colour: (3,) sRGB. lighting: of room and hands."""
    tone: SkinTone
    skin_seed: int
    shape: np.ndarray
    sleeve_colour: np.ndarray
    lighting: Lighting


def sample_appearance(rng: np.random.Generator, shape_size: int) -> Appearance:
    """One person in one light."""
    place = rng.uniform(0, len(TONES) - 1)
    low = min(int(place), len(TONES) - 2)
    lab = np.array(TONES[low]) + (place - low) * (np.array(TONES[low + 1]) - np.array(TONES[low]))
    lab += rng.normal(0, (0.8, 0.7, 0.9))
    shape = np.clip(rng.normal(size=shape_size), -SHAPE_LIMIT, SHAPE_LIMIT).astype(np.float32)
    sleeve = random_colour(rng, (15, 75), (2, 30))
    return Appearance(SkinTone(*lab), int(rng.integers(2 ** 31)), shape, sleeve, sample_lighting(rng))


def sample_lighting(rng: np.random.Generator) -> Lighting:
    """A main light from above (window or lamp), a weaker one from the other side, and the room's bounce."""
    side = rng.choice([-1.0, 1.0])
    main = _toward(side * rng.uniform(0.2, 0.9), -rng.uniform(0.4, 1.0), -rng.uniform(0.35, 0.9))
    fill = _toward(-side * rng.uniform(0.5, 1.0), -rng.uniform(-0.1, 0.4), -rng.uniform(0.3, 0.8))
    warm, strength = rng.uniform(-1, 1), rng.uniform(0.80, 1.15)
    main_colour = strength * np.array([1.0 + 0.05 * warm, 1.0, 1.0 - 0.10 * warm])
    fill_colour = rng.uniform(0.15, 0.4) * strength * np.array([1.0 - 0.06 * warm, 1.0, 1.0 + 0.08 * warm])
    bounce = lab_to_srgb(75, rng.normal(0, 4), rng.normal(4, 6)) ** 2.2
    ambient = rng.uniform(0.45, 0.72)
    return Lighting((Light(main, tuple(main_colour)), Light(fill, tuple(fill_colour))), sky=tuple(ambient * bounce),
                    ground=tuple(0.55 * ambient * bounce), softness=float(rng.uniform(0.015, 0.07)))


def _toward(x: float, y: float, z: float) -> tuple[float, float, float]:
    direction = np.array([x, y, z])
    return tuple(direction / np.linalg.norm(direction))


def turned(lighting: Lighting, rotation) -> Lighting:
    """The same light in a frame turned by rotation (3, 3)."""
    rotation = np.asarray(rotation)
    lights = tuple(replace(light, direction=tuple(rotation @ light.direction)) for light in lighting.lights)
    return replace(lighting, lights=lights, up=tuple(rotation @ lighting.up))
