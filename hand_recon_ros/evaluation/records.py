"""What an evaluation keeps of every frame: plain values, so that it may be pickled and put together over processes."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class VertexErrors:
    """Means over the vertices of one hand, mm, and F-scores by nearest vertices; both meshes of one topology."""
    camera_space_mm: float
    root_relative_mm: float
    aligned_mm: float
    f_5: float
    f_15: float
    aligned_f_5: float
    aligned_f_15: float


@dataclass(frozen=True, eq=False)
class SurfaceErrors:
    """Two surfaces of different topology: mean distance both ways, mm, and F-scores; aligned by the 21 joints."""
    camera_space_mm: float
    aligned_mm: float
    f_5: float
    f_15: float
    aligned_f_5: float
    aligned_f_15: float


@dataclass(frozen=True, eq=False)
class MaskErrors:
    """Pixels of one hand. intersection, union: counts. right, seen: pixels labelled rightly, of those looked at."""
    intersection: int
    union: int
    right: int
    seen: int


@dataclass(frozen=True, eq=False)
class MatchedHand:
    """One true hand and its estimate, in one frame.

    true_id: the truth's id. track_id: the estimate's. right_side: the handedness is the true one.
    true_joints_m, joints_m: (21, 3) float64, the camera's frame. *_mm: (21,) joint distances. joint_std_m: (21,), NaN
    where not stated. view_angle_rad: between the palm's normal and the line of sight, 0 (flat on) to pi/2 (edge on).
    size_m: wrist to middle fingertip along the true bones. Absent parts are None, their reason is in the notes.
    """
    true_id: str
    track_id: int
    right_side: bool
    score: float
    true_joints_m: np.ndarray
    joints_m: np.ndarray
    camera_space_mm: np.ndarray
    root_relative_mm: np.ndarray
    aligned_mm: np.ndarray
    joint_std_m: np.ndarray
    view_angle_rad: float
    size_m: float
    vertices: VertexErrors | None = None
    surface: SurfaceErrors | None = None
    mask: MaskErrors | None = None


@dataclass(frozen=True)
class MissedHand:
    """A true hand without an estimate. depth_m: of its wrist."""
    true_id: str
    depth_m: float


@dataclass(frozen=True, eq=False)
class KeypointErrors:
    """The detector in one frame. percent: (N, 21) 2D distances of matched hands, % of the true box's longer side."""
    true_hands: int
    detected: int
    right_side: int
    percent: np.ndarray


@dataclass(frozen=True, eq=False)
class StereoErrors:
    """Two views of one instant. matched: true hands found. triangulated_mm: (N, 21) of the detector's points of those
    that both views see, NaN where rays do not meet ahead. epipolar_px: (N,) medians over the points.
    """
    matched: int
    triangulated_mm: np.ndarray
    epipolar_px: np.ndarray


@dataclass(frozen=True, eq=False)
class FrameRecord:
    """One frame. estimates: how many hands were given, matched or not. out_of_sight: true hands without a keypoint in
    the image; they are not counted.
    """
    stamp_ns: int
    estimates: int
    matched: tuple[MatchedHand, ...]
    missed: tuple[MissedHand, ...]
    latency_s: float | None = None
    keypoints: KeypointErrors | None = None
    out_of_sight: int = 0
    stereo: StereoErrors | None = None

    @property
    def true_hands(self) -> int:
        """Hands that were there to be found."""
        return len(self.matched) + len(self.missed)


@dataclass(frozen=True, eq=False)
class RecordingErrors:
    """Frames of one recording in their order. sequence: neighbours in time, else temporal figures mean nothing."""
    name: str
    sequence: bool
    frames: tuple[FrameRecord, ...]
    notes: tuple[str, ...] = ()
