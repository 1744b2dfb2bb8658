"""The first estimator: a detector's points and closed-form inverse kinematics within the joints' limits."""
from __future__ import annotations

import numpy as np

from hand_recon_ros.estimation.inverse_kinematics import InverseKinematics
from hand_recon_ros.estimation.points_estimator import Kinematics, PointsEstimator
from hand_recon_ros.hand_model.landmarks import Skeleton
from hand_recon_ros.hand_model.model import HandModel


class ClosedFormIk(PointsEstimator):
    """Every bone along the direction seen, as far as the joint's limits allow."""
    name = 'closed_form_ik'

    def build_kinematics(self, model: HandModel, skeleton: Skeleton) -> Kinematics:
        kinematics = InverseKinematics.build(skeleton, np.float32)
        return lambda points, shape: kinematics.solve(points)
