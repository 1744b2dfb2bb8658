"""Estimates drawn over their image: translucent meshes, skeletons, keypoints, labels. Fast enough for every frame."""
from __future__ import annotations

import cv2
import moderngl
import numpy as np

from hand_recon_ros.hand_model.mirroring import handed_faces
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skeleton import KEYPOINT_PARENTS
from hand_recon_ros.rendering import shaders
from hand_recon_ros.rendering.context import gl_context
from hand_recon_ros.rendering.normals import NormalField
from hand_recon_ros.types import HANDEDNESS, PERSPECTIVE, Frame, HandEstimate, HandKeypoints

TINTS = {'right': (0.16, 0.60, 0.98), 'left': (1.0, 0.58, 0.18)}
FINGER_COLOURS = ((240, 240, 240), (255, 196, 70), (120, 230, 120), (90, 200, 255), (190, 150, 255), (255, 130, 170))
_SUBPIXEL = 4            # cv2 takes coordinates in units of 2^-4 pixel
_LIMIT_PX = 16000        # cv2's integers overflow beyond


def projected_px(estimate: HandEstimate, frame: Frame, points_m) -> np.ndarray:
    """Pixels (..., 2) of points (..., 3) of an estimate by its own projection; ValueError when that needs a camera.

    weak_perspective: u = s x + tx, v = s y + ty of points relative to the wrist keypoint.
    """
    points_m = np.asarray(points_m, np.float32)
    if estimate.projection == PERSPECTIVE:
        if frame.camera is None:
            raise ValueError('frame.camera: none, expected the camera of a perspective estimate')
        return frame.camera.project(points_m)
    scale, *shift = estimate.weak_camera
    return scale * (points_m - estimate.joints_m[0])[..., :2] + np.asarray(shift, np.float32)


