"""Estimators by name, as the configuration chooses them."""
from __future__ import annotations

import importlib
from typing import Protocol

from hand_recon_ros.estimation.names import AUTO, CHOICES, LEARNED, WITH_MASKS
from hand_recon_ros.hand_model.model import HandModel
from hand_recon_ros.types import Frame, HandEstimate, HandIdentity, HandKeypoints, checked_choice
from hand_recon_ros.weights.files import check_folder, own_or_shipped, read_card


class Estimator(Protocol):
    """Image and keypoints of one view to one hand. `needs_image`: whether frame.image must be there."""
    name: str
    needs_image: bool

    def estimate(self, frame: Frame, keypoints: HandKeypoints, identity: HandIdentity | None = None) -> HandEstimate:
        """Estimate of one detected hand; ValueError when the input is not usable."""


# Module and class by name; loaded when one is chosen, for not all of them need PyTorch.
ESTIMATORS = {'closed_form_ik': ('closed_form_ik', 'ClosedFormIk'), 'iknet': ('iknet', 'IkNetEstimator'),
              'minimal_hand': ('minimal_hand', 'MinimalHandEstimator'), 'handnet': ('handnet', 'HandNetEstimator')}


def chosen_estimator(name: str, model_name: str, weights_dir: str = '') -> str:
    """The estimator that a name stands for, 'auto' among them, with a hand model. ValueError for an unknown name."""
    if checked_choice('estimator', name, CHOICES) != AUTO:
        return name
    return 'iknet' if read_card(own_or_shipped('iknet', weights_dir)).model == model_name else 'closed_form_ik'


def build_estimator(name: str, model: HandModel, offsets_m=None, masks: bool = False, weights_dir: str = '') -> Estimator:
    """Estimator `name` for a hand model and a detector's landmark offsets (21, 3). masks: its estimates are to carry them.

    weights_dir: a folder of one's own weights, see weights.files. ValueError for an unknown name, where masks are asked
    of one that makes none, or where its weights are of another model.
    """
    check_folder(weights_dir)
    name = chosen_estimator(name, model.name, weights_dir)
    module, kind = ESTIMATORS[name]
    if masks and name not in WITH_MASKS:
        raise ValueError(f'masks: estimator {name!r} makes none, expected {" or ".join(WITH_MASKS)}')
    build = getattr(importlib.import_module(f'hand_recon_ros.estimation.{module}'), kind)
    options = {'weights_dir': weights_dir} if name in LEARNED else {}
    return build(model, offsets_m, **options, **({'masks': True} if masks else {}))
