"""Turntable previews: a hand turned once round, as frames or as one contact sheet."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.mirroring import handed_faces
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer
from hand_recon_ros.rendering.surface import SKIN, Material, Textures

BACKDROP = 236
STUDIO = Lighting((Light((-0.5, -0.7, -0.8), (1.0, 0.96, 0.90)), Light((0.8, -0.1, -0.5), (0.26, 0.29, 0.34)),
                   Light((0.2, -0.6, 0.9), (0.35, 0.35, 0.38), casts_shadow=False)), softness=0.03)
CLAY = Textures(np.full((2, 2, 4), (214, 196, 184, 255), np.uint8), np.zeros((2, 2), np.float32))


class Turntable:
    """Renders one model's meshes on a turntable, in skin if textures are given and it has UVs, else in clay."""

    def __init__(self, model: HandModel, size: int = 480, textures: Textures | None = None):
        if not 32 <= size <= 4096:
            raise ValueError(f'size: {size}, expected 32..4096 pixels')
        self.size, self._renderer = size, MeshRenderer(size, size)
        skinned = textures is not None and model.uvs is not None
        self._surfaces = {}
        for side in ('right', 'left'):
            faces = handed_faces(model.faces, side)
            uvs = model.uvs if skinned else np.zeros((model.vertex_count, 2), np.float32)
            uv_faces = handed_faces(model.uv_faces, side) if skinned else faces
            material = SKIN if skinned else Material(wrap=(0.2, 0.2, 0.2), specular=0.35)
            self._surfaces[side] = self._renderer.surface(faces, uvs, uv_faces, model.vertex_count,
                                                          textures if skinned else CLAY, material)

    def frames(self, vertices_m, count: int = 24, handedness: str = 'right') -> Iterator[np.ndarray]:
        """`count` images (size, size, 3) uint8 of vertices (V, 3), turned about the image's vertical axis."""
        vertices_m = np.asarray(vertices_m, np.float32)
        centre = 0.5 * (vertices_m.min(0) + vertices_m.max(0))
        radius = float(np.linalg.norm(vertices_m - centre, axis=1).max())
        distance = 4.0 * radius       # a mild perspective
        focal = 0.47 * self.size * np.sqrt(distance ** 2 - radius ** 2) / radius
        middle = 0.5 * (self.size - 1)
        camera = Camera(self.size, self.size, np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]]))
        shift = np.array([0.0, 0.0, distance], np.float32)
        for angle in np.arange(count) * (2 * np.pi / count):
            turn = axis_angle_to_matrix(np.array([0.0, angle, 0.0]))
            turned = ((vertices_m - centre) @ turn.T + shift).astype(np.float32)
            rendering = self._renderer.render(camera, [(self._surfaces[handedness], turned)], STUDIO)
            yield np.clip(rendering.over(BACKDROP * np.ones((self.size, self.size, 3))), 0, 255).astype(np.uint8)

    def sheet(self, vertices_m, count: int = 8, columns: int = 4, handedness: str = 'right') -> np.ndarray:
        """One image of `count` views, row by row."""
        frames = list(self.frames(vertices_m, count, handedness))
        frames += [np.full_like(frames[0], BACKDROP)] * (-len(frames) % columns)
        return np.concatenate([np.concatenate(frames[i:i + columns], 1) for i in range(0, len(frames), columns)])
