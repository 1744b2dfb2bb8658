"""Scripted hands: smooth, human-paced motion through sampled poses before a viewer, always in every camera's view."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose
from hand_recon_ros.synthesis.poses import FLIPS, WRISTS, PoseSpace, wrist_rotation
from hand_recon_ros.synthesis.rigs import CameraRig, hands_in_frame
from hand_recon_ros.types import HANDEDNESS, checked_choice

MOTIONS = ('free', 'crossing')
MOVE_S, HOLD_S = (0.45, 0.85), (0.08, 0.30)     # time to reach a pose and to rest in it
FINGER_LAG_S = 0.05                             # fingers do not all start at once
TREMOR_RAD, TREMOR_M = 0.012, 0.0012
MARGIN = 0.03                                   # of the image's width, kept free around the keypoints
TURN_OVER = 0.12                                # how often a hand turns over between two poses
# From the viewer to the middle of the hands.
VIEW_DISTANCES_M = {'facing': (0.50, 0.78), 'desk': (0.46, 0.78), 'egocentric': (0.40, 0.56), 'wild': (0.40, 0.80)}
# Where the middle of the hand is at home: beside the axis and below it, metres. Right hand, seen from the front it is
# on the image's left, seen by its owner on the right.
HOMES = {'facing': (-0.125, 0.035), 'desk': (0.115, 0.03), 'egocentric': (0.12, 0.05), 'wild': (-0.12, 0.02)}
WANDER_M = (0.026, 0.030, 0.050)
APPROACH, APPROACH_TO = 0.25, 0.5               # how often two hands draw near each other, and to what part
APART_M = 0.040                                 # least distance of two hands' joints: flesh is that thick
CROSSING_S, CROSSING_DEPTH_M, FOREARM_M = (2.4, 4.5), 0.095, 0.32
SPREAD_M = 0.15
TRIES = 12                                      # whole motions drawn until one is in view and clear of itself
SWAY_RAD = np.radians((2.5, 4.0, 1.5))          # of a head: nod, turn, tilt


@dataclass(frozen=True)
class HandMotion:
    """One hand over N frames: poses (N, 48) rad, translations (N, 3) m, in the first camera's optical frame."""
    handedness: str
    poses: np.ndarray
    translations: np.ndarray


@dataclass(frozen=True)
class _Script:
    """A right hand (a left one as its mirror image) about its own place. poses: (N, 48). keypoints: (N, 21, 3) with
    the wrist as at rest. home, wander: (N, 3) m. centres: (N, 3), the middle of the palm in keypoints' frame."""
    poses: np.ndarray
    keypoints: np.ndarray
    centres: np.ndarray
    home: np.ndarray
    wander: np.ndarray


def script_motions(space: PoseSpace, handednesses: tuple[str, ...], frame_count: int, fps: float, view: str, kind: str,
                   rig: CameraRig, T_first_viewer: np.ndarray, distance_m: float,
                   rng: np.random.Generator) -> tuple[HandMotion, ...]:
    """One motion a hand, in view of every camera of the rig, before a viewer (T_first_viewer (4, 4)) distance_m away.

    kind: 'free', or 'crossing': the hands pass one before the other and back. Fingers pass through no other finger in
    the poses between which they move, and hands not through each other. ValueError for no frames, an unknown view or
    kind, or cameras that cannot all see the hands.
    """
    checked_choice('view', view, tuple(HOMES))
    checked_choice('motion', kind, MOTIONS)
    for handedness in handednesses:
        checked_choice('handedness', handedness, HANDEDNESS)
    if frame_count < 1 or not fps > 0:
        raise ValueError(f'frames: {frame_count} at {fps} Hz, expected at least 1 at a positive rate')
    times = np.arange(frame_count) / fps
    two = len(handednesses) == 2
    nearer = rng.choice([-1.0, 1.0])
    period = max(CROSSING_S[0], min(rng.uniform(*CROSSING_S), times[-1]))
    crossing = np.pi * _smooth_wave(times / period) if kind == 'crossing' else None
    # Less wandering and more distance both bring hands into view: whatever changes the picture least comes first.
    ways = [(reach, away) for reach in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0) for away in (0.0, 0.06, 0.12, 0.2, 0.3, 0.4, 0.5)]
    ways.sort(key=lambda way: 0.2 * (1.0 - way[0]) + way[1])
    for attempt in range(TRIES):
        clearance = nearer * CROSSING_DEPTH_M * (1 + 0.15 * attempt)
        scripts = [_script(space, times, view, distance_m, crossing, clearance * (-1) ** k, two, rng)
                   for k in range(len(handednesses))]
        for reach, away in ways:
            placed = [_placed(space, script, side, reach, away, T_first_viewer)
                      for script, side in zip(scripts, handednesses)]
            if two and _closest_m(*(keypoints for _, keypoints in placed)) < APART_M:
                continue
            if all(_in_view(keypoints, rig) for _, keypoints in placed):
                return tuple(motion for motion, _ in placed)
    raise ValueError(f'cameras: a hand leaves the view of at least one, or meets the other, at {distance_m:.2f} to '
                     f'{distance_m + ways[-1][1]:.2f} m, expected a wider view or a shorter baseline')


def motion_keypoints(space: PoseSpace, motion: HandMotion) -> np.ndarray:
    """(N, 21, 3) m in the first camera's frame, tips within some millimetres of the mesh's."""
    poses, translations = motion.poses.astype(np.float64), motion.translations.astype(np.float64)
    left = motion.handedness == 'left'
    if left:
        poses, translations = mirror_pose(poses), mirror_points(translations)
    keypoints = space.capsules.keypoints(poses) + translations[:, None]
    return mirror_points(keypoints) if left else keypoints


