"""Method `triangulation`: landmarks triangulated with their covariance, then a hand fitted to the points in 3D."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.detection.ray_meeting import meet
from hand_recon_ros.estimation.posing import HandPoser
from hand_recon_ros.fusion.compiled_fit import CompiledFit
from hand_recon_ros.fusion.energy import PointEnergy, PointObservation
from hand_recon_ros.fusion.fitted import fitted_estimate
from hand_recon_ros.fusion.hand_pairs import HandPair, start
from hand_recon_ros.fusion.joint import JointFusion
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.refinement.observations import observe
from hand_recon_ros.types import HandEstimate

# A landmark whose rays do not meet in front of both cameras tells nothing.
NO_INFORMATION = 1e-3


class TriangulationFusion:
    """Optimal triangulation (least squares in pixels), then Gauss-Newton on the points' Mahalanobis distances.

    A hand that only one view sees is fitted as method `joint` fits it.
    """
    name = 'triangulation'

    def __init__(self, model: HandModel, offsets_m=None, noise: ViewNoise = ViewNoise(), max_hands: int = 2):
        self._model, self._noise = model, noise
        self._skeleton = build_skeleton(model, offsets_m)
        self._poser = HandPoser(model, self._skeleton)
        self._fit = CompiledFit(self._skeleton, PointEnergy(), max_hands)
        self._single = JointFusion(model, offsets_m, noise, max_hands)

    def fuse(self, rig: StereoRig, pairs: list[HandPair]) -> list[HandEstimate]:
        """One estimate a pair, in the left optical frame. ValueError when a fit is not finite."""
        both = [pair for pair in pairs if pair.both]
        fused = {}
        if both:
            fits = self._fit([start(pair, rig, self._skeleton.axes) for pair in both],
                             [self._observe(rig, pair) for pair in both])
            fused = {id(pair): fitted_estimate(rig, pair, fits, row, self._model.name, self._poser, self._noise)
                     for row, pair in enumerate(both)}
        single = [pair for pair in pairs if not pair.both]
        fused |= {id(pair): estimate for pair, estimate in zip(single, self._single.fuse(rig, single))}
        return [fused[id(pair)] for pair in pairs]

    def _observe(self, rig: StereoRig, pair: HandPair) -> PointObservation:
        left, right = (observe(frame, keypoints, self._model.shape_size, pair.identity)
                       for frame, keypoints in zip(pair.frames, pair.keypoints))
        points, covariances = meet(rig, *(k.points_px for k in pair.keypoints), left.sigma_px, right.sigma_px)
        met = np.isfinite(points).all(-1)
        whitening = np.tile(NO_INFORMATION * np.eye(3), (21, 1, 1))
        whitening[met] = np.swapaxes(np.linalg.cholesky(np.linalg.inv(covariances[met])), -1, -2)
        points = np.where(met[:, None], points, [0.0, 0.0, 1.0])
        if pair.keypoints[0].handedness == 'left':
            points, whitening = mirror_points(points), whitening * [-1.0, 1.0, 1.0]
        return PointObservation(*(np.asarray(f, np.float32)
                                  for f in (points, whitening, left.shape_mean, left.shape_sigma)))
