"""Estimators by name, as the configuration chooses them."""
from __future__ import annotations

import importlib
from typing import Protocol

from hand_recon_ros.estimation.names import NAMES, WITH_MASKS
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice


class Estimator(Protocol):
    """Image and keypoints of one view to one hand. `needs_image`: whether frame.image must be there."""
    name: str
    needs_image: bool

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand; ValueError when the input is not usable."""


# Module and class by name; loaded when one is chosen, for not all of them need PyTorch.
ESTIMATORS = {'closed_form_ik': ('closed_form_ik', 'ClosedFormIk'), 'iknet': ('iknet', 'IkNetEstimator'),
              'minimal_hand': ('minimal_hand', 'MinimalHandEstimator'), 'handnet': ('handnet', 'HandNetEstimator')}


def build_estimator(name: str, model: HandModel, offsets_m=None, masks: bool = False) -> Estimator:
    """Estimator `name` for a hand model and a detector's landmark offsets (21, 3). masks: its estimates are to carry them.

    ValueError for an unknown name, or where masks are asked of one that makes none.
    """
    module, kind = ESTIMATORS[checked_choice('estimator', name, NAMES)]
    if masks and name not in WITH_MASKS:
        raise ValueError(f'masks: estimator {name!r} makes none, expected {" or ".join(WITH_MASKS)}')
    build = getattr(importlib.import_module(f'hand_recon_ros.estimation.{module}'), kind)
    return build(model, offsets_m, masks=True) if masks else build(model, offsets_m)
