"""Procedural textures of things in rooms: plaster, wood, fabric, paper, pictures, books, keyboards, a window's view."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.rendering.patterns import (distance_to_polyline, lab_to_srgb, layered_noise, smooth_noise,
                                               smooth_step)
from hand_recon_ros.rendering.surface import Textures


def _grid(width: int, height: int) -> np.ndarray:
    """(height, width, 2): x to the right and y down, both in units of the texture's height."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([(x + 0.5) / height, (y + 0.5) / height], -1)


def textured(rgb, roughness: float = 1.0) -> Textures:
    """Textures of sRGB colours (S, T, 3) in 0..1, flat. roughness: 1 matt, 0 glossy."""
    alpha = np.full((*rgb.shape[:2], 1), roughness)
    albedo = np.round(255 * np.clip(np.concatenate([rgb, alpha], -1), 0, 1)).astype(np.uint8)
    return Textures(albedo, np.zeros((2, 2), np.float32))


def random_colour(rng, lightness=(25, 75), chroma=(5, 35)) -> np.ndarray:
    """One sRGB colour (3,) of an even hue."""
    hue, strength = rng.uniform(0, 2 * np.pi), rng.uniform(*chroma)
    return lab_to_srgb(rng.uniform(*lightness), strength * np.cos(hue), strength * np.sin(hue))


def plaster(rng, colour=None, size: int = 512) -> Textures:
    """A painted wall: brushed unevenly, lit unevenly, darker towards the corners and the floor."""
    colour = lab_to_srgb(rng.uniform(62, 90), rng.uniform(-5, 7), rng.uniform(-6, 16)) if colour is None else colour
    grid = _grid(size, size)
    shade = 1.0 + 0.02 * layered_noise(grid, 0.35, rng, 4) + 0.006 * smooth_noise(grid, 0.006, rng)
    shade *= 1.04 - 0.20 * (grid[..., 0] - rng.uniform(0.2, 0.8)) ** 2 - 0.10 * smooth_step(grid[..., 1], 0.4, 1.0)
    return textured(shade[..., None] * colour)


def wood(rng, size: int = 512) -> Textures:
    """Boards with bent grain, knots rarely."""
    grid = _grid(size, size)
    base = lab_to_srgb(rng.uniform(30, 72), rng.uniform(6, 15), rng.uniform(14, 30))
    board = np.floor(grid[..., 1] * rng.integers(3, 6))
    tone = rng.normal(0, 0.05, int(board.max()) + 1)[board.astype(int)]
    bend = 0.05 * smooth_noise(grid, np.array([0.5, 0.12]), rng) + 0.13 * board
    wobble = 1.5 * smooth_noise(grid, np.array([0.3, 0.02]), rng)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (grid[..., 1] + bend) * 22 + wobble)
    fibre = smooth_noise(grid, np.array([0.16, 0.003]), rng)
    seam = smooth_step(np.abs((grid[..., 1] * (board.max() + 1)) % 1 - 0.5), 0.488, 0.5)
    shade = 1.0 + tone - 0.16 * rings ** 2 + 0.05 * fibre - 0.45 * seam
    return textured(shade[..., None] * base, 0.75)


def fabric(rng, colour=None, size: int = 256) -> Textures:
    """A weave with creases; sometimes striped."""
    colour = random_colour(rng, (18, 70), (2, 30)) if colour is None else colour
    grid = _grid(size, size)
    weave = np.sin(2 * np.pi * grid[..., 0] * 64) * np.sin(2 * np.pi * grid[..., 1] * 64)
    shade = 1.0 + 0.05 * weave + 0.07 * layered_noise(grid, 0.2, rng, 4)
    if rng.random() < 0.3:
        shade -= 0.22 * smooth_step(np.sin(2 * np.pi * grid[..., 1] * rng.integers(4, 10)), 0.5, 0.7)
    return textured(shade[..., None] * colour)


def paint(rng, colour=None) -> Textures:
    """One colour with faint wear."""
    colour = random_colour(rng) if colour is None else np.asarray(colour)
    grid = _grid(128, 128)
    return textured((1.0 + 0.03 * layered_noise(grid, 0.3, rng, 4))[..., None] * colour, 0.8)


def picture(rng, size: int = 256) -> Textures:
    """A framed print: hills under a sky, or overlapping shapes, on a mount."""
    grid = _grid(size, size)
    if rng.random() < 0.5:
        rgb = lab_to_srgb(80 - 25 * grid[..., 1], 2 + 0 * grid[..., 1], rng.uniform(-25, 15) * (1 - grid[..., 1]))
        for k in range(4):
            ridge = 0.42 + 0.13 * k + 0.07 * layered_noise(grid[:1] * [1, 0] + [0, k * 3.0], 0.22, rng, 4)
            hill = random_colour(rng, (60 - 13 * k, 66 - 13 * k), (8, 25))
            rgb = np.where((grid[..., 1] > ridge)[..., None], hill, rgb)
    else:
        rgb = np.broadcast_to(random_colour(rng, (70, 90), (3, 15)), (size, size, 3))
        for _ in range(9):
            centre, radius = rng.uniform(0.15, 0.85, 2), rng.uniform(0.05, 0.3)
            away = np.abs(grid - centre)
            inside = (away.max(-1) if rng.random() < 0.4 else np.linalg.norm(away, axis=-1)) < radius
            rgb = np.where(inside[..., None], 0.8 * random_colour(rng, (20, 80), (10, 45)) + 0.2 * rgb, rgb)
    border = np.minimum(np.minimum(grid, 1 - grid)[..., 0], np.minimum(grid, 1 - grid)[..., 1])
    rgb = np.where((border < 0.11)[..., None], np.array([0.92, 0.91, 0.88]), rgb)
    return textured(np.where((border < 0.035)[..., None], random_colour(rng, (10, 40), (0, 15)), rgb), 0.85)


