"""Smoothing over time: how much jitter it takes away, how much lag it costs, beside no smoothing at all."""
from __future__ import annotations

import argparse
import time

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.refinement.smoothing import METHODS, HandSmoother
from hand_recon_ros.synthesis.motion import script_motions
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.synthesis.rigs import sample_rig
from hand_recon_ros.types import HandEstimate

HELP = 'smoothing over time: jitter and lag of every method beside no smoothing, on scripted hands with noise'
FPS = 30.0
# Of a fused hand: its errors last some frames, so that no filter removes them all. Metres, radians.
WRIST_NOISE_M, ROTATION_NOISE_RAD, JOINT_NOISE_RAD, MEMORY = (0.0015, 0.0015, 0.004), 0.03, 0.05, 0.5
LAGS = np.arange(0.0, 6.01, 0.05)
GAPS_MS = (67, 133, 200)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the benchmark."""
    parser.add_argument('--seconds', type=float, default=20.0, help='of motion (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of motion and noise (default %(default)s)')


def run(args: argparse.Namespace) -> dict:
    """Rows: every method; milliseconds a hand, mm of error, mm/frame^2 of jitter, frames of lag, error of
    predictions."""
    if not 2 <= args.seconds <= 600:
        raise ValueError(f'--seconds: {args.seconds}, expected 2 to 600')
    true, noisy = simulated(round(args.seconds * FPS), args.seed)
    rows, raw = [], None
    for method in METHODS:
        smoothed, milliseconds, stated_lag = _smoothed(method, noisy)
        figures = jitter_and_lag(smoothed, true)
        raw = raw or figures | {'ms': milliseconds}
        rows.append({'case': method, 'ours_ms': milliseconds, 'reference_ms': raw['ms'],
                     'ratio': raw['ms'] / milliseconds, **figures,
                     'jitter_ratio': raw['jitter_mm_per_frame2'] / figures['jitter_mm_per_frame2'],
                     'stated_lag_frames': stated_lag * FPS}
                    | {f'after_{gap}_ms_mm': _prediction_mm(method, noisy, true, gap) for gap in GAPS_MS})
    return {'name': 'smoothing', 'rows': rows, 'frames': len(true),
            'reference': 'no smoothing; jitter_ratio: jitter without / with'}


def simulated(frames: int, seed: int) -> tuple[np.ndarray, list[HandEstimate]]:
    """True keypoints (N, 21, 3) m of a scripted right hand at 30 Hz, and noisy estimates of it."""
    rng = np.random.default_rng(seed)
    model = load_hand_model('open_hand')
    space, hand = PoseSpace(model), JaxHand(model)
    rig, T_first_viewer = sample_rig('mono', 640, 480, 0.6, None, rng)
    (motion,) = script_motions(space, ('right',), frames, FPS, 'desk', 'free', rig, T_first_viewer, 0.6, rng)
    shape = np.zeros(model.shape_size, np.float32)
    _, true = hand(motion.poses.astype(np.float32), np.tile(shape, (frames, 1)), motion.translations.astype(np.float32))
    moved = WRIST_NOISE_M * _lasting(rng, (frames, 3))
    turned = np.concatenate([ROTATION_NOISE_RAD * _lasting(rng, (frames, 1, 3)),
                             JOINT_NOISE_RAD * _lasting(rng, (frames, 15, 3))], 1)
    poses = matrix_to_axis_angle(axis_angle_to_matrix(motion.poses.reshape(-1, 16, 3)) @ axis_angle_to_matrix(turned))
    poses = poses.reshape(frames, 48).astype(np.float32)
    places = (motion.translations + moved).astype(np.float32)
    vertices, joints = hand(poses, np.tile(shape, (frames, 1)), places)
    return np.asarray(true, np.float64), [
        HandEstimate(0, 'right', 1.0, 1.0, model.name, poses[k], shape, places[k], np.asarray(joints[k]),
                     np.asarray(vertices[k]), np.array([1000.0, 320, 240]), joint_std_m=np.full(21, 0.005))
        for k in range(frames)]


def jitter_and_lag(points_m: np.ndarray, true_m: np.ndarray) -> dict[str, float]:
    """Of keypoints (N, 21, 3): mean error mm, mean second difference of the error mm/frame^2, and by how many frames
    the truth must be delayed to be nearest."""
    error = points_m - true_m
    frames = np.arange(len(true_m))
    inner = slice(round(LAGS[-1]) + 1, None)
    flat = true_m.reshape(len(true_m), -1)
    distances = []
    for lag in LAGS:
        delayed = np.stack([np.interp(frames - lag, frames, column) for column in flat.T], -1).reshape(true_m.shape)
        distances.append(np.linalg.norm(points_m - delayed, axis=-1)[inner].mean())
    return {'error_mm': 1e3 * float(np.linalg.norm(error, axis=-1).mean()),
            'jitter_mm_per_frame2': 1e3 * float(np.linalg.norm(np.diff(error, n=2, axis=0), axis=-1).mean()),
            'lag_frames': float(LAGS[int(np.argmin(distances))])}


def _smoothed(method: str, noisy: list[HandEstimate]) -> tuple[np.ndarray, float, float]:
    smoother, points, lags = HandSmoother(load_hand_model('open_hand'), method), [], []
    smoother.smooth(noisy[:1], 0)
    smoother.smooth(noisy[:1], 1)
    smoother.restart()
    started = time.perf_counter()
    for frame, estimate in enumerate(noisy):
        points.append(smoother.smooth([estimate], _stamp_ns(frame))[0].joints_m)
        lags.append(smoother.lag_s)
    seconds = time.perf_counter() - started
    return np.stack(points).astype(np.float64), 1e3 * seconds / len(noisy), float(np.mean(lags))


def _prediction_mm(method: str, noisy: list[HandEstimate], true: np.ndarray, gap_ms: int) -> float:
    """Mean error of the keypoints after the hand was lost for so long, over gaps all along the motion."""
    smoother, lost, errors = HandSmoother(load_hand_model('open_hand'), method), round(gap_ms * FPS / 1e3), []
    for frame, estimate in enumerate(noisy):
        phase = frame % (3 * lost + 10)
        if phase < 2 * lost + 10:
            smoother.smooth([estimate], _stamp_ns(frame))
        elif phase == 3 * lost + 9:
            (predicted,) = smoother.smooth([], _stamp_ns(frame))
            errors.append(np.linalg.norm(predicted.joints_m - true[frame], axis=-1).mean())
        else:
            smoother.smooth([], _stamp_ns(frame))
    return 1e3 * float(np.mean(errors))


def _stamp_ns(frame: int) -> int:
    return round(frame * 1e9 / FPS)


def _lasting(rng: np.random.Generator, shape: tuple) -> np.ndarray:
    """Noise of unit size along the first axis that lasts from sample to sample."""
    fresh = rng.standard_normal(shape)
    for k in range(1, len(fresh)):
        fresh[k] = MEMORY * fresh[k - 1] + np.sqrt(1 - MEMORY ** 2) * fresh[k]
    return fresh
