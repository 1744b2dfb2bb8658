"""minimal-hand: DetNet reads the image, IKNet poses the hand, proportions shape it (Zhou et al. 2020)."""
from __future__ import annotations

from hand_recon_ros.estimation.det_net_reader import DetNetReader
from hand_recon_ros.estimation.iknet import IkNetEstimator
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints
from hand_recon_ros.weights.files import DETNET_KINEMATICS, own_or_shipped


class MinimalHandEstimator:
    """One pass through two networks; the detector only says where a hand is, and which.

    Depth comes from all 21 points instead of eq. 5's one bone, whose error in a view along it has no bound.
    """
    name = 'minimal_hand'
    needs_image = True

    def __init__(self, model: HandModel, offsets_m=None, shape_from: str = 'proportions', backend: str = 'auto',
                 weights_dir: str = ''):
        """offsets_m: of the detector's landmarks, which are not used. shape_from: see PointsEstimator. backend: of
        weights.compiled. weights_dir: a folder of one's own weights, see weights.files."""
        self._reader = DetNetReader(model, own_or_shipped('detnet', weights_dir), backend)
        self._kinematics = IkNetEstimator(model, shape_from=shape_from, weights_dir=weights_dir, weights=DETNET_KINEMATICS)

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand; ValueError without an image, or as PointsEstimator."""
        return self._kinematics.estimate(frame, self._reader.read(frame, keypoints), identity)
