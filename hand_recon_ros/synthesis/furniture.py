"""Rooms out of boxes and cylinders: what stands behind or below hands, in the optical frame of the (left) camera."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.rendering.surface import Textures
from hand_recon_ros.synthesis import materials

_BOX_CORNERS = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)], np.float32)
# Four corners a side, seen from outside: top left, bottom left, bottom right, top right (y down, front towards -z).
_BOX_SIDES = ((0, 2, 6, 4), (5, 7, 3, 1), (1, 3, 2, 0), (4, 6, 7, 5), (1, 0, 4, 5), (2, 3, 7, 6))


@dataclass(frozen=True)
class Solid:
    """A textured mesh. vertices_m: (V, 3). faces, uv_faces: (F, 3). uvs: (T, 2)."""
    vertices_m: np.ndarray
    faces: np.ndarray
    uvs: np.ndarray
    uv_faces: np.ndarray
    textures: Textures

    def moved(self, rotation, translation) -> Solid:
        """Rotated, then shifted."""
        vertices = self.vertices_m @ np.asarray(rotation, np.float32).T + np.asarray(translation, np.float32)
        return Solid(vertices.astype(np.float32), self.faces, self.uvs, self.uv_faces, self.textures)


def box(size, centre, textures: Textures, turn: float = 0.0, repeat: float = 1.0) -> Solid:
    """A box of size (3,) m, turned about the vertical; every side has its own corners, so that its edges stay sharp."""
    corners = np.concatenate([_BOX_CORNERS[list(side)] for side in _BOX_SIDES]) * np.asarray(size, np.float32)
    first = 4 * np.arange(6)[:, None]
    faces = np.concatenate([first + [0, 1, 2], first + [0, 2, 3]])
    uvs = np.tile(np.array([[0, 1], [0, 0], [1, 0], [1, 1]], np.float32) * repeat, (6, 1))
    rotation = axis_angle_to_matrix(np.array([0.0, turn, 0.0]))
    return Solid(corners, faces, uvs, faces, textures).moved(rotation, centre)


def cylinder(radius: float, height: float, base, textures: Textures, top_radius: float | None = None,
             sides: int = 28) -> Solid:
    """An upright cylinder or cone standing on `base`, closed at the top."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], 1)
    upper = radius if top_radius is None else top_radius
    vertices = np.concatenate([radius * ring, upper * ring - [0, height, 0], upper * ring - [0, height, 0],
                               [[0, -height, 0]]])
    k = np.arange(sides)
    n = sides + 1
    faces = np.concatenate([np.stack([k, k + 1, n + k], 1), np.stack([k + 1, n + k + 1, n + k], 1),
                            np.stack([2 * n + k, 2 * n + k + 1, np.full(sides, 3 * n)], 1)])
    across = angle / (2 * np.pi)
    uvs = np.concatenate([np.stack([2 * across, 0 * across], 1), np.stack([2 * across, 1 + 0 * across], 1),
                          np.full((n, 2), 0.5), [[0.5, 0.5]]])
    return Solid(vertices.astype(np.float32), faces, uvs.astype(np.float32), faces, textures).moved(np.eye(3), base)


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
    """What a camera on a desk sees behind a person: a wall 2 to 3 m away with furniture before it."""
    wall, floor = rng.uniform(2.0, 3.0), 0.95
    solids = [box((9, 5, 0.1), (0, -0.6, wall + 0.05), materials.plaster(rng)),
              box((9, 0.1, 9), (0, floor + 0.05, 2), materials.wood(rng), repeat=4.0),
              box((9, 0.09, 0.03), (0, floor - 0.045, wall - 0.015), materials.paint(rng, (0.88, 0.87, 0.84)))]
    makers = [_window, _pictures, _shelf, _cabinet, _door, _sofa]
    order = rng.permutation(len(makers))[:4]
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


def desk(rng) -> list[Solid]:
    """What a head-mounted camera sees below it: a desk with clutter, tilted as one sees it looking down."""
    things = [box((2.4, 0.05, 1.3), (0, 0.025, 0.1), materials.wood(rng), repeat=1.5),
              box((6, 0.1, 6), (0, 0.8, 0), materials.fabric(rng), repeat=3.0),
              box((6, 3, 0.1), (0, -0.7, 1.0), materials.plaster(rng))]
    if rng.random() < 0.6:
        mat = materials.cable(rng, materials.random_colour(rng, (15, 60)))
        things.append(box((0.8, 0.004, 0.36), (0, -0.002, -0.05), mat))
    keys, place = materials.keyboard(rng), (rng.normal(0, 0.05), -0.016, 0.08)
    things.append(box((0.44, 0.028, 0.15), place, keys, rng.normal(0, 0.05)))
    for k in range(4):      # each a little higher than the last: sheets in one plane would show through each other
        spot = (rng.uniform(-0.6, 0.6), -0.007 - 0.003 * k, rng.uniform(-0.1, 0.3))
        things.append(box((0.21, 0.002, 0.29), spot, materials.paper(rng), rng.normal(0, 0.4)))
    for x in (-0.45, 0.42):
        height = 0.0
        for _ in range(int(rng.integers(1, 5))):
            thick = rng.uniform(0.015, 0.04)
            cover, middle = materials.paint(rng), (x, -0.004 - height - thick / 2, 0.33)
            things.append(box((0.2, thick, 0.26), middle, cover, rng.normal(0, 0.2)))
            height += thick
    things.append(cylinder(0.04, 0.095, (rng.choice([-1, 1]) * 0.3, 0, 0.28), materials.paint(rng), 0.043))
    things += plant(rng, (rng.uniform(-0.6, 0.6), 0, 0.5), 0.35)
    for _ in range(3):
        spot = (rng.uniform(-0.4, 0.4), -0.022, rng.uniform(-0.05, 0.25))
        things.append(box((0.14, 0.009, 0.009), spot, materials.paint(rng), rng.uniform(0, 3.1)))
    # The camera is 0.5 m above the desk and looks down by about 45 degrees.
    down = axis_angle_to_matrix(np.array([rng.uniform(0.7, 0.85), 0.0, 0.0]))
    return [thing.moved(down, (0.0, 0.03, 0.78)) for thing in things]
