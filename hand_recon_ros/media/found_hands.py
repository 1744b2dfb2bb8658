"""What a pipeline of one camera or of two finds in images, in one form for whoever writes it down."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.fusion.stereo_fuser import View
from hand_recon_ros.media.sources import SourceImage
from hand_recon_ros.pipeline import MonoPipeline, StereoPipeline
from hand_recon_ros.types import WEAK_PERSPECTIVE, Frame, HandEstimate, HandKeypoints

SIDES = ('left', 'right')


@dataclass(frozen=True)
class FoundHand:
    """keypoints: by camera, of those that see the hand. joints_px: (21, 2) fitted, by camera. epipolar_px: median
    distance of the detections from the epipolar lines, NaN of one camera."""
    estimate: HandEstimate
    keypoints: dict[str, HandKeypoints]
    joints_px: dict[str, np.ndarray]
    epipolar_px: float = float('nan')


@dataclass(frozen=True)
class Instant:
    """hands: of one instant. drawings: what to draw into each camera's picture, frame, estimates and keypoints."""
    hands: list[FoundHand]
    drawings: list[tuple[Frame, list[HandEstimate], list[HandKeypoints]]]


class OneView:
    """Hands in the images of one camera. camera: intrinsics, or None."""

    def __init__(self, pipeline: MonoPipeline, camera=None):
        self.pipeline, self._camera = pipeline, camera

    def find(self, index: int, items: tuple[SourceImage]) -> Instant:
        """Hands of one image; ValueError when it is not the camera's size."""
        (item,) = items
        frame = Frame.from_image(item.image, self._camera, item.stamp_ns, index=index)
        result = self.pipeline.process(frame)
        hands = [FoundHand(estimate, {'left': keypoints}, {'left': projected_joints(frame, estimate)})
                 for keypoints, estimate in zip(result.keypoints, result.estimates)]
        return Instant(hands, [(frame, result.estimates, result.keypoints)])


class TwoViews:
    """Hands in the images of two cameras, fused."""

    def __init__(self, pipeline: StereoPipeline):
        self.pipeline = pipeline

    def find(self, index: int, items: tuple[SourceImage, SourceImage]) -> Instant:
        """Hands of one pair of images, as of the left one's stamp; ValueError when one is not its camera's size."""
        rig = self.pipeline.rig
        frames = []
        for side, item, camera in zip(SIDES, items, (rig.left, rig.right)):
            try:
                frames.append(Frame.from_image(item.image, camera, items[0].stamp_ns, index=index))
            except ValueError as error:
                raise ValueError(f'{side} {item.name}: {error}') from None
        result = self.pipeline.process(*frames)
        hands = [FoundHand(hand.estimate, _seen(hand.pair, (result.left, result.right)),
                           dict(zip(SIDES, rig.project(hand.estimate.joints_m.astype(np.float64)))), hand.epipolar_px)
                 for hand in result.hands]
        # Only what is drawn is brought into the right camera's frame: joints and vertices.
        on_right = [replace(hand, joints_m=rig.to_right(hand.joints_m), vertices_m=rig.to_right(hand.vertices_m))
                    for hand in result.estimates]
        return Instant(hands, [(frames[0], result.estimates, result.left.keypoints),
                               (frames[1], on_right, result.right.keypoints)])


def _seen(pair: tuple[int | None, int | None], views: tuple[View, View]) -> dict[str, HandKeypoints]:
    return {side: view.keypoints[k] for side, view, k in zip(SIDES, views, pair) if k is not None}


def projected_joints(frame: Frame, estimate: HandEstimate) -> np.ndarray:
    """Fitted joints (21, 2) in pixels, by the projection the estimate was made with."""
    if estimate.projection == WEAK_PERSPECTIVE:
        scale, tx, ty = estimate.weak_camera
        return scale * (estimate.joints_m - estimate.joints_m[0])[:, :2] + (tx, ty)
    return frame.camera.project(estimate.joints_m)
