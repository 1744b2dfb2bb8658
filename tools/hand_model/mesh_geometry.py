"""Small measures of a triangle mesh: normals, averaging matrix, volume, distance to a segment."""
import numpy as np
import scipy.sparse as sparse


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) scaled to length one."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def smoothstep(value, low: float, high):
    """0 below `low`, 1 above `high`, a cubic between (t^2 (3 - 2 t))."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def edges(faces: np.ndarray) -> np.ndarray:
    """Directed edges (3F, 2) of triangles (F, 3)."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def adjacency(faces: np.ndarray, vertex_count: int) -> sparse.csr_matrix:
    """Symmetric 0/1 matrix (V, V) of vertices that share an edge."""
    pairs = edges(faces)
    matrix = sparse.coo_matrix((np.ones(len(pairs)), tuple(pairs.T)), shape=(vertex_count, vertex_count)).tocsr()
    return ((matrix + matrix.T) > 0).astype(float).tocsr()


def neighbour_mean(faces: np.ndarray, vertex_count: int) -> sparse.csr_matrix:
    """Matrix (V, V) that replaces every vertex value by the mean over its neighbours."""
    matrix = adjacency(faces, vertex_count)
    return (sparse.diags(1 / np.asarray(matrix.sum(1)).ravel()) @ matrix).tocsr()


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals (V, 3), outward for counter-clockwise faces."""
    corners = vertices[faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], face_normals)
    return total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)


def volume(vertices: np.ndarray, faces: np.ndarray) -> float:
    """Volume enclosed by a closed mesh, in the cube of the vertices' unit."""
    corners = vertices[faces]
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def segment_distance(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distance (N,) of points (N, 3) to the line segment start - end."""
    axis = end - start
    along = np.clip((points - start) @ axis / (axis @ axis), 0, 1)
    return np.linalg.norm(points - start - along[:, None] * axis, axis=1)
