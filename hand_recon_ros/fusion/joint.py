"""Method `joint`: one hand fitted to both views at once, errors whitened across them, shape held by the identity."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.estimation.posing import HandPoser
from hand_recon_ros.fusion.fitted import fitted_estimate
from hand_recon_ros.fusion.hand_pairs import HandPair, start
from hand_recon_ros.fusion.compiled_fit import CompiledFit
from hand_recon_ros.fusion.energy import ReprojectionEnergy
from hand_recon_ros.fusion.observations import observe_pair
from hand_recon_ros.fusion.skin_term import SkinSettings, SkinTerm
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import HandEstimate


class JointFusion:
    """Gauss-Newton on the reprojection in both images. One view alone is fitted as the tailor would.

    disparity: settings of the skin-disparity term on top, which needs frames with images; None: without it.
    """
    name = 'joint'

    def __init__(self, model: HandModel, offsets_m=None, noise: ViewNoise = ViewNoise(), max_hands: int = 2,
                 disparity: SkinSettings | None = None):
        self._model, self._noise = model, noise
        self._skeleton = build_skeleton(model, offsets_m)
        self._poser = HandPoser(model, self._skeleton)
        self._fit = CompiledFit(self._skeleton, ReprojectionEnergy(), max_hands)
        self.skin = None if disparity is None else SkinTerm(model, self._skeleton, JaxHand(model), max_hands, disparity)

    def fuse(self, rig: StereoRig, pairs: list[HandPair]) -> list[HandEstimate]:
        """One estimate a pair, in the left optical frame. ValueError when a fit is not finite."""
        if not pairs:
            return []
        starts = [start(pair, rig, self._skeleton.axes) for pair in pairs]
        observations = [observe_pair(rig, pair.frames, pair.keypoints, self._model.shape_size,
                                     self._noise.correlation(rig, np.asarray(at.root)), pair.identity)
                        for pair, at in zip(pairs, starts)]
        fits = self._fit(starts, observations)
        if self.skin is not None:
            fits = self.skin.refine(rig, pairs, fits, observations)
        return [fitted_estimate(rig, pair, fits, row, self._model.name, self._poser, self._noise)
                for row, pair in enumerate(pairs)]
