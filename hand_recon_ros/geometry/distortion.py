"""Lens distortion as OpenCV and ROS define it, and its inverse by Newton's method. NumPy, float64, vectorised.

"Flat" coordinates (..., 2) are what K is applied to. The reach is how far off axis a model is one to one: a radius x/z
for the polynomial models, an angle in radians for 'equidistant'. Beyond it a polynomial folds back, so there is no
answer: NaN.
"""
from __future__ import annotations

import numpy as np

# model -> how many coefficients
COEFFICIENTS = {'none': 0, 'plumb_bob': 5, 'rational_polynomial': 8, 'equidistant': 4}
_ITERATIONS = 60
_TOLERANCE = 1e-12


def reach(model: str, D: np.ndarray) -> float:
    """Where the radial map first stops growing: x/z, or radians for 'equidistant'; inf or pi when it never does."""
    if model == 'none' or (model != 'equidistant' and not D.any()):
        return np.inf
    equidistant = model == 'equidistant'
    # far off axis the steps may be coarse: 89.9 degrees is a radius of 573
    radius = np.linspace(0, np.pi, 20001)[1:] if equidistant else np.geomspace(1e-3, 573, 20000)
    squared = radius * radius
    if equidistant:
        growth = 1 + squared * (3 * D[0] + squared * (5 * D[1] + squared * (7 * D[2] + squared * 9 * D[3])))
        folded = growth <= 0
    else:
        factor, slope = _radial(model, D, squared)
        folded = (factor + 2 * squared * slope <= 0) | ~np.isfinite(factor) | (factor <= 0)
    if folded.any():
        first = int(np.argmax(folded))
        return float(radius[first - 1]) if first else 0.0
    return np.pi if equidistant else np.inf


def _radial(model: str, D, squared):
    """Radial factor and its derivative by the squared radius."""
    k1, k2, _p1, _p2, k3 = D[:5]
    top = 1 + squared * (k1 + squared * (k2 + squared * k3))
    top_slope = k1 + squared * (2 * k2 + squared * 3 * k3)
    if model == 'plumb_bob':
        return top, top_slope
    k4, k5, k6 = D[5:8]
    below = 1 + squared * (k4 + squared * (k5 + squared * k6))
    below_slope = k4 + squared * (2 * k5 + squared * 3 * k6)
    with np.errstate(divide='ignore', invalid='ignore'):
        return top / below, (top_slope * below - top * below_slope) / (below * below)


def _polynomial(model: str, D, x, y):
    """Flat coordinates of (x/z, y/z), and the Jacobian's four entries."""
    p1, p2 = D[2:4]
    squared = x * x + y * y
    factor, slope = _radial(model, D, squared)
    flat_x = x * factor + 2 * p1 * x * y + p2 * (squared + 2 * x * x)
    flat_y = y * factor + p1 * (squared + 2 * y * y) + 2 * p2 * x * y
    xx = factor + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
    xy = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    yy = factor + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x
    return flat_x, flat_y, xx, xy, yy


def _angle_map(D, angle):
    """Distorted angle and its derivative."""
    s = angle * angle
    return (angle * (1 + s * (D[0] + s * (D[1] + s * (D[2] + s * D[3])))),
            1 + s * (3 * D[0] + s * (5 * D[1] + s * (7 * D[2] + s * 9 * D[3]))))


def distort(model: str, D: np.ndarray, points: np.ndarray, reach: float) -> np.ndarray:
    """Points (..., 3) in the optical frame to flat coordinates (..., 2)."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    if model == 'equidistant':
        radius = np.hypot(x, y)
        angle = np.arctan2(radius, z)
        scale = np.where(radius > 0, _angle_map(D, angle)[0] / np.where(radius > 0, radius, 1), 0.0)
        # straight ahead is the centre; straight behind and the origin are no direction at all
        valid = (angle <= reach) & ((radius > 0) | (z > 0))
        return np.where(valid[..., None], np.stack([x * scale, y * scale], axis=-1), np.nan)
    ahead = z > 0
    depth = np.where(ahead, z, np.nan)
    x, y = x / depth, y / depth
    if model == 'none':
        return np.stack([x, y], axis=-1)
    valid = x * x + y * y <= reach * reach
    flat_x, flat_y = _polynomial(model, D, np.where(valid, x, 0), np.where(valid, y, 0))[:2]
    return np.where(valid[..., None], np.stack([flat_x, flat_y], axis=-1), np.nan)


def undistort(model: str, D: np.ndarray, flat: np.ndarray, reach: float) -> np.ndarray:
    """Flat coordinates (..., 2) to (x/z, y/z) (..., 2)."""
    if model == 'none':
        return flat.copy()
    if model == 'equidistant':
        rays = equidistant_rays(D, flat, reach)
        ahead = rays[..., 2:] > 1e-9
        return np.where(ahead, rays[..., :2] / np.where(ahead, rays[..., 2:], 1), np.nan)
    goal_x, goal_y = flat[..., 0], flat[..., 1]
    x, y = _radial_start(model, D, goal_x, goal_y, reach)
    with np.errstate(all='ignore'):
        for _ in range(_ITERATIONS):
            flat_x, flat_y, xx, xy, yy = _polynomial(model, D, x, y)
            error_x, error_y = goal_x - flat_x, goal_y - flat_y
            determinant = xx * yy - xy * xy
            step_x = (yy * error_x - xy * error_y) / determinant
            step_y = (xx * error_y - xy * error_x) / determinant
            x, y = x + step_x, y + step_y
            if not (np.hypot(step_x, step_y) > _TOLERANCE).any():
                break
        flat_x, flat_y = _polynomial(model, D, x, y)[:2]
        valid = (np.hypot(flat_x - goal_x, flat_y - goal_y) < 1e-9 * (1 + np.hypot(goal_x, goal_y))) \
            & (np.hypot(x, y) <= reach)
    return np.where(valid[..., None], np.stack([x, y], axis=-1), np.nan)


def _radial_start(model, D, goal_x, goal_y, reach):
    """A start for Newton that is right but for the tangential terms: the radial map inverted by a table."""
    goal = np.hypot(goal_x, goal_y)
    far = min(reach, max(10.0, 2 * float(np.nanmax(goal, initial=0.0))))
    radius = np.linspace(0, far, 2048)
    mapped = radius * _radial(model, D, radius * radius)[0]
    found = np.interp(goal, mapped, radius)
    scale = found / np.where(goal > 0, goal, 1)
    return goal_x * scale, goal_y * scale


def equidistant_rays(D: np.ndarray, flat: np.ndarray, reach: float) -> np.ndarray:
    """Unit directions (..., 3) of an equidistant lens's flat coordinates (..., 2)."""
    goal = np.hypot(flat[..., 0], flat[..., 1])
    table = np.linspace(0, reach, 2048)
    mapped = _angle_map(D, table)[0]
    angle = np.interp(goal, mapped, table)
    with np.errstate(all='ignore'):
        for _ in range(_ITERATIONS):
            value, slope = _angle_map(D, angle)
            step = (goal - value) / slope
            angle = angle + step
            if not (np.abs(step) > _TOLERANCE).any():
                break
        valid = (np.abs(_angle_map(D, angle)[0] - goal) < 1e-9) & (angle <= reach + 1e-12)
    across = np.where(goal > 0, np.sin(angle) / np.where(goal > 0, goal, 1), 0.0)
    rays = np.stack([flat[..., 0] * across, flat[..., 1] * across, np.cos(angle)], axis=-1)
    return np.where(valid[..., None], rays, np.nan)
