"""A scripted hand: smooth, human-paced motion through named poses before a camera, always in its view."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.synthesis.rigs import CameraRig, hands_in_frame
from hand_recon_ros.types import HANDEDNESS, checked_choice

MOVE_S, HOLD_S = (0.45, 0.85), (0.08, 0.30)     # time to reach a pose and to rest in it
FINGER_LAG_S = 0.05                             # fingers do not all start at once
TREMOR_RAD, TREMOR_M = 0.012, 0.0012
MARGIN = 0.03                                   # of the image's width, kept free around the keypoints
MOTIONS = ('free', 'crossing')
# From the viewer to the middle of the hands.
VIEW_DISTANCES_M = {'facing': (0.52, 0.78), 'desk': (0.48, 0.78), 'egocentric': (0.42, 0.56), 'wild': (0.42, 0.80)}
# Where the middle of the hand is at home: beside the axis and below it, metres. Right hand, seen from the front it is
# on the image's left, seen by its owner on the right.
HOMES = {'facing': (-0.125, 0.035), 'desk': (0.115, 0.03), 'egocentric': (0.12, 0.05), 'wild': (-0.12, 0.02)}
WANDER_M = (0.022, 0.030, 0.050)


@dataclass(frozen=True)
class HandMotion:
    """One hand over N frames: poses (N, 48) rad, translations (N, 3) m, in the first camera's optical frame."""
    handedness: str
    poses: np.ndarray
    translations: np.ndarray


def script_motions(hand: JaxHand, named_poses: Mapping[str, np.ndarray], shape, handednesses: tuple[str, ...],
                   frame_count: int, fps: float, view: str, kind: str, rig: CameraRig, T_first_viewer: np.ndarray,
                   distance_m: float, rng: np.random.Generator) -> tuple[HandMotion, ...]:
    """One motion a hand, in view of every camera of the rig, before a viewer (T_first_viewer (4, 4)) distance_m away.

    ValueError for no frames, an unknown view, or cameras that cannot all see a hand.
    """
    return tuple(_script_motion(hand, named_poses, shape, handedness, frame_count, fps, view, rig, T_first_viewer,
                                distance_m, rng) for handedness in handednesses)


