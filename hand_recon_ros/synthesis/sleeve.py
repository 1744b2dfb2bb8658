"""A sleeve that leaves the picture: the modelled forearm ends a hand's breadth behind the wrist."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.hand_model.model import HandModel

SIDES, RINGS = 36, 34
STARTS, ENDS_M = 0.60, 0.52       # behind the wrist: as a part of the modelled forearm, and in metres
LEAST_FOREARM_M = 0.05


def sleeve_mesh(model: HandModel, shape, rng) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) in the rest frame of the right hand, faces (F, 3), uvs (V, 2), for this shape's forearm."""
    template = model.template_m + model.shape_dirs @ np.asarray(shape, np.float64)
    wrist = model.joint_regressor[0] @ template
    behind = template[:, 0] - wrist[0]
    length = float(behind.max())
    if length < LEAST_FOREARM_M:
        raise ValueError(f'{model.name}: {length:.3f} m behind the wrist, expected a forearm of {LEAST_FOREARM_M} m')
    # Sections of the arm at the wrist, at the cuff and at the model's end; the middles of their boxes lie on the axis.
    start, centre, last = (template[np.abs(behind - part * length) < 0.13 * length] for part in (0.15, STARTS, 0.87))
    axis = _middle(last) - _middle(start)
    axis /= np.linalg.norm(axis)
    cuff = _middle(centre)
    side = np.cross(axis, [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    up = np.cross(side, axis)
    radii = [max(np.abs((section - _middle(section)) @ direction).max() for section in (centre, last))
             for direction in (side, up)]
    s = np.concatenate([[0.012, 0.0, 0.0, 0.004, 0.018, 0.022], np.linspace(0.03, ENDS_M - STARTS * length, RINGS - 6)])
    slack = np.concatenate([[0.7, 0.7, 1.06, 1.16, 1.16, 1.10], np.linspace(1.10, 1.75, RINGS - 6)])
    angle = np.linspace(0, 2 * np.pi, SIDES + 1)
    # Folds: rings bunch up along the arm, unevenly around it.
    phase = rng.uniform(0, 2 * np.pi, 4)
    s_grid, a_grid = np.meshgrid(s, angle, indexing='ij')
    fold = (np.sin(150 * s_grid + 1.2 * np.sin(a_grid + phase[0]) + phase[1])
            + 0.7 * np.sin(83 * s_grid - 1.5 * np.sin(2 * a_grid + phase[2]) + phase[3]))
    fold *= 0.0022 * np.clip((s_grid - 0.025) / 0.03, 0, 1)
    rows = []
    for direction, radius, wave in ((side, radii[0], np.cos(a_grid)), (up, radii[1], np.sin(a_grid))):
        rows.append(((1.04 * radius + 0.003) * slack[:, None] + fold)[..., None] * wave[..., None] * direction)
    vertices = cuff + s_grid[..., None] * axis + rows[0] + rows[1]
    r, a = np.meshgrid(np.arange(RINGS - 1), np.arange(SIDES), indexing='ij')
    first = (r * (SIDES + 1) + a).ravel()
    below = first + SIDES + 1
    faces = np.concatenate([np.stack([first, first + 1, below], 1), np.stack([first + 1, below + 1, below], 1)])
    uvs = np.stack([a_grid / np.pi, 6.0 * s_grid], -1).reshape(-1, 2)
    flat = vertices.reshape(-1, 3)
    # Normals must point away from the arm.
    a, b, c = flat[faces[SIDES * 12]]
    away = (a - cuff) - axis * ((a - cuff) @ axis)
    if np.cross(b - a, c - a) @ away < 0:
        faces = faces[:, [0, 2, 1]]
    return flat, faces, uvs.astype(np.float32)


def _middle(points) -> np.ndarray:
    return 0.5 * (points.min(0) + points.max(0))
