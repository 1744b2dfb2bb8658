"""The other renderers of `bench renderer`: pyrender and pyvista behind one interface, each with its own GL context."""
from __future__ import annotations

import importlib
import os
import time
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.rendering.mesh_renderer import FAR_M, NEAR_M, Lighting

INSTALL = "pip install '.[bench-peers]'"
_FLIP = np.array([1.0, -1.0, -1.0])       # optical frame -> OpenGL's: y up, z backwards
SAMPLES = 4


@dataclass(frozen=True)
class DrawnMesh:
    """What stays from frame to frame. faces: (F, 3). uvs: (C, 2), v up."""
    faces: np.ndarray
    uvs: np.ndarray


class Pyrender:
    """pyrender's offscreen renderer on EGL: physically based shading, its own 4 samples a pixel.

    One renderer serves all sizes, since deleting one shuts the EGL display of all.
    """
    _renderer = None

    @staticmethod
    def check() -> None:
        """ModuleNotFoundError when it is not installed."""
        os.environ.setdefault('PYOPENGL_PLATFORM', 'egl')      # PyOpenGL reads it once, at import
        importlib.import_module('pyrender')

    def __init__(self, camera: Camera, meshes: list[DrawnMesh], albedo, lighting: Lighting):
        self._pyrender = pyrender = importlib.import_module('pyrender')
        self._meshes = meshes
        texture = pyrender.Texture(source=np.ascontiguousarray(albedo[::-1]), source_channels='RGB')
        self._material = pyrender.MetallicRoughnessMaterial(baseColorTexture=texture, metallicFactor=0.0,
                                                            roughnessFactor=0.6)
        self._scene = scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=(0.35, 0.35, 0.35))
        (fx, cx), (fy, cy) = camera.K[0, [0, 2]], camera.K[1, [1, 2]]
        # pyrender counts from the image's corner, we from the first pixel's centre.
        scene.add(pyrender.IntrinsicsCamera(fx, fy, cx + 0.5, cy + 0.5, znear=NEAR_M, zfar=FAR_M))
        for light in lighting.lights:
            scene.add(pyrender.DirectionalLight(np.array(light.colour), 3.0), pose=_looking_down(light.direction))
        self._size = camera.width, camera.height
        if Pyrender._renderer is None:
            Pyrender._renderer = pyrender.OffscreenRenderer(*self._size)

    def draw(self, points_and_normals) -> tuple[float, np.ndarray, np.ndarray]:
        """Seconds, colour (H, W, 3) and depth (H, W), 0 where nothing is."""
        start = time.perf_counter()
        self._renderer.viewport_width, self._renderer.viewport_height = self._size
        nodes = []
        for mesh, (points, normals) in zip(self._meshes, points_and_normals):
            points, normals = (np.asarray(rows * _FLIP, np.float32) for rows in (points, normals))
            primitive = self._pyrender.Primitive(points, normals, texcoord_0=mesh.uvs, indices=mesh.faces,
                                                 material=self._material, mode=4)
            nodes.append(self._scene.add(self._pyrender.Mesh([primitive])))
        colour, depth = self._renderer.render(self._scene)
        taken = time.perf_counter() - start
        for node in nodes:
            self._scene.remove_node(node)
        return taken, colour, depth

    def close(self) -> None:
        """Give its context back."""
        if Pyrender._renderer is not None:
            Pyrender._renderer.delete()
            Pyrender._renderer = None


class Pyvista:
    """pyvista's off-screen plotter (VTK picks EGL or OSMesa): Blinn-Phong, 4 samples a pixel."""

    @staticmethod
    def check() -> None:
        """ModuleNotFoundError when it is not installed."""
        importlib.import_module('pyvista')

    def __init__(self, camera: Camera, meshes: list[DrawnMesh], albedo, lighting: Lighting):
        pyvista = importlib.import_module('pyvista')
        self._plotter = plotter = pyvista.Plotter(off_screen=True, window_size=(camera.width, camera.height),
                                                  lighting='none')
        plotter.set_background('black')
        plotter.enable_anti_aliasing('msaa', multi_samples=SAMPLES)
        for light in lighting.lights:
            plotter.add_light(pyvista.Light(position=tuple(np.array(light.direction)), focal_point=(0, 0, 0),
                                            color=tuple(np.clip(light.colour, 0, 1)), light_type='scene light'))
        texture = pyvista.numpy_to_texture(np.ascontiguousarray(albedo))
        self._stored = importlib.import_module('vtkmodules.vtkCommonCore').vtkFloatArray()
        self._polys = []
        for mesh in meshes:
            count = len(mesh.uvs)
            poly = pyvista.PolyData(np.zeros((count, 3), np.float32),
                                    np.insert(mesh.faces, 0, 3, axis=1).ravel())
            poly.point_data['Normals'] = np.zeros((count, 3), np.float32)
            poly.point_data.active_normals_name = 'Normals'
            poly.active_texture_coordinates = mesh.uvs
            actor = plotter.add_mesh(poly, texture=texture, smooth_shading=False, ambient=0.35, specular=0.2,
                                     specular_power=14)
            actor.prop.interpolation = 'Gouraud'      # smooth, by the normals given (smooth_shading would make its own)
            self._polys.append(poly)
        view = plotter.camera
        view.position, view.focal_point, view.up = (0, 0, 0), (0, 0, 1), (0, -1, 0)
        view.view_angle = float(np.degrees(2 * np.arctan(0.5 * camera.height / camera.K[1, 1])))
        view.clipping_range = (NEAR_M, FAR_M)

    def draw(self, points_and_normals) -> tuple[float, np.ndarray, np.ndarray]:
        """Seconds, colour (H, W, 3) and depth (H, W), 0 where nothing is."""
        start = time.perf_counter()
        for poly, (points, normals) in zip(self._polys, points_and_normals):
            poly.points = points
            poly.point_data['Normals'] = normals
        self._plotter.render()
        colour = self._plotter.screenshot(return_img=True)
        # Not get_image_depth(), which would draw everything once more.
        height, width = colour.shape[:2]
        self._plotter.render_window.GetZbufferData(0, 0, width - 1, height - 1, self._stored)
        stored = np.array(self._stored, np.float32).reshape(height, width)[::-1]
        near, far = self._plotter.camera.clipping_range
        depth = np.where(stored < 1.0, near * far / (far - stored * (far - near)), 0.0)
        return time.perf_counter() - start, colour, depth

    def close(self) -> None:
        """Give its context back."""
        self._plotter.close()


def _looking_down(direction) -> np.ndarray:
    """(4, 4) pose, OpenGL's frame, of a light whose -z runs along the light; `direction` points towards its source."""
    z = np.asarray(direction, float) * _FLIP
    z /= np.linalg.norm(z)
    x = np.cross([0.31, 0.87, 0.38], z)
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
    return pose


# In the order they are opened in: VTK would shut pyrender's display.
PEERS = {'pyvista': Pyvista, 'pyrender': Pyrender}