class OverlayRenderer:
    """Draws for one hand model. Images of any size; the GPU canvas grows to the largest region of hands."""

    def __init__(self, model: HandModel, opacity: float = 0.72, samples: int = 4):
        """opacity: 0 (mesh invisible) to 1."""
        if not 0.0 <= opacity <= 1.0:
            raise ValueError(f'opacity: {opacity}, expected 0..1')
        self.model, self.opacity = model, opacity
        self._context = context = gl_context()
        self._samples = min(samples, context.max_samples)
        self._program = context.program(vertex_shader=shaders.OVERLAY_VERTEX, fragment_shader=shaders.OVERLAY_FRAGMENT)
        self._faces = {side: np.ascontiguousarray(handed_faces(model.faces, side), dtype=np.int32)
                       for side in HANDEDNESS}
        self._normals = {side: NormalField(faces, model.vertex_count) for side, faces in self._faces.items()}
        self._buffer = context.buffer(reserve=model.vertex_count * 24)
        self._index = context.buffer(reserve=model.faces.size * 4)
        self._array = context.vertex_array(self._program, [(self._buffer, '3f 3f', 'in_position', 'in_normal')],
                                           self._index)
        self._size, self._multisampled, self._resolved = (0, 0), None, None

    def draw(self, frame: Frame, estimates: list[HandEstimate], keypoints: list[HandKeypoints] = (),
             skeleton: bool = True, labels: bool = True) -> np.ndarray:
        """(H, W, 3) uint8 RGB copy of the frame's image with the hands on it; ValueError without an image."""
        if frame.image is None:
            raise ValueError('frame.image: none, expected an image to draw on')
        image = frame.image.copy()
        for estimate in estimates:
            if len(estimate.vertices_m) != self.model.vertex_count:
                raise ValueError(f'vertices_m: {len(estimate.vertices_m)} of model {estimate.model!r}, '
                                 f'expected {self.model.vertex_count} of {self.model.name!r}')
        self._draw_meshes(image, frame, estimates)
        if skeleton:
            for estimate in estimates:
                draw_skeleton(image, projected_px(estimate, frame, estimate.joints_m), _line_width(frame))
        for hand in keypoints:
            _draw_points(image, hand.points_px, _line_width(frame))
        if labels:
            for estimate in estimates:
                _draw_label(image, estimate, projected_px(estimate, frame, estimate.joints_m))
        return image

    def _draw_meshes(self, image, frame, estimates) -> None:
        pixels = [projected_px(estimate, frame, estimate.vertices_m) for estimate in estimates]
        region = _region(pixels, frame.width, frame.height)
        if region is None:
            return
        left, top, width, height = region
        self._ensure_canvas(width, height)
        self._multisampled.use()
        self._multisampled.viewport = (0, 0, width, height)
        self._multisampled.clear(0.0, 0.0, 0.0, 0.0)
        self._context.enable(moderngl.DEPTH_TEST)
        self._context.disable(moderngl.CULL_FACE | moderngl.BLEND)
        depths = np.concatenate([estimate.vertices_m[:, 2] for estimate in estimates])
        near, far = float(depths.min()), float(depths.max()) + 1e-6
        # Pixel u of the image is u - left in the region; its centre lies at (u - left + 0.5) of `width`.
        self._program['scale'] = (2.0 / width, 2.0 / height, 1.8 / (far - near))
        self._program['offset'] = ((1.0 - 2.0 * left) / width - 1.0, (1.0 - 2.0 * top) / height - 1.0,
                                   -0.9 - 1.8 * near / (far - near))
        for estimate, vertices_px in zip(estimates, pixels):
            faces = self._faces[estimate.handedness]
            seen = np.isfinite(vertices_px).all(1)
            if not seen.all():
                faces = faces[seen[faces].all(1)]
                vertices_px = np.where(seen[:, None], vertices_px, 0.0)
            rows = np.empty((len(vertices_px), 6), np.float32)
            rows[:, :2], rows[:, 2] = vertices_px, estimate.vertices_m[:, 2]
            rows[:, 3:] = self._normals[estimate.handedness](estimate.vertices_m)
            self._buffer.write(rows)
            self._index.write(faces)
            self._program['tint'] = TINTS[estimate.handedness]
            self._array.render(vertices=faces.size)
        self._context.copy_framebuffer(self._resolved, self._multisampled)
        drawn = np.frombuffer(self._resolved.read(viewport=(0, 0, width, height), components=4, alignment=1), np.uint8)
        _blend(image[top:top + height, left:left + width], drawn.reshape(height, width, 4), self.opacity)

    def _ensure_canvas(self, width: int, height: int) -> None:
        if width <= self._size[0] and height <= self._size[1]:
            return
        size = tuple(-(-max(have, want) // 64) * 64 for have, want in zip(self._size, (width, height)))
        limit = self._context.info['GL_MAX_VIEWPORT_DIMS'][0]
        if max(size) > limit:
            raise ValueError(f'image: hands over {width} x {height} pixels, expected at most {limit}')
        for target in (self._multisampled, self._resolved):
            if target is not None:
                for attachment in (*target.color_attachments, target.depth_attachment):
                    if attachment is not None:
                        attachment.release()
                target.release()
        context = self._context
        self._multisampled = context.framebuffer([context.texture(size, 4, samples=self._samples)],
                                                 context.depth_texture(size, samples=self._samples))
        self._resolved = context.framebuffer([context.texture(size, 4)])
        self._size = size


def _region(pixels: list, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Left, top, width, height of the part of the image that the points may touch."""
    points = [p[np.isfinite(p).all(1)] for p in pixels]
    points = np.concatenate(points) if points else np.zeros((0, 2))
    if not len(points):
        return None
    low = np.clip(np.floor(points.min(0)) - 1, 0, (width, height)).astype(int)
    high = np.clip(np.ceil(points.max(0)) + 2, 0, (width, height)).astype(int)
    return (*low.tolist(), *(high - low).tolist()) if (high > low).all() else None


def _blend(target, drawn, opacity: float) -> None:
    """target (h, w, 3) becomes target (1 - opacity * coverage) + opacity * drawn, in 8-bit fixed point, in place."""
    strength = round(256 * opacity)
    wide = drawn.astype(np.uint16)
    wide *= np.uint16(strength)
    mixed = target * (np.uint16(256) - (wide[..., 3:] + np.uint16(127)) // np.uint16(255))
    mixed += wide[..., :3]
    mixed >>= 8
    target[...] = mixed


def _fixed_point(points_px) -> list[tuple[int, int] | None]:
    """cv2's integer coordinates; None for a point that is nowhere near an image."""
    out = []
    for u, v in np.asarray(points_px, np.float64).tolist():
        near = abs(u) < _LIMIT_PX and abs(v) < _LIMIT_PX      # False for NaN
        out.append((round(u * 2 ** _SUBPIXEL), round(v * 2 ** _SUBPIXEL)) if near else None)
    return out


def _line_width(frame: Frame) -> int:
    return max(1, round(max(frame.width, frame.height) / 640))


def draw_skeleton(image: np.ndarray, joints_px, width: int) -> None:
    """Draw 21 keypoints (21, 2) pixels and their bones into an RGB image; those that are NaN are left out."""
    points = _fixed_point(joints_px)
    for child, parent in enumerate(KEYPOINT_PARENTS):
        if parent >= 0 and points[child] and points[parent]:
            colour = FINGER_COLOURS[1 + (child - 1) // 4]
            cv2.line(image, points[parent], points[child], colour, width, cv2.LINE_AA, _SUBPIXEL)
    for index, point in enumerate(points):
        if point:
            cv2.circle(image, point, round(2.0 * width * 2 ** _SUBPIXEL), FINGER_COLOURS[(index + 3) // 4], cv2.FILLED,
                       cv2.LINE_AA, _SUBPIXEL)


def _draw_points(image, points_px, width: int) -> None:
    """Detected landmarks: white rings, to be told from the model's own keypoints."""
    for point in _fixed_point(points_px):
        if point:
            cv2.circle(image, point, round(3.2 * width * 2 ** _SUBPIXEL), (255, 255, 255), width,
                       cv2.LINE_AA, _SUBPIXEL)


def _draw_label(image, estimate: HandEstimate, joints_px) -> None:
    """Handedness, track id and score, on a dark plate below the wrist's side of the hand, kept within the image."""
    points = joints_px[np.isfinite(joints_px).all(1)]
    height, width = image.shape[:2]
    if not len(points) or (points.max(0) < 0).any() or (points.min(0) > (width, height)).any():
        return
    text = f'{estimate.handedness} {estimate.track_id}  {estimate.score:.2f}'
    size = 0.42 * max(1.0, max(width, height) / 900)
    thickness = max(1, round(size * 2.2))
    (text_width, text_height), baseline = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, thickness)
    pad = 3 + baseline // 2
    x = int(np.clip(points[:, 0].min(), 0, max(0, width - text_width - 2 * pad)))
    y = int(np.clip(points[:, 1].min() - 12 * size - pad, text_height + 2 * pad, height - 1))
    plate = image[max(0, y - text_height - 2 * pad):y, x:x + text_width + 2 * pad]
    plate //= 3
    colour = tuple(int(255 * channel) for channel in TINTS[estimate.handedness])
    cv2.putText(image, text, (x + pad, y - pad), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)