def book_row(rng, width: int = 512, height: int = 192) -> Textures:
    """Spines side by side, of different heights, some with a title band; dark above them."""
    rgb = np.full((height, width, 3), 0.05, np.float32)
    x = 0
    while x < width:
        thick, top = int(rng.integers(10, 32)), int(rng.uniform(0.02, 0.28) * height)
        colour = random_colour(rng, (15, 80), (5, 40))
        round_back = 0.75 + 0.25 * np.sin(np.pi * (np.arange(thick) + 0.5) / thick)
        spine = round_back[None, :, None] * colour
        rgb[top:, x:x + thick] = spine[:, :width - x]
        if rng.random() < 0.7:
            low = top + int(rng.uniform(0.1, 0.5) * (height - top))
            rgb[low:low + int(rng.integers(6, 40)), x + 2:x + thick - 2] = random_colour(rng, (30, 95), (5, 40))
        x += thick
    return textured(rgb, 0.9)


def paper(rng, size: int = 256) -> Textures:
    """A sheet with lines of writing or print."""
    grid = _grid(size, size)
    rgb = np.broadcast_to(np.array([0.93, 0.92, 0.89]), (size, size, 3)).copy()
    rows = int(rng.integers(16, 30))
    row = np.floor(grid[..., 1] * rows).astype(int)
    ends = rng.uniform(0.55, 0.92, rows) * (rng.random(rows) > 0.12)
    words = smooth_noise(np.stack([grid[..., 0], row * 7.0], -1), np.array([0.035, 1.0]), rng) > -0.5
    letters = smooth_noise(np.stack([grid[..., 0], grid[..., 1]], -1), 0.008, rng) > -0.2
    middle = np.abs(grid[..., 1] * rows - row - 0.5) < 0.24
    ink = words & letters & middle & (grid[..., 0] > 0.08) & (grid[..., 0] < ends[row])
    rgb[ink] = random_colour(rng, (12, 35), (0, 25))
    return textured(rgb)


def keyboard(rng, width: int = 512, height: int = 176) -> Textures:
    """Rows of shifted keys on a dark or a light case."""
    grid = _grid(width, height)
    dark = rng.random() < 0.6
    case, key = (0.10, 0.17) if dark else (0.72, 0.86)
    row = np.clip(np.floor((grid[..., 1] - 0.05) / 0.18), 0, 4)
    x, y = grid[..., 0] / 0.19 + 0.27 * row, (grid[..., 1] - 0.05) / 0.18
    top = (np.abs(x % 1 - 0.5) < 0.43) & (np.abs(y % 1 - 0.5) < 0.42) & (y > 0) & (y < 5)
    legend = (np.abs(x % 1 - 0.35) < 0.10) & (np.abs(y % 1 - 0.4) < 0.12) & (smooth_noise(grid, 0.02, rng) > -0.3) & top
    rgb = np.where(top, key, case)[..., None] * np.ones(3)
    return textured(np.where(legend[..., None], 0.7 if dark else 0.25, rgb), 0.8)


def window_view(rng, size: int = 256) -> Textures:
    """Bright sky over trees and roofs, behind a cross of frame."""
    grid = _grid(size, size)
    cloud = smooth_step(layered_noise(grid, 0.4, rng, 5), -0.3, 1.0)
    rgb = lab_to_srgb(88 + 9 * cloud, -4 + 4 * cloud, -14 + 14 * cloud)
    tops = 0.66 + 0.08 * layered_noise(grid[:1] * [1, 0], 0.25, rng, 5)
    leaves = lab_to_srgb(48 + 9 * layered_noise(grid, 0.06, rng, 4), -16 + 0 * cloud, 22 + 0 * cloud)
    rgb = np.where((grid[..., 1] > tops)[..., None], leaves, rgb)
    frame = np.minimum(np.abs(grid[..., 0] - 0.5) * 1.6, np.minimum(grid, 1 - grid).min(-1)) < 0.035
    return textured(np.where(frame[..., None], 0.88, rgb), 0.9)


def cable(rng, colour, size: int = 256) -> Textures:
    """A desk mat with a curved line on it (a cable, a seam)."""
    grid = _grid(size, size)
    line = np.stack([np.linspace(0, 1, 16), 0.5 + 0.25 * np.cumsum(rng.normal(0, 0.3, 16)) / 4], 1)
    distance, _ = distance_to_polyline(grid, line)
    shade = 1.0 + 0.05 * layered_noise(grid, 0.05, rng, 3) - 0.5 * smooth_step(distance, 0.014, 0.008)
    return textured(shade[..., None] * colour)
