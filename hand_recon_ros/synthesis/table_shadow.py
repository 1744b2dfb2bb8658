"""The shadow that hands cast on the table below them, laid over its picture."""
from __future__ import annotations

import cv2
import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.rendering.mesh_renderer import Lighting

COARSE = 4              # the shadow is drawn on every fourth pixel
LEAST_SINE = 0.12       # of the light over the table: lower, shadows fall too far away to matter
GAMMA = 2.2


def shaded(background: np.ndarray, camera: Camera, vertices_m: list[np.ndarray], lighting: Lighting,
           table_point_m: np.ndarray, table_up: np.ndarray) -> np.ndarray:
    """The background (H, W, 3) uint8 with the main light's shadow of meshes (V, 3) on the plane through a point with
    the normal table_up, all in the camera's frame."""
    main = lighting.lights[0]
    toward = np.asarray(main.direction, np.float64)
    sine = float(toward @ table_up)
    if sine < LEAST_SINE:
        return background
    points = np.concatenate(vertices_m).astype(np.float64)
    height = (points - table_point_m) @ table_up
    fallen = points - (height / sine)[:, None] * toward
    pixels = camera.project(fallen)
    seen = np.isfinite(pixels).all(1) & (fallen[:, 2] > 0.05) & (height > 0)
    rows, columns = -(-camera.height // COARSE), -(-camera.width // COARSE)
    x, y = np.floor(pixels[seen] / COARSE).astype(int).T
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    if not inside.any():
        return background
    shadow = np.zeros((rows, columns), np.uint8)
    shadow[y[inside], x[inside]] = 255
    # Dots of a mesh's vertices become its shape; a large lamp blurs it the more, the higher the hand.
    spacing = max(1, int(np.ceil(0.006 * camera.fx_px / COARSE / fallen[seen, 2].mean())))
    shadow = cv2.morphologyEx(shadow, cv2.MORPH_CLOSE, np.ones((2 * spacing + 1,) * 2, np.uint8))
    shadow = cv2.dilate(shadow, np.ones((3, 3), np.uint8))
    blur_m = 0.006 + (0.10 + 2.0 * lighting.softness) * float(np.median(height[seen]))
    sigma = blur_m * camera.fx_px / COARSE / float(fallen[seen, 2].mean())
    shadow = cv2.GaussianBlur(shadow.astype(np.float32) / 255, (0, 0), max(sigma, 0.7))
    # Of all the light on the table, how much the main one gives.
    given = sine * float(np.mean(main.colour))
    rest = float(np.mean(lighting.sky)) + sum(max(float(np.dot(light.direction, table_up)), 0.0)
                                              * float(np.mean(light.colour)) for light in lighting.lights[1:])
    depth = 1.0 - (rest / (given + rest)) ** (1 / GAMMA)
    factor = cv2.resize(1.0 - depth * shadow, (camera.width, camera.height), interpolation=cv2.INTER_LINEAR)
    return cv2.multiply(background, cv2.merge([factor] * 3), dtype=cv2.CV_8U)
