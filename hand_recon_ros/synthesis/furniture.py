"""Rooms as a camera on a desk sees them behind a person: walls, furniture, plants, and the person. Level frame of the
viewer: x right, y down, z ahead."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.solids import Solid, box, cylinder, ellipsoid


def plant(rng, base, height: float) -> list[Solid]:
    """A pot with a bush of bent leaves."""
    pot = cylinder(0.07, 0.13, base, materials.paint(rng, materials.random_colour(rng, (40, 70), (10, 35))), 0.09)
    leaf_colour = materials.lab_to_srgb(rng.uniform(28, 48), rng.uniform(-26, -12), rng.uniform(14, 30))
    vertices, faces = [], []
    for _ in range(70):
        turn, lean, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 1.2), height * rng.uniform(0.5, 1.0)
        outward = np.array([np.cos(turn), 0, np.sin(turn)])
        sideways = np.cross(outward, [0, 1, 0]) * length * 0.12
        t = np.linspace(0, 1, 5)[:, None]
        spine = length * (t * np.cos(lean) * [[0, -1, 0]] + t ** 1.6 * np.sin(lean) * outward)
        width = np.sin(np.pi * (0.12 + 0.88 * t))
        first = 10 * len(vertices)
        vertices.append(np.concatenate([spine - width * sideways, spine + width * sideways]))
        for k in range(4):
            faces += [[first + k, first + k + 1, first + 5 + k], [first + k + 1, first + 6 + k, first + 5 + k]]
    points = np.concatenate(vertices).astype(np.float32) + np.asarray(base, np.float32) - [0, 0.12, 0]
    uvs = np.tile(np.stack([np.repeat([0.0, 1.0], 5), np.tile(np.linspace(0, 1, 5), 2)], 1), (len(vertices), 1))
    faces = np.array(faces)
    green = materials.paint(rng, leaf_colour)
    return [pot, Solid(points.astype(np.float32), faces, uvs.astype(np.float32), faces, green)]


def living_room(rng) -> list[Solid]:
    """A wall 1.6 to 3.2 m away with furniture before it, walls to the sides."""
    wall, floor = rng.uniform(1.6, 3.2), 0.95
    plaster, side = _wall(rng), rng.uniform(2.4, 3.6)
    ground = materials.wood(rng) if rng.random() < 0.6 else materials.tiles(rng)
    solids = [box((9, 5, 0.1), (0, -0.6, wall + 0.05), plaster, repeat=2.0 if rng.random() < 0.3 else 1.0),
              box((9, 0.1, 9), (0, floor + 0.05, 2), ground, repeat=4.0),
              box((0.1, 5, 9), (-side, -0.6, 2), plaster), box((0.1, 5, 9), (side, -0.6, 2), plaster),
              box((9, 0.09, 0.03), (0, floor - 0.045, wall - 0.015), materials.paint(rng, (0.88, 0.87, 0.84)))]
    makers = [_window, _pictures, _shelf, _cabinet, _door, _sofa, _curtain, _board]
    order = rng.permutation(len(makers))[:int(rng.integers(3, 6))]
    places = np.linspace(-1.05, 1.05, len(order)) * (wall / 2.4) + rng.normal(0, 0.08, len(order))
    for maker, x in zip(order, places):
        solids += makers[maker](rng, float(x), wall, floor)
    if rng.random() < 0.7:
        solids += plant(rng, (rng.choice([-1, 1]) * rng.uniform(0.7, 1.3), floor, wall - rng.uniform(0.3, 0.6)), 0.9)
    return solids


def _window(rng, x, wall, floor) -> list[Solid]:
    width, height = rng.uniform(0.7, 1.0), rng.uniform(0.9, 1.2)
    curtain = materials.fabric(rng, materials.random_colour(rng, (45, 85), (3, 20)))
    return [box((width, height, 0.04), (x, -0.25, wall - 0.02), materials.window_view(rng)),
            box((0.22, height + 0.5, 0.06), (x - 0.55 * width, -0.1, wall - 0.08), curtain),
            box((0.22, height + 0.5, 0.06), (x + 0.55 * width, -0.1, wall - 0.08), curtain)]


def _pictures(rng, x, wall, floor) -> list[Solid]:
    out = []
    for k in range(int(rng.integers(1, 4))):
        size = rng.uniform(0.22, 0.42)
        frame = (size, size * rng.uniform(0.8, 1.3), 0.03)
        middle = (x + (k - 0.7) * 0.38, rng.uniform(-0.45, -0.05), wall - 0.015)
        out.append(box(frame, middle, materials.picture(rng)))
    return out


def _shelf(rng, x, wall, floor) -> list[Solid]:
    width, tint, out = rng.uniform(0.7, 1.0), materials.wood(rng), []
    for y in np.arange(-0.65, floor, 0.36):
        out.append(box((width, 0.03, 0.26), (x, y, wall - 0.13), tint))
        filled = width * rng.uniform(0.5, 0.95)
        middle = (x - 0.5 * (width - filled) + 0.01, y - 0.14, wall - 0.11)
        out.append(box((filled, 0.25, 0.18), middle, materials.book_row(rng)))
    for side in (-0.5, 0.5):
        out.append(box((0.03, 1.9, 0.27), (x + side * width, 0.1, wall - 0.135), tint))
    return out


def _cabinet(rng, x, wall, floor) -> list[Solid]:
    width, height = rng.uniform(0.7, 1.1), rng.uniform(0.6, 0.9)
    top, out = floor - height, [box((width, height, 0.4), (x, floor - height / 2, wall - 0.2), materials.wood(rng))]
    for k in range(3):
        base = (x + (k - 1) * width * 0.3, top, wall - rng.uniform(0.15, 0.3))
        radius = rng.uniform(0.04, 0.09)
        out.append(cylinder(radius, rng.uniform(0.1, 0.35), base, materials.paint(rng), radius * rng.uniform(0.5, 1.2)))
    shade = materials.paint(rng, (0.93, 0.86, 0.72))
    out += [cylinder(0.015, 0.32, (x, top, wall - 0.2), materials.paint(rng, (0.2, 0.2, 0.2))),
            cylinder(0.16, 0.2, (x, top - 0.3, wall - 0.2), shade, 0.10)]
    return out


def _door(rng, x, wall, floor) -> list[Solid]:
    colour = materials.paint(rng, materials.lab_to_srgb(rng.uniform(55, 90), 3, rng.uniform(2, 18)))
    out = [box((0.95, 2.1, 0.05), (x, floor - 1.05, wall - 0.02), materials.paint(rng, (0.85, 0.84, 0.8))),
           box((0.82, 2.0, 0.05), (x, floor - 1.0, wall - 0.04), colour)]
    for y in (-0.45, 0.45):
        out.append(box((0.55, 0.7, 0.02), (x, floor - 1.0 + y, wall - 0.07), colour))
    handle = materials.paint(rng, (0.75, 0.74, 0.7))
    return out + [box((0.12, 0.02, 0.05), (x + 0.32, floor - 0.98, wall - 0.09), handle)]


def _sofa(rng, x, wall, floor) -> list[Solid]:
    cloth = materials.fabric(rng)
    out = [box((1.5, 0.75, 0.25), (x, floor - 0.45, wall - 0.2), cloth),
           box((1.5, 0.4, 0.8), (x, floor - 0.2, wall - 0.5), cloth)]
    for side in (-0.35, 0.2):
        cushion = materials.fabric(rng)
        out.append(box((0.42, 0.4, 0.12), (x + side, floor - 0.6, wall - 0.4), cushion, rng.normal(0, 0.3)))
    return out


def _curtain(rng, x, wall, floor) -> list[Solid]:
    cloth, width = materials.fabric(rng), rng.uniform(0.8, 1.6)
    folds = int(rng.integers(6, 14))
    return [cylinder(0.62 * width / folds, 2.4, (x + (k / folds - 0.5) * width, floor, wall - 0.08), cloth, sides=12)
            for k in range(folds)]


def _board(rng, x, wall, floor) -> list[Solid]:
    """A whiteboard, a poster or a screen."""
    width, height = rng.uniform(0.7, 1.3), rng.uniform(0.5, 0.9)
    front = (materials.paper, materials.picture, materials.clutter)[rng.integers(3)](rng)
    rim = materials.paint(rng, materials.random_colour(rng, (10, 80), (0, 6)))
    return [box((width + 0.05, height + 0.05, 0.03), (x, -0.3, wall - 0.02), rim),
            box((width, height, 0.02), (x, -0.3, wall - 0.035), front)]


def _wall(rng):
    kind = rng.random()
    if kind < 0.7:
        return materials.plaster(rng)
    return materials.tiles(rng) if kind < 0.82 else materials.wallpaper(rng)


def person(rng, distance: float, skin_rgb, cloth) -> list[Solid]:
    """Who the hands belong to, seated behind them: chest, shoulders, neck, head with hair and the traces of a face."""
    x, chin, z = rng.normal(0, 0.04), rng.uniform(-0.16, 0.02), distance + rng.uniform(0.28, 0.5)
    tone, hair = materials.face(rng, skin_rgb), materials.paint(rng, materials.hair_colour(rng, skin_rgb))
    shoulders = chin + 0.13
    solids = [ellipsoid((0.17, 0.34, 0.11), (x, shoulders + 0.27, z + 0.04), cloth),
              ellipsoid((0.215, 0.095, 0.10), (x, shoulders + 0.04, z + 0.05), cloth),
              cylinder(0.058, 0.16, (x, shoulders + 0.03, z + 0.03), materials.paint(rng, skin_rgb)),
              ellipsoid((0.076, 0.115, 0.095), (x, chin - 0.10, z), tone),
              ellipsoid((0.083, 0.10, 0.098), (x, chin - 0.135, z + 0.022), hair)]
    if rng.random() < 0.4:      # long hair
        solids.append(ellipsoid((0.105, 0.19, 0.06), (x, chin - 0.03, z + 0.075), hair))
    for side in (-1, 1):
        solids.append(ellipsoid((0.075, 0.24, 0.075), (x + 0.215 * side, shoulders + 0.24, z + 0.02), cloth))
    return solids
