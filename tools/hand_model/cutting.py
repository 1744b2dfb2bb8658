"""Slice the arm across the wrist or the forearm, even out the rim, close it with a cap.

Every vertex of the result is a fixed mixture of source vertices (one row of `interpolation`), so that the same cut
holds for every sampled person.
"""
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse

from extract import HandSource
from mesh_geometry import edges, neighbour_mean, unit
from sampling import displaced, neutral_adult

RIM_PASSES = 1                    # smoothing passes over the rim; each narrows it by 2 %
RIM_RINGS = 2                     # rings of vertices behind it that take part


@dataclass(frozen=True)
class CutMesh:
    """A closed mesh over the source vertices: interpolation (V', V), faces (F,3), uv_faces (F,3), uvs (T,2)."""
    interpolation: sparse.csr_matrix
    faces: np.ndarray
    uv_faces: np.ndarray
    uvs: np.ndarray


class _Slicer:
    """Clips quads at a plane; new vertices and uvs lie where their edges cross it.

    Quads, not triangles: a diagonal would put a vertex of its own between every two of the rim, and frill it.
    """

    def __init__(self, distance: np.ndarray, uvs: np.ndarray):
        self.distance = distance
        self.uvs = uvs.tolist()
        self.crossings = {}           # edge (low, high) -> (number of the new vertex, share of the high end)
        self._uv_of_crossing = {}

    def _share(self, low: int, high: int) -> float:
        return self.distance[low] / (self.distance[low] - self.distance[high])

    def _vertex(self, start: int, end: int) -> int:
        edge = (min(start, end), max(start, end))
        if edge not in self.crossings:
            self.crossings[edge] = (len(self.crossings), self._share(*edge))
        return len(self.distance) + self.crossings[edge][0]

    def _uv(self, start: int, end: int, uv_start: int, uv_end: int) -> int:
        edge = (min(start, end), max(start, end))
        share = self._share(*edge)
        uv_low, uv_high = (uv_start, uv_end) if start < end else (uv_end, uv_start)
        key = (min(uv_start, uv_end), max(uv_start, uv_end), edge)
        if key not in self._uv_of_crossing:
            self._uv_of_crossing[key] = len(self.uvs)
            self.uvs.append(((1 - share) * np.array(self.uvs[uv_low]) + share * np.array(self.uvs[uv_high])).tolist())
        return self._uv_of_crossing[key]

    def clip(self, quad, uv_quad) -> tuple[list, list]:
        """The part of a quad on the positive side, as a fan of triangles, with its uvs."""
        polygon, uv_polygon = [], []
        for corner in range(4):
            start, end = quad[corner], quad[(corner + 1) % 4]
            uv_start, uv_end = uv_quad[corner], uv_quad[(corner + 1) % 4]
            if self.distance[start] >= 0:
                polygon.append(start)
                uv_polygon.append(uv_start)
            if (self.distance[start] >= 0) != (self.distance[end] >= 0):
                polygon.append(self._vertex(start, end))
                uv_polygon.append(self._uv(start, end, uv_start, uv_end))
        fans = range(1, len(polygon) - 1)
        return ([[polygon[0], polygon[k], polygon[k + 1]] for k in fans],
                [[uv_polygon[0], uv_polygon[k], uv_polygon[k + 1]] for k in fans])


def boundary_loop(faces: np.ndarray) -> list[int]:
    """Vertices of the one open rim, in order; ValueError where there is not exactly one loop."""
    directed = set(map(tuple, edges(faces)))
    following = {start: end for start, end in directed if (end, start) not in directed}
    if not following:
        raise ValueError("faces: the mesh has no open rim, expected one")
    loop = [min(following)]
    while following[loop[-1]] != loop[0]:
        loop.append(following[loop[-1]])
    if len(loop) != len(following):
        raise ValueError(f"faces: {len(following)} rim edges but the first loop has {len(loop)}, expected one loop")
    return loop


