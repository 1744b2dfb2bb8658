"""DetNet: its maps say where joints are, and its losses take 2D and 3D labels in one batch."""
import numpy as np
import pytest
import torch
from dataset_folders import write_freihand
from training_sets import SAMPLES, perfect_detections, small_set

from hand_recon_ros.datasets.joined import JoinedDataset
from hand_recon_ros.datasets.registry import open_dataset
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.networks.det_net import DetMaps, DetNet, look_up
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.networks.ik_encoding import ROOT, WRIST
from hand_recon_ros.training.det_losses import bone_vectors, det_losses, normalised, on_map
from hand_recon_ros.training.det_task import DetTask
from hand_recon_ros.training.detected_hands import DetectedHands
from hand_recon_ros.training.hand_batches import HandBatches
from hand_recon_ros.training.hand_labels import LabelModel


@pytest.fixture(scope='module')
def batches(tmp_path_factory):
    dataset = small_set(tmp_path_factory.mktemp('shards') / 'set')
    return HandBatches(dataset, perfect_detections(dataset), LabelModel(load_hand_model('open_hand'), 'open_hand'), 64)


def true_maps(batch, size=16):
    """Maps without any error."""
    heat = gaussians(on_map(batch.joints_px, 64, size), size, 1.0)
    places, _ = normalised(batch.joints_m)
    location, delta = (value[..., None, None].expand(-1, -1, -1, size, size) for value in (places, bone_vectors(places)))
    return DetMaps(heat, delta, location)


def test_true_maps_have_no_loss_and_tell_the_joints(batches):
    batch = batches.batch(0, SAMPLES)
    maps = true_maps(batch)
    for term in det_losses(maps, batch.joints_px, batch.joints_m, 64).values():
        assert term < 1e-8
    pixels, places, score = look_up(maps)
    inside = ((batch.joints_px > 2) & (batch.joints_px < 61)).all(-1)
    assert ((pixels + 0.5) * 4 - 0.5 - batch.joints_px)[inside].abs().max() <= 2.01 and score[inside].min() > 0.7
    truth, length = normalised(batch.joints_m)
    torch.testing.assert_close(places, truth)
    assert places[:, ROOT].abs().max() == 0 and (places[:, WRIST].norm(dim=-1) - 1).abs().max() < 1e-5
    assert 0.05 < length.min() and length.max() < 0.13


def test_2d_labels_alone_train_the_heat_maps_alone(batches):
    batch = batches.batch(0, 4)
    wrong = DetMaps(*(part + 0.1 for part in true_maps(batch)))
    found = DetMaps(*(part.clone().requires_grad_() for part in wrong))
    flat = torch.full_like(batch.joints_m, torch.nan)
    terms = det_losses(found, batch.joints_px, flat, 64)
    assert terms['location'] == terms['delta'] == 0 and terms['heat'].item() == pytest.approx(21 * 256 * 0.01, rel=1e-3)
    sum(terms.values()).backward()
    assert torch.isfinite(found.location.grad).all() and found.location.grad.abs().max() == 0
    mixed = torch.cat([batch.joints_m[:2], flat[:2]])
    assert 0 < det_losses(found, batch.joints_px, mixed, 64)['location'] < det_losses(found, batch.joints_px,
                                                                                      batch.joints_m, 64)['location']
    unseen = batch.joints_px.clone()
    unseen[:, 3] = torch.nan
    assert det_losses(found, unseen, batch.joints_m, 64)['heat'].item() == pytest.approx(20 * 256 * 0.01, rel=1e-3)


def test_detnet_learns_a_batch_by_heart(batches):
    torch.manual_seed(0)
    network = DetNet('resnet18_half', 32)
    task = DetTask(network, batches, batches, SAMPLES)
    task.to(torch.device('cpu'))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    network.train()
    sums = []
    for _ in range(12):
        terms = task.losses(network, 0, 0, 4)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        sums.append(float(sum(term.detach() for term in terms.values())))
    assert sums[-1] < 0.6 * sums[0] and sums[0] < 21 * 256 * 0.25
    network.eval()
    figures = task.validate()
    assert np.isfinite(list(figures.values())).all() and figures['error_percent'] > 0


def test_sets_of_other_labels_mix_in_a_batch(tmp_path):
    write_freihand(tmp_path / 'freihand')
    pairs, single = small_set(tmp_path / 'pairs'), open_dataset('freihand', tmp_path / 'freihand', 'training')
    joined = JoinedDataset([pairs, single])
    assert len(joined) == len(pairs) + len(single) and joined[-1].views[0].width == single[len(single) - 1].views[0].width
    assert joined[len(pairs)].handedness == single[0].handedness
    with pytest.raises(IndexError, match=f'sample {len(joined)}, expected 0 to'):
        joined[len(joined)]
    seen = DetectedHands(*(np.zeros((len(single), 1, *shape)) for shape in ((21, 2), (21, 3), ())))
    detected = DetectedHands.joined([perfect_detections(pairs), seen])
    assert detected.presence.shape == (len(joined), 2) and np.isnan(detected.points_px[-1, 1]).all()
    batches = HandBatches(joined, detected, LabelModel.load('open_hand'), 64, seed=2)
    batch = batches.batch(0, len(joined))
    known = ~torch.isnan(batch.shape).any(1)
    assert 0 < known.sum() < len(joined)            # FreiHAND's shapes are MANO's
    maps = DetNet('resnet18_half', 16)(batch.image)
    assert all(torch.isfinite(term) for term in det_losses(maps, batch.joints_px, batch.joints_m, 64).values())