def head_sway(frame_count: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """(N, 3, 3): how a head's cameras turn against the room, slowly and unevenly."""
    angles = SWAY_RAD * _tremor(0.35 * np.arange(frame_count) / fps, 3, rng)
    return axis_angle_to_matrix(angles)


def _script(space, times, view, distance_m, crossing, clearance, two, rng) -> _Script:
    """crossing: (N,) 0 at home to pi on the other side, or None. clearance: how much nearer the hand
    then passes, m."""
    keys = _key_times(times[-1], rng)
    fingers = _finger_angles(space, keys, times, rng)
    angles = _wrist_angles(view, keys, times, rng)
    home = np.tile([*HOMES[view], distance_m], (len(times), 1))
    if crossing is not None:
        home[:, 0] *= np.cos(crossing)
        home[:, 2] -= (0.7 if clearance > 0 else 1.3) * clearance * np.sin(np.minimum(crossing, 0.5 * np.pi))
        # Forearms stay in planes one behind the other. The elbow stays where it is: the forearm leans after the hand.
        angles[:, :2] *= 0.4
        angles[:, 0] += np.arctan2(home[:, 0] - HOMES[view][0], FOREARM_M)
    elif two:
        near = np.where(rng.random(len(keys)) < APPROACH, APPROACH_TO, 1.0)
        home[:, 0] *= _smoothed(near, keys, times)
    rotations = wrist_rotation(angles)
    poses = np.concatenate([matrix_to_axis_angle(rotations), fingers], 1)
    keypoints = space.capsules.keypoints(poses)
    wander = WANDER_M * _smoothed(rng.uniform(-1, 1, (len(keys), 3)), keys, times)
    if crossing is not None:
        wander *= 0.5
    # A hand is placed by the middle between wrist and middle knuckle, which a pose's translation does not name.
    return _Script(poses, keypoints, keypoints[:, [0, 9]].mean(1), home, wander + TREMOR_M * _tremor(times, 3, rng))


def _placed(space, script, handedness, reach, away, T_first_viewer) -> tuple[HandMotion, np.ndarray]:
    """The motion and its keypoints (N, 21, 3) in the first camera's frame."""
    spread = 1.0 + min(away, SPREAD_M) / script.home[:, 2]      # farther off, there is more room to the sides
    places = script.home + reach * script.wander
    places[:, 0] += (spread - 1.0) * script.home[:, 0]
    places[:, 2] += away
    poses, translations = script.poses, places - script.centres
    keypoints = script.keypoints + translations[:, None]
    if handedness == 'left':
        poses, translations, keypoints = mirror_pose(poses), mirror_points(translations), mirror_points(keypoints)
    moved = hands_in_frame(T_first_viewer, poses, translations, space.capsules.wrist_m, handedness)
    keypoints = keypoints @ T_first_viewer[:3, :3].T + T_first_viewer[:3, 3]
    return HandMotion(handedness, *(array.astype(np.float32) for array in moved)), keypoints


def _closest_m(one, other) -> float:
    """Least distance of any two of keypoints (N, 21, 3) at one time."""
    return float(np.linalg.norm(one[:, :, None] - other[:, None], axis=-1).min())


def _in_view(keypoints, rig: CameraRig) -> bool:
    return all(camera.inside(rig.project(k, keypoints), -MARGIN * camera.width).all()
               for k, camera in enumerate(rig.cameras))


def _smooth_wave(phase) -> np.ndarray:
    """0 at whole numbers, 1 half way between, standing still for a moment at both."""
    place = np.abs((phase % 1.0) * 2 - 1)
    place = 1 - np.clip((place - 0.12) / 0.76, 0, 1)
    return place ** 3 * (10 - 15 * place + 6 * place * place)


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


def _finger_angles(space: PoseSpace, keys, times, rng) -> np.ndarray:
    """(N, 45) axis-angle of the finger joints; the first pose is an open hand, as people begin."""
    targets = [space.pose(space.library['spread'] * rng.uniform(0.6, 1.0))]
    targets += [space.pose(space.sample_angles(rng)) for _ in keys[1:]]
    targets = np.stack(targets)[:, 3:].reshape(-1, 5, 9)
    out = np.empty((len(times), 5, 9))
    for finger in range(5):
        lag = rng.uniform(-FINGER_LAG_S, FINGER_LAG_S)
        out[:, finger] = _smoothed(targets[:, finger], keys, np.clip(times - lag, 0, None))
    return out.reshape(len(times), 45) + TREMOR_RAD * _tremor(times, 45, rng)


def _wrist_angles(view: str, keys, times, rng) -> np.ndarray:
    """(N, 3) of wrist_rotation. Interpolated as angles: the shortest way between rotations could turn a forearm the
    impossible way round."""
    ranges = np.radians(WRISTS[view])
    targets = rng.uniform(ranges[:, 0], ranges[:, 1], (len(keys), 3))
    turned = np.full(len(keys), rng.random() < FLIPS[view])
    for k in range(2, len(keys)):
        turned[k:] = ~turned[k:] if rng.random() < TURN_OVER else turned[k:]
    # The side that is not the usual one is reached by turning back, towards 0, not on beyond 180 degrees.
    targets[:, 2] += np.where(turned, np.pi if ranges[2].mean() < 1 else -np.pi, 0.0)
    return _smoothed(targets, keys, times) + TREMOR_RAD * _tremor(times, 3, rng)
