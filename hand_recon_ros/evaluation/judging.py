"""One frame judged: estimates beside the true hands, the detector's landmarks and the true mask -> a FrameRecord."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from hand_recon_ros.evaluation.f_scores import point_f_scores
from hand_recon_ros.evaluation.masks import LABELS, draw_labels, mask_errors
from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.metrics import aligned_mm, distances_mm, root_relative_mm
from hand_recon_ros.evaluation.records import (FrameRecord, KeypointErrors, MaskErrors, MatchedHand, MissedHand,
                                               SurfaceErrors, VertexErrors)
from hand_recon_ros.evaluation.surfaces import compare_surfaces
from hand_recon_ros.geometry.alignment import aligned, procrustes
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES
from hand_recon_ros.types import PERSPECTIVE, HandEstimate, HandKeypoints

WRIST, INDEX_BASE, PINKY_BASE = 0, KEYPOINT_NAMES.index('index1'), KEYPOINT_NAMES.index('pinky1')
MIDDLE = [KEYPOINT_NAMES.index(f'middle{k}') for k in (1, 2, 3, 4)]
# A detection farther from a true hand than this share of its box, on average, is of something else.
FARTHEST_BOXES = 1.0


class FrameJudge:
    """Compares frame after frame; holds the faces of models, and the reasons why something could not be compared."""

    def __init__(self, faces: Mapping[str, np.ndarray] | None = None):
        """faces: model name -> (F, 3) triangles of its right hand; needed for masks and for meshes that differ."""
        self._faces = dict(faces or {})
        self.notes: dict[str, None] = {}          # a set that keeps its order

    def __call__(self, stamp_ns: int, estimates: list[HandEstimate], truths: list[HandEstimate],
                 latency_s: float | None, keypoints: list[HandKeypoints] | None, camera: Camera | None,
                 true_mask: np.ndarray | None) -> FrameRecord:
        """The record of one frame; arguments as `Evaluation.add`."""
        names = [truth.hand_id for truth in truths]
        if len(set(names)) < len(names):
            raise ValueError(f'truths: hands {", ".join(names)}, expected ids that differ within a frame')
        if latency_s is not None and not (np.isfinite(latency_s) and latency_s >= 0):
            raise ValueError(f'latency_s: {latency_s}, expected a time not below 0')
        given, truths = len(truths), [truth for truth in truths if _in_sight(truth, camera)]
        pairs = match_hands(estimates, truths)
        masks = {} if true_mask is None else self._masks(pairs, estimates, truths, camera, true_mask)
        matched = [self._matched(estimates[row], truths[column], masks.get(column))
                   for row, column in sorted(pairs, key=lambda pair: pair[1])]
        found = {column for _, column in pairs}
        missed = [MissedHand(truth.hand_id, float(truth.joints_m[WRIST, 2]))
                  for column, truth in enumerate(truths) if column not in found]
        seen = None if keypoints is None else self._keypoints(keypoints, truths, camera)
        return FrameRecord(int(stamp_ns), len(estimates), tuple(matched), tuple(missed),
                           None if latency_s is None else float(latency_s), seen, given - len(truths))

    def _matched(self, estimate: HandEstimate, truth: HandEstimate, mask: MaskErrors | None) -> MatchedHand:
        joints, true = estimate.joints_m.astype(np.float64), truth.joints_m.astype(np.float64)
        palm = np.cross(true[INDEX_BASE] - true[WRIST], true[PINKY_BASE] - true[WRIST])
        sight = true[[WRIST, INDEX_BASE, PINKY_BASE]].mean(0)
        cosine = abs(palm @ sight) / (np.linalg.norm(palm) * np.linalg.norm(sight) + 1e-12)
        hand = MatchedHand(
            truth.hand_id, estimate.track_id, estimate.handedness == truth.handedness, float(estimate.score),
            true, joints, distances_mm(joints, true), root_relative_mm(joints, true, joints[WRIST], true[WRIST]),
            aligned_mm(joints, true), estimate.joint_std_m.astype(np.float64), float(np.arccos(min(1.0, cosine))),
            float(np.linalg.norm(np.diff(true[[WRIST, *MIDDLE]], axis=0), axis=1).sum()), mask=mask)
        if not len(truth.vertices_m) or not len(estimate.vertices_m):
            side = 'truth' if not len(truth.vertices_m) else f'estimate of {estimate.model!r}'
            self._note(f'no vertex or surface figures for hands whose {side} has no vertices')
            return hand
        if estimate.model == truth.model:
            return replace(hand, vertices=_vertex_errors(estimate, truth))
        return replace(hand, surface=self._surface_errors(estimate, truth))

    def _surface_errors(self, estimate: HandEstimate, truth: HandEstimate) -> SurfaceErrors | None:
        unknown = [model for model in (estimate.model, truth.model) if model not in self._faces]
        if unknown:
            self._note(f'no surface figures: estimates are of {estimate.model!r}, the truth is of {truth.model!r}, '
                       f'and the faces of {", ".join(unknown)} were not given')
            return None
        self._note(f'no vertex figures: estimates are of {estimate.model!r}, the truth is of {truth.model!r}; '
                   'their surfaces are compared instead')
        faces, true_faces = self._faces[estimate.model], self._faces[truth.model]
        moved = procrustes(estimate.joints_m, truth.joints_m).apply(estimate.vertices_m)
        here = compare_surfaces(estimate.vertices_m, faces, truth.vertices_m, true_faces)
        there = compare_surfaces(moved, faces, truth.vertices_m, true_faces)
        return SurfaceErrors(here.mean_mm, there.mean_mm, *here.f_scores, *there.f_scores)

    def _masks(self, pairs, estimates, truths, camera, true_mask) -> dict[int, MaskErrors]:
        """Mask errors by the truth's index. Left out: hands that share a label, and those without a pixel."""
        true_mask = np.asarray(true_mask)
        if camera is None:
            raise ValueError('camera: none, expected the camera of the true mask')
        if true_mask.shape != (camera.height, camera.width) or true_mask.dtype != np.uint8:
            raise ValueError(f'true_mask: {true_mask.dtype} {true_mask.shape}, '
                             f'expected uint8 ({camera.height}, {camera.width})')
        drawn = []
        for row, column in pairs:
            estimate = estimates[row]
            if not len(estimate.vertices_m) or estimate.model not in self._faces:
                self._note(f'no mask figures for estimates of {estimate.model!r} without vertices or known faces')
                return {}
            pixels, depths = _projected(estimate, camera)
            drawn.append((pixels, depths, self._faces[estimate.model], LABELS[truths[column].handedness]))
        labels = draw_labels(camera.width, camera.height, drawn)
        sides = [truth.handedness for truth in truths]
        errors = {}
        for _, column in pairs:
            label = LABELS[sides[column]]
            rows, columns = np.nonzero(true_mask == label)
            if sides.count(sides[column]) > 1:
                self._note('no mask figures for two true hands of one side: the mask cannot tell them apart')
            elif len(rows):
                box = (columns.min(), rows.min(), columns.max(), rows.max())
                errors[column] = mask_errors(labels == label, true_mask == label, box)
        return errors

    def _keypoints(self, keypoints, truths, camera) -> KeypointErrors:
        if camera is None:
            raise ValueError('camera: none, expected the camera of the detected keypoints')
        true_px = [camera.project(truth.joints_m) for truth in truths]
        kept = [k for k, points in enumerate(true_px) if np.isfinite(points).all()]
        if len(kept) < len(truths):
            self._note('no detector figures for true hands with joints behind the camera or beyond its lens')
        sizes = np.array([_box_size_px(truths[k], true_px[k], camera) for k in kept])
        if not kept or not keypoints:
            return KeypointErrors(len(kept), 0, 0, np.zeros((0, 21)))
        true_px = np.stack([true_px[k] for k in kept])
        seen_px = np.stack([hand.points_px for hand in keypoints])
        relative = np.linalg.norm(seen_px[:, None] - true_px[None], axis=-1) / sizes[:, None]
        rows, columns = linear_sum_assignment(relative.mean(-1))
        near = relative[rows, columns].mean(-1) <= FARTHEST_BOXES
        right = sum(keypoints[r].handedness == truths[kept[c]].handedness for r, c in zip(rows[near], columns[near]))
        return KeypointErrors(len(kept), int(near.sum()), int(right), 100.0 * relative[rows[near], columns[near]])

    def _note(self, text: str) -> None:
        self.notes.setdefault(text)


