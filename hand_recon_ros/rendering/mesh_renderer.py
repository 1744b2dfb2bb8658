"""Textured meshes before a camera -> pixels: soft shadows, several lights, MSAA, coverage, depth and mask."""
from __future__ import annotations

from dataclasses import dataclass

import moderngl
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.rendering import shaders
from hand_recon_ros.rendering.context import gl_context
from hand_recon_ros.rendering.surface import Surface

NEAR_M, FAR_M = 0.03, 12.0


@dataclass(frozen=True)
class Light:
    """A distant light. direction: (3,) towards the light, camera frame. colour: (3,) linear RGB intensity."""
    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    casts_shadow: bool = True


@dataclass(frozen=True)
class Lighting:
    """Up to three lights (shadow casters first, at most two) over two hemispheres of ambient light, linear RGB."""
    lights: tuple[Light, ...]
    sky: tuple[float, float, float] = (0.42, 0.44, 0.48)
    ground: tuple[float, float, float] = (0.22, 0.19, 0.17)
    up: tuple[float, float, float] = (0.0, -1.0, 0.0)
    exposure: float = 1.0
    softness: float = 0.02        # radius of the shadows' penumbra, as a part of the scene's radius

    def __post_init__(self):
        casters = [light.casts_shadow for light in self.lights]
        too_many = len(casters) > shaders.MAX_LIGHTS or sum(casters) > shaders.MAX_SHADOWS
        if too_many or casters != sorted(casters, reverse=True):
            raise ValueError(f'lights: {len(casters)} with shadows {casters}, expected at most {shaders.MAX_LIGHTS}, '
                             f'the at most {shaders.MAX_SHADOWS} shadow casters first')


@dataclass(frozen=True)
class Rendering:
    """premultiplied: (H, W, 4) uint8, colour times coverage, and coverage. depth_m: (H, W) float32, 0 where nothing is.

    item: (H, W) uint8, 0 background, k + 1 the k-th item. mask: the same, but 0 where the surface's interpolated vertex
    label is below a half. uv: (H, W, 2) float32, v up, 0 where nothing is. These are taken at the pixels' centres.
    """
    premultiplied: np.ndarray
    depth_m: np.ndarray | None = None
    mask: np.ndarray | None = None
    item: np.ndarray | None = None
    uv: np.ndarray | None = None

    def over(self, background) -> np.ndarray:
        """(H, W, 3) float32 0..255: this image over a background (H, W, 3) of 0..255."""
        coverage = self.premultiplied[..., 3:].astype(np.float32) / 255.0
        return self.premultiplied[..., :3] + (1.0 - coverage) * np.asarray(background, np.float32)


