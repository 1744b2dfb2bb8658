"""IKNet on a detector's points: learned inverse kinematics (Zhou et al. 2020, sec. 3.3)."""
from __future__ import annotations

from hand_recon_ros.estimation.learned_kinematics import LearnedKinematics
from hand_recon_ros.estimation.points_estimator import Kinematics, PointsEstimator
from hand_recon_ros.hand_model.landmarks import Skeleton
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.weights.files import own_or_shipped


class IkNetEstimator(PointsEstimator):
    """Poses as motion capture and the detector's own errors taught them."""
    name = 'iknet'

    def __init__(self, model: HandModel, offsets_m=None, shape_from: str = 'mean', weights_dir: str = '',
                 weights: str = 'iknet'):
        """As PointsEstimator. weights_dir: a folder of one's own weights, see weights.files. weights: their name, by whose
        points they were learned from."""
        self._weights = own_or_shipped(weights, weights_dir)
        super().__init__(model, offsets_m, shape_from)

    def build_kinematics(self, model: HandModel, skeleton: Skeleton) -> Kinematics:
        return LearnedKinematics(skeleton, model.name, self._weights)
