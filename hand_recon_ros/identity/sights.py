"""One hand at one instant, as the calibration of a shape reads it: what was detected, and the pose it starts from."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.fusion.observations import StereoObservation, observe_pair
from hand_recon_ros.fusion.stereo_fuser import FusedHand, View
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.parameters import HandParameters, from_pose
from hand_recon_ros.refinement.observations import UNSEEN_SIGMA_PX, observe
from hand_recon_ros.types import Frame, HandEstimate, HandKeypoints

# So wide a prior counts for nothing: the calibration has its own, once for all frames.
NO_PRIOR = 1e3


@dataclass(frozen=True)
class Sight:
    """A detected hand and an estimate of it by any estimator, in the left (or only) camera's optical frame.

    keypoints, frames: of the left and the right view, or of the only one. rig: None for one camera.
    ValueError when the numbers of views differ or the estimate is of the other hand.
    """
    estimate: HandEstimate
    keypoints: tuple[HandKeypoints, ...]
    frames: tuple[Frame, ...]
    rig: StereoRig | None = None

    def __post_init__(self):
        expected = 1 if self.rig is None else 2
        for name in ('keypoints', 'frames'):
            if len(getattr(self, name)) != expected:
                raise ValueError(f'{name}: {len(getattr(self, name))} views, expected {expected} '
                                 f'{"without" if self.rig is None else "with"} a rig')
        for hand in self.keypoints:
            if hand.handedness != self.estimate.handedness:
                raise ValueError(f'handedness: keypoints {hand.handedness}, expected the estimate\'s '
                                 f'{self.estimate.handedness}')

    @property
    def stereo(self) -> bool:
        """Whether two calibrated views make the scale observable."""
        return self.rig is not None

    def start(self, axes) -> HandParameters:
        """Parameters of the estimate as a right hand. axes: (15, 3, 3) of anatomy.rotation_axes."""
        estimate = self.estimate
        return from_pose(estimate.pose, estimate.shape, estimate.joints_m[0], axes, estimate.handedness)

    def observation(self, shape_count: int, noise: ViewNoise) -> StereoObservation:
        """What the views say, without any prior of the shape; one view's right half counts for nothing."""
        if self.stereo:
            root = np.asarray(self.estimate.joints_m[0], np.float64)
            if self.estimate.handedness == 'left':
                root = mirror_points(root)
            seen = observe_pair(self.rig, self.frames, self.keypoints, shape_count, noise.correlation(self.rig, root))
        else:
            view = observe(self.frames[0], self.keypoints[0], shape_count)
            blind = view._replace(sigma_px=np.full(21, UNSEEN_SIGMA_PX, np.float32),
                                  direction_weights=np.zeros(20, np.float32))
            seen = StereoObservation(view, blind, np.eye(3, dtype=np.float32), np.zeros(3, np.float32),
                                     np.zeros(2, np.float32))
        free = {'shape_mean': np.zeros(shape_count, np.float32),
                'shape_sigma': np.full(shape_count, NO_PRIOR, np.float32)}
        return seen._replace(left=seen.left._replace(**free), right=seen.right._replace(**free))


def stereo_sights(rig: StereoRig, left: View, right: View, fused: list[FusedHand]) -> list[Sight]:
    """Sights of the hands that both views made, as a StereoFuser paired and fused them."""
    sights = []
    for hand in fused:
        if hand.one_view:
            continue
        side = hand.estimate.handedness
        keypoints = tuple(replace(view.keypoints[index], handedness=side)
                          for view, index in zip((left, right), hand.pair))
        sights.append(Sight(hand.estimate, keypoints, (left.frame, right.frame), rig))
    return sights


def mono_sights(frame: Frame, keypoints: list[HandKeypoints], estimates: list[HandEstimate]) -> list[Sight]:
    """Sights of one view's hands; keypoints[i] belongs to estimates[i]."""
    return [Sight(estimate, (hand,), (frame,)) for hand, estimate in zip(keypoints, estimates)]
