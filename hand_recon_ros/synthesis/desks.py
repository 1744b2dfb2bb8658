"""Desks, kitchen tables and benches with things on them, as one sees them looking down. Level frame, the origin on the
table's top where one looks; y down, z away."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.furniture import plant
from hand_recon_ros.synthesis.solids import Solid, box, cylinder, ellipsoid

NEAR_Z, FAR_Z, HALF_WIDTH = -0.32, 0.48, 0.78       # where things lie


def table(rng) -> list[Solid]:
    """A table in a room, cluttered a little or much."""
    tops = (materials.wood, materials.wood, materials.laminate, materials.laminate, materials.fabric, materials.tiles)
    deep, back = rng.uniform(0.9, 1.4), rng.uniform(0.6, 1.6)
    things = [box((rng.uniform(1.8, 3.0), 0.04, deep), (0, 0.02, 0.1), tops[rng.integers(len(tops))](rng),
                  repeat=rng.uniform(0.8, 1.6)),
              box((7, 0.1, 7), (0, 0.8, 0), (materials.fabric, materials.wood, materials.tiles)[rng.integers(3)](rng),
                  repeat=4.0),
              box((7, 3, 0.1), (0, -0.7, 0.1 + 0.5 * deep + back), materials.plaster(rng)),
              box((0.1, 3, 7), (-2.6, -0.7, 0), materials.plaster(rng)),
              box((0.1, 3, 7), (2.6, -0.7, 0), materials.plaster(rng))]
    if rng.random() < 0.4:
        mat = materials.cable(rng, materials.random_colour(rng, (15, 70)))
        things.append(box((rng.uniform(0.5, 0.9), 0.004, rng.uniform(0.3, 0.45)), (rng.normal(0, 0.1), -0.002, 0), mat))
    makers = [_keyboard, _sheets, _sheets, _books, _cup, _bottle, _pens, _laptop, _phone, _fruit, _crate, _plant, _lamp,
              _notebook, _plate, _tools]
    # One thing a cell of a grid: things do not stand in each other.
    cells = [(x, z) for x in np.linspace(-HALF_WIDTH, HALF_WIDTH, 6) for z in np.linspace(NEAR_Z, FAR_Z, 4)]
    for k in rng.permutation(len(cells))[:int(rng.integers(4, 17))]:
        x, z = cells[k] + rng.normal(0, 0.035, 2)
        things += makers[rng.integers(len(makers))](rng, float(x), float(z))
    return things


def _keyboard(rng, x, z) -> list[Solid]:
    return [box((0.44, 0.028, 0.15), (x, -0.016, z), materials.keyboard(rng), rng.normal(0, 0.2))]


def _sheets(rng, x, z) -> list[Solid]:
    # Each a little higher than the last: sheets in one plane would show through each other.
    return [box((0.21, 0.002, 0.29), (x + rng.normal(0, 0.04), -0.007 - 0.003 * k, z + rng.normal(0, 0.04)),
                materials.paper(rng), rng.normal(0, 0.4)) for k in range(int(rng.integers(1, 4)))]


def _books(rng, x, z) -> list[Solid]:
    out, height = [], 0.0
    for _ in range(int(rng.integers(1, 6))):
        thick, size = rng.uniform(0.012, 0.04), rng.uniform(0.8, 1.1)
        out.append(box((0.2 * size, thick, 0.26 * size), (x, -0.004 - height - thick / 2, z), materials.paint(rng),
                       rng.normal(0, 0.2)))
        height += thick
    return out


def _cup(rng, x, z) -> list[Solid]:
    return [cylinder(rng.uniform(0.034, 0.045), rng.uniform(0.07, 0.12), (x, 0, z), materials.paint(rng),
                     rng.uniform(0.038, 0.05))]


def _bottle(rng, x, z) -> list[Solid]:
    colour, height = materials.paint(rng), rng.uniform(0.12, 0.22)
    return [cylinder(0.034, height, (x, 0, z), colour), cylinder(0.034, 0.05, (x, -height, z), colour, 0.014),
            cylinder(0.016, 0.03, (x, -height - 0.045, z), materials.paint(rng))]


def _pens(rng, x, z) -> list[Solid]:
    return [box((0.14, 0.009, 0.009), (x + rng.normal(0, 0.05), -0.022, z + rng.normal(0, 0.04)), materials.paint(rng),
                rng.uniform(0, 3.1)) for _ in range(int(rng.integers(1, 5)))]


def _laptop(rng, x, z) -> list[Solid]:
    case = materials.paint(rng, materials.random_colour(rng, (15, 80), (0, 5)))
    screen = (materials.clutter, materials.paper)[rng.integers(2)](rng)
    return [box((0.33, 0.016, 0.23), (x, -0.008, z), case),
            box((0.29, 0.004, 0.11), (x, -0.018, z + 0.04), materials.keyboard(rng)),
            box((0.33, 0.22, 0.012), (x, -0.12, z + 0.15), case),
            box((0.31, 0.20, 0.004), (x, -0.12, z + 0.142), screen)]


def _phone(rng, x, z) -> list[Solid]:
    glass = materials.paint(rng, materials.random_colour(rng, (5, 30), (0, 8)))
    return [box((0.075, 0.009, 0.155), (x, -0.008, z), glass, rng.uniform(0, 3.1))]


def _fruit(rng, x, z) -> list[Solid]:
    out = []
    for _ in range(int(rng.integers(1, 4))):
        radius, peel = rng.uniform(0.025, 0.045), materials.paint(rng, materials.random_colour(rng, (35, 75), (25, 60)))
        middle = (x + rng.normal(0, 0.06), -radius, z + rng.normal(0, 0.06))
        out.append(ellipsoid((radius, 0.95 * radius, radius), middle, peel))
    return out


def _crate(rng, x, z) -> list[Solid]:
    size = rng.uniform(0.06, 0.2, 3)
    faces = (materials.wood, materials.clutter, materials.paint, materials.picture)[rng.integers(4)](rng)
    return [box(size, (x, -0.5 * size[1], z), faces, rng.uniform(0, 1.5))]


def _plant(rng, x, z) -> list[Solid]:
    return plant(rng, (x, 0, z), rng.uniform(0.2, 0.35))


def _lamp(rng, x, z) -> list[Solid]:
    steel = materials.paint(rng, materials.random_colour(rng, (10, 85), (0, 10)))
    return [cylinder(0.07, 0.02, (x, 0, z), steel), cylinder(0.009, 0.36, (x, 0, z), steel, sides=10),
            cylinder(0.09, 0.10, (x, -0.34, z), materials.paint(rng), 0.05)]


def _notebook(rng, x, z) -> list[Solid]:
    turn = rng.normal(0, 0.3)
    return [box((0.30, 0.012, 0.21), (x, -0.006, z), materials.paint(rng), turn),
            box((0.28, 0.004, 0.19), (x, -0.013, z), materials.paper(rng), turn)]


def _plate(rng, x, z) -> list[Solid]:
    glaze = materials.paint(rng, materials.random_colour(rng, (60, 95), (0, 20)))
    return [cylinder(0.07, 0.02, (x, 0, z), glaze, rng.uniform(0.10, 0.13), sides=40)] + _fruit(rng, x, z)


def _tools(rng, x, z) -> list[Solid]:
    out = []
    for _ in range(int(rng.integers(1, 4))):
        turn, at = rng.uniform(0, 3.1), (x + rng.normal(0, 0.06), -0.012, z + rng.normal(0, 0.05))
        grip = materials.paint(rng, materials.random_colour(rng, (30, 70), (20, 60)))
        out += [box((0.11, 0.022, 0.026), at, grip, turn),
                box((0.24, 0.006, 0.008), at, materials.paint(rng, (0.62, 0.63, 0.65)), turn)]
    return out
