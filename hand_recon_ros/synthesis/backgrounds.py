"""What is behind the hands: a generated room or desk seen by every camera, or crops of a folder's photographs."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer
from hand_recon_ros.rendering.surface import Material
from hand_recon_ros.synthesis.appearance import turned
from hand_recon_ros.synthesis.furniture import Solid, desk, living_room
from hand_recon_ros.synthesis.rigs import CameraRig

VIEWS = {'facing': living_room, 'desk': desk, 'egocentric': desk, 'wild': living_room}
PHOTOGRAPHS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
PHOTOGRAPH_DISTANCE_M = 2.5     # where a flat photograph stands, for its disparity in a stereo pair
SPARE = 1.04                    # how much wider than a lens sees the background is drawn
_MATT = Material(specular=0.25, gloss=20.0, two_sided=True)


class Backdrop:
    """The background of one camera: an ideal image, drawn wide enough for the camera's lens, seen through that lens."""

    def __init__(self, image: np.ndarray, pinhole: Camera, camera: Camera):
        """image: (h, w, 3) of the ideal camera `pinhole`; camera: whose lens looks at it."""
        if pinhole is camera:
            self._image = np.asarray(image, np.float32)
            return
        y, x = np.mgrid[0:camera.height, 0:camera.width]
        plane = camera.normalise(np.stack([x, y], -1))
        at = pinhole.project(np.concatenate([plane, np.ones_like(plane[..., :1])], -1)).astype(np.float32)
        self._image = cv2.remap(np.asarray(image, np.float32), at[..., 0], at[..., 1], cv2.INTER_LINEAR,
                                borderMode=cv2.BORDER_REPLICATE)

    @property
    def brightness(self) -> float:
        """Mean value, 0..255."""
        return float(self._image.mean())

    def defocus(self, sigma_px: float) -> None:
        """Blur it as a lens focused on the hands does."""
        if sigma_px > 0:
            self._image = cv2.GaussianBlur(self._image, (0, 0), sigma_px)

    def seen(self, index: int) -> np.ndarray:
        """(H, W, 3) float32 0..255 in one frame."""
        return self._image


def covering_pinhole(camera: Camera) -> Camera:
    """The camera itself if its lens bends nothing, else an ideal one of the same pixel pitch that sees as much."""
    if camera.distortion_model == 'none':
        return camera
    x, y = np.arange(camera.width), np.arange(camera.height)
    rim = np.concatenate([np.stack(np.meshgrid(x, [0, camera.height - 1]), -1).reshape(-1, 2),
                          np.stack(np.meshgrid([0, camera.width - 1], y), -1).reshape(-1, 2)])
    plane = camera.normalise(rim)
    if not np.isfinite(plane).all():
        raise ValueError(f'D: {camera.D.tolist()}, expected a lens that bends every pixel of the image one to one')
    low, high = SPARE * plane.min(0), SPARE * plane.max(0)
    focal = camera.fx_px
    width, height = np.ceil(focal * (high - low)).astype(int)
    return Camera(int(width), int(height), np.array([[focal, 0, -focal * low[0]], [0, focal, -focal * low[1]],
                                                     [0, 0, 1]]))


def room_backdrops(view: str, rig: CameraRig, T_camera_viewer: np.ndarray, lighting: Lighting,
                   rng) -> list[Backdrop]:
    """One backdrop a camera of one room, which stands as the viewer sees it. lighting: in the viewer's frame."""
    if view not in VIEWS:
        raise ValueError(f'view: {view!r}, expected one of {", ".join(VIEWS)}')
    solids, backdrops = VIEWS[view](rng), []
    # Indoors the main light reaches the far wall weakened and softened.
    main, *others = lighting.lights
    weakened = Light(main.direction, tuple(0.75 * np.array(main.colour)))
    room_light = replace(lighting, softness=0.05,
                         lights=(weakened, *(replace(light, casts_shadow=False) for light in others)))
    for camera, T in zip(rig.cameras, T_camera_viewer):
        pinhole = covering_pinhole(camera)
        renderer = MeshRenderer(pinhole.width, pinhole.height, samples=8)
        items = [(_surface(renderer, solid), solid.moved(T[:3, :3], T[:3, 3]).vertices_m) for solid in solids]
        rendering = renderer.render(pinhole, items, turned(room_light, T[:3, :3]))
        image = rendering.over(np.full((pinhole.height, pinhole.width, 3), 90.0))
        backdrops.append(Backdrop(image, pinhole, camera))
        for surface, _ in items:
            surface.release()
        renderer.release()
    return backdrops


def _surface(renderer: MeshRenderer, solid: Solid):
    return renderer.surface(solid.faces, solid.uvs, solid.uv_faces, len(solid.vertices_m), solid.textures, _MATT,
                            smooth=False)


def photograph_backdrops(folder, rig: CameraRig, rng) -> list[Backdrop]:
    """One backdrop a camera: a random crop of a random photograph, shifted by its disparity.

    Of cameras that converge, the disparity is that of the photograph's distance from where their axes meet.
    """
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
    pinholes = [covering_pinhole(camera) for camera in rig.cameras]
    # Where the middle of the first image, at the photograph's distance, is seen by the others.
    middle = np.append(rig.cameras[0].normalise(0.5 * np.array([rig.cameras[0].width, rig.cameras[0].height])), 1.0)
    seen = [pinhole.project(rig.to_camera(k, PHOTOGRAPH_DISTANCE_M * middle)) for k, pinhole in enumerate(pinholes)]
    shifts = [0.0]
    for pinhole, at in zip(pinholes[1:], seen[1:]):
        shift = float(seen[0][0] - at[0]) if np.isfinite(at).all() else 0.0
        shifts.append(shift if abs(shift) < 0.5 * pinhole.width else 0.0)
    spare = max(shifts) - min(shifts)
    rows, columns = photograph.shape[:2]
    widest, highest = max(p.width for p in pinholes) + spare, max(p.height for p in pinholes)
    part = min(columns / widest, rows / highest) * rng.uniform(0.65, 1.0)
    x = rng.uniform(0, columns - part * widest) - part * min(shifts)
    y = rng.uniform(0, rows - part * highest)
    smooth = cv2.GaussianBlur(photograph, (0, 0), max(0.4 * part, 0.1))     # against aliasing where it shrinks
    backdrops = []
    for camera, pinhole, shift in zip(rig.cameras, pinholes, shifts):
        matrix = np.array([[part, 0, x + part * shift + 0.5 * part - 0.5], [0, part, y + 0.5 * part - 0.5]])
        crop = cv2.warpAffine(smooth, matrix, (pinhole.width, pinhole.height),
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        backdrops.append(Backdrop(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB), pinhole, camera))
    return backdrops
