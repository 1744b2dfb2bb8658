"""What leaves the picture behind a hand, whose modelled forearm ends a hand's breadth behind the wrist: a sleeve, or
more bare arm."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose
from hand_recon_ros.hand_model.model import HandModel

SIDES, RINGS = 36, 34
END_M = 0.52                    # behind the wrist
CUFF = 0.60                     # behind the wrist, as a part of the modelled forearm
ARM_STARTS, ABOVE_M, ENDS_ABOVE_M = 0.55, 0.0004, 0.005
LEAST_FOREARM_M = 0.05
STATIONS = 5                    # places along the forearm where its thickness is taken
THICKEST = 0.87                 # behind, the model's open end narrows


def sleeve_mesh(model: HandModel, shape, rng, cuff: float = CUFF) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) in the rest frame of the right hand, faces (F, 3), uvs (V, 2), for this shape's forearm.

    cuff: where the sleeve ends, 0.05 to 0.85 of the modelled forearm behind the wrist.
    """
    if not 0.05 <= cuff <= 0.85:
        raise ValueError(f'cuff: {cuff}, expected 0.05 to 0.85')
    s = np.concatenate([[0.012, 0.0, 0.0, 0.004, 0.018, 0.022], np.linspace(0.03, 1.0, RINGS - 6)])
    slack = np.concatenate([[0.7, 0.7, 1.06, 1.16, 1.16, 1.10], np.linspace(1.10, 1.75, RINGS - 6)])
    return _tube(model, shape, cuff, s, 1.04 * slack, 0.003, rng)


