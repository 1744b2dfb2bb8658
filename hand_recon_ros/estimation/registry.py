"""Estimators by name, as the configuration chooses them."""
from __future__ import annotations

from typing import Protocol

from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.estimation.iknet import IkNetEstimator
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice


class Estimator(Protocol):
    """Image and keypoints of one view to one hand. `needs_image`: whether frame.image must be there."""
    name: str
    needs_image: bool

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand; ValueError when the input is not usable."""


ESTIMATORS = {ClosedFormIk.name: ClosedFormIk, IkNetEstimator.name: IkNetEstimator}


def build_estimator(name: str, model: HandModel, offsets_m=None) -> Estimator:
    """Estimator `name` for a hand model and a detector's landmark offsets (21, 3); ValueError for an unknown name."""
    return ESTIMATORS[checked_choice('estimator', name, tuple(ESTIMATORS))](model, offsets_m)