def _vertex_errors(estimate: HandEstimate, truth: HandEstimate) -> VertexErrors:
    if len(estimate.vertices_m) != len(truth.vertices_m):
        raise ValueError(f'vertices_m: {len(estimate.vertices_m)} against {len(truth.vertices_m)} of model '
                         f'{truth.model!r}, expected equal numbers')
    vertices, true = estimate.vertices_m.astype(np.float64), truth.vertices_m.astype(np.float64)
    moved = aligned(vertices, true)
    relative = root_relative_mm(vertices, true, estimate.joints_m[WRIST].astype(np.float64),
                                truth.joints_m[WRIST].astype(np.float64))
    return VertexErrors(float(distances_mm(vertices, true).mean()), float(relative.mean()),
                        float(distances_mm(moved, true).mean()), *point_f_scores(vertices, true),
                        *point_f_scores(moved, true))


def _projected(estimate: HandEstimate, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (V, 2) and depths (V,) of an estimate's vertices by its own projection."""
    depths = estimate.vertices_m[:, 2].astype(np.float64)
    if estimate.projection == PERSPECTIVE:
        return camera.project(estimate.vertices_m), depths
    scale, *shift = estimate.weak_camera.astype(np.float64)
    flat = (estimate.vertices_m - estimate.joints_m[WRIST])[:, :2]
    return scale * flat + shift, depths - depths.min() + 1.0        # weak perspective knows order in depth only


def _in_sight(truth: HandEstimate, camera: Camera | None) -> bool:
    return camera is None or bool(camera.inside(camera.project(truth.joints_m)).any())


def _box_size_px(truth: HandEstimate, joints_px, camera: Camera) -> float:
    """Longer side of the true hand's box: of its mesh where the truth has one, else of its keypoints."""
    points = camera.project(truth.vertices_m) if len(truth.vertices_m) else joints_px
    points = points[np.isfinite(points).all(-1)]
    return float(np.ptp(points if len(points) else joints_px, axis=0).max())
