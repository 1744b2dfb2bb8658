"""What is behind the hands: a generated room or table seen by every camera, or a flat picture: a user's photographs, a
jumble."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.rendering.mesh_renderer import Light, Lighting, MeshRenderer
from hand_recon_ros.rendering.surface import Material
from hand_recon_ros.synthesis import materials
from hand_recon_ros.synthesis.appearance import turned
from hand_recon_ros.synthesis.desks import table
from hand_recon_ros.synthesis.furniture import living_room
from hand_recon_ros.synthesis.rigs import CameraRig
from hand_recon_ros.synthesis.solids import Solid

ROOMS = {'living_room': living_room, 'table': table}
# What each view looks at, and how far down, degrees.
VIEWS = {'facing': (('living_room', (-10, 8)),), 'desk': (('table', (32, 68)),), 'egocentric': (('table', (28, 55)),),
         'wild': (('living_room', (-20, 20)), ('table', (20, 75)), ('jumble', (0, 0)), ('jumble', (0, 0)))}
PHOTOGRAPHS = ('.jpg', '.jpeg', '.png', '.bmp', '.webp')
PICTURE_DISTANCE_M = 2.5        # where a flat picture stands, for its disparity in a stereo pair
TABLE_DISTANCE_M = 0.9          # along the viewer's axis, where nobody says it
SPARE = 1.03                    # how much wider than a lens sees the background is drawn
PITCH = 0.75                    # pixels of a background before it goes through a lens, a pixel of the image
_MATT = Material(specular=0.25, gloss=20.0, two_sided=True)


@dataclass(frozen=True)
class Setting:
    """kind: 'living_room', 'table' or 'jumble'. pitch: how far the viewer looks down, rad."""
    kind: str
    pitch: float

    @property
    def viewer_from_level(self) -> np.ndarray:
        """Rotation (3, 3) from the level frame (y down, z ahead) to the viewer's."""
        return axis_angle_to_matrix(np.array([self.pitch, 0.0, 0.0]))


def sample_setting(view: str, rng: np.random.Generator) -> Setting:
    """Where a view takes place; ValueError for an unknown view."""
    if view not in VIEWS:
        raise ValueError(f'view: {view!r}, expected one of {", ".join(VIEWS)}')
    kind, (low, high) = VIEWS[view][rng.integers(len(VIEWS[view]))]
    return Setting(kind, float(np.radians(rng.uniform(low, high))))


class Backdrop:
    """The background of one camera: a picture of an ideal camera that sees more, looked at through the lens."""

    def __init__(self, picture: np.ndarray, pinhole: Camera, camera: Camera):
        """picture: (h, w, 3) of 0..255, of the ideal camera `pinhole`; camera: whose lens looks at it."""
        self._picture = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
        self._pinhole, self._camera = pinhole, camera
        self._rays = None
        if camera.distortion_model != 'none':
            y, x = np.mgrid[0:camera.height, 0:camera.width]
            plane = camera.normalise(np.stack([x, y], -1))
            self._rays = np.concatenate([plane, np.ones_like(plane[..., :1])], -1).astype(np.float32)
        self._still = None

    def defocus(self, sigma_px: float) -> None:
        """Blur it as a lens focused on the hands does."""
        if sigma_px > 0:
            self._picture = cv2.GaussianBlur(self._picture, (0, 0), sigma_px * self._pinhole.fx_px / self._camera.fx_px)
            self._still = None

    def seen(self, rotation=None) -> np.ndarray:
        """(H, W, 3) uint8, the camera turned by rotation (3, 3): x_rest = rotation @ x; None for at rest."""
        if rotation is None:
            if self._still is None:
                self._still = self._looked(np.eye(3))
            return self._still
        return self._looked(np.asarray(rotation, np.float64))

    def _looked(self, rotation) -> np.ndarray:
        size = (self._camera.width, self._camera.height)
        if self._rays is None:
            homography = self._pinhole.K @ rotation @ np.linalg.inv(self._camera.K)
            return cv2.warpPerspective(self._picture, homography, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                                       borderMode=cv2.BORDER_REPLICATE)
        at = self._rays @ (self._pinhole.K @ rotation).T.astype(np.float32)
        return cv2.remap(self._picture, at[..., 0] / at[..., 2], at[..., 1] / at[..., 2], cv2.INTER_LINEAR,
                         borderMode=cv2.BORDER_REPLICATE)


def covering_pinhole(camera: Camera, sway_rad: float = 0.0) -> Camera:
    """An ideal camera of the same axis that sees all the camera does, and all it does turned by sway_rad: the camera
    itself if its lens bends nothing and it stays where it is."""
    if camera.distortion_model == 'none' and sway_rad == 0:
        return camera
    x, y = np.arange(camera.width), np.arange(camera.height)
    rim = np.concatenate([np.stack(np.meshgrid(x, [0, camera.height - 1]), -1).reshape(-1, 2),
                          np.stack(np.meshgrid([0, camera.width - 1], y), -1).reshape(-1, 2)])
    plane = camera.normalise(rim)
    if not np.isfinite(plane).all():
        raise ValueError(f'D: {camera.D.tolist()}, expected a lens that bends every pixel of the image one to one')
    low, high = (np.tan(np.arctan(SPARE * edge) + sign * sway_rad) for edge, sign in ((plane.min(0), -1),
                                                                                     (plane.max(0), 1)))
    focal = PITCH * camera.fx_px
    width, height = np.ceil(focal * (high - low)).astype(int)
    return Camera(int(width), int(height), np.array([[focal, 0, -focal * low[0]], [0, focal, -focal * low[1]],
                                                     [0, 0, 1]]))


