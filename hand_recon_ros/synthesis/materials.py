"""Procedural textures of things in rooms: plaster, wood, fabric, paper, pictures, books, keyboards, a window's view."""
from __future__ import annotations

import cv2
import numpy as np

from hand_recon_ros.rendering.patterns import distance_to_polyline, lab_to_srgb, smooth_step
from hand_recon_ros.rendering.surface import Textures


def _grid(width: int, height: int) -> np.ndarray:
    """(height, width, 2): x to the right and y down, both in units of the texture's height."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.stack([(x + 0.5) / height, (y + 0.5) / height], -1)


def _noise(grid: np.ndarray, scale, rng) -> np.ndarray:
    """Smooth noise over a _grid: lattice values of unit variance `scale` apart (one or (2,)), linear between them."""
    height, width = grid.shape[:2]
    step = np.broadcast_to(np.asarray(scale, float), 2) * height     # pixels a cell, x and y
    cells = np.maximum(np.ceil(np.array([width, height]) / step).astype(int) + 2, 2)
    cells = np.minimum(cells, [width + 2, height + 2])
    lattice = rng.standard_normal((cells[1], cells[0]), dtype=np.float32)
    shift = rng.random(2)
    step = np.maximum(step, 1.0)
    matrix = np.array([[1 / step[0], 0, shift[0]], [0, 1 / step[1], shift[1]]])
    return cv2.warpAffine(lattice, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REFLECT_101)


def _layered(grid: np.ndarray, scale, rng, layers: int = 4) -> np.ndarray:
    """Sum of smooth noise, each layer half as coarse and half as strong as the one before."""
    return sum(_noise(grid, np.asarray(scale) / 2 ** k, rng) / 2 ** k for k in range(layers))


def _profile(grid: np.ndarray, scale: float, rng, layers: int = 4) -> np.ndarray:
    """(1, width): layered noise along x only."""
    return _layered(grid, np.array([scale, 1e3]), rng, layers)[:1]


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
    shade = 1.0 + 0.02 * _layered(grid, 0.35, rng, 4) + 0.006 * _noise(grid, 0.006, rng)
    shade *= 1.04 - 0.20 * (grid[..., 0] - rng.uniform(0.2, 0.8)) ** 2 - 0.10 * smooth_step(grid[..., 1], 0.4, 1.0)
    return textured(shade[..., None] * colour)


def wood(rng, size: int = 512) -> Textures:
    """Boards with bent grain, knots rarely."""
    grid = _grid(size, size)
    base = lab_to_srgb(rng.uniform(30, 72), rng.uniform(6, 15), rng.uniform(14, 30))
    board = np.floor(grid[..., 1] * rng.integers(3, 6))
    tone = rng.normal(0, 0.05, int(board.max()) + 1)[board.astype(int)]
    bend = 0.05 * _noise(grid, np.array([0.5, 0.12]), rng) + 0.13 * board
    wobble = 1.5 * _noise(grid, np.array([0.3, 0.02]), rng)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (grid[..., 1] + bend) * 22 + wobble)
    fibre = _noise(grid, np.array([0.16, 0.003]), rng)
    seam = smooth_step(np.abs((grid[..., 1] * (board.max() + 1)) % 1 - 0.5), 0.488, 0.5)
    shade = 1.0 + tone - 0.16 * rings ** 2 + 0.05 * fibre - 0.45 * seam
    return textured(shade[..., None] * base, 0.75)


def fabric(rng, colour=None, size: int = 256) -> Textures:
    """A weave with creases; sometimes striped."""
    colour = random_colour(rng, (18, 70), (2, 30)) if colour is None else colour
    grid = _grid(size, size)
    weave = np.sin(2 * np.pi * grid[..., 0] * 64) * np.sin(2 * np.pi * grid[..., 1] * 64)
    shade = 1.0 + 0.05 * weave + 0.07 * _layered(grid, 0.2, rng, 4)
    if rng.random() < 0.3:
        shade -= 0.22 * smooth_step(np.sin(2 * np.pi * grid[..., 1] * rng.integers(4, 10)), 0.5, 0.7)
    return textured(shade[..., None] * colour)


def paint(rng, colour=None) -> Textures:
    """One colour with faint wear."""
    colour = random_colour(rng) if colour is None else np.asarray(colour)
    grid = _grid(128, 128)
    return textured((1.0 + 0.03 * _layered(grid, 0.3, rng, 4))[..., None] * colour, 0.8)


def picture(rng, size: int = 256) -> Textures:
    """A framed print: hills under a sky, or overlapping shapes, on a mount."""
    grid = _grid(size, size)
    if rng.random() < 0.5:
        rgb = lab_to_srgb(80 - 25 * grid[..., 1], 2 + 0 * grid[..., 1], rng.uniform(-25, 15) * (1 - grid[..., 1]))
        for k in range(4):
            ridge = 0.42 + 0.13 * k + 0.07 * _profile(grid, 0.22, rng)
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
    words = _noise(grid, np.array([0.035, 1.0 / rows]), rng) > -0.5
    letters = _noise(grid, 0.008, rng) > -0.2
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
    legend = (np.abs(x % 1 - 0.35) < 0.10) & (np.abs(y % 1 - 0.4) < 0.12) & (_noise(grid, 0.02, rng) > -0.3) & top
    rgb = np.where(top, key, case)[..., None] * np.ones(3)
    return textured(np.where(legend[..., None], 0.7 if dark else 0.25, rgb), 0.8)


def window_view(rng, size: int = 256) -> Textures:
    """Bright sky over trees and roofs, behind a cross of frame."""
    grid = _grid(size, size)
    cloud = smooth_step(_layered(grid, 0.4, rng, 5), -0.3, 1.0)
    rgb = lab_to_srgb(88 + 9 * cloud, -4 + 4 * cloud, -14 + 14 * cloud)
    tops = 0.66 + 0.08 * _profile(grid, 0.25, rng, 5)
    leaves = lab_to_srgb(48 + 9 * _layered(grid, 0.06, rng, 4), -16 + 0 * cloud, 22 + 0 * cloud)
    rgb = np.where((grid[..., 1] > tops)[..., None], leaves, rgb)
    frame = np.minimum(np.abs(grid[..., 0] - 0.5) * 1.6, np.minimum(grid, 1 - grid).min(-1)) < 0.035
    return textured(np.where(frame[..., None], 0.88, rgb), 0.9)


def cable(rng, colour, size: int = 256) -> Textures:
    """A desk mat with a curved line on it (a cable, a seam)."""
    grid = _grid(size, size)
    line = np.stack([np.linspace(0, 1, 16), 0.5 + 0.25 * np.cumsum(rng.normal(0, 0.3, 16)) / 4], 1)
    distance, _ = distance_to_polyline(grid, line)
    shade = 1.0 + 0.05 * _layered(grid, 0.05, rng, 3) - 0.5 * smooth_step(distance, 0.014, 0.008)
    return textured(shade[..., None] * colour)


def laminate(rng, size: int = 256) -> Textures:
    """A plain or speckled table top, white, grey, black or coloured."""
    grid = _grid(size, size)
    colour = random_colour(rng, (15, 94), (0, 8) if rng.random() < 0.8 else (10, 35))
    speckle = 0.05 * (_noise(grid, 0.008, rng) > 1.3) * rng.choice([-1.0, 0.0, 1.0])
    return textured((1.0 + 0.015 * _layered(grid, 0.3, rng) + speckle)[..., None] * colour, rng.uniform(0.4, 0.9))


def tiles(rng, size: int = 384) -> Textures:
    """Square or running tiles with joints, every one a little different."""
    grid = _grid(size, size)
    rows, stretch = int(rng.integers(4, 10)), rng.choice([1.0, 2.0])
    y = grid[..., 1] * rows
    x = grid[..., 0] * rows / stretch + 0.5 * (np.floor(y) % 2) * rng.integers(0, 2)
    tone = rng.normal(0, 0.04, (rows + 1, 2 * rows + 2))[np.floor(y).astype(int), np.floor(x).astype(int)]
    edge = np.maximum(smooth_step(np.abs(x % 1 - 0.5), 0.48, 0.495), smooth_step(np.abs(y % 1 - 0.5), 0.47, 0.49))
    colour = random_colour(rng, (35, 92), (0, 22))
    shade = 1.0 + tone + 0.03 * _layered(grid, 0.1, rng) - rng.uniform(0.1, 0.5) * edge
    return textured(shade[..., None] * colour, 0.6)


def wallpaper(rng, size: int = 256) -> Textures:
    """Stripes or a repeated motif."""
    grid = _grid(size, size)
    base, second = random_colour(rng, (55, 90), (3, 25)), random_colour(rng, (40, 90), (3, 30))
    count = int(rng.integers(5, 14))
    if rng.random() < 0.5:
        mix = smooth_step(np.sin(2 * np.pi * grid[..., 0] * count), -0.1, 0.1)
    else:
        cell = (grid * count) % 1 - 0.5
        mix = smooth_step(np.linalg.norm(cell * rng.uniform(0.7, 1.4, 2), axis=-1), 0.34, 0.28)
    rgb = base + mix[..., None] * (second - base)
    return textured((1.0 + 0.02 * _layered(grid, 0.3, rng))[..., None] * rgb)


def clutter(rng, width: int = 256, height: int = 256, shapes: int = 40) -> Textures:
    """A jumble: overlapping patches, discs, bars and streaks of any colour, on a gradient."""
    return textured(jumble(rng, width, height, shapes), 0.85)


def jumble(rng, width: int, height: int, shapes: int = 60) -> np.ndarray:
    """(height, width, 3) float32 sRGB 0..1 of `clutter`."""
    grid = _grid(width, height)
    low, high = random_colour(rng, (15, 90), (0, 45)), random_colour(rng, (15, 90), (0, 45))
    turn = rng.uniform(0, 2 * np.pi)
    way = grid @ np.array([np.cos(turn), np.sin(turn)])
    way = (way - way.min()) / (way.max() - way.min())
    rgb = (low + way[..., None] * (high - low)).astype(np.float32)
    for _ in range(shapes):
        colour = tuple(float(v) for v in random_colour(rng, (5, 95), (0, 60)))
        centre, size = rng.uniform(0, 1, 2) * (width, height), height * np.exp(rng.uniform(np.log(0.01), np.log(0.3)))
        kind = rng.integers(4)
        at = tuple(int(v) for v in centre)
        if kind == 0:
            cv2.ellipse(rgb, at, (max(1, int(size)), max(1, int(size * rng.uniform(0.3, 1)))), rng.uniform(0, 180), 0,
                        360, colour, -1, cv2.LINE_AA)
        elif kind == 1:
            corners = cv2.boxPoints((tuple(centre), (size * rng.uniform(0.3, 3), size), rng.uniform(0, 180)))
            cv2.fillPoly(rgb, [corners.astype(np.int32)], colour, cv2.LINE_AA)
        elif kind == 2:
            points = centre + np.cumsum(rng.normal(0, 0.5 * size + 4, (8, 2)), 0)
            cv2.polylines(rgb, [points.astype(np.int32)], False, colour, max(1, int(0.08 * size)), cv2.LINE_AA)
        else:
            points = centre + size * rng.normal(0, 0.6, (5, 2))
            cv2.fillPoly(rgb, [points.astype(np.int32)], colour, cv2.LINE_AA)
    rgb *= (1.0 + 0.10 * _layered(grid, 0.25, rng) + 0.03 * _noise(grid, 0.006, rng))[..., None]
    return np.clip(rgb, 0, 1)


def hair_colour(rng, skin_rgb) -> np.ndarray:
    """(3,) sRGB: mostly black and brown, now and then fair or red where the skin is light, or grey."""
    kind = rng.random()
    if kind < 0.75 or (kind < 0.9 and np.mean(skin_rgb) < 0.55):
        return lab_to_srgb(rng.uniform(6, 30), rng.uniform(1, 7), rng.uniform(1, 11))
    return lab_to_srgb(rng.uniform(45, 70), rng.uniform(1, 12), rng.uniform(3, 28)) if kind < 0.9 else np.full(3, 0.6)


def face(rng, skin_rgb, width: int = 256, height: int = 128) -> Textures:
    """Skin of a head whose face is in the texture's middle: eyes, brows, nose and mouth as blurred traces."""
    rgb = np.ones((height, width, 3), np.float32) * np.asarray(skin_rgb, np.float32)
    middle, dark = 0.5 * width, tuple(float(v) for v in 0.25 * np.asarray(skin_rgb))
    lips = tuple(float(v) for v in np.asarray(skin_rgb) * (0.85, 0.58, 0.58))
    brow = tuple(float(v) for v in hair_colour(rng, skin_rgb))
    for side in (-1, 1):
        x = int(middle + side * 0.055 * width)
        cv2.ellipse(rgb, (x, int(0.47 * height)), (6, 3), 0, 0, 360, (0.85, 0.84, 0.82), -1, cv2.LINE_AA)
        cv2.circle(rgb, (x, int(0.47 * height)), 3, dark, -1, cv2.LINE_AA)
        cv2.line(rgb, (x - 8, int(0.405 * height)), (x + 8, int(0.405 * height)), brow, 2, cv2.LINE_AA)
        cv2.circle(rgb, (int(middle + side * 4), int(0.60 * height)), 2, dark, -1, cv2.LINE_AA)
    cv2.ellipse(rgb, (int(middle), int(0.70 * height)), (11, 3), 0, 0, 360, lips, -1, cv2.LINE_AA)
    rgb = cv2.GaussianBlur(rgb, (0, 0), 1.2)
    grid = _grid(width, height)
    return textured(rgb * (1.0 + 0.03 * _layered(grid, 0.2, rng))[..., None], 0.9)


def bare_skin(rng, back_rgb, palm_rgb, size: int = 128) -> Textures:
    """An arm's skin by the colours (3,) sRGB of its back (a quarter around it) and of its inside, opposite."""
    grid = _grid(size, size)
    inside = smooth_step(-np.sin(2 * np.pi * grid[..., 0]), -0.5, 0.6)[..., None]
    shade = 1.0 + 0.015 * _layered(grid, 0.25, rng) + 0.008 * _noise(grid, 0.01, rng)
    return textured(shade[..., None] * ((1 - inside) * np.asarray(back_rgb) + inside * np.asarray(palm_rgb)))
