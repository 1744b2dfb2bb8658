"""The FreiHAND evaluation (Zimmermann et al., ICCV 2019; eval.py of its authors' repository), figure by figure.

Per frame joints and vertices are compared as they are and after an alignment; F-scores are those of vertices. What sets
it apart from the package's own figures:
- the alignment is scipy's orthogonal Procrustes: the orthogonal matrix may be a reflection. Point sets are divided by
  their Frobenius norm plus 1e-8 (metres), hence an error of that order in the scale;
- means, medians, PCK and AUC are taken per keypoint over frames first, then over keypoints;
- AUC: trapezoids over linspace(0, 50 mm, 100), 'at or below' each threshold; F-scores: 'below' 5 and 15 mm;
- for a mesh of another topology vertices follow the joints' alignment, whose scale the published code forgets to divide
  by the norm of the estimated joints: meshes shrink to about a third. Kept under PUBLISHED, put right under PROPER.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.evaluation.f_scores import point_f_scores
from hand_recon_ros.evaluation.metrics import distances_mm, pck
from hand_recon_ros.types import checked, checked_choice

PUBLISHED, PROPER = 'published', 'proper'
THRESHOLDS_MM = np.linspace(0.0, 50.0, 100)
F_MM = (5.0, 15.0)
_NORM_OFFSET_M = 1e-8


@dataclass(frozen=True, eq=False)
class Alignment:
    """aligned = scale R (points - centre) + centre + shift. own_scale: what multiplies the set it was computed from.

    carried_scale: what multiplies other points of the same frame.
    """
    rotation: np.ndarray
    own_scale: float
    carried_scale: float
    centre: np.ndarray
    shift: np.ndarray

    def own(self, points_m) -> np.ndarray:
        """The set it was computed from, (N, 3), moved."""
        return self.own_scale * (points_m - self.centre) @ self.rotation.T + self.centre + self.shift

    def carried(self, points_m, centre=None) -> np.ndarray:
        """Other points (N, 3), moved around `centre` (default: that of the set it was computed from)."""
        centre = self.centre if centre is None else centre
        return self.carried_scale * (points_m - centre) @ self.rotation.T + centre + self.shift


def alignment(estimated_m, true_m, variant: str = PUBLISHED) -> Alignment:
    """Similarity of (N, 3) estimated onto true points, metres. PROPER: rotations only, with the exact scale."""
    checked_choice('variant', variant, (PUBLISHED, PROPER))
    estimated_m, true_m = np.asarray(estimated_m, np.float64), np.asarray(true_m, np.float64)
    centre, true_centre = estimated_m.mean(0), true_m.mean(0)
    a, b = estimated_m - centre, true_m - true_centre
    u, singular, vt = np.linalg.svd(b.T @ a)
    if variant == PROPER:
        signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
        scale = (singular * signs).sum() / (a * a).sum()
        return Alignment((u * signs) @ vt, scale, scale, centre, true_centre - centre)
    norm = np.linalg.norm(a) + _NORM_OFFSET_M
    return Alignment(u @ vt, singular.sum() / norm ** 2, singular.sum() / norm, centre, true_centre - centre)


@dataclass(frozen=True, eq=False)
class PointScores:
    """mean_mm, median_mm, auc (0..1): per keypoint over frames, then over keypoints. pck: (100,) at THRESHOLDS_MM."""
    mean_mm: float
    median_mm: float
    auc: float
    pck: np.ndarray


@dataclass(frozen=True, eq=False)
class FreiHandScores:
    """The published table. vertices*: None for meshes of another topology. f_scores: mean over frames, 5 and 15 mm."""
    joints: PointScores
    joints_aligned: PointScores
    vertices: PointScores | None
    vertices_aligned: PointScores | None
    f_scores: tuple[float, float]
    f_scores_aligned: tuple[float, float]


class FreiHandEvaluation:
    """Gathers frames, one hand each, and gives the published table. All lengths in metres, the camera's frame."""

    def __init__(self, variant: str = PUBLISHED):
        """variant: PUBLISHED (with reflections) or PROPER (rotations only)."""
        self._variant = checked_choice('variant', variant, (PUBLISHED, PROPER))
        self._corresponds: bool | None = None
        self._errors: dict[str, list[np.ndarray]] = {name: [] for name in ('joints', 'joints_aligned', 'vertices',
                                                                           'vertices_aligned')}
        self._f_scores, self._f_scores_aligned = [], []

    def add(self, joints_m, vertices_m, true_joints_m, true_vertices_m) -> None:
        """One frame: joints (21, 3), vertices (V, 3), and the true ones.

        The first frame decides whether meshes correspond; ValueError when a later one differs in that.
        """
        joints, true_joints = (checked(name, value, (21, 3), np.float64)
                               for name, value in (('joints_m', joints_m), ('true_joints_m', true_joints_m)))
        vertices, true_vertices = (checked(name, value, (None, 3), np.float64) for name, value in
                                   (('vertices_m', vertices_m), ('true_vertices_m', true_vertices_m)))
        corresponds = len(vertices) == len(true_vertices)
        if self._corresponds not in (None, corresponds):
            raise ValueError(f'vertices_m: {len(vertices)} against {len(true_vertices)} true ones, expected '
                             f'{"equal" if self._corresponds else "different"} numbers as in the first frame')
        self._corresponds = corresponds
        by_joints = alignment(joints, true_joints, self._variant)
        self._errors['joints'].append(distances_mm(joints, true_joints))
        self._errors['joints_aligned'].append(distances_mm(by_joints.own(joints), true_joints))
        if corresponds:
            moved = alignment(vertices, true_vertices, self._variant).own(vertices)
            self._errors['vertices'].append(distances_mm(vertices, true_vertices))
            self._errors['vertices_aligned'].append(distances_mm(moved, true_vertices))
        else:
            moved = by_joints.carried(vertices, vertices.mean(0) if self._variant == PUBLISHED else None)
        self._f_scores.append(point_f_scores(vertices, true_vertices, F_MM))
        self._f_scores_aligned.append(point_f_scores(moved, true_vertices, F_MM))

    def scores(self) -> FreiHandScores:
        """The table of all frames so far; ValueError when there is none."""
        if not self._f_scores:
            raise ValueError('frames: none, expected at least one')
        points = {name: _point_scores(np.stack(errors)) if errors else None for name, errors in self._errors.items()}
        return FreiHandScores(*points.values(), tuple(np.mean(self._f_scores, axis=0).tolist()),
                              tuple(np.mean(self._f_scores_aligned, axis=0).tolist()))


def _point_scores(errors_mm: np.ndarray) -> PointScores:
    """Scores of distances (frames, points). Every point is in every frame: PCK over all is the mean of each one's."""
    shares = pck(errors_mm, THRESHOLDS_MM)
    area = float(np.trapz(shares, THRESHOLDS_MM) / (THRESHOLDS_MM[-1] - THRESHOLDS_MM[0]))
    return PointScores(float(errors_mm.mean()), float(np.median(errors_mm, axis=0).mean()), area, shares)
