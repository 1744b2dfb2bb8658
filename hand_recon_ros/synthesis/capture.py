"""What a small camera does to the light: defocus, exposure, white balance, fall-off, noise."""
from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MIDDLE_GREY, EXPOSURE_RANGE = 132.0, (0.85, 1.4)


@dataclass(frozen=True)
class Capture:
    """blur_px: standard deviation of the lens and demosaicing. background_blur_px: of what lies far behind the hands.

    gain: exposure times white balance, (3,). falloff: darkening in the corners, 0..1. read_noise, shot_noise: of 0..255
    values, the latter per square root of the value.
    """
    blur_px: float = 0.55
    background_blur_px: float = 2.0
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    falloff: float = 0.10
    read_noise: float = 1.0
    shot_noise: float = 0.10

    def __post_init__(self):
        for name in ('blur_px', 'background_blur_px', 'falloff', 'read_noise', 'shot_noise'):
            if not 0.0 <= getattr(self, name) < 100.0:
                raise ValueError(f'{name}: {getattr(self, name)}, expected 0..100')


def sample_capture(rng: np.random.Generator, width: int, brightness: float) -> Capture:
    """A webcam of our days, its exposure set by the scene's mean brightness (0..255); blur scales with the image."""
    scale = width / 640
    tint = rng.uniform(0.92, 1.08)
    exposure = np.clip(MIDDLE_GREY / max(brightness, 1.0), *EXPOSURE_RANGE)
    gain = exposure * rng.uniform(0.94, 1.08) * np.array([tint, 1.0, 1 / tint])
    return Capture(scale * rng.uniform(0.45, 0.7), scale * rng.uniform(1.5, 3.5), tuple(gain), rng.uniform(0.03, 0.2),
                   rng.uniform(0.4, 1.2), rng.uniform(0.03, 0.11))


def captured(image: np.ndarray, capture: Capture, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 that the camera delivers of an ideal float image of 0..255."""
    height, width = image.shape[:2]
    image = cv2.GaussianBlur(image, (0, 0), capture.blur_px) if capture.blur_px > 0 else image
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * height / width
    fall = 1.0 - capture.falloff * (x * x + y * y) / (1 + (height / width) ** 2)
    image = image * (fall[..., None] * np.asarray(capture.gain, np.float32))
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    # Neighbouring pixels share noise after demosaicing; it is finer in brightness than in colour.
    noise = 0.75 * noise.mean(-1, keepdims=True) * np.sqrt(3.0) + 0.55 * cv2.GaussianBlur(noise, (0, 0), 0.9) * 2.0
    sigma = np.sqrt(capture.read_noise ** 2 + capture.shot_noise ** 2 * np.clip(image, 0, 255))
    return np.clip(np.round(image + noise * sigma), 0, 255).astype(np.uint8)
