"""What a small camera does to the light: blur, motion blur, exposure, white balance, fall-off, noise, compression."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

MIDDLE_GREY, EXPOSURE_RANGE = 132.0, (0.7, 1.7)
HIGHLIGHT = 228             # the value up to which skin is exposed
CURVE_GREY = 120.0          # which a tone curve leaves as it is
NOISE_SIDE = 1024           # of the square of noise that is laid, shifted and flipped, over every image


@dataclass(frozen=True)
class Capture:
    """blur_px: standard deviation of the lens and demosaicing. background_blur_px: of what lies far behind the hands.

    gain: exposure times white balance, (3,). falloff: darkening in the corners, 0..1. read_noise, shot_noise: of 0..255
    values, the latter per square root of the value. shutter_s: how long a frame is exposed, 0 freezes all motion.
    jpeg_quality: of the camera's own compression, None for none. contrast: of its tone curve, about grey.
    """
    blur_px: float = 0.55
    background_blur_px: float = 2.0
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    falloff: float = 0.10
    read_noise: float = 1.0
    shot_noise: float = 0.10
    shutter_s: float = 0.0
    jpeg_quality: int | None = None
    contrast: float = 1.0

    def __post_init__(self):
        for name in ('blur_px', 'background_blur_px', 'falloff', 'read_noise', 'shot_noise', 'shutter_s'):
            if not 0.0 <= getattr(self, name) < 100.0:
                raise ValueError(f'{name}: {getattr(self, name)}, expected 0..100')
        if not 0.2 <= self.contrast <= 5.0:
            raise ValueError(f'contrast: {self.contrast}, expected 0.2 to 5')
        if self.jpeg_quality is not None and not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f'jpeg_quality: {self.jpeg_quality}, expected 1 to 100')


def sample_capture(rng: np.random.Generator, width: int, brightness: float, brightest: float = 0.0,
                   wild: bool = False) -> Capture:
    """A webcam of our days, its exposure set by the scene's mean brightness (0..255); blur scales with the image.

    brightest: of the hands, which are not overexposed by much. In little light the gain rises, and noise and exposure
    time with it. wild: phones and old webcams too: blurred,
    noisy, off in colour, compressed hard.
    """
    scale, spread = width / 640, 2.2 if wild else 1.0
    tint = np.exp(spread * rng.normal(0, 0.05))
    exposure = np.clip(MIDDLE_GREY / max(brightness, 1.0), *EXPOSURE_RANGE)
    limit = (255 if wild else HIGHLIGHT) / max(brightest, 1.0)
    exposure = min(exposure * np.exp(spread * rng.normal(0, 0.07)), limit)
    gain = exposure * np.array([tint, 1.0, 1 / tint])
    noisy = max(exposure, 1.0) ** 2 * rng.uniform(1.0, spread)
    shutter = rng.uniform(0.002, 0.012) * max(exposure, 1.0) * spread if rng.random() < 0.5 else 0.0
    blur = scale * rng.uniform(0.40, 0.70) * (rng.uniform(1.0, 2.2) if wild else 1.0)
    quality = int(rng.integers(35, 90)) if wild else None
    # Small sensors focus deep: what is behind is seldom much out of focus.
    background_blur = scale * (0.2 + 2.4 * rng.random() ** 2)
    return Capture(float(blur), float(background_blur), tuple(gain), float(rng.uniform(0.03, 0.2)),
                   float(noisy * rng.uniform(0.4, 1.2)), float(noisy * rng.uniform(0.03, 0.11)), float(shutter),
                   quality, float(rng.uniform(0.95, 1.3)))


def smeared(layer: np.ndarray, move_px: np.ndarray, box: tuple[int, int, int, int]) -> None:
    """Smear a premultiplied layer (H, W, 4) uint8, in place, within a box (left, top, right, bottom) by a move (2,)."""
    length = float(np.linalg.norm(move_px))
    height, width = layer.shape[:2]
    left, top, right, bottom = (int(np.clip(v, 0, limit)) for v, limit in zip(box, (width, height, width, height)))
    if length < 0.7 or right - left < 2 or bottom - top < 2:
        return
    steps = int(np.ceil(length)) | 1
    reach = int(np.ceil(0.5 * length)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for t in np.linspace(-0.5, 0.5, 2 * steps + 1):
        x, y = reach + t * move_px
        i, j = int(np.floor(x)), int(np.floor(y))
        for a, wa in ((i, 1 - (x - i)), (i + 1, x - i)):
            for b, wb in ((j, 1 - (y - j)), (j + 1, y - j)):
                if wa * wb > 0:
                    kernel[b, a] += wa * wb
    part = layer[top:bottom, left:right]
    part[:] = cv2.filter2D(part, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=1)
def _noise() -> np.ndarray:
    """(NOISE_SIDE, NOISE_SIDE, 3) float32 of unit variance. Neighbouring pixels share noise after demosaicing; it is
    finer in brightness than in colour."""
    noise = np.random.default_rng(20230117).standard_normal((NOISE_SIDE, NOISE_SIDE, 3), dtype=np.float32)
    return 0.75 * noise.mean(-1, keepdims=True) * np.sqrt(3.0) + 0.55 * cv2.GaussianBlur(noise, (0, 0), 0.9) * 2.0


@lru_cache(maxsize=8)
def _falloff(width: int, height: int) -> np.ndarray:
    """(H, W, 1) float32: squared distance from the middle, 1 in the corners."""
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(height / width)
    return ((x * x + y * y) / np.float32(1 + (height / width) ** 2))[..., None]


def captured(image: np.ndarray, capture: Capture, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 that the camera delivers of an ideal float image of 0..255."""
    height, width = image.shape[:2]
    image = np.asarray(image, np.float32)
    image = cv2.GaussianBlur(image, (0, 0), capture.blur_px) if capture.blur_px > 0 else image
    image = image * ((1.0 - np.float32(capture.falloff) * _falloff(width, height)) * np.float32(capture.gain))
    if capture.contrast != 1.0:
        image -= np.float32(CURVE_GREY)
        image *= np.float32(capture.contrast)
        image += np.float32(CURVE_GREY)
    if capture.read_noise > 0 or capture.shot_noise > 0:
        tile = _noise()
        tile = tile[::rng.choice([-1, 1]), ::rng.choice([-1, 1])]
        if width < NOISE_SIDE and height < NOISE_SIDE:
            x, y = rng.integers(NOISE_SIDE - width + 1), rng.integers(NOISE_SIDE - height + 1)
            tile = tile[y:y + height, x:x + width]
        else:
            rows, columns = np.arange(height) + rng.integers(NOISE_SIDE), np.arange(width) + rng.integers(NOISE_SIDE)
            tile = tile[(rows % NOISE_SIDE)[:, None], columns % NOISE_SIDE]
        sigma = np.clip(image, 0.0, 255.0)
        sigma *= np.float32(capture.shot_noise ** 2)
        sigma += np.float32(capture.read_noise ** 2)
        np.sqrt(sigma, out=sigma)
        sigma *= tile
        image += sigma
    np.rint(image, out=image)
    out = np.clip(image, 0.0, 255.0, out=image).astype(np.uint8)
    if capture.jpeg_quality is None:
        return out
    _, coded = cv2.imencode('.jpg', np.ascontiguousarray(out[..., ::-1]), (cv2.IMWRITE_JPEG_QUALITY,
                                                                          capture.jpeg_quality))
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])
