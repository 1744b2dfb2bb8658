"""Errors of a whole recording: frames go in one by one, one table comes out."""
from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.metrics import aligned_mm, auc, distances_mm, root_relative_mm
from hand_recon_ros.types import HandEstimate

WRIST = 0


@dataclass
class Evaluation:
    """Gathers frames of estimates beside ground truth. Fingertips are the model's tip vertices, the wrist its joint."""
    frames: int = 0
    true_hands: int = 0
    right_handedness: int = 0
    id_switches: int = 0
    camera_space: list[np.ndarray] = field(default_factory=list)
    root_relative: list[np.ndarray] = field(default_factory=list)
    aligned: list[np.ndarray] = field(default_factory=list)
    vertex_camera_space: list[float] = field(default_factory=list)
    vertex_aligned: list[float] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    _last_track: dict[int, int] = field(default_factory=dict)

    def add(self, estimates: list[HandEstimate], truths: list[HandEstimate], latency_s: float | None = None) -> None:
        """One frame, whatever was found in it. Vertices are compared where the truth has them, of the same model and side."""
        self.frames += 1
        self.true_hands += len(truths)
        if latency_s is not None:
            self.latencies_s.append(latency_s)
        for row, column in match_hands(estimates, truths):
            estimate, truth = estimates[row], truths[column]
            self.right_handedness += estimate.handedness == truth.handedness
            self.id_switches += self._last_track.get(truth.track_id, estimate.track_id) != estimate.track_id
            self._last_track[truth.track_id] = estimate.track_id
            self.camera_space.append(distances_mm(estimate.joints_m, truth.joints_m))
            self.root_relative.append(root_relative_mm(estimate.joints_m, truth.joints_m,
                                                       estimate.joints_m[WRIST], truth.joints_m[WRIST]))
            self.aligned.append(aligned_mm(estimate.joints_m, truth.joints_m))
            same_mesh = estimate.model == truth.model and estimate.handedness == truth.handedness
            if same_mesh and len(truth.vertices_m):          # a recording may hold its truth without vertices
                self.vertex_camera_space.append(float(distances_mm(estimate.vertices_m, truth.vertices_m).mean()))
                self.vertex_aligned.append(float(aligned_mm(estimate.vertices_m, truth.vertices_m).mean()))

    def metrics(self) -> dict:
        """Named figures with their units; only the counts where no hand was matched."""
        matched = len(self.camera_space)
        result = {'recall': matched / self.true_hands if self.true_hands else 0.0}
        if matched:
            aligned = np.concatenate(self.aligned)
            result |= {
                'cs_mpjpe_mm': float(np.mean(self.camera_space)), 'mpjpe_mm': float(np.mean(self.root_relative)),
                'pa_mpjpe_mm': float(np.mean(aligned)),
                'auc_0_50': auc(aligned, 0, 50), 'auc_20_50': auc(aligned, 20, 50), 'auc_5_20': auc(aligned, 5, 20),
                'handedness_accuracy': self.right_handedness / matched, 'id_switches': self.id_switches}
        if self.vertex_aligned:
            result |= {'cs_mpvpe_mm': float(np.mean(self.vertex_camera_space)),
                       'pa_mpvpe_mm': float(np.mean(self.vertex_aligned))}
        if self.latencies_s:
            values = np.percentile(np.asarray(self.latencies_s) * 1e3, (50, 95, 99))
            result['latency_ms'] = {name: float(v) for name, v in zip(('p50', 'p95', 'p99'), values)}
        return result


def table(metrics: dict, title: str = '') -> str:
    """Metrics as aligned text, one line each."""
    lines = [title] if title else []
    for name, value in metrics.items():
        if isinstance(value, dict):
            value = '  '.join(f'{key} {number:.1f}' for key, number in value.items())
        elif isinstance(value, float):
            value = f'{value:.3f}' if value <= 1 and not name.endswith('_mm') else f'{value:.2f}'
        lines.append(f'  {name:<22}{value:>10}')
    return '\n'.join(lines)
