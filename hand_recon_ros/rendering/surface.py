"""What can be drawn: a textured triangle mesh on the GPU whose vertices are given anew every frame."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.rendering.normals import NormalField
from hand_recon_ros.rendering.subdivision import SmoothSplit, split_faces
from hand_recon_ros.types import checked


@dataclass(frozen=True)
class Textures:
    """albedo: (S, T, 4) uint8, sRGB and, in alpha, 255 = matt (skin), 0 = glossy (nail). height_m: (S, T) float32."""
    albedo: np.ndarray
    height_m: np.ndarray

    def __post_init__(self):
        albedo, height = np.asarray(self.albedo), np.asarray(self.height_m, np.float32)
        if albedo.ndim != 3 or albedo.shape[2] != 4 or albedo.dtype != np.uint8:
            raise ValueError(f'albedo: {albedo.dtype} {albedo.shape}, expected uint8 (S, T, 4)')
        if height.ndim != 2 or not np.isfinite(height).all():
            raise ValueError(f'height_m: shape {height.shape}, expected a finite (S, T)')
        object.__setattr__(self, 'albedo', np.ascontiguousarray(albedo))
        object.__setattr__(self, 'height_m', np.ascontiguousarray(height))


@dataclass(frozen=True)
class Material:
    """How a surface answers light. wrap: per colour, how far light creeps past the terminator (under the skin).

    gloss: Blinn-Phong exponent of the matt part. specular: strength of highlights. bump: factor on the height map.
    two_sided: light both sides, for open or carelessly wound meshes.
    """
    wrap: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gloss: float = 12.0
    specular: float = 0.5
    bump: float = 1.0
    two_sided: bool = False


SKIN = Material(wrap=(0.30, 0.13, 0.08), gloss=14.0, specular=0.65, bump=1.6)


class Surface:
    """A mesh of the right winding: faces (F, 3), uvs (T, 2) v up, uv_faces (F, 3); optionally split once, smoothly."""

    def __init__(self, context, faces, uvs, uv_faces, vertex_count: int, textures: Textures,
                 material: Material = Material(), smooth: bool = True, vertex_labels=None):
        """vertex_labels: (V,) 0..1, 1 where the surface counts in a rendering's mask; None counts all of it."""
        faces = checked('faces', faces, (None, 3), np.int32)
        uvs = checked('uvs', uvs, (None, 2))
        uv_faces = checked('uv_faces', uv_faces, (len(faces), 3), np.int32)
        labels = np.ones(vertex_count, np.float32) if vertex_labels is None else vertex_labels
        labels = checked('vertex_labels', labels, (vertex_count,))
        if labels.min() < 0.0 or labels.max() > 1.0:
            raise ValueError(f'vertex_labels: {labels.min()}..{labels.max()}, expected 0..1')
        self.material, self.vertex_count = material, vertex_count
        self._given_normals = NormalField(faces, vertex_count)
        self._split = SmoothSplit(faces, vertex_count) if smooth else None
        if smooth:
            labels = self._split.linear(labels)
            edges, uv_faces = split_faces(uv_faces, len(uvs))
            uvs = np.concatenate([uvs, 0.5 * (uvs[edges[:, 0]] + uvs[edges[:, 1]])])
            faces = self._split.faces
        # A corner is one (vertex, uv) pair: vertices on a seam are drawn with several uvs.
        pairs, corners = np.unique(np.stack([faces.ravel(), uv_faces.ravel()], 1), axis=0, return_inverse=True)
        self._corner_vertex = pairs[:, 0]
        self._rows = np.zeros((len(pairs), 13), np.float32)
        self._rows[:, 10:12] = uvs[pairs[:, 1]]
        self._rows[:, 12] = labels[pairs[:, 0]]
        self.buffer = context.buffer(reserve=self._rows.nbytes)
        self.index = context.buffer(np.ascontiguousarray(corners.ravel(), dtype='i4').tobytes())
        self.corner_count = len(pairs)
        self._context = context
        self.albedo = self.height = None
        self.set_textures(textures)

    def set_textures(self, textures: Textures) -> None:
        """Put on another skin."""
        for old in (self.albedo, self.height):
            if old is not None:
                old.release()
        size = textures.albedo.shape[1::-1]
        self.albedo = self._context.texture(size, 4, textures.albedo[::-1].tobytes())
        height = textures.height_m
        self.height = self._context.texture(height.shape[::-1], 1, height[::-1].tobytes(), dtype='f4')
        for texture in (self.albedo, self.height):
            texture.build_mipmaps()
            # No anisotropic filtering: Mesa's software rasteriser (22.3) never returns from it on some triangles.

    def place(self, vertices_m, clip) -> None:
        """Upload this frame's vertices (V, 3), camera frame; clip: function (N, 3) -> (N, 4) clip coordinates."""
        vertices_m = checked('vertices_m', vertices_m, (self.vertex_count, 3))
        normals = self._given_normals(vertices_m)
        if self._split is not None:
            vertices_m = self._split.positions(vertices_m, normals)
            normals = self._split.linear(normals)
        rows, corner_vertex = self._rows, self._corner_vertex
        rows[:, 0:4] = clip(vertices_m)[corner_vertex]
        rows[:, 4:7] = vertices_m[corner_vertex]
        rows[:, 7:10] = normals[corner_vertex]
        self.buffer.write(rows.tobytes())

    def release(self) -> None:
        for resource in (self.albedo, self.height, self.buffer, self.index):
            resource.release()
