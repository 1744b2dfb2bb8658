"""Skinning in JAX: compiled, NumPy in and NumPy out, for code that only wants a posed hand."""
from __future__ import annotations

from contextlib import nullcontext

import jax
import numpy as np
from jax.experimental import enable_x64

from hand_recon_ros.hand_model import skinning
from hand_recon_ros.hand_model.model import HandModel

_compiled_skin = jax.jit(skinning.skin)


def jax_constants(model: HandModel, dtype=np.float32, vertices=None) -> skinning.SkinningConstants:
    """A model's constants as JAX arrays (float64 only inside enable_x64). `vertices` as in skinning.constants."""
    host = skinning.constants(model, dtype, vertices)
    return jax.tree.map(lambda a: jax.numpy.asarray(a, np.int32 if a.dtype.kind == 'i' else None), host)


class JaxHand:
    """A hand to call with NumPy arrays. Compiles for one hand at construction and once more for each new batch size."""

    def __init__(self, model: HandModel, dtype=np.float32):
        """dtype: float32, or float64 for tests and exact work."""
        self.model = model
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.float32, np.float64):
            raise ValueError(f'dtype: {self.dtype}, expected float32 or float64')
        with self._precision():
            self.constants = jax_constants(model, self.dtype)
        self(np.zeros(48), np.zeros(model.shape_size), np.zeros(3))

    def _precision(self):
        return enable_x64() if self.dtype == np.float64 else nullcontext()

    def __call__(self, pose, shape, translation) -> tuple[np.ndarray, np.ndarray]:
        """Pose (..., 48) rad, shape (..., B), translation (..., 3) m to vertices (..., V, 3), keypoints (..., 21, 3) m.

        ValueError for another last axis.
        """
        arrays = []
        for name, value, size in (('pose', pose, 48), ('shape', shape, self.model.shape_size),
                                  ('translation', translation, 3)):
            array = np.asarray(value, self.dtype)
            if array.ndim == 0 or array.shape[-1] != size:
                raise ValueError(f'{name}: shape {array.shape}, expected ... x {size}')
            arrays.append(array)
        batch = np.broadcast_shapes(*(array.shape[:-1] for array in arrays))
        # one flat batch axis: as few compiled programs as batch sizes
        flat = [np.broadcast_to(array, (*batch, array.shape[-1])).reshape(-1, array.shape[-1]) for array in arrays]
        with self._precision():
            vertices, keypoints = _compiled_skin(self.constants, *flat)
            vertices, keypoints = np.asarray(vertices), np.asarray(keypoints)
        return vertices.reshape(*batch, -1, 3), keypoints.reshape(*batch, 21, 3)
