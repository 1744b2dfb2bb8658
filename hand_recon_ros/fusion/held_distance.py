"""One view's hand at the distance that both views measured before, for as long as that is worth something."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand_recon_ros.fusion.stereo_tracks import NS_PER_S, StereoTrack
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.types import HandEstimate

# Of a distance once measured: at once, and more with every second. Hands of 24 rendered recordings leave it by 5 mm in
# the next frame, 22 mm in 0.3 s, 45 mm in 1 s; one view alone is 25 mm off at any time.
STD_M, DRIFT_M_S = 0.005, 0.055
CONTRARY = 1.5      # deviations between the two: the hand has gone, or it never was where it was measured


def at_held_distance(estimate: HandEstimate, track: StereoTrack, camera: Camera, eye_m: np.ndarray,
                     stamp_ns: int) -> HandEstimate:
    """The estimate moved along its sight towards the track's measured distance, by how well either is known.

    camera: the left one, of the estimate's frame. eye_m: (3,) where the only camera that sees the hand stands. Stated
    deviations lie between what both views had and what one has. Unchanged where both views never saw it, no deviation
    is stated, or the two distances contradict each other.
    """
    # Nearly all variance of one view lies along its sight, and joint_std_m is the mean of three axes.
    alone_std = np.sqrt(3.0) * float(np.mean(estimate.joint_std_m))
    if track.middle_m is None or not np.isfinite(alone_std):
        return estimate
    middle = np.mean(estimate.joints_m, 0, np.float64)
    away = np.linalg.norm(middle - eye_m)
    held_std = np.hypot(np.mean(track.measured_std_m), STD_M + DRIFT_M_S * (stamp_ns - track.measured_ns) / NS_PER_S)
    held = np.linalg.norm(track.middle_m - eye_m)
    if abs(held - away) > CONTRARY * np.hypot(alone_std, held_std):
        return estimate
    weight = alone_std ** 2 / (alone_std ** 2 + held_std ** 2)
    move = weight * (held / away - 1.0) * (middle - eye_m)
    joints = estimate.joints_m + move
    before, after = float(estimate.joints_m[0, 2]), float(joints[0, 2])
    variance = weight * track.measured_std_m ** 2 + (1.0 - weight) * estimate.joint_std_m ** 2
    at = camera.project(joints[0])
    if not (after > 0 and np.isfinite(at).all()):
        return estimate
    return replace(estimate, translation=estimate.translation + move, joints_m=joints,
                   vertices_m=estimate.vertices_m + move, joint_std_m=np.sqrt(variance),
                   weak_camera=np.array([estimate.weak_camera[0] * before / after, *at]))
