"""Networks by name, built from the plain settings that a weight file carries."""
from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from hand_recon_ros.networks.det_net import DetNet
from hand_recon_ros.networks.hand_net import HandNet, StereoWeights
from hand_recon_ros.networks.ik_net import IkNet
from hand_recon_ros.types import checked_choice

NETWORKS = {'iknet': IkNet, 'detnet': DetNet, 'handnet': HandNet, 'stereo_weights': StereoWeights}


def build_network(name: str, settings: Mapping) -> nn.Module:
    """Untrained network `name`; settings: its constructor's arguments. ValueError for an unknown name or setting."""
    network = NETWORKS[checked_choice('network', name, tuple(NETWORKS))]
    try:
        return network(**settings)
    except TypeError as error:
        raise ValueError(f'network {name}: settings {dict(settings)}: {error}') from None
