"""Detections as a rig's two cameras would give of scripted hands: motion in 3D, projection, correlated detector
noise."""
from functools import cache

import numpy as np

from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.synthesis.motion import motion_keypoints, script_motions
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.synthesis.rigs import sample_rig
from hand_recon_ros.types import HandKeypoints

FPS = 30.0


@cache
def pose_space() -> PoseSpace:
    return PoseSpace(load_hand_model('open_hand'))


@cache
def sequence(kind: str, frames: int, seed: int, baseline_m: float | None = None):
    """(StereoRig, {handedness: (2 N + 1, 21, 3) m left frame, at twice FPS})."""
    rng = np.random.default_rng(seed)
    rig, T_first_viewer = sample_rig(kind, 640, 480, 0.6, baseline_m, rng)
    motions = script_motions(pose_space(), ('right', 'left'), 2 * frames + 1, 2 * FPS, 'desk', 'free', rig,
                             T_first_viewer, 0.6, rng)
    return rig.stereo_rig(), {motion.handedness: motion_keypoints(pose_space(), motion) for motion in motions}


def detections(rig: StereoRig, hands_m, seed: int, skew_s: float = 0.0, share: float = 0.025):
    """Instant after instant (stamp_ns, left, right): the true rig's pixels with noise of `share` of the box.

    The noise of a landmark is half its hand's own shift and half its own, lasts some frames, and is common to both
    views as far as ViewNoise says. skew_s: the right images are that much later.
    """
    rng = np.random.default_rng(seed)
    noise, common, apart = ViewNoise(), {}, {}
    times = np.arange(next(iter(hands_m.values())).shape[0]) / (2 * FPS)
    for frame in range((len(times) - 1) // 2):
        seen = [], []
        for side, points in hands_m.items():
            later = points[2 * frame]
            if skew_s:
                later = np.stack([np.interp(times[2 * frame] + skew_s, times, column)
                                  for column in points.reshape(len(times), -1).T]).reshape(21, 3)
            pixels = [rig.project(points[2 * frame])[0], rig.project(later)[1]]
            correlation = noise.correlation(rig, points[2 * frame].mean(0))
            common[side] = _on(common.get(side), rng, 1)
            apart[side] = _on(apart.get(side), rng, 2)
            for view, (hands, px) in enumerate(zip(seen, pixels)):
                size = np.ptp(px, axis=0).max()
                error = np.sqrt(correlation) * common[side][0] + np.sqrt(1 - correlation) * apart[side][view]
                px = px + share * size / np.sqrt(2) * error
                box = np.concatenate([px.min(0), px.max(0)])
                hands.append(HandKeypoints(side, 0.97, 0.9, box, px, np.ones(21)))
        yield round(1e9 * times[2 * frame]), *seen


def _on(before, rng, views, memory=0.8):
    """The next (views, 21, 2) errors of unit size a coordinate and part: a hand's own and each landmark's own."""
    fresh = np.sqrt(0.5) * (rng.normal(size=(views, 1, 2)) + rng.normal(size=(views, 21, 2))) * np.sqrt(2)
    return fresh if before is None else memory * before + np.sqrt(1 - memory ** 2) * fresh
