"""Textured meshes before a camera -> pixels: soft shadows, several lights, MSAA, coverage, depth and mask."""
from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import moderngl
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.rendering import shaders
from hand_recon_ros.rendering.context import gl_context
from hand_recon_ros.rendering.surface import Surface

NEAR_M, FAR_M = 0.03, 12.0
STEP_PX = 4.0      # a surface steeper than this many pixels deep a pixel is shaded at all samples, like a silhouette
# Where samples lie in a pixel: the pattern all OpenGL implementations share in practice.
SAMPLE_POSITIONS = {1: ((0.5, 0.5),), 4: ((0.375, 0.125), (0.875, 0.375), (0.125, 0.625), (0.625, 0.875))}


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
        if not 0.0 <= self.softness <= 0.5:
            raise ValueError(f'softness: {self.softness}, expected 0..0.5')
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


class Programs(NamedTuple):
    """The compiled shaders, one set a context."""
    visibility: moderngl.Program
    shadow: moderngl.Program
    geometry: moderngl.Program
    shading: dict[int, moderngl.Program]     # by samples a pixel


@lru_cache(maxsize=1)
def _programs(context: moderngl.Context) -> Programs:
    def shading(samples):
        source = shaders.SHADING_FRAGMENT.replace('{samples}', str(samples))
        source = source.replace('{sampler}', 'sampler2DMS' if samples > 1 else 'sampler2D')
        program = context.program(vertex_shader=shaders.BOX_VERTEX, fragment_shader=source)
        program['sample_position'].write(np.array(SAMPLE_POSITIONS[samples], 'f4'))
        return program
    return Programs(context.program(vertex_shader=shaders.VISIBILITY_VERTEX, fragment_shader=shaders.VISIBILITY_FRAGMENT),
                    context.program(vertex_shader=shaders.SHADOW_VERTEX, fragment_shader=shaders.SHADOW_FRAGMENT),
                    context.program(vertex_shader=shaders.BOX_VERTEX, fragment_shader=shaders.GEOMETRY_FRAGMENT),
                    {samples: shading(samples) for samples in SAMPLE_POSITIONS})


