"""From a fit of both views to a HandEstimate: mesh, stated uncertainty, reprojection in the views that see the hand."""
from __future__ import annotations

from dataclasses import replace

import numpy as np

from hand_recon_ros.estimation.assembly import posed_estimate
from hand_recon_ros.estimation.posing import HandPoser
from hand_recon_ros.fusion.compiled_fit import Fits
from hand_recon_ros.fusion.hand_pairs import HandPair
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.types import HandEstimate


def fitted_estimate(rig: StereoRig, pair: HandPair, fits: Fits, row: int, model_name: str, poser: HandPoser,
                    noise: ViewNoise) -> HandEstimate:
    """Estimate of the row-th fit, left optical frame. ValueError when the fit is not finite."""
    keypoints = max(pair.views, key=lambda view: view.keypoints.score).keypoints
    if not np.isfinite(fits.energy[row]):
        raise ValueError(f'track {keypoints.track_id}: the fit of both views is not finite, expected finite keypoints '
                         'in front of the cameras')
    parameters = HandParameters(*(leaf[row] for leaf in fits.parameters))
    estimate = posed_estimate(pair.frames[0], model_name, keypoints, poser(parameters, keypoints.handedness),
                              parameters.shape, pair.identity)
    variance = np.trace(fits.covariance[row], axis1=-2, axis2=-1) / 3
    landmarks = np.asarray(fits.landmarks[row], np.float64)
    if keypoints.handedness == 'left':
        landmarks = mirror_points(landmarks)
    away = [projected - seen.points_px for projected, seen in zip(rig.project(landmarks), pair.keypoints)
            if seen is not None]
    return replace(estimate, joint_std_m=np.sqrt(variance) * noise.inflation(pair.both),
                   reprojection_px=float(np.sqrt(np.mean(np.sum(np.square(away), axis=-1)))),
                   metric=estimate.metric if pair.identity is not None else pair.both)
