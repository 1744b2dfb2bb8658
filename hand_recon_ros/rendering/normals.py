"""Vertex normals of a mesh whose faces stay and whose vertices move."""
from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix


class NormalField:
    """Area-weighted vertex normals: the sparse sum over faces is prepared once, a frame costs one product."""

    def __init__(self, faces, vertex_count: int):
        """faces: (F, 3) vertex indices, counter-clockwise from outside."""
        self.faces = np.ascontiguousarray(faces, np.int64)
        columns = np.repeat(np.arange(len(self.faces)), 3)
        ones = np.ones(columns.size, np.float32)
        self._gather = csr_matrix((ones, (self.faces.ravel(), columns)), shape=(vertex_count, len(self.faces)))

    def __call__(self, vertices) -> np.ndarray:
        """Unit normals (V, 3) float32 of vertices (V, 3); zero where a vertex has no face."""
        vertices = np.asarray(vertices, np.float32)
        a, b, c = (vertices[self.faces[:, corner]] for corner in range(3))
        ab, ac = b - a, c - a
        face_normals = np.stack([ab[:, 1] * ac[:, 2] - ab[:, 2] * ac[:, 1], ab[:, 2] * ac[:, 0] - ab[:, 0] * ac[:, 2],
                                 ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]], 1)
        normals = self._gather @ face_normals
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
