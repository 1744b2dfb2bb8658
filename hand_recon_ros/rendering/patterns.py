"""Small building blocks of procedural textures: smooth noise, smooth steps, distances to drawn lines, CIE Lab."""
from __future__ import annotations

import numpy as np
from scipy.ndimage import map_coordinates

_D65 = np.array([0.95047, 1.0, 1.08883])
_XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def smooth_noise(points, scale, rng, cells: int = 48) -> np.ndarray:
    """Value noise of unit-variance lattice values over points (..., D); scale: the lattice spacing, one or (D,)."""
    lattice = rng.standard_normal((cells,) * points.shape[-1]).astype(np.float32)
    at = (np.asarray(points) / scale) % cells
    return map_coordinates(lattice, np.moveaxis(at, -1, 0), order=1, mode='grid-wrap')


def layered_noise(points, scale, rng, layers: int = 4) -> np.ndarray:
    """Sum of smooth noise, each layer half as coarse and half as strong as the one before."""
    return sum(smooth_noise(points, np.asarray(scale) / 2 ** k, rng) / 2 ** k for k in range(layers))


def smooth_step(x, low: float, high: float) -> np.ndarray:
    """0 below low, 1 above high, smooth between; low > high falls instead of rises."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def distance_to_polyline(points, line) -> tuple[np.ndarray, np.ndarray]:
    """Distance of points (..., 2) to a polyline (N, 2), and where along it (0..1). To its segments: a distance to
    sample points would show as a row of beads."""
    x, y = np.moveaxis(np.asarray(points, np.float32), -1, 0)
    best = np.full(x.shape, np.inf, np.float32)
    along = np.zeros_like(best)
    line = np.asarray(line, np.float32)
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    starts = np.concatenate([[0.0], np.cumsum(lengths)]).astype(np.float32)
    for a, step, start, length in zip(line[:-1], np.diff(line, axis=0), starts, lengths):
        dx, dy = x - a[0], y - a[1]
        t = np.clip((dx * step[0] + dy * step[1]) / max(length ** 2, np.float32(1e-20)), 0.0, 1.0)
        distance = (dx - t * step[0]) ** 2 + (dy - t * step[1]) ** 2
        nearer = distance < best
        np.copyto(best, distance, where=nearer)
        np.copyto(along, (start + t * length) / starts[-1], where=nearer)
    return np.sqrt(best), along


def lab_to_srgb(lightness, a, b) -> np.ndarray:
    """(..., 3) sRGB 0..1 of CIE L*a*b* (D65), clipped to the gamut."""
    fy = (np.asarray(lightness) + 16.0) / 116.0
    f = np.stack([fy + np.asarray(a) / 500.0, fy, fy - np.asarray(b) / 200.0], -1)
    xyz = _D65 * np.where(f > 6 / 29, f ** 3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    linear = np.clip(xyz @ _XYZ_TO_RGB.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