class MeshRenderer:
    """Draws surfaces for one camera size. Distorted cameras too: vertices are projected by the camera's own model."""
    SHADOW_SIZE = 1024

    def __init__(self, width: int, height: int, samples: int = 4):
        if width < 1 or height < 1:
            raise ValueError(f'size: {width} x {height}, expected at least 1 x 1')
        self.context = context = gl_context()
        if max(width, height) > context.info['GL_MAX_VIEWPORT_DIMS'][0]:
            raise ValueError(f'size: {width} x {height}, expected at most {context.info["GL_MAX_VIEWPORT_DIMS"][0]}')
        self.width, self.height = width, height
        size = (width, height)
        self._program = context.program(vertex_shader=shaders.MESH_VERTEX, fragment_shader=shaders.MESH_FRAGMENT)
        self._shadow_program = context.program(vertex_shader=shaders.SHADOW_VERTEX,
                                               fragment_shader=shaders.SHADOW_FRAGMENT)
        self._geometry_program = context.program(vertex_shader=shaders.GEOMETRY_VERTEX,
                                                 fragment_shader=shaders.GEOMETRY_FRAGMENT)
        samples = min(samples, context.max_samples)
        self._multisampled = context.framebuffer([context.texture(size, 4, samples=samples)],
                                                 context.depth_texture(size, samples=samples))
        self._resolved = context.framebuffer([context.texture(size, 4)])
        self._geometry = context.framebuffer([context.texture(size, 4, dtype='f4')], context.depth_texture(size))
        self._shadows = []
        for _ in range(shaders.MAX_SHADOWS):
            texture = context.depth_texture((self.SHADOW_SIZE, self.SHADOW_SIZE))
            texture.compare_func = ''
            self._shadows.append((texture, context.framebuffer(depth_attachment=texture)))
        self._arrays: dict[int, tuple] = {}

    def surface(self, faces, uvs, uv_faces, vertex_count, textures, material, smooth=True,
                vertex_labels=None) -> Surface:
        """A surface this renderer can draw. vertex_labels: (V,) 0..1, 1 where it counts in the mask; None: all of it."""
        return Surface(self.context, faces, uvs, uv_faces, vertex_count, textures, material, smooth, vertex_labels)

    def render(self, camera: Camera, items: list[tuple[Surface, np.ndarray]], lighting: Lighting,
               geometry: bool = False) -> Rendering:
        """Draw (surface, vertices (V, 3) in the camera's frame, metres) items; depth and mask with geometry=True."""
        if (camera.width, camera.height) != (self.width, self.height):
            raise ValueError(f'camera: {camera.width} x {camera.height}, expected {self.width} x {self.height}')
        for surface, vertices_m in items:
            surface.place(vertices_m, lambda points_m: clip_coordinates(camera, points_m))
        context = self.context
        context.enable(moderngl.DEPTH_TEST)
        context.disable(moderngl.CULL_FACE | moderngl.BLEND)
        shadow_matrices = self._draw_shadows(items, lighting)
        self._write_lighting(lighting, shadow_matrices)
        self._multisampled.use()
        self._multisampled.clear(0.0, 0.0, 0.0, 0.0)
        for surface, _ in items:
            self._write_material(surface)
            self._array(surface)[0].render()
        context.copy_framebuffer(self._resolved, self._multisampled)
        image = np.frombuffer(self._resolved.read(components=4, alignment=1), np.uint8)
        image = image.reshape(self.height, self.width, 4)
        if not geometry:
            return Rendering(image)
        self._geometry.use()
        self._geometry.clear(0.0, 0.0, 0.0, 0.0)
        for number, (surface, _) in enumerate(items, 1):
            self._geometry_program['identity'] = float(number)
            self._array(surface)[2].render()
        values = np.frombuffer(self._geometry.read(components=4, dtype='f4', alignment=1), np.float32)
        values = values.reshape(self.height, self.width, 4)
        item = values[..., 1].astype(np.uint8)
        labelled = values[..., 1] > item
        return Rendering(image, values[..., 0].copy(), item * labelled, item, values[..., 2:].copy())

    def release(self) -> None:
        """Give the GPU's memory back; the renderer is of no use afterwards."""
        for *arrays, _ in self._arrays.values():
            for array in arrays:
                array.release()
        self._arrays.clear()
        shadow_targets = [target for _, target in self._shadows]
        for target in (self._multisampled, self._resolved, self._geometry, *shadow_targets):
            for attachment in (*target.color_attachments, target.depth_attachment):
                if attachment is not None:
                    attachment.release()
            target.release()

    def _array(self, surface: Surface) -> tuple:
        arrays = self._arrays.get(id(surface))
        if arrays is None or arrays[3] is not surface:
            def over(program, layout, *names):
                return self.context.vertex_array(program, [(surface.buffer, layout, *names)], surface.index)
            arrays = (over(self._program, '4f 3f 3f 2f 4x', 'in_clip', 'in_position', 'in_normal', 'in_uv'),
                      over(self._shadow_program, '16x 3f 24x', 'in_position'),
                      over(self._geometry_program, '4f 3f 12x 2f 1f', 'in_clip', 'in_position', 'in_uv', 'in_label'), surface)
            self._arrays[id(surface)] = arrays
        return arrays

    def _draw_shadows(self, items, lighting) -> list[np.ndarray]:
        matrices = []
        if not items:
            return matrices
        points = np.concatenate([vertices for _, vertices in items])
        centre = 0.5 * (points.min(0) + points.max(0))
        radius = float(np.linalg.norm(points - centre, axis=1).max()) * 1.05
        for (_, target), light in zip(self._shadows, (light for light in lighting.lights if light.casts_shadow)):
            matrices.append(shadow_matrix(light.direction, centre, radius))
            self._shadow_program['to_shadow'].write(matrices[-1].T.astype('f4').tobytes())
            target.use()
            target.clear(depth=1.0)
            for surface, _ in items:
                self._array(surface)[1].render()
        return matrices

    def _write_lighting(self, lighting, shadow_matrices) -> None:
        program, lights = self._program, lighting.lights
        directions, colours = np.zeros((3, 3), 'f4'), np.zeros((3, 3), 'f4')
        for k, light in enumerate(lights):
            directions[k] = np.asarray(light.direction) / np.linalg.norm(light.direction)
            colours[k] = light.colour
        matrices = np.stack([m.T for m in shadow_matrices] + [np.eye(4)] * (2 - len(shadow_matrices))).astype('f4')
        for name, value in (('light_direction', directions), ('light_colour', colours), ('to_shadow', matrices)):
            program[name].write(value.tobytes())
        program['light_count'], program['shadow_count'] = len(lights), len(shadow_matrices)
        program['shadow_radius'], program['shadow_bias'] = 0.5 * lighting.softness, 0.004 + 0.25 * lighting.softness
        for name in ('sky', 'ground', 'up', 'exposure'):
            program[name] = getattr(lighting, name)
        for unit, (texture, _) in enumerate(self._shadows, 2):
            texture.use(unit)
            program[f'shadow_{unit - 2}'] = unit

    def _write_material(self, surface: Surface) -> None:
        surface.albedo.use(0)
        surface.height.use(1)
        program, material = self._program, surface.material
        program['albedo'], program['height'] = 0, 1
        for name in ('wrap', 'gloss', 'specular', 'bump', 'two_sided'):
            program[name] = getattr(material, name)


