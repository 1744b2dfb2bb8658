"""What follows from a triangle list alone: edges, neighbours, normals."""
from __future__ import annotations

import numpy as np
from scipy import sparse


def edges(faces) -> np.ndarray:
    """Each undirected edge of faces (F, 3) once, as (E, 2) int32 with the smaller index first, sorted."""
    faces = np.asarray(faces)
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int32)


def boundary_edges(faces) -> np.ndarray:
    """Edges that belong to one face only (N, 2) int32; none for a watertight mesh."""
    faces = np.asarray(faces)
    pairs = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    unique, count = np.unique(pairs, axis=0, return_counts=True)
    return unique[count == 1].astype(np.int32)


def adjacency(faces, vertex_count: int) -> sparse.csr_matrix:
    """Symmetric (V, V) matrix with 1 for every pair of vertices that share an edge."""
    pairs = edges(faces)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return sparse.csr_matrix((np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), (vertex_count, vertex_count))


def face_normals(vertices, faces) -> np.ndarray:
    """Right-handed normals (..., F, 3) of vertices (..., V, 3), as long as twice the face's area."""
    vertices = np.asarray(vertices)
    a, b, c = (vertices[..., faces[:, k], :] for k in range(3))
    u, v = b - a, c - a
    return np.stack([u[..., 1] * v[..., 2] - u[..., 2] * v[..., 1], u[..., 2] * v[..., 0] - u[..., 0] * v[..., 2],
                     u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]], axis=-1)


class VertexNormals:
    """Area-weighted vertex normals of one topology; the face-to-vertex sums are prepared once."""

    def __init__(self, faces, vertex_count: int):
        """faces: (F, 3) indices under `vertex_count`."""
        self.faces = np.asarray(faces)
        rows, columns = self.faces.ravel(), np.repeat(np.arange(len(self.faces)), 3)
        self._sums = sparse.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)),
                                       (vertex_count, len(self.faces)))

    def __call__(self, vertices) -> np.ndarray:
        """Unit normals (..., V, 3) of vertices (..., V, 3); zero where a vertex has no face with area."""
        normals = face_normals(vertices, self.faces)
        flat = normals.reshape(-1, *normals.shape[-2:])
        summed = np.stack([self._sums @ one for one in flat]).reshape(*normals.shape[:-2], -1, 3)
        length = np.linalg.norm(summed, axis=-1, keepdims=True)
        return (summed / np.where(length > 0, length, 1)).astype(normals.dtype, copy=False)


def vertex_normals(vertices, faces) -> np.ndarray:
    """Area-weighted unit normals (..., V, 3), once; keep a VertexNormals for many frames of one mesh."""
    return VertexNormals(faces, np.asarray(vertices).shape[-2])(vertices)