def _script_motion(hand, named_poses, shape, handedness, frame_count, fps, view, rig, T_first_viewer, distance_m,
                   rng) -> HandMotion:
    checked_choice('handedness', handedness, HANDEDNESS)
    checked_choice('view', view, tuple(HOMES))
    if frame_count < 1 or not fps > 0:
        raise ValueError(f'frames: {frame_count} at {fps} Hz, expected at least 1 at a positive rate')
    times = np.arange(frame_count) / fps
    keys = _key_times(times[-1], rng)
    fingers = _finger_angles(named_poses, keys, times, rng)
    rotations = _wrist_rotations(view, keys, times, rng)
    poses = np.concatenate([matrix_to_axis_angle(rotations), fingers], 1).astype(np.float32)
    # Place the hand by the middle between wrist and middle knuckle, which a pose's translation does not name.
    centres = np.concatenate([hand(part, shape, np.zeros(3))[1][:, [0, 9]].mean(1)
                              for part in np.array_split(poses, -(-frame_count // 64))])
    wrist = hand(np.zeros(48), shape, np.zeros(3))[1][0].astype(np.float64)
    wander = _smoothed(rng.uniform(-1, 1, (len(keys), 3)), keys, times)
    wander = wander + TREMOR_M / np.array(WANDER_M) * _tremor(times, 3, rng)
    home = np.array([*HOMES[view], distance_m])
    # Less wandering and more distance both bring a hand into view: whatever changes the picture least comes first.
    ways = [(reach, away) for reach in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0) for away in (0.0, 0.06, 0.12, 0.2, 0.3)]
    for reach, away in sorted(ways, key=lambda way: 0.2 * (1.0 - way[0]) + way[1]):
        spread = 1.0 + away / home[2]     # farther off, there is more room to the sides
        places = home * [spread, 1.0, 1.0] + [0, 0, away] + reach * wander * WANDER_M
        handed_poses, translations = poses, places - centres
        if handedness == 'left':
            handed_poses, translations = mirror_pose(poses), mirror_points(translations)
        moved = hands_in_frame(T_first_viewer, handed_poses, translations, wrist, handedness)
        motion = HandMotion(handedness, *(array.astype(np.float32) for array in moved))
        if _in_view(hand, motion, shape, rig):
            return motion
    raise ValueError(f'cameras: the {handedness} hand leaves the view of at least one, expected a wider view or a '
                     'shorter baseline')


def _key_times(last: float, rng) -> np.ndarray:
    """(K, 2): when each pose is reached and when it is left."""
    keys, now = [], 0.0
    while not keys or keys[-1][0] < last:
        hold = rng.uniform(*HOLD_S)
        keys.append((now, now + hold))
        now += hold + rng.uniform(*MOVE_S)
    return np.array(keys)


def _blend(keys: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Key last reached (N,) and the way towards the next (N,), 0..1, of minimum jerk (Flash and Hogan 1985)."""
    index = np.clip(np.searchsorted(keys[:, 0], times, 'right') - 1, 0, max(len(keys) - 2, 0))
    if len(keys) == 1:
        return index, np.zeros(len(times))
    left, reached = keys[index, 1], keys[index + 1, 0]
    t = np.clip((times - left) / (reached - left), 0, 1)
    return index, t ** 3 * (10 - 15 * t + 6 * t * t)


def _smoothed(values: np.ndarray, keys: np.ndarray, times: np.ndarray) -> np.ndarray:
    index, way = _blend(keys, times)
    following = values[np.minimum(index + 1, len(values) - 1)]
    way = way.reshape(-1, *[1] * (values.ndim - 1))
    return (1 - way) * values[index] + way * following


def _tremor(times: np.ndarray, channels: int, rng) -> np.ndarray:
    """(N, channels) of unit size: the slow unrest of a hand held in the air, sums of sines of 0.4 to 2.5 Hz."""
    out = np.zeros((len(times), channels))
    for _ in range(4):
        rate, phase = rng.uniform(0.4, 2.5, channels), rng.uniform(0, 2 * np.pi, channels)
        out += np.sin(2 * np.pi * times[:, None] * rate + phase) / (2 * np.sqrt(rate))
    return out


def _finger_angles(named_poses, keys, times, rng) -> np.ndarray:
    """(N, 45) axis-angle of the finger joints."""
    rounds = 1 + len(keys) // len(named_poses)
    names = ['spread'] + [name for _ in range(rounds) for name in _shuffled(named_poses, rng)]
    targets = np.stack([np.asarray(named_poses[name], float)[3:] for name in names[:len(keys)]])
    targets = targets * rng.uniform(0.88, 1.0, (len(keys), 1))
    out = np.empty((len(times), 5, 9))
    for finger in range(5):
        lag = rng.uniform(-FINGER_LAG_S, FINGER_LAG_S)
        out[:, finger] = _smoothed(targets.reshape(-1, 5, 9)[:, finger], keys, np.clip(times - lag, 0, None))
    return out.reshape(len(times), 45) + TREMOR_RAD * _tremor(times, 45, rng)


def _shuffled(named_poses, rng) -> list[str]:
    names = sorted(named_poses)
    return [names[k] for k in rng.permutation(len(names))]


def _wrist_rotations(view: str, keys, times, rng) -> np.ndarray:
    """(N, 3, 3) of a right hand: rest frame (fingers -x, back +y, thumb +z) to the camera's, fingers upwards."""
    count = len(keys)
    palm_shown = np.zeros(count)
    if view in ('facing', 'wild'):
        palm_shown[:] = rng.random() < 0.75
        # Now and then the hand turns over; slowly is enough for a forearm.
        for k in range(2, count):
            palm_shown[k:] = 1 - palm_shown[k:] if rng.random() < 0.12 else palm_shown[k:]
    inward = 6 if view in ('facing', 'wild') else -10     # elbows stand outwards
    roll = np.radians(inward + rng.uniform(-16, 16, count))
    pitch = np.radians(rng.uniform(-22, 22, count) + (-18 if view in ('egocentric', 'desk') else 0))
    turn = np.radians(rng.uniform(-32, 32, count)) + np.pi * (1 - palm_shown)
    rest = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])     # fingers up, palm to the camera, thumb to its right
    # Interpolated as angles: the shortest way between quaternions could turn a forearm the impossible way round.
    angles = _smoothed(np.stack([roll, pitch, turn], 1), keys, times) + TREMOR_RAD * _tremor(times, 3, rng)
    zero = np.zeros(len(times))
    lean = axis_angle_to_matrix(np.stack([zero, zero, angles[:, 0]], 1))
    nod = axis_angle_to_matrix(np.stack([angles[:, 1], zero, zero], 1))
    twist = axis_angle_to_matrix(np.stack([zero, angles[:, 2], zero], 1))
    return lean @ nod @ twist @ rest


def _in_view(hand: JaxHand, motion: HandMotion, shape, rig: CameraRig) -> bool:
    count = len(motion.poses)
    for part in np.array_split(np.arange(count), -(-count // 64)):
        _, keypoints = posed_hand(hand, motion.poses[part], shape, motion.translations[part], motion.handedness)
        for k, camera in enumerate(rig.cameras):
            if not camera.inside(rig.project(k, keypoints), -MARGIN * camera.width).all():
                return False
    return True