def even_rim(interpolation: sparse.csr_matrix, faces: np.ndarray, loop: list[int]) -> sparse.csr_matrix:
    """Space the rim's vertices evenly along the loop and relax the rings behind it.

    Slicing quads leaves slivers and short and long edges in turn: the rim looks frilled. The rim is smoothed only
    along itself (it stays in its plane), the vertices near it over their neighbours.
    """
    count = interpolation.shape[0]
    along = sparse.lil_matrix(sparse.identity(count))
    for position, vertex in enumerate(loop):
        along[vertex, vertex] = .5
        along[vertex, loop[position - 1]] = .25
        along[vertex, loop[(position + 1) % len(loop)]] = .25
    mean = neighbour_mean(faces, count)
    near = np.zeros(count)
    near[loop] = 1
    rim = near > 0
    for _ in range(RIM_RINGS):
        near = np.maximum(near, np.minimum(1, (mean @ near) * 1e9))
    share = np.where((near > 0) & ~rim, .5, 0)
    relax = sparse.diags(1 - share) + sparse.diags(share) @ mean
    step = (relax @ along.tocsr()).tocsr()
    for _ in range(RIM_PASSES):
        interpolation = step @ interpolation
    return interpolation.tocsr()


def cut_arm(source: HandSource, offset_m: float) -> CutMesh:
    """Cut across the forearm's axis, `offset_m` beyond MakeHuman's wrist bone (negative: towards the elbow)."""
    average = neutral_adult(source)
    vertices = displaced(source.vertices, source.targets, average)[0]
    heads = displaced(source.heads, source.head_targets, average)[0]
    wrist = heads[source.bone("wrist.R")]
    axis = unit(wrist - heads[source.bone("lowerarm02.R")])
    slicer = _Slicer((vertices - wrist) @ axis - offset_m, source.uvs)
    faces, uv_faces = [], []
    for quad, uv_quad in zip(source.quads.tolist(), source.uv_quads.tolist()):
        kept, uv_kept = slicer.clip(quad, uv_quad)
        faces += kept
        uv_faces += uv_kept
    faces, uv_faces, uvs = np.array(faces), np.array(uv_faces), np.array(slicer.uvs)

    mixture = sparse.lil_matrix((len(vertices) + len(slicer.crossings), len(vertices)))
    mixture[np.arange(len(vertices)), np.arange(len(vertices))] = 1
    for (low, high), (number, share) in slicer.crossings.items():
        mixture[len(vertices) + number, low], mixture[len(vertices) + number, high] = 1 - share, share
    used = np.unique(faces)
    new_row = -np.ones(mixture.shape[0], int)
    new_row[used] = np.arange(len(used))
    faces, mixture = new_row[faces], mixture.tocsr()[used]

    loop = boundary_loop(faces)
    mixture = even_rim(mixture, faces, loop)
    return _capped(mixture, faces, uv_faces, uvs, loop)


def _capped(mixture, faces, uv_faces, uvs, loop) -> CutMesh:
    """Close the rim by a fan about the mean of its vertices."""
    mixture = sparse.vstack([mixture, sparse.csr_matrix(np.asarray(mixture[loop].mean(0)))]).tocsr()
    centre, uv_of = mixture.shape[0] - 1, {}
    for triangle, uv_triangle in zip(faces, uv_faces):
        for vertex, uv in zip(triangle, uv_triangle):
            uv_of.setdefault(vertex, uv)
    uvs = np.vstack([uvs, uvs[[uv_of[vertex] for vertex in loop]].mean(0)])
    rim = list(zip(loop, loop[1:] + loop[:1]))
    cap = [[end, start, centre] for start, end in rim]
    uv_cap = [[uv_of[end], uv_of[start], len(uvs) - 1] for start, end in rim]
    return CutMesh(mixture, np.concatenate([faces, cap]), np.concatenate([uv_faces, uv_cap]), uvs)
