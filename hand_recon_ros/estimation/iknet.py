"""IKNet on a detector's points: learned inverse kinematics (Zhou et al. 2020, sec. 3.3)."""
from __future__ import annotations

from hand_recon_ros.estimation.learned_kinematics import LearnedKinematics
from hand_recon_ros.estimation.points_estimator import Kinematics, PointsEstimator
from hand_recon_ros.hand_model.landmarks import Skeleton
from hand_recon_ros.hand_model.model import HandModel


class IkNetEstimator(PointsEstimator):
    """Poses as motion capture and the detector's own errors taught them."""
    name = 'iknet'

    def build_kinematics(self, model: HandModel, skeleton: Skeleton) -> Kinematics:
        return LearnedKinematics(skeleton, model.name)
