"""What is behind the hands: a generated room or desk seen by every camera, or crops of a folder's photographs."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer
from hand_recon_ros.rendering.surface import Material
from hand_recon_ros.synthesis.furniture import Solid, desk, living_room

VIEWS = {'facing': living_room, 'egocentric': desk}
PHOTOGRAPHS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
PHOTOGRAPH_DISTANCE_M = 2.5     # where a flat photograph stands, for its disparity in a stereo pair
_MATT = Material(specular=0.25, gloss=20.0, two_sided=True)


def room_images(view: str, cameras: list[tuple[Camera, np.ndarray]], lighting: Lighting, rng) -> list[np.ndarray]:
    """One float32 (H, W, 3) 0..255 a camera of one room. cameras: (camera, position (3,) in the first's frame)."""
    if view not in VIEWS:
        raise ValueError(f'view: {view!r}, expected one of {", ".join(VIEWS)}')
    solids, images = VIEWS[view](rng), []
    # Indoors the main light reaches the far wall weakened and softened.
    main, *others = lighting.lights
    weakened = Light(main.direction, tuple(0.75 * np.array(main.colour)))
    room_light = replace(lighting, softness=0.05,
                         lights=(weakened, *(replace(light, casts_shadow=False) for light in others)))
    for camera, position in cameras:
        renderer = MeshRenderer(camera.width, camera.height, samples=8)
        items = [(_surface(renderer, solid), solid.vertices_m - np.asarray(position, np.float32)) for solid in solids]
        rendering = renderer.render(camera, items, room_light)
        images.append(rendering.over(np.full((camera.height, camera.width, 3), 90.0)).astype(np.float32))
        for surface, _ in items:
            surface.release()
        renderer.release()
    return images


def _surface(renderer: MeshRenderer, solid: Solid):
    return renderer.surface(solid.faces, solid.uvs, solid.uv_faces, len(solid.vertices_m), solid.textures, _MATT,
                            smooth=False)


def photograph_images(folder, cameras: list[tuple[Camera, np.ndarray]], rng) -> list[np.ndarray]:
    """One float32 (H, W, 3) 0..255 a camera: a random crop of a random photograph, shifted by its disparity."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f'backgrounds: {folder} is no folder')
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PHOTOGRAPHS)
    if not paths:
        raise ValueError(f'backgrounds: {folder} holds no photograph ({", ".join(PHOTOGRAPHS)})')
    path = paths[rng.integers(len(paths))]
    photograph = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if photograph is None:
        raise ValueError(f'backgrounds: {path} cannot be read as an image')
    first = cameras[0][0]
    shifts = [camera.fx_px * float(position[0]) / PHOTOGRAPH_DISTANCE_M for camera, position in cameras]
    spare = max(shifts) - min(shifts)
    rows, columns = photograph.shape[:2]
    part = min(columns / (first.width + spare), rows / first.height) * rng.uniform(0.65, 1.0)
    x = rng.uniform(0, columns - part * (first.width + spare)) - part * min(shifts)
    y = rng.uniform(0, rows - part * first.height)
    smooth = cv2.GaussianBlur(photograph, (0, 0), max(0.4 * part, 0.1))     # against aliasing where it shrinks
    images = []
    for (camera, _), shift in zip(cameras, shifts):
        matrix = np.array([[part, 0, x + part * shift + 0.5 * part - 0.5], [0, part, y + 0.5 * part - 0.5]])
        crop = cv2.warpAffine(smooth, matrix, (camera.width, camera.height),
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        images.append(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.float32))
    return images
