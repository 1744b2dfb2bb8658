"""Exact distances between surfaces whose meshes need not correspond."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from hand_recon_ros.evaluation.f_scores import F_THRESHOLDS_MM, f_score
from hand_recon_ros.evaluation.metrics import M_TO_MM
from hand_recon_ros.hand_model.topology import face_normals

# Triangles tried first, and points measured at once (their table of distances should stay in the cache).
_NEAREST, _CHUNK = 8, 64


def _checked(name: str, vertices_m, faces) -> tuple[np.ndarray, np.ndarray]:
    vertices_m, faces = np.asarray(vertices_m, np.float64), np.asarray(faces)
    if vertices_m.ndim != 2 or vertices_m.shape[1] != 3 or not len(vertices_m) or not np.isfinite(vertices_m).all():
        raise ValueError(f'{name} vertices_m: shape {vertices_m.shape}, expected V x 3 finite values, V >= 1')
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces) or faces.min() < 0 or faces.max() >= len(vertices_m):
        raise ValueError(f'{name} faces: shape {faces.shape}, expected F x 3 indices under {len(vertices_m)}, F >= 1')
    return vertices_m, faces


def point_triangle_distances(points, corners) -> np.ndarray:
    """Distance (N,) of points (N, 3) to triangles (N, 3, 3), pair by pair; degenerate triangles are their edges.

    The foot of the perpendicular where it lies inside, else the nearest point of the three edges.
    """
    points, corners = np.asarray(points, np.float64), np.asarray(corners, np.float64)
    squared = np.full(len(points), np.inf)
    for k in range(3):
        start, along = corners[:, k], corners[:, (k + 1) % 3] - corners[:, k]
        offset, length = points - start, (along * along).sum(-1)
        t = np.clip((offset * along).sum(-1) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        squared = np.minimum(squared, ((offset - t[:, None] * along) ** 2).sum(-1))
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    uu, uv, vv, wu, wv = ((a * b).sum(-1) for a, b in ((u, u), (u, v), (v, v), (w, u), (w, v)))
    area = uu * vv - uv * uv
    solid = area > 1e-14 * np.maximum(uu, vv) ** 2
    area = np.where(solid, area, 1.0)
    s, t = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    inside = solid & (s >= 0) & (t >= 0) & (s + t <= 1)
    foot = ((w - s[:, None] * u - t[:, None] * v) ** 2).sum(-1)
    return np.sqrt(np.where(inside, np.minimum(squared, foot), squared))


def surface_distances_mm(points_m, vertices_m, faces) -> np.ndarray:
    """Distance (N,) in mm of each point (N, 3) to the nearest point of a triangle mesh, exact.

    The triangles of the nearest centroids bound the distance from above. A triangle whose ball of radius r around its
    centroid lies beyond that bound cannot hold the nearest point; all others are measured.
    """
    vertices_m, faces = _checked('mesh', vertices_m, faces)
    points_m = np.asarray(points_m, np.float64)
    corners = vertices_m[faces]
    centroids = corners.mean(1)
    reach = np.linalg.norm(corners - centroids[:, None], axis=-1).max(-1)
    nearest = cKDTree(centroids).query(points_m, k=np.arange(1, min(_NEAREST, len(faces)) + 1))[1]
    rows = np.repeat(np.arange(len(points_m)), nearest.shape[1])
    distance = point_triangle_distances(points_m[rows], corners[nearest.ravel()]).reshape(nearest.shape).min(1)
    for start in range(0, len(points_m), _CHUNK):
        part = slice(start, start + _CHUNK)
        near = cdist(points_m[part], centroids) <= (distance[part, None] + reach) * (1 + 1e-9)
        rows, columns = np.nonzero(near)
        np.minimum.at(distance, rows + start, point_triangle_distances(points_m[rows + start], corners[columns]))
    return distance * M_TO_MM


def vertex_areas(vertices_m, faces) -> np.ndarray:
    """What each vertex stands for: a third of its faces' areas, (V,) square metres."""
    vertices_m, faces = _checked('mesh', vertices_m, faces)
    areas = 0.5 * np.linalg.norm(face_normals(vertices_m, faces), axis=-1)
    return np.bincount(faces.ravel(), np.repeat(areas / 3.0, 3), minlength=len(vertices_m))


@dataclass(frozen=True)
class SurfaceComparison:
    """mean_mm: mean of the two directions' area-weighted means. f_scores: one per threshold."""
    mean_mm: float
    f_scores: tuple[float, ...]


def compare_surfaces(estimated_m, estimated_faces, true_m, true_faces,
                     thresholds_mm=F_THRESHOLDS_MM) -> SurfaceComparison:
    """Two meshes of any topology. Vertices of each are measured to the other's triangles, weighted by their area,
    so that neither mesh's density of vertices matters. ValueError for a mesh without vertices or with bad faces.
    """
    estimated_m, estimated_faces = _checked('estimated', estimated_m, estimated_faces)
    true_m, true_faces = _checked('true', true_m, true_faces)
    there, back = (surface_distances_mm(estimated_m, true_m, true_faces),
                   surface_distances_mm(true_m, estimated_m, estimated_faces))
    weights = vertex_areas(estimated_m, estimated_faces), vertex_areas(true_m, true_faces)
    mean = 0.5 * (np.average(there, weights=weights[0]) + np.average(back, weights=weights[1]))
    return SurfaceComparison(float(mean), tuple(f_score(there, back, threshold, *weights)
                                                for threshold in thresholds_mm))
