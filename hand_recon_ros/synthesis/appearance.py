"""Who stands before the camera and in what light: skin, hand shape, clothes, lamps. All drawn from one seed."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.rendering.mesh_renderer import Light, Lighting
from hand_recon_ros.rendering.patterns import lab_to_srgb
from hand_recon_ros.rendering.skin import SkinTone
from hand_recon_ros.synthesis.materials import random_colour
from hand_recon_ros.synthesis.skin_tones import sample_tone

SHAPE_LIMIT = 2.0      # standard deviations
# Where a sleeve ends, as a part of the modelled forearm behind the wrist, and how often the arm is bare.
CUFFS, BARE_ARMS = (0.10, 0.80), 0.35
LIGHTS = ('window', 'lamp', 'ceiling', 'dim', 'backlit', 'two_lamps')
LIGHT_SHARES = (0.30, 0.18, 0.22, 0.10, 0.08, 0.12)


@dataclass(frozen=True)
class Appearance:
    """tone, skin_seed: the skin. shape: (B,) of the hand. sleeve_colour: (3,) sRGB. cuff: where the sleeve ends, as a
    part of the modelled forearm behind the wrist, None of a bare arm. lighting: of room and hands."""
    tone: SkinTone
    skin_seed: int
    shape: np.ndarray
    sleeve_colour: np.ndarray
    lighting: Lighting
    cuff: float | None = 0.6

    @property
    def skin_rgb(self) -> np.ndarray:
        """(3,) sRGB 0..1 of the tone."""
        return lab_to_srgb(self.tone.lightness, self.tone.a, self.tone.b)


def sample_appearance(rng: np.random.Generator, shape_size: int) -> Appearance:
    """One person in one light."""
    tone = SkinTone(*sample_tone(rng))
    shape = np.clip(rng.normal(size=shape_size), -SHAPE_LIMIT, SHAPE_LIMIT).astype(np.float32)
    sleeve = random_colour(rng, (12, 82), (2, 38))
    cuff = None if rng.random() < BARE_ARMS else float(rng.uniform(*CUFFS))
    return Appearance(tone, int(rng.integers(2 ** 31)), shape, sleeve, sample_lighting(rng), cuff)


def sample_lighting(rng: np.random.Generator, kind: str | None = None) -> Lighting:
    """Light as it falls indoors, in a level optical frame; kind: one of LIGHTS, None for any."""
    kind = rng.choice(LIGHTS, p=LIGHT_SHARES) if kind is None else kind
    if kind not in LIGHTS:
        raise ValueError(f'kind: {kind!r}, expected one of {", ".join(LIGHTS)}')
    side = rng.choice([-1.0, 1.0])
    warm, strength = rng.normal(0, 0.5), rng.uniform(0.80, 1.15)
    ambient, softness, fill_part = rng.uniform(0.42, 0.68), rng.uniform(0.02, 0.07), rng.uniform(0.15, 0.4)
    main = (side * rng.uniform(0.2, 0.9), -rng.uniform(0.4, 1.0), -rng.uniform(0.35, 0.9))
    fill = (-side * rng.uniform(0.5, 1.0), -rng.uniform(-0.1, 0.4), -rng.uniform(0.3, 0.8))
    if kind == 'window':
        main = (side * rng.uniform(0.7, 1.0), -rng.uniform(0.15, 0.6), -rng.uniform(0.1, 0.7))
        warm, softness = rng.normal(-0.5, 0.5), rng.uniform(0.04, 0.10)
    elif kind == 'lamp':
        warm, ambient, softness = rng.uniform(1.2, 3.0), rng.uniform(0.24, 0.45), rng.uniform(0.012, 0.04)
    elif kind == 'ceiling':
        main = (side * rng.uniform(0.0, 0.4), -1.0, -rng.uniform(0.0, 0.5))
        warm, ambient, softness = rng.normal(-0.3, 0.8), rng.uniform(0.55, 0.78), rng.uniform(0.06, 0.12)
    elif kind == 'dim':
        part = rng.uniform(0.35, 0.6)
        warm, strength, ambient = rng.normal(0.8, 1.0), part * strength, part * ambient
    elif kind == 'backlit':
        main = (side * rng.uniform(0.3, 0.9), -rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.8))
        ambient = rng.uniform(0.32, 0.5)
    main_colour = strength * _warmth(warm)
    fill_colour = fill_part * strength * _warmth(-0.6 * warm if kind != 'two_lamps' else rng.normal(0, 1.5))
    if kind == 'two_lamps':
        fill_colour *= 2.0
    bounce = lab_to_srgb(75, rng.normal(0, 4), rng.normal(4, 6)) ** 2.2 * _warmth(0.4 * warm)
    return Lighting((Light(_unit(main), tuple(main_colour)),
                     Light(_unit(fill), tuple(fill_colour), casts_shadow=kind == 'two_lamps')),
                    sky=tuple(ambient * bounce), ground=tuple(0.55 * ambient * bounce), softness=float(softness))


def turned(lighting: Lighting, rotation) -> Lighting:
    """The same light in a frame turned by rotation (3, 3)."""
    rotation = np.asarray(rotation)
    lights = tuple(replace(light, direction=tuple(rotation @ light.direction)) for light in lighting.lights)
    return replace(lighting, lights=lights, up=tuple(rotation @ lighting.up))


def _warmth(amount: float) -> np.ndarray:
    """(3,) linear colour of a lamp; 0 neutral, 3 a bulb, -1.5 the sky."""
    return np.array([1.0 + 0.06 * amount, 1.0, max(1.0 - 0.13 * amount, 0.3)])


def _unit(direction) -> tuple[float, float, float]:
    direction = np.array(direction, float)
    return tuple(direction / np.linalg.norm(direction))
