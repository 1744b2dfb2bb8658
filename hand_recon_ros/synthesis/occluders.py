"""Things that stand nearer to the camera than the hands and hide a part of them: cups, screens' edges, poles, balls."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.solids import Solid, box, cylinder, ellipsoid, split

GAP_M = 0.035           # least distance to anything of the hands, along the viewer's axis
NEAREST_M = 0.14        # of a thing's middle to the viewer
KINDS, SHARES = ('cup', 'box', 'ball', 'pole', 'edge'), (0.32, 0.28, 0.18, 0.12, 0.10)


def sample_occluder(rng: np.random.Generator, keypoints_viewer_m: np.ndarray) -> Solid | None:
    """One thing in the viewer's frame before hands whose keypoints are (N, 21, 3) there over time; None without room.

    It is aimed at the rim of a hand at some moment: of that hand it hides a part, not all.
    """
    points = keypoints_viewer_m[rng.integers(len(keypoints_viewer_m))]
    middle, size = points.mean(0), np.ptp(points, axis=0)[:2].max()
    kind = rng.choice(KINDS, p=SHARES)
    way = rng.uniform(0, 2 * np.pi)
    aim = middle[:2] + size * rng.uniform(0.25, 0.6) * np.array([np.cos(way), np.sin(way)])
    half = size * rng.uniform(0.15, 0.3)
    deep = {'cup': half, 'box': half, 'ball': half, 'pole': 0.012, 'edge': 0.01}[kind]
    z = keypoints_viewer_m[..., 2].min() - GAP_M - deep - rng.uniform(0.0, 0.08)
    if z - deep < NEAREST_M:
        return None
    # Nearer things look larger: aim and size shrink with the depth.
    x, y = aim * z / middle[2]
    half *= z / middle[2]
    if kind == 'cup':
        thing = cylinder(0.8 * half, 2.2 * half, (0, 1.1 * half, 0), materials.paint(rng), 0.95 * half)
    elif kind == 'ball':
        thing = ellipsoid((half, half, half), (0, 0, 0), materials.paint(rng))
    elif kind == 'pole':
        thing = box((0.02, 1.2, 0.02), (0, 0, 0), materials.paint(rng))
    elif kind == 'edge':
        textures = (materials.wood, materials.clutter, materials.laminate, materials.paint)[rng.integers(4)](rng)
        side = np.sign(x) if abs(x) > 1e-3 else 1.0
        thing = box((0.7, 0.9, 0.015), (0.35 * side, 0, 0), textures)
    else:
        textures = (materials.wood, materials.clutter, materials.paint, materials.picture)[rng.integers(4)](rng)
        thing = box(half * rng.uniform(0.8, 2.0, 3) * (1, 1, 0.6), (0, 0, 0), textures, rng.uniform(-0.6, 0.6))
    tilt = axis_angle_to_matrix(np.array([0.0, 0.0, rng.normal(0, 0.15)]))
    # Lenses bend long edges: triangles must be small.
    return split(thing, 3 if kind in ('box', 'edge', 'pole') else 0).moved(tilt, (x, y, z))
