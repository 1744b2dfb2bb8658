"""One smooth split of a triangle mesh (four faces for one) that leaves the original vertices where they are."""
from __future__ import annotations

import numpy as np


def split_faces(faces, vertex_count: int) -> tuple[np.ndarray, np.ndarray]:
    """(edges (E, 2), faces (4 F, 3)): edge k's middle is vertex `vertex_count` + k. Winding is kept."""
    faces = np.asarray(faces, np.int64)
    corners = np.stack([faces, np.roll(faces, -1, 1)], -1)                       # (F, 3, 2): edges ab, bc, ca
    edges, inverse = np.unique(np.sort(corners.reshape(-1, 2), 1), axis=0, return_inverse=True)
    ab, bc, ca = (vertex_count + inverse.reshape(-1, 3)).T
    a, b, c = faces.T
    split = np.stack([[a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca]], 0)   # (4, 3, F)
    return edges.astype(np.int32), split.transpose(2, 0, 1).reshape(-1, 3).astype(np.int32)


class SmoothSplit:
    """Phong tessellation (Boubekeur and Alexa 2008, eq. 3-4) of the edges' middles: round silhouettes, no shrinkage.

    A subdivision scheme such as Loop's would pull the skin inside the labelled mesh; this one keeps every labelled
    vertex on the drawn surface.
    """
    STRENGTH = 0.75      # alpha of eq. 4, the paper's choice

    def __init__(self, faces, vertex_count: int):
        self.edges, self.faces = split_faces(faces, vertex_count)
        self.vertex_count = vertex_count + len(self.edges)

    def positions(self, vertices, normals) -> np.ndarray:
        """(V + E, 3) from vertices (V, 3) and their unit normals (V, 3)."""
        a, b = vertices[self.edges[:, 0]], vertices[self.edges[:, 1]]
        n_a, n_b = normals[self.edges[:, 0]], normals[self.edges[:, 1]]
        half = 0.5 * (b - a)
        # Middle projected on both tangent planes; the mean of the two projections differs from the middle by this.
        bulge = 0.5 * (np.sum(half * n_b, 1, keepdims=True) * n_b - np.sum(half * n_a, 1, keepdims=True) * n_a)
        return np.concatenate([vertices, a + half + self.STRENGTH * bulge]).astype(np.float32)

    def linear(self, values) -> np.ndarray:
        """(V + E, ...): per-vertex values (V, ...) carried to the middles linearly."""
        return np.concatenate([values, 0.5 * (values[self.edges[:, 0]] + values[self.edges[:, 1]])])
