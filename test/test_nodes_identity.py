"""An identity on the topic is used when it belongs to the model, and refused by name when not."""
import numpy as np

from hand_recon_ros.messages.hands import identity_to_msg
from hand_recon_ros.nodes.identity_source import IdentitySource
from hand_recon_ros.nodes.monitoring import Faults
from hand_recon_ros.types import HandIdentity


def identity(model):
    return identity_to_msg(HandIdentity('ann', model, np.arange(10) / 10, np.full(10, 0.1), metric=True), 0)


def test_identity_of_the_model_is_kept_and_a_strangers_refused():
    now = [0.0]
    faults = Faults(clock=lambda: now[0])
    source = IdentitySource(faults, 'open_hand')
    assert source.identity is None
    source.update(identity('open_hand'))
    assert source.identity.name == 'ann' and source.identity.metric
    np.testing.assert_allclose(source.identity.shape, np.arange(10) / 10, atol=1e-6)
    source.update(identity('mano'))
    assert source.identity.model == 'open_hand'
    assert any("of model 'mano', expected 'open_hand'" in text for _, text, _ in faults.current())
    source.update(identity('open_hand'))
    now[0] = 10.0                                     # a fault stays readable for a while after it is gone
    assert not list(faults.current())