def room_backdrops(view: str, rig: CameraRig, T_camera_viewer: np.ndarray, lighting: Lighting, rng,
                   setting: Setting | None = None, table_m: float = TABLE_DISTANCE_M, others: list[Solid] = (),
                   sway_rad: float = 0.0) -> list[Backdrop]:
    """One backdrop a camera of one place, which stands as the viewer sees it.

    lighting: in the viewer's frame. setting: None to draw it for the view. table_m: distance of a table along the
    viewer's axis. others: more solids (a person), in the level frame. sway_rad: how far the cameras may turn.
    """
    setting = sample_setting(view, rng) if setting is None else setting
    pinholes = [covering_pinhole(camera, sway_rad) for camera in rig.cameras]
    if setting.kind == 'jumble':
        widest = max(p.width for p in pinholes)
        return flat_backdrops(255 * materials.jumble(rng, int(1.3 * widest), widest, int(rng.integers(10, 160))), rig,
                              rng, pinholes)
    down = setting.viewer_from_level
    away = np.array([0.0, 0.0, table_m]) if setting.kind == 'table' else np.zeros(3)
    solids = [solid.moved(down, away) for solid in ROOMS[setting.kind](rng)]
    solids += [solid.moved(down, np.zeros(3)) for solid in others]
    # Indoors the main light reaches the far wall weakened and softened.
    main, *weaker = lighting.lights
    part = 0.75 if setting.kind == 'living_room' else 0.9
    room_light = replace(lighting, softness=0.05, lights=(
        Light(main.direction, tuple(part * np.array(main.colour))),
        *(replace(light, casts_shadow=False) for light in weaker)))
    backdrops, surfaces = [], None
    for camera, pinhole, T in zip(rig.cameras, pinholes, T_camera_viewer):
        renderer = MeshRenderer(pinhole.width, pinhole.height, samples=4)
        if surfaces is None:
            surfaces = [_surface(renderer, solid) for solid in solids]
        items = [(surface, solid.moved(T[:3, :3], T[:3, 3]).vertices_m) for surface, solid in zip(surfaces, solids)]
        rendering = renderer.render(pinhole, items, turned(room_light, T[:3, :3]))
        picture = rendering.over(np.full((pinhole.height, pinhole.width, 3), 90.0))
        backdrops.append(Backdrop(picture, pinhole, camera))
        renderer.release()
    for surface in surfaces:
        surface.release()
    return backdrops


def _surface(renderer: MeshRenderer, solid: Solid):
    return renderer.surface(solid.faces, solid.uvs, solid.uv_faces, len(solid.vertices_m), solid.textures, _MATT,
                            smooth=False)


def photograph_backdrops(folder, rig: CameraRig, rng, sway_rad: float = 0.0) -> list[Backdrop]:
    """One backdrop a camera: a random crop of a random photograph of a folder, shifted by its disparity."""
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
    return flat_backdrops(cv2.cvtColor(photograph, cv2.COLOR_BGR2RGB), rig, rng,
                          [covering_pinhole(camera, sway_rad) for camera in rig.cameras])


def flat_backdrops(picture: np.ndarray, rig: CameraRig, rng, pinholes: list[Camera]) -> list[Backdrop]:
    """One backdrop a camera: a crop of one flat picture (h, w, 3), shifted by the disparity of its distance.

    Of cameras that converge so far that they see other parts of the world, each gets the picture unshifted.
    """
    # Where the middle of the first image, at the picture's distance, is seen by the others.
    middle = np.append(pinholes[0].normalise(0.5 * np.array([pinholes[0].width, pinholes[0].height])), 1.0)
    seen = [pinhole.project(rig.to_camera(k, PICTURE_DISTANCE_M * middle)) for k, pinhole in enumerate(pinholes)]
    shifts = [0.0]
    for pinhole, at in zip(pinholes[1:], seen[1:]):
        shift = float(seen[0][0] - at[0]) if np.isfinite(at).all() else 0.0
        shifts.append(shift if abs(shift) < 0.5 * pinhole.width else 0.0)
    rows, columns = picture.shape[:2]
    widest, highest = max(p.width for p in pinholes) + max(shifts) - min(shifts), max(p.height for p in pinholes)
    part = min(columns / widest, rows / highest) * rng.uniform(0.65, 1.0)
    x = rng.uniform(0, columns - part * widest) - part * min(shifts)
    y = rng.uniform(0, rows - part * highest)
    smooth = cv2.GaussianBlur(picture, (0, 0), max(0.4 * part, 0.1))     # against aliasing where it shrinks
    backdrops = []
    for camera, pinhole, shift in zip(rig.cameras, pinholes, shifts):
        matrix = np.array([[part, 0, x + part * shift + 0.5 * part - 0.5], [0, part, y + 0.5 * part - 0.5]])
        crop = cv2.warpAffine(smooth, matrix, (pinhole.width, pinhole.height),
                              flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REFLECT_101)
        backdrops.append(Backdrop(crop, pinhole, camera))
    return backdrops