def arm_mesh(model: HandModel, shape) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The forearm on beyond the model's end, up to the elbow and further; as sleeve_mesh.

    It starts as a second skin a hair above the modelled one, so that neither its edge nor the model's end shows.
    """
    s = np.linspace(0.0, 1.0, RINGS) ** 1.3
    vertices, faces, uvs = _tube(model, shape, ARM_STARTS, s, np.ones(RINGS), 0.0, None)
    template = model.template_m + model.shape_dirs @ np.asarray(shape, np.float64)
    skin = template[template[:, 0] > 0.3 * template[:, 0].max()]
    return _fitted(vertices, skin), faces, uvs * np.float32([0.5, 1.0])     # the texture once around


def _fitted(vertices, skin) -> np.ndarray:
    """A tube with the cross-sections of the skin (N, 3) that it lies on, going on from the last of them."""
    rings = vertices.reshape(RINGS, SIDES + 1, 3)
    middles = rings[:, :-1].mean(1)
    axis, across = _unit(middles[-1] - middles[0]), _unit(rings[0, 0] - middles[0])
    third = np.cross(axis, across)
    if (rings[0, 1] - middles[0]) @ third < 0:
        third = -third
    along = (skin - middles[0]) @ axis
    places = (middles - middles[0]) @ axis
    # The model's last vertices close its end: they are no section.
    last = THICKEST * along.max()
    skin, along = skin[along < last], along[along < last]
    angle, radius = np.arctan2((skin - middles[0]) @ third, (skin - middles[0]) @ across), np.linalg.norm(
        np.cross(skin - middles[0], axis), axis=1)
    turns = np.linspace(0, 2 * np.pi, SIDES + 1)
    # Radius over place and angle, smoothed over the few vertices there are.
    near = np.exp(9.0 * (np.cos(turns[:, None] - angle) - 1))[None]
    near = near * np.exp(-0.5 * ((np.minimum(places, last)[:, None] - along) / 0.010) ** 2)[:, None] + 1e-12
    wanted = (near * radius).sum(2) / near.sum(2)
    wanted += np.interp(places / last, [0.0, 0.5, 1.0], [ABOVE_M, ABOVE_M, ENDS_ABOVE_M])[:, None]
    beyond = np.maximum(places - last, 0.0)
    wanted *= np.interp(beyond, [0.0, 0.12, 0.2, 0.5], [1.0, 1.22, 1.18, 1.5])[:, None]
    offsets = rings - middles[:, None]
    return (middles[:, None] + offsets * (wanted / np.linalg.norm(offsets, axis=2))[..., None]).reshape(-1, 3)


def along_forearm(rest_m: np.ndarray, wrist_m: np.ndarray, pose, translation, handedness: str) -> np.ndarray:
    """(V, 3) float32 of a sleeve or arm, given at the right hand's rest, on a posed hand: stiff, it follows the root.

    wrist_m: (3,) of this shape at rest. pose: (48,). translation: (3,).
    """
    pose, translation = np.asarray(pose), np.asarray(translation)
    left = handedness == 'left'
    if left:
        pose, translation = mirror_pose(pose), mirror_points(translation)
    turn = axis_angle_to_matrix(pose[:3].astype(np.float64))
    placed = ((rest_m - wrist_m) @ turn.T + wrist_m + translation).astype(np.float32)
    return mirror_points(placed) if left else placed


def _tube(model: HandModel, shape, starts: float, s, factors, loose_m: float, rng):
    """A tube around the forearm's axis: rings at s (RINGS,) metres behind its start (its last one END_M behind the
    wrist), as wide as the arm there times factors (RINGS,) and loose_m; rng: folds, or None for smooth skin."""
    template = model.template_m + model.shape_dirs @ np.asarray(shape, np.float64)
    wrist = model.joint_regressor[0] @ template
    behind = template[:, 0] - wrist[0]
    length = float(behind.max())
    if length < LEAST_FOREARM_M:
        raise ValueError(f'{model.name}: {length:.3f} m behind the wrist, expected a forearm of {LEAST_FOREARM_M} m')
    # The middles of the sections' boxes lie on the arm's axis.
    first, last = (template[np.abs(behind - part * length) < 0.13 * length] for part in (0.15, THICKEST))
    axis = _unit(_middle(last) - _middle(first))
    origin = _middle(first)
    origin = origin + axis * ((wrist[0] + starts * length - origin[0]) / axis[0])
    side = _unit(np.cross(axis, [0.0, 1.0, 0.0]))
    up = np.cross(side, axis)
    places = np.linspace(min(starts, THICKEST - 0.02), THICKEST, STATIONS)
    sections = [template[np.abs(behind - part * length) < 0.13 * length] for part in places]
    s = np.where(s > 0.03, 0.03 + (s - 0.03) / 0.97 * (END_M - starts * length - 0.03), s)
    angle = np.linspace(0, 2 * np.pi, SIDES + 1)
    s_grid, a_grid = np.meshgrid(s, angle, indexing='ij')
    fold = np.zeros_like(s_grid)
    if rng is not None:
        # Folds: rings bunch up along the arm, unevenly around it.
        phase = rng.uniform(0, 2 * np.pi, 4)
        fold = (np.sin(150 * s_grid + 1.2 * np.sin(a_grid + phase[0]) + phase[1])
                + 0.7 * np.sin(83 * s_grid - 1.5 * np.sin(2 * a_grid + phase[2]) + phase[3]))
        fold *= 0.0022 * np.clip((s_grid - 0.025) / 0.03, 0, 1)
    vertices = origin + s_grid[..., None] * axis
    for direction, wave in ((side, np.cos(a_grid)), (up, np.sin(a_grid))):
        # Along the arm it is never thinner than it was nearer to the hand.
        radii = np.maximum.accumulate([np.abs((section - origin) @ direction).max() for section in sections])
        radius = np.interp(s, (places - starts) * length, radii)
        vertices = vertices + ((radius * factors + loose_m)[:, None] + fold)[..., None] * wave[..., None] * direction
    r, a = np.meshgrid(np.arange(RINGS - 1), np.arange(SIDES), indexing='ij')
    corner = (r * (SIDES + 1) + a).ravel()
    below = corner + SIDES + 1
    faces = np.concatenate([np.stack([corner, corner + 1, below], 1), np.stack([corner + 1, below + 1, below], 1)])
    uvs = np.stack([a_grid / np.pi, 6.0 * s_grid], -1).reshape(-1, 2)
    flat = vertices.reshape(-1, 3)
    # Normals must point away from the arm.
    p, q, t = flat[faces[SIDES * 12]]
    away = (p - origin) - axis * ((p - origin) @ axis)
    if np.cross(q - p, t - p) @ away < 0:
        faces = faces[:, [0, 2, 1]]
    return flat, faces, uvs.astype(np.float32)


def _middle(points) -> np.ndarray:
    return 0.5 * (points.min(0) + points.max(0))


def _unit(vector) -> np.ndarray:
    return vector / np.linalg.norm(vector)
