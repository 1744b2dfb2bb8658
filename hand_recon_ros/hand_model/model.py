"""The parametric hand as data, always a right one: template, directions, joint regressor, weights, topology."""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hand_recon_ros.hand_model import topology
from hand_recon_ros.hand_model.skeleton import JOINT_COUNT, KEYPOINT_ROWS

POSE_FEATURES = 9 * (JOINT_COUNT - 1)


def _floats(name: str, value, shape: tuple) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in 'fiu':
        raise ValueError(f'{name}: {array.dtype} values, expected numbers')
    if array.ndim != len(shape) or any(want is not None and want != got for want, got in zip(shape, array.shape)):
        wanted = ' x '.join('any' if n is None else str(n) for n in shape)
        raise ValueError(f'{name}: shape {array.shape}, expected {wanted}')
    array = np.ascontiguousarray(array, np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f'{name}: {int((~np.isfinite(array)).sum())} of {array.size} values are not finite, '
                         f'expected all')
    return array


def _indices(name: str, value, shape: tuple, limit: int) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in 'iu':
        raise ValueError(f'{name}: {array.dtype} values, expected integers')
    if array.ndim != len(shape) or any(want is not None and want != got for want, got in zip(shape, array.shape)):
        wanted = ' x '.join('any' if n is None else str(n) for n in shape)
        raise ValueError(f'{name}: shape {array.shape}, expected {wanted}')
    if array.size and (int(array.min()) < 0 or int(array.max()) >= limit):
        raise ValueError(f'{name}: indices {array.min()} to {array.max()}, expected 0 to {limit - 1}')
    return np.ascontiguousarray(array, np.int32)


@dataclass(frozen=True, eq=False)
class HandModel:
    """One right hand in MANO's form. Metres; float64 in memory, cast by the skinning that uses it.

    template_m: (V, 3). shape_dirs: (V, 3, B) metres per unit of shape. pose_dirs: (V, 3, 135) metres per unit of
    (R - I) of joints 1..15, row by row. joint_regressor: (16, V). weights: (V, 16), rows sum to 1. faces: (F, 3) int32.
    tip_vertices: (5,) thumb to pinky. uvs: (T, 2) and uv_faces: (F, 3) int32 into them, or None. nail_mask: (V,) or
    None. ValueError names the field that does not fit.
    """
    name: str
    template_m: np.ndarray
    shape_dirs: np.ndarray
    pose_dirs: np.ndarray
    joint_regressor: np.ndarray
    weights: np.ndarray
    faces: np.ndarray
    tip_vertices: np.ndarray
    uvs: np.ndarray | None = None
    uv_faces: np.ndarray | None = None
    nail_mask: np.ndarray | None = None

    def __post_init__(self):
        def keep(name, array):
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        keep('template_m', _floats('template_m', self.template_m, (None, 3)).copy())
        count = len(self.template_m)
        if count == 0:
            raise ValueError('template_m: no vertices, expected some')
        for name, shape in (('shape_dirs', (count, 3, None)), ('pose_dirs', (count, 3, POSE_FEATURES)),
                            ('joint_regressor', (JOINT_COUNT, count)), ('weights', (count, JOINT_COUNT))):
            keep(name, _floats(name, getattr(self, name), shape).copy())
        sums = self.weights.sum(1)
        if np.abs(sums - 1).max() > 1e-3:
            raise ValueError(f'weights: rows sum to {sums.min():.4g}..{sums.max():.4g}, expected 1')
        keep('faces', _indices('faces', self.faces, (None, 3), count).copy())
        keep('tip_vertices', _indices('tip_vertices', self.tip_vertices, (5,), count).copy())
        if (self.uvs is None) != (self.uv_faces is None):
            raise ValueError('uvs: given without uv_faces or the other way round, expected both or neither')
        if self.uvs is not None:
            keep('uvs', _floats('uvs', self.uvs, (None, 2)).copy())
            keep('uv_faces', _indices('uv_faces', self.uv_faces, (len(self.faces), 3), len(self.uvs)).copy())
        if self.nail_mask is not None:
            keep('nail_mask', _floats('nail_mask', self.nail_mask, (count,)).copy())

    @property
    def vertex_count(self) -> int:
        """V."""
        return len(self.template_m)

    @property
    def shape_size(self) -> int:
        """B, how many shape numbers the model takes."""
        return self.shape_dirs.shape[2]

    @cached_property
    def edges(self) -> np.ndarray:
        """Undirected edges (E, 2) int32."""
        return topology.edges(self.faces)

    @cached_property
    def rest_joints_m(self) -> np.ndarray:
        """Joints of the mean shape at rest (16, 3), metres."""
        return self.joint_regressor @ self.template_m

    @cached_property
    def rest_keypoints_m(self) -> np.ndarray:
        """The 21 keypoints of the mean shape at rest (21, 3), metres."""
        return np.concatenate([self.rest_joints_m, self.template_m[self.tip_vertices]])[list(KEYPOINT_ROWS)]
