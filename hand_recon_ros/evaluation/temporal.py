"""How an estimate moves against the truth: id switches, jitter, acceleration, bone lengths. Frames in their order."""
from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hand_recon_ros.evaluation.metrics import M_TO_MM
from hand_recon_ros.evaluation.records import FrameRecord, MatchedHand
from hand_recon_ros.hand_model.skeleton import KEYPOINT_PARENTS

# A true joint that moves less than this between two frames is at rest.
STILL_MM = 0.2


def id_switches(frames) -> int:
    """How often a true hand's estimate has another id than when it was last matched (CLEAR MOT's mismatches).

    Bernardin & Stiefelhagen, EURASIP 2008: the last known id counts across gaps. Two swapped tracks count twice.
    """
    last, switches = {}, 0
    for frame in frames:
        for hand in frame.matched:
            switches += last.get(hand.true_id, hand.track_id) != hand.track_id
            last[hand.true_id] = hand.track_id
    return switches


def stretches(frames: tuple[FrameRecord, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Runs of neighbouring frames in which one true hand keeps one estimate: (estimated, true), both (T, 21, 3) metres.

    A frame without that hand, another id and a stamp that does not increase end a run; runs of one frame are left out.
    """
    open_runs: dict[tuple[str, int], list[MatchedHand]] = {}
    previous_ns = None
    for frame in frames:
        if previous_ns is not None and frame.stamp_ns <= previous_ns:
            yield from _closed(open_runs.values())
            open_runs = {}
        previous_ns = frame.stamp_ns
        here = {(hand.true_id, hand.track_id): hand for hand in frame.matched}
        yield from _closed(run for key, run in open_runs.items() if key not in here)
        open_runs = {key: [*open_runs.get(key, ()), hand] for key, hand in here.items()}
    yield from _closed(open_runs.values())


def _closed(runs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for run in runs:
        if len(run) > 1:
            yield np.stack([hand.joints_m for hand in run]), np.stack([hand.true_joints_m for hand in run])


def jitter_mm(estimated_m, true_m) -> np.ndarray:
    """||e[t+1] - e[t]|| with the error e = estimate - truth, (T - 1, 21) mm: a constant offset counts nothing."""
    error = np.asarray(estimated_m) - np.asarray(true_m)
    return np.linalg.norm(np.diff(error, axis=0), axis=-1) * M_TO_MM


def still_jitter_mm(estimated_m, true_m) -> np.ndarray:
    """The estimate's own steps ||p[t+1] - p[t]|| wherever the true joint moved less than STILL_MM, (N,) mm."""
    steps, true_steps = (np.linalg.norm(np.diff(np.asarray(points_m), axis=0), axis=-1) * M_TO_MM
                         for points_m in (estimated_m, true_m))
    return steps[true_steps < STILL_MM]


def acceleration_mm(points_m) -> np.ndarray:
    """||p[t-1] - 2 p[t] + p[t+1]||, (T - 2, 21) mm per frame^2."""
    return np.linalg.norm(np.diff(np.asarray(points_m), n=2, axis=0), axis=-1) * M_TO_MM


def acceleration_error_mm(estimated_m, true_m) -> np.ndarray:
    """Second differences of estimate and truth, the norm of their difference, (T - 2, 21) mm per frame^2.

    As in Kanazawa et al., Learning 3D Human Dynamics from Video, CVPR 2019, but in camera space, per frame.
    """
    return acceleration_mm(np.asarray(estimated_m) - np.asarray(true_m))


def bone_lengths_mm(joints_m) -> np.ndarray:
    """Lengths (..., 20) in mm of the bones that end in keypoints 1 to 20, of keypoints (..., 21, 3) metres."""
    joints_m = np.asarray(joints_m)
    return np.linalg.norm(joints_m[..., 1:, :] - joints_m[..., list(KEYPOINT_PARENTS[1:]), :], axis=-1) * M_TO_MM


def bone_length_std_mm(frames) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation over frames of each bone of each track, and the tracks' lengths: (N, 20) mm, (N,) frames.

    A track is one id of the estimate (matched frames, gaps allowed); those of a single frame have no deviation and are
    left out. The model's fingertips are skinned vertices: their bones vary a little with the pose at a fixed shape too.
    """
    tracks: dict[int, list[np.ndarray]] = {}
    for frame in frames:
        for hand in frame.matched:
            tracks.setdefault(hand.track_id, []).append(bone_lengths_mm(hand.joints_m))
    kept = [np.stack(lengths) for lengths in tracks.values() if len(lengths) > 1]
    return (np.stack([lengths.std(axis=0) for lengths in kept]) if kept else np.zeros((0, 20)),
            np.array([len(lengths) for lengths in kept]))