def clip_coordinates(camera: Camera, points_m) -> np.ndarray:
    """(N, 4) clip coordinates of points (N, 3) in the camera's frame; rows of the read image run downwards.

    Integer pixels name pixel centres, so pixel u lies at 2 (u + 0.5) / width - 1. w is the depth z, hence
    interpolation is perspective-correct between the projected vertices.
    """
    x, y, z = np.asarray(points_m, np.float32).T
    K = camera.K
    u_z, v_z = K[0, 0] * x + K[0, 1] * y + K[0, 2] * z, K[1, 1] * y + K[1, 2] * z
    if camera.distortion_model != 'none':
        # Behind the camera and far off axis a lens model gives no pixel; there the ideal pinhole serves: out of sight.
        pixels = camera.project(points_m)
        seen = np.isfinite(pixels).all(1)
        u_z[seen], v_z[seen] = pixels[seen, 0] * z[seen], pixels[seen, 1] * z[seen]
    clip = np.empty((len(z), 4), np.float32)
    clip[:, 0] = (2.0 * u_z + z) / camera.width - z
    clip[:, 1] = (2.0 * v_z + z) / camera.height - z
    clip[:, 2] = ((FAR_M + NEAR_M) * z - 2.0 * FAR_M * NEAR_M) / (FAR_M - NEAR_M)
    clip[:, 3] = z
    return clip


def shadow_matrix(direction, centre, radius: float) -> np.ndarray:
    """(4, 4): camera frame -> the light's clip cube around a sphere; depth grows away from the light."""
    z = np.asarray(direction, float) / np.linalg.norm(direction)
    x = np.cross([0.31, 0.87, 0.38], z)
    x /= np.linalg.norm(x)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([x, np.cross(z, x), -z]) / radius
    matrix[:3, 3] = -matrix[:3, :3] @ np.asarray(centre, float)
    return matrix
