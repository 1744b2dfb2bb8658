"""Weight files: what is written is read, and everything wrong with a file is named; both backends agree."""
import importlib.util
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from hand_recon_ros.estimation.learned_kinematics import folded_layers
from hand_recon_ros.networks.hand_net import HandNet
from hand_recon_ros.networks.ik_net import IkNet
from hand_recon_ros.weights.compiled import CompiledNetwork
from hand_recon_ros.weights.files import WeightCard, read_card
from hand_recon_ros.weights.store import load_weights, save_weights

CARD = WeightCard('iknet', {'width': 16}, 'open_hand', 'points', 'nothing', 'hand-recon train', 'a CPU', 0.5, {'error_mm': 3.25})


@pytest.fixture
def trained():
    """An IKNet with batch statistics of its own."""
    torch.manual_seed(0)
    network = IkNet(16)
    network.train()(torch.randn(64, 4, 21, 3))
    return network.eval()


@pytest.fixture
def stored(tmp_path, trained):
    save_weights(trained, CARD, tmp_path / 'w.safetensors')
    return tmp_path / 'w.safetensors'


def rewritten(path, change):
    with safe_open(path, 'pt') as file:
        header, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}
    change(header, tensors)
    save_file(tensors, path, header)


def test_what_is_written_is_read(stored, trained):
    network, card = load_weights(stored, 'iknet')
    assert card == CARD == read_card(stored) and not network.training
    inputs = torch.randn(3, 4, 21, 3)
    torch.testing.assert_close(network(inputs), trained(inputs), atol=2e-3, rtol=2e-3)
    page = stored.with_suffix('.md').read_text()
    assert '| error_mm | 3.25 |' in page and '`hand-recon train`' in page and not list(stored.parent.glob('*.part'))


@pytest.mark.parametrize('change, named', [
    (lambda header, tensors: tensors['layers.0.bias'].add_(1), 'damaged, its numbers do not have the checksum'),
    (lambda header, tensors: header.pop('sha256'), 'no sha256 in its header'),
    (lambda header, tensors: header.update(format='7'), "format '7', expected '1'"),
    (lambda header, tensors: header.update(card='{"a": 1}'), 'its card cannot be read'),
    (lambda header, tensors: header.update(card=json.dumps({**vars(CARD), 'settings': {'width': 24}})),
     r'layers.0.bias is \(16,\), expected \(24,\)|layers.0.weight is \(16, 252\), expected \(24, 252\)'),
    (lambda header, tensors: header.update(card=json.dumps({**vars(CARD), 'settings': {'wide': 2}})), "network iknet: settings"),
    (lambda header, tensors: header.update(card=json.dumps({**vars(CARD), 'network': 'magic'})), "network: 'magic', expected one")])
def test_what_is_wrong_with_a_file_is_named(stored, change, named):
    rewritten(stored, change)
    with pytest.raises(ValueError, match=named):
        load_weights(stored)


def test_files_that_are_none(tmp_path, stored):
    with pytest.raises(ValueError, match="weights of 'iknet', expected 'handnet'"):
        load_weights(stored, 'handnet')
    with pytest.raises(ValueError, match='nowhere.safetensors: missing, expected a weight file'):
        load_weights(tmp_path / 'nowhere.safetensors')
    stored.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(ValueError, match='expected a weight file'):
        load_weights(stored)


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path, trained):
    with torch.no_grad():
        trained.layers[0].bias[0] = 1e6
    with pytest.raises(ValueError, match='layers.0.bias: not finite in half precision'):
        save_weights(trained, CARD, tmp_path / 'w.safetensors')
    assert not (tmp_path / 'w.safetensors').exists()


@pytest.mark.skipif(importlib.util.find_spec('openvino') is None, reason='OpenVINO is not installed')
def test_both_backends_agree():
    torch.manual_seed(0)
    network, rng = HandNet('resnet18_half').eval(), np.random.default_rng(0)
    image, maps = rng.normal(size=(1, 3, 64, 64)).astype(np.float32), rng.random((1, 21, 64, 64), np.float32)
    fast, slow = CompiledNetwork(network, (image, maps), 'auto'), CompiledNetwork(network, (image, maps), 'torch')
    assert (fast.backend, slow.backend) == ('openvino', 'torch')
    for one, other in zip(fast(image, maps), slow(image, maps), strict=True):
        assert np.abs(one - other).max() < 1e-2 * max(np.abs(other).max(), 1e-3)
    with pytest.raises(ValueError, match=r'input: shape \(2, 3, 64, 64\), expected \(1, 3, 64, 64\)'):
        fast(np.concatenate([image, image]), maps)


def test_batch_normalisation_is_folded_in(trained):
    values = torch.randn(1, 4, 21, 3)
    expected, given = trained(values)[0].detach().flatten().numpy(), values.flatten().numpy()
    *hidden, last = folded_layers({name: value.numpy() for name, value in trained.state_dict().items()})
    for weight, bias in hidden:
        given = 1 / (1 + np.exp(-(weight @ given + bias)))
    np.testing.assert_allclose(last[0] @ given + last[1], expected, atol=1e-5)
