"""Textured solids out of which rooms and things are made: boxes, cylinders, ellipsoids."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.rendering.surface import Textures

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


def ellipsoid(radii, centre, textures: Textures, rows: int = 14, columns: int = 22) -> Solid:
    """An ellipsoid of half axes (3,) m. Its texture's middle faces -z, the viewer."""
    v, u = np.meshgrid(np.linspace(0, 1, rows + 1), np.linspace(0, 1, columns + 1), indexing='ij')
    polar, turn = np.pi * v, 2 * np.pi * (u - 0.25)
    points = np.stack([np.sin(polar) * np.cos(turn), -np.cos(polar), -np.sin(polar) * np.sin(turn)], -1)
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    below = first + columns + 1
    faces = np.concatenate([np.stack([first, first + 1, below], 1), np.stack([first + 1, below + 1, below], 1)])
    vertices = (points.reshape(-1, 3) * np.asarray(radii)).astype(np.float32)
    uvs = np.stack([u, 1 - v], -1).reshape(-1, 2).astype(np.float32)
    return Solid(vertices, faces, uvs, faces, textures).moved(np.eye(3), centre)


def split(solid: Solid, times: int) -> Solid:
    """The same solid with every triangle quartered `times` times: what lenses bend, or is lit smoothly, needs them."""
    vertices, faces, uvs, uv_faces = solid.vertices_m, solid.faces, solid.uvs, solid.uv_faces
    for _ in range(times):
        (vertices, faces), (uvs, uv_faces) = _quartered(vertices, faces), _quartered(uvs, uv_faces)
    return Solid(vertices, faces, uvs, uv_faces, solid.textures)


def _quartered(points, faces):
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    edges, place = np.unique(edges, axis=0, return_inverse=True)
    ab, bc, ca = (len(points) + place.reshape(3, -1))
    a, b, c = faces.T
    new = np.concatenate([np.stack(corner, 1) for corner in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    return np.concatenate([points, 0.5 * (points[edges[:, 0]] + points[edges[:, 1]])]).astype(np.float32), new
