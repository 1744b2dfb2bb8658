"""The truth as a detector, so that the stages behind the detector can be judged apart from it."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from hand_recon_ros.detection.mediapipe_detector import box_around
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints


class TruthDetector:
    """Exact projections of the true hands' own keypoints, with exact 3D points; no landmark offsets belong to them.

    truths: hands by the image's stamp, in the camera's optical frame. noise_px: standard deviation of Gaussian noise on
    every pixel coordinate; it depends on seed and stamp alone, not on the frames before.
    A hand of which no keypoint lies in the image is not detected.
    """
    name = 'truth'

    def __init__(self, truths: Mapping[int, list[HandEstimate]], noise_px: float = 0.0, seed: int = 0):
        if not (np.isfinite(noise_px) and noise_px >= 0):
            raise ValueError(f'noise_px: {noise_px!r}, expected pixels, at least 0')
        if seed < 0:
            raise ValueError(f'seed: {seed}, expected at least 0')
        self._truths, self._noise_px, self._seed = truths, float(noise_px), int(seed)

    def detect(self, frame: Frame) -> list[HandKeypoints]:
        """Keypoints of the frame's true hands, none where the truth tells nothing; ValueError without a camera."""
        if frame.camera is None:
            raise ValueError('frame.camera: None, expected the camera that sees the true hands')
        rng = np.random.default_rng((self._seed, frame.stamp_ns))
        hands = []
        for truth in self._truths.get(frame.stamp_ns, ()):
            points_px = frame.camera.project(truth.joints_m.astype(np.float64))
            noise_px = rng.normal(0.0, self._noise_px, points_px.shape)
            if not np.isfinite(points_px).all() or not frame.camera.inside(points_px).any():
                continue
            points_px = points_px + noise_px
            hands.append(HandKeypoints(
                handedness=truth.handedness, handedness_score=1.0, score=1.0, box_px=box_around(points_px),
                points_px=points_px, point_scores=np.ones(21, np.float32),
                points_m=truth.joints_m - truth.joints_m.mean(0), detector=self.name))
        return hands

    def restart(self) -> None:
        """Nothing is remembered from frame to frame."""

    def close(self) -> None:
        """Nothing is held."""


class StereoTruthDetector:
    """The truth seen by both cameras of a rig. truths: in the left camera's frame; the views' noise is independent."""
    name = TruthDetector.name

    def __init__(self, truths: Mapping[int, list[HandEstimate]], noise_px: float = 0.0, seed: int = 0):
        self._truths, self._noise_px, self._seed = truths, noise_px, seed
        self._views: tuple[TruthDetector, TruthDetector] | None = None

    def use(self, rig: StereoRig) -> None:
        """The rig that sees the truths."""
        right = {stamp_ns: [replace(hand, joints_m=rig.to_right(hand.joints_m.astype(np.float64))) for hand in hands]
                 for stamp_ns, hands in self._truths.items()}
        self._views = (TruthDetector(self._truths, self._noise_px, 2 * self._seed),
                       TruthDetector(right, self._noise_px, 2 * self._seed + 1))

    def detect(self, left: Frame, right: Frame) -> tuple[list[HandKeypoints], list[HandKeypoints]]:
        """Keypoints of the true hands of the left image's stamp in both views. ValueError without a rig or a camera."""
        if self._views is None:
            raise ValueError('rig: none, expected use(rig) before the first frame')
        return self._views[0].detect(left), self._views[1].detect(replace(right, stamp_ns=left.stamp_ns))

    def restart(self) -> None:
        """Nothing is remembered from frame to frame."""

    def close(self) -> None:
        """Nothing is held."""
