"""`hands.json`: what `reconstruct` found, frame by frame, for other programs to read."""
from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field

import numpy as np

from hand_recon_ros.media.images import write_atomically
from hand_recon_ros.types import HandEstimate, HandKeypoints

NS_PER_S = 1e9


@dataclass
class HandsFile:
    """Frames gathered one by one; `write` puts them on disk whole. joints_2d are the fitted keypoints, pixels."""
    model: str
    frames: list[dict] = field(default_factory=list)

    def add(self, index: int, stamp_ns: int, source: str, hands: list[dict], error: str = '') -> None:
        """Append a frame with the hands that `hand_record` made; `error` says why an image could not be read."""
        frame = {'index': index, 'stamp': stamp_ns / NS_PER_S, 'source': source, 'hands': hands}
        self.frames.append({**frame, 'error': error} if error else frame)

    def write(self, path: str | os.PathLike) -> None:
        """Write JSON; the file appears whole or not at all."""
        text = json.dumps({'model': self.model, 'frames': self.frames}, indent=1, allow_nan=False)
        write_atomically(path, text.encode())


def hand_record(estimate: HandEstimate, keypoints: dict[str, HandKeypoints], joints_px: dict[str, np.ndarray],
                mesh: str | None) -> dict:
    """One hand as the file shows it, by camera: 'left' (or the only one) and 'right'.

    keypoints: of the cameras that see it. joints_px: (21, 2) projections of the fitted joints. mesh: file below the
    folder. A point that a lens does not reach is null.
    """
    reprojection = estimate.reprojection_px
    return {'track_id': estimate.track_id, 'handedness': estimate.handedness, 'score': _number(estimate.score),
            'joints_3d': _rows(estimate.joints_m, 5),
            'joints_2d': {side: _points(points, 2) for side, points in joints_px.items()},
            'joints_2d_detected': {side: _rows(hand.points_px, 2) for side, hand in keypoints.items()},
            'pose': _rows(estimate.pose, 5), 'shape': _rows(estimate.shape, 4),
            'translation': _rows(estimate.translation, 5),
            'joint_std': _rows(estimate.joint_std_m, 5) if np.isfinite(estimate.joint_std_m).all() else None,
            'projection': estimate.projection, 'weak_camera': _rows(estimate.weak_camera, 3),
            'reprojection_px': None if math.isnan(reprojection) else _number(reprojection),
            'box_px': _rows(next(iter(keypoints.values())).box_px, 1), 'mesh': mesh, 'metric': estimate.metric}


def _number(value: float) -> float:
    return round(float(value), 4)


def _points(points: np.ndarray, digits: int) -> list:
    return [row if np.isfinite(point).all() else None for row, point in zip(_rows(points, digits), points)]


def _rows(array: np.ndarray, digits: int) -> list:
    return np.round(np.asarray(array, np.float64), digits).tolist()