class MeshRenderer:
    """Draws surfaces for one camera size. Distorted cameras too: vertices are projected by the camera's own model.

    Many renderers of different sizes may draw the same surfaces: all live in the process's one context.
    """

    def __init__(self, width: int, height: int, samples: int = 4):
        """samples: 1 or 4 a pixel."""
        if width < 1 or height < 1:
            raise ValueError(f'size: {width} x {height}, expected at least 1 x 1')
        if samples not in SAMPLE_POSITIONS:
            raise ValueError(f'samples: {samples}, expected one of {", ".join(map(str, SAMPLE_POSITIONS))}')
        self.context = context = gl_context()
        if max(width, height) > context.info['GL_MAX_VIEWPORT_DIMS'][0]:
            raise ValueError(f'size: {width} x {height}, expected at most {context.info["GL_MAX_VIEWPORT_DIMS"][0]}')
        if samples > context.max_samples:
            raise ValueError(f'samples: {samples}, expected at most {context.max_samples} of this OpenGL')
        self.width, self.height, self.samples = width, height, samples
        self._programs = _programs(context)
        size = (width, height)
        self._visible = self._visibility_target(samples)
        self._centres = self._visibility_target(1) if samples > 1 else self._visible
        self._shaded = context.framebuffer([context.texture(size, 4)])
        self._geometry = context.framebuffer([context.texture(size, 4, dtype='f4')])
        # A shadow's texel is about a pixel where bodies fill the image.
        side = min(1024, max(256, 1 << (max(width, height).bit_length() - 1)))
        self._shadows = []
        for _ in range(shaders.MAX_SHADOWS):
            texture = context.depth_texture((side, side))
            texture.compare_func = ''
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self._shadows.append((texture, context.framebuffer(depth_attachment=texture)))
        self._box = context.buffer(reserve=32)
        self._box_arrays = {program: context.vertex_array(program, [(self._box, '2f', 'in_corner')])
                            for program in (self._programs.geometry, self._programs.shading[samples])}

    def surface(self, faces, uvs, uv_faces, vertex_count, textures, material, smooth=True,
                vertex_labels=None) -> Surface:
        """A surface every renderer can draw. vertex_labels: (V,) 0..1, 1 where it counts in the mask; None: all of it."""
        return Surface(self.context, faces, uvs, uv_faces, vertex_count, textures, material, smooth, vertex_labels)

    def render(self, camera: Camera, items: list[tuple[Surface, np.ndarray]], lighting: Lighting,
               geometry: bool = False) -> Rendering:
        """Draw (surface, vertices (V, 3) in the camera's frame, metres) items; depth, mask, uv with geometry=True."""
        if (camera.width, camera.height) != (self.width, self.height):
            raise ValueError(f'camera: {camera.width} x {camera.height}, expected {self.width} x {self.height}')
        drawn, first = [], 1
        for number, (surface, vertices_m) in enumerate(items, 1):
            low, high = surface.place(vertices_m, lambda points_m: clip_coordinates(camera, points_m)[:, :2])
            box = self._pixel_box(low, high)
            if box is not None:
                drawn.append(_Drawn(number, surface, first, box))
                first += surface.triangle_count
        region = _union([item.box for item in drawn])
        image = np.zeros((self.height, self.width, 4), np.uint8)
        values = np.zeros((self.height, self.width, 4), np.float32) if geometry else None
        if region is not None:
            context = self.context
            context.enable_only(moderngl.DEPTH_TEST)
            shadow_matrices = self._draw_shadows(items, lighting)
            self._draw_visibility(self._visible, drawn, region)
            if geometry and self._centres is not self._visible:
                self._draw_visibility(self._centres, drawn, region)
            self._shade(drawn, region, lighting, shadow_matrices, camera.fx_px)
            left, top, width, height = region
            rows, columns = slice(top, top + height), slice(left, left + width)
            image[rows, columns] = _read(self._shaded, region, np.uint8)
            if geometry:
                self._draw_geometry(drawn, region)
                values[rows, columns] = _read(self._geometry, region, np.float32)
        if not geometry:
            return Rendering(image)
        item = values[..., 1].astype(np.uint8)
        return Rendering(image, values[..., 0].copy(), item * (values[..., 1] > item), item, values[..., 2:].copy())

    def release(self) -> None:
        """Give the GPU's memory back; the renderer is of no use afterwards, its surfaces are."""
        for array in self._box_arrays.values():
            array.release()
        self._box.release()
        for target in {self._visible, self._centres, self._shaded, self._geometry, *(t for _, t in self._shadows)}:
            for attachment in (*target.color_attachments, target.depth_attachment):
                if attachment is not None:
                    attachment.release()
            target.release()

    def _visibility_target(self, samples: int) -> moderngl.Framebuffer:
        size, samples = (self.width, self.height), samples if samples > 1 else 0
        texture = self.context.texture(size, 1, samples=samples, dtype='f4')
        if not samples:
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return self.context.framebuffer([texture], self.context.depth_texture(size, samples=samples))

    def _pixel_box(self, low, high) -> tuple[int, int, int, int] | None:
        """(left, top, width, height) of the pixels a box of the image (0..1) touches, None if there are none."""
        size = np.array([self.width, self.height])
        first = np.clip(np.floor(low * size) - 1, 0, size).astype(int)
        past = np.clip(np.ceil(high * size) + 1, 0, size).astype(int)
        return (*map(int, first), *map(int, past - first)) if (past > first).all() else None

    def _draw_shadows(self, items, lighting) -> list[np.ndarray]:
        matrices = []
        casters = [light for light in lighting.lights if light.casts_shadow]
        if not casters:
            return matrices
        points = np.concatenate([vertices for _, vertices in items])
        centre = 0.5 * (points.min(0) + points.max(0))
        # Room at the map's rim for the penumbra's samples.
        radius = float(np.linalg.norm(points - centre, axis=1).max()) * 1.05 / (1.0 - lighting.softness)
        program = self._programs.shadow
        self.context.front_face = 'ccw'
        for (_, target), light in zip(self._shadows, casters):
            matrices.append(shadow_matrix(light.direction, centre, radius))
            program['to_shadow'].write(matrices[-1].T.astype('f4').tobytes())
            target.use()
            target.clear(depth=1.0)
            for surface, _ in items:
                self._cull(surface)
                surface.array(program, '8x 3f 12x', ('in_position',), coarse=True).render()
        return matrices

    def _cull(self, surface) -> None:
        (self.context.enable if surface.culled else self.context.disable)(moderngl.CULL_FACE)

    def _draw_visibility(self, target, drawn, region) -> None:
        context, program = self.context, self._programs.visibility
        program['depth_range'] = ((FAR_M + NEAR_M) / (FAR_M - NEAR_M), 2.0 * FAR_M * NEAR_M / (FAR_M - NEAR_M))
        target.use()
        target.clear(viewport=region)
        # The image's rows run downwards, so faces seen from outside turn clockwise on the GPU's upward rows.
        context.front_face = 'cw'
        for item in drawn:
            self._cull(item.surface)
            program['first'] = float(item.first)
            item.surface.array(program, '2f 8x 1f 12x', ('in_clip', 'in_z')).render()

    def _shade(self, drawn, region, lighting, shadow_matrices, focal_px: float) -> None:
        context, program = self.context, self._programs.shading[self.samples]
        self._write_lighting(program, lighting, shadow_matrices)
        program['step_part'] = STEP_PX / focal_px
        self._shaded.use()
        self._shaded.clear(viewport=region)
        context.enable_only(moderngl.BLEND)
        context.blend_func = moderngl.ONE, moderngl.ONE
        self._visible.color_attachments[0].use(0)
        for item in drawn:
            surface, material = item.surface, item.surface.material
            surface.albedo.use(3)
            surface.slopes.use(4)
            for unit, name in enumerate(('albedo', 'slopes', 'shadow_0', 'shadow_1'), 3):
                program[name] = unit
            for name in ('wrap', 'gloss', 'specular', 'bump', 'two_sided'):
                program[name] = getattr(material, name)
            # Texels of the albedo a shaded sample: clip space is 2 wide, two samples share most pixels.
            texels = surface.albedo.width * surface.albedo.height
            program['texel_scale'] = texels * 4.0 / (self.width * self.height * min(self.samples, 2))
            self._draw_box(program, item)

    def _draw_geometry(self, drawn, region) -> None:
        program = self._programs.geometry
        self._geometry.use()
        self._geometry.clear(viewport=region)
        self.context.enable_only(moderngl.NOTHING)
        self._centres.color_attachments[0].use(0)
        for item in drawn:
            program['item'] = float(item.number)
            self._draw_box(program, item)

    def _draw_box(self, program, item) -> None:
        """Run a program on the pixels an item may cover."""
        left, top, width, height = item.box
        size = np.array([self.width, self.height], 'f4')
        low, high = np.array([left, top]) / size * 2 - 1, np.array([left + width, top + height]) / size * 2 - 1
        self._box.write(np.array([low, (high[0], low[1]), (low[0], high[1]), high], 'f4'))
        item.surface.vertices.use(1)
        item.surface.triangles.use(2)
        program['visible'], program['vertices'], program['triangles'] = 0, 1, 2
        program['pixels_to_clip'] = tuple(2.0 / size)
        program['first'], program['last'] = float(item.first), float(item.first + item.surface.triangle_count - 1)
        self._box_arrays[program].render(moderngl.TRIANGLE_STRIP, vertices=4)

    def _write_lighting(self, program, lighting, shadow_matrices) -> None:
        lights = lighting.lights
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
        for unit, (texture, _) in enumerate(self._shadows, 5):
            texture.use(unit)


@dataclass(frozen=True)
class _Drawn:
    """An item in sight: its number, its first triangle's number in the visibility buffer, its pixels."""
    number: int
    surface: Surface
    first: int
    box: tuple[int, int, int, int]


def _union(boxes) -> tuple[int, int, int, int] | None:
    if not boxes:
        return None
    boxes = np.array(boxes)
    low, past = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    return (*map(int, low), *map(int, past - low))


def _read(target, region, dtype) -> np.ndarray:
    """(h, w, 4) of a framebuffer's region."""
    data = target.read(viewport=region, components=4, alignment=1, dtype='f1' if dtype == np.uint8 else 'f4')
    return np.frombuffer(data, dtype).reshape(region[3], region[2], 4)


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
