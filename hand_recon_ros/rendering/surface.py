"""What can be drawn: a textured triangle mesh on the GPU whose vertices are given anew every frame."""
from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from hand_recon_ros.rendering.shaders import TRIANGLES_A_ROW, VERTICES_A_ROW
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


class WornTextures:
    """Textures on the GPU, for any number of surfaces to put on in turn."""

    def __init__(self, context, textures: Textures):
        size = textures.albedo.shape[1::-1]
        self.albedo = context.texture(size, 4, textures.albedo[::-1].tobytes())
        slopes = _slopes(textures.height_m[::-1])
        self.slopes = context.texture(slopes.shape[1::-1], 2, slopes.tobytes(), dtype='f2')
        for texture in (self.albedo, self.slopes):
            texture.build_mipmaps()

    def release(self) -> None:
        """Give the GPU's memory back; no surface may wear it any more."""
        self.albedo.release()
        self.slopes.release()


class Surface:
    """A mesh of the right winding: faces (F, 3), uvs (T, 2) v up, uv_faces (F, 3); optionally split once, smoothly.

    Its place on the GPU is shared by all renderers of the process, so one surface serves renderers of many sizes.
    """

    def __init__(self, context, faces, uvs, uv_faces, vertex_count: int, textures: Textures,
                 material: Material = Material(), smooth: bool = True, vertex_labels=None):
        """vertex_labels: (V,) 0..1, 1 where the surface counts in a rendering's mask; None counts all of it."""
        faces = checked('faces', faces, (None, 3), np.int32)
        uvs = checked('uvs', uvs, (None, 2))
        uv_faces = checked('uv_faces', uv_faces, (len(faces), 3), np.int32)
        labels = np.ones(vertex_count, np.float32) if vertex_labels is None else vertex_labels
        labels = checked('vertex_labels', labels, (vertex_count,))
        if len(labels) and not (labels.min() >= 0.0 and labels.max() <= 1.0):
            raise ValueError(f'vertex_labels: {labels.min()}..{labels.max()}, expected 0..1')
        self.material, self.vertex_count = material, vertex_count
        self.culled = not material.two_sided and is_closed(faces)
        self._given_normals = NormalField(faces, vertex_count)
        self._split = SmoothSplit(faces, vertex_count) if smooth else None
        coarse = faces
        if smooth:
            labels = self._split.linear(labels)
            edges, uv_faces = split_faces(uv_faces, len(uvs))
            uvs = np.concatenate([uvs, 0.5 * (uvs[edges[:, 0]] + uvs[edges[:, 1]])])
            faces = self._split.faces
        self.triangle_count = len(faces)
        rows = -(-len(labels) // VERTICES_A_ROW)
        self._rows = np.zeros((rows * VERTICES_A_ROW, 8), np.float32)
        self.buffer = context.buffer(reserve=self._rows.nbytes)
        self.index = context.buffer(np.ascontiguousarray(faces, 'i4'))
        self.coarse_index = context.buffer(np.ascontiguousarray(coarse, 'i4')) if smooth else self.index
        self.vertices = context.texture((2 * VERTICES_A_ROW, rows), 4, dtype='f4')
        self.triangles = _triangle_texture(context, faces, uvs[uv_faces].reshape(-1, 6), labels[faces])
        self._context = context
        self._arrays = {}
        self._own = self.albedo = self.slopes = None
        self.set_textures(textures)

    def set_textures(self, textures: Textures | WornTextures) -> None:
        """Put on another skin; one that is on the GPU already remains its owner's."""
        if self._own is not None:
            self._own.release()
        self._own = WornTextures(self._context, textures) if isinstance(textures, Textures) else None
        worn = self._own or textures
        self.albedo, self.slopes = worn.albedo, worn.slopes

    def place(self, vertices_m, clip) -> tuple[np.ndarray, np.ndarray]:
        """Upload this frame's vertices (V, 3), camera frame; clip: function (N, 3) -> clip x and y (N, 2), w being z.

        The box they fill: least and greatest x and y, 0 left and top, 1 right and bottom; all of it where a vertex lies
        behind the camera.
        """
        vertices_m = checked('vertices_m', vertices_m, (self.vertex_count, 3))
        normals = self._given_normals(vertices_m)
        if self._split is not None:
            vertices_m = self._split.positions(vertices_m, normals)
            normals = self._split.linear(normals)
        rows = self._rows
        rows[:len(vertices_m), 0:2] = clip(vertices_m)
        rows[:len(vertices_m), 2:5] = vertices_m
        rows[:len(vertices_m), 5:8] = normals
        self.buffer.write(rows)
        self.vertices.write(rows)
        depths = vertices_m[:, 2:]
        if depths.min() <= 1e-6:
            return np.zeros(2), np.ones(2)
        box = 0.5 + 0.5 * rows[:len(vertices_m), 0:2] / depths
        return box.min(0), box.max(0)

    def array(self, program, layout: str, names: tuple[str, ...], coarse: bool = False):
        """The vertex array that feeds a program, made once; coarse: of the mesh before its split."""
        array = self._arrays.get(program)
        if array is None:
            index = self.coarse_index if coarse else self.index
            array = self._context.vertex_array(program, [(self.buffer, layout, *names)], index)
            self._arrays[program] = array
        return array

    def release(self) -> None:
        """Give the GPU's memory back; the surface is of no use afterwards."""
        for array in self._arrays.values():
            array.release()
        self._arrays.clear()
        for resource in {self.buffer, self.index, self.coarse_index, self.vertices, self.triangles}:
            resource.release()
        if self._own is not None:
            self._own.release()


def is_closed(faces) -> bool:
    """Whether every edge of faces (F, 3) has exactly one face on either side, so that back faces are never seen."""
    faces = np.asarray(faces, np.int64)
    edges = np.stack([faces, np.roll(faces, -1, 1)], -1).reshape(-1, 2)
    if not len(edges):
        return False
    size = edges.max() + 1
    there, back = np.sort(edges @ [size, 1]), np.sort(edges @ [1, size])
    return bool((np.diff(there) > 0).all() and (there == back).all())


def _triangle_texture(context, faces, uvs, labels):
    """Three texels a triangle: see shaders. Corner numbers are exact in float32 up to 2^24."""
    rows = -(-len(faces) // TRIANGLES_A_ROW)
    texels = np.zeros((rows * TRIANGLES_A_ROW, 12), np.float32)
    texels[:len(faces)] = np.concatenate([faces, labels[:, :1], uvs, labels[:, 1:]], 1)
    return context.texture((3 * TRIANGLES_A_ROW, rows), 4, texels, dtype='f4')


def _slopes(height_m) -> np.ndarray:
    """(S, T, 2) float16: the height's derivatives by u and v (metres a whole texture), by central differences."""
    rows, columns = height_m.shape
    along_v = (np.roll(height_m, -1, 0) - np.roll(height_m, 1, 0)) * (0.5 * rows)
    along_u = (np.roll(height_m, -1, 1) - np.roll(height_m, 1, 1)) * (0.5 * columns)
    return np.stack([along_u, along_v], -1).astype(np.float16)
