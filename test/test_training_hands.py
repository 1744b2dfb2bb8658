"""HandNet's crops, losses and stages: labels agree with pixels, locked parts stay, missing labels take no part."""
import dataclasses
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hand_recon_ros.estimation.hand_crop import HandCrop
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.skinning_torch import TorchHand
from hand_recon_ros.networks.hand_net import HandNet, HandOutput, StereoWeights
from hand_recon_ros.networks.heat_maps import gaussians
from hand_recon_ros.training.hand_batches import Augmentation, HandBatches
from hand_recon_ros.training.hand_losses import (ManoWeights, blended_pose, in_sides, mano_losses, mask_loss, posed,
                                                 projected, true_scale)
from hand_recon_ros.training.hand_labels import LabelModel, hand_labels
from hand_recon_ros.training.hand_stages import ALL, STAGES
from hand_recon_ros.training.hand_task import HandTask, intersection_over_union
from hand_recon_ros.training.mesh_errors import aligned_errors_m
from hand_recon_ros.training.staged_network import Staged
from hand_recon_ros.training.stereo_task import StereoTask
from training_sets import SAMPLES, perfect_detections, small_set

SIGMA_PX = 4.0


class Unlabelled:
    """A set in which some samples have no labels at all."""

    def __init__(self, dataset, blank):
        self.root, self._dataset, self._blank = dataset.root, dataset, blank

    def __len__(self):
        return len(self._dataset)

    def __getitem__(self, number):
        sample = self._dataset[number]
        if number not in self._blank:
            return sample
        views = tuple(dataclasses.replace(view, joints_px=None, joint_visible=None, box_px=None) for view in sample.views)
        return dataclasses.replace(sample, joints_m=None, joint_valid=None, pose=None, shape=None, views=views, joint_definition='')


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return small_set(tmp_path_factory.mktemp('shards') / 'set')


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def batches(dataset, model):
    return HandBatches(dataset, perfect_detections(dataset), LabelModel(model, 'open_hand'), 64, Augmentation(lost=0.0, garbage=0.0), seed=1)


def test_a_crop_and_its_inverse(model):
    camera = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
    points = np.random.default_rng(0).uniform(100, 300, (21, 2))
    for mirrored in (False, True):
        crop = HandCrop.around(points, mirrored, camera, 128)
        np.testing.assert_allclose(crop.to_image(crop.to_crop(points)), points, atol=1e-9)
        assert crop.to_crop(points).min() > 0 and crop.to_crop(points).max() < 127
        turn = axis_angle_to_matrix(np.array([0.3, -0.4, 1.0]))
        np.testing.assert_allclose(crop.wrist_to_camera(crop.wrist_to_crop(turn)), turn, atol=1e-12)
    with pytest.raises(ValueError, match='points_px: 0 points, expected at least 2'):
        HandCrop.around(np.full((21, 2), np.nan), False, camera, 128)


def test_augmented_labels_still_agree_with_each_other(batches, model):
    batch, hand = batches.batch(0, SAMPLES), TorchHand(model)
    mesh = posed(hand, batch.rotations, batch.shape)
    assert (mesh.keypoints - batch.joints_m).norm(dim=-1).max() < 1e-5
    # A scaled orthographic camera differs from perspective by the hand's depth over its distance.
    scale = true_scale(batch)
    flat = projected(mesh, torch.stack([scale, torch.zeros_like(scale), torch.zeros_like(scale)], dim=1))
    seen = in_sides(batch.joints_px, 64)
    apart = (flat - flat.mean(1, keepdim=True) - seen + seen.mean(1, keepdim=True)).norm(dim=-1)
    assert apart.mean() < 0.03
    np.testing.assert_allclose(batch.keypoints_px, batch.joints_px, atol=1e-3)


def test_masks_cover_the_joints(batches):
    batch = batches.batch(1, SAMPLES)
    inside = []
    for joints, mask in zip(batch.joints_px.round().long(), batch.mask):
        kept = ((joints >= 0) & (joints < 64)).all(1)
        inside.append(mask[joints[kept, 1], joints[kept, 0]].mean())
    assert np.mean(inside) > 0.6


def test_batches_are_a_function_of_seed_and_step(dataset, model, batches):
    again = HandBatches(dataset, perfect_detections(dataset), LabelModel(model, 'open_hand'), 64, Augmentation(lost=0.0, garbage=0.0), seed=1)
    for first, second in zip(batches.batch(3, 4), again.batch(3, 4)):
        assert torch.equal(first, second)
    other = HandBatches(dataset, perfect_detections(dataset), LabelModel(model, 'open_hand'), 64, Augmentation(), seed=2)
    assert not torch.equal(batches.batch(3, 4).image, other.batch(3, 4).image)
    lost = HandBatches(dataset, perfect_detections(dataset), LabelModel(model, 'open_hand'), 64, Augmentation(lost=1.0))
    assert torch.isnan(lost.batch(0, 4).keypoints_px).all()
    assert gaussians(lost.batch(0, 4).keypoints_px, 64, 2.0).abs().max() == 0


def test_both_views_of_a_pair_show_one_hand(batches):
    right, left, between = batches.pairs(0, SAMPLES)
    torch.testing.assert_close(between @ left.rotations[:, 0], right.rotations[:, 0], atol=1e-5, rtol=0)
    torch.testing.assert_close(left.rotations[:, 1:], right.rotations[:, 1:])


def test_a_blend_lies_between_its_views(batches):
    right, left, between = batches.pairs(0, 4)
    one = right.rotations
    two = axis_angle_to_matrix(0.4 * torch.randn(4, 16, 3, generator=torch.Generator().manual_seed(0)))
    for weight, expected in ((0.0, two), (1.0, one)):
        torch.testing.assert_close(blended_pose(torch.full((4, 48), weight), one, two), expected, atol=1e-4, rtol=0)


def test_labels_that_are_missing_take_no_part(batches, model):
    batch, hand = batches.batch(0, 4), TorchHand(model)
    pose = (0.1 * torch.randn(4, 48, generator=torch.Generator().manual_seed(1))).requires_grad_()
    output = HandOutput(pose, torch.zeros(4, 10, requires_grad=True), torch.full((4, 3), 2.0, requires_grad=True),
                        torch.zeros(4, 512), None)
    lacking = batch._replace(rotations=torch.full_like(batch.rotations, torch.nan),
                             shape=torch.full_like(batch.shape, torch.nan))
    terms = mano_losses(output, lacking, hand, ManoWeights())
    assert terms['pose'] == 0 and terms['shape'] == 0 and terms['joints'] > 0
    sum(terms.values()).backward()
    assert torch.isfinite(pose.grad).all() and pose.grad.abs().max() > 0
    logits = torch.zeros(4, 64, 64)
    assert mask_loss(logits, torch.full((4, 64, 64), torch.nan)) == 0
    assert abs(mask_loss(logits, batch.mask) - np.log(2)) < 1e-6


def test_the_truth_has_no_loss_and_no_error(batches, model):
    from hand_recon_ros.geometry.rotations import matrix_to_axis_angle
    batch, hand = batches.batch(0, 4), TorchHand(model)
    mesh = posed(hand, batch.rotations, batch.shape)
    output = HandOutput(matrix_to_axis_angle(batch.rotations).flatten(1), batch.shape, torch.zeros(4, 3),
                        torch.zeros(4, 512), None)
    terms = mano_losses(output, batch, hand, ManoWeights())
    assert terms['pose'] < 1e-8 and terms['shape'] == 0
    moved = 1.7 * mesh.vertices @ axis_angle_to_matrix(torch.tensor([0.5, 0.1, -0.3])).T + 0.2
    assert aligned_errors_m(moved, mesh.vertices).max() < 1e-6
    assert aligned_errors_m(mesh.vertices * torch.tensor([-1.0, 1, 1]), mesh.vertices).min() > 0.002
    assert intersection_over_union(batch.mask > 0.5, batch.mask > 0.5).tolist() == [1.0] * 4


@pytest.mark.parametrize('name', [name for name, stage in STAGES.items() if not stage.pairs])
def test_a_stage_changes_what_learns_and_nothing_else(name, batches, model):
    torch.manual_seed(0)
    network = HandNet('resnet18_half')
    task = HandTask(name, network, model, batches, batches, SIGMA_PX, held_out_crops=2)
    task.to(torch.device('cpu'))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    task.network.train()
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 1e-3)
    sum(task.losses(task.network, 0, 0, 4).values()).backward()
    optimizer.step()
    changed = {key.split('.')[0] for key, value in network.state_dict().items() if not torch.equal(value, before[key])}
    assert changed == set(STAGES[name].learns)
    assert isinstance(task.network, Staged) and set(STAGES[name].learns) <= set(ALL)
    task.network.eval()
    figures = task.validate()
    assert figures[task.figures[0]] > 0 and ('mask_iou' in figures) == STAGES[name].measures_mask


def test_stereo_weights_learn_and_begin_as_the_mean(batches, model):
    torch.manual_seed(0)
    task = StereoTask(HandNet('resnet18_half'), model, batches, batches, SIGMA_PX, held_out_pairs=0)
    task.to(torch.device('cpu'))
    assert (StereoWeights()(torch.randn(2, 512), torch.randn(2, 512)) == 0.5).all()
    frozen = {key: value.clone() for key, value in task._hand_net.state_dict().items()}
    terms = task.losses(task.network, 0, 0, 4)
    sum(terms.values()).backward()
    assert task.network.layer.weight.grad.abs().max() > 0 and set(terms) == {'vertices', 'joints'}
    for key, value in task._hand_net.state_dict().items():
        assert torch.equal(value, frozen[key])


def test_samples_of_which_nothing_is_known_make_way(dataset, model):
    """Half the set undetected and unlabelled: batches are of the rest, validation is without them."""
    detected, blank = perfect_detections(dataset), range(0, SAMPLES, 2)
    for number in blank:
        detected.presence[number] = 0
    told = LabelModel(model, 'open_hand')
    batches = HandBatches(Unlabelled(dataset, blank), detected, told, 64, Augmentation(lost=0.0, garbage=0.0))
    batch = batches.batch(0, SAMPLES)
    assert torch.isfinite(batch.joints_px).all() and torch.isfinite(batch.keypoints_px).all()
    right, left, _ = batches.pairs(0, SAMPLES)
    assert torch.isfinite(right.joints_px).all() and torch.isfinite(left.joints_px).all()
    assert [len(part.image) for part in batches.in_order(SAMPLES)] == [SAMPLES // 2]
    with pytest.raises(ValueError, match='no hand that is detected or labelled, expected some'):
        detected.presence[:] = 0
        HandBatches(Unlabelled(dataset, range(SAMPLES)), detected, told, 64).batch(0, 2)


def test_undetected_hands_are_seen_without_keypoints(dataset, model):
    detected = perfect_detections(dataset)
    detected.presence[:] = 0.1
    batches = HandBatches(dataset, detected, LabelModel(model, 'open_hand'), 64, Augmentation(lost=0.0, garbage=0.0))
    for batch in (batches.batch(0, 4), next(batches.in_order(4))):
        assert torch.isnan(batch.keypoints_px).all() and torch.isfinite(batch.joints_px).all()


def test_validation_without_parameters_is_of_2d_joints(batches, model):
    torch.manual_seed(0)
    task = HandTask('finalize', HandNet('resnet18_half'), model, batches, batches, SIGMA_PX, held_out_crops=4)
    task.to(torch.device('cpu'))
    task.network.eval()
    whole = task.validate()
    lacking = {name: float('nan') for name in ('rotations', 'shape', 'mask')}
    in_order = batches.in_order
    task._held_out = SimpleNamespace(in_order=lambda count: (
        part._replace(**{name: getattr(part, name) * value for name, value in lacking.items()}) for part in in_order(count)))
    found = task.validate()
    assert list(found) == ['joints_percent'] and found['joints_percent'] == pytest.approx(whole['joints_percent'])
    assert task.figures == ('pa_mpvpe_mm', 'joints_percent') and {'mask_iou', 'pa_mpvpe_mm'} < set(whole)


def test_stereo_losses_are_of_full_precision(batches, model):
    """Also where the networks run under bfloat16."""
    torch.manual_seed(0)
    network = HandNet('resnet18_half').eval()
    task = StereoTask(network, model, batches, batches, SIGMA_PX)
    task.to(torch.device('cpu'))
    with torch.no_grad():
        seen = network(batches.batch(0, 4).image, None, mask=False)
    task._seen = lambda batch: seen
    whole = task.losses(task.network, 0, 0, 4)
    with torch.autocast('cpu', torch.bfloat16):
        under = task.losses(task.network, 0, 0, 4)
    for name, term in whole.items():
        assert under[name].dtype == torch.float32 and float(under[name].detach()) == pytest.approx(float(term.detach()), rel=1e-5)


def test_a_palm_is_no_wrist(dataset, model):
    sample = dataclasses.replace(dataset[0], joint_definition='stb_palm')
    labels = hand_labels(sample, 0, LabelModel(model, 'open_hand'))
    assert np.isnan(labels.joints_px[0]).all() and np.isnan(labels.joints_m[0]).all()
    assert np.isfinite(labels.joints_px[1:]).all() and np.isfinite(labels.joints_m[1:]).all()


def test_labels_of_another_model_are_not_taken(tmp_path, dataset, model):
    from test_hand_model_files import mano_fields
    fields = mano_fields()
    (tmp_path / 'MANO_RIGHT.pkl').write_bytes(pickle.dumps(fields))
    sample = dataset[0]
    assert hand_labels(sample, 1, LabelModel(model, 'open_hand')).complete
    told = LabelModel.load(str(tmp_path / 'MANO_RIGHT.pkl'))
    assert told.label_name == 'mano' and hand_labels(sample, 1, told).rotations is None
    pose = np.random.default_rng(0).normal(size=48) * 0.3
    mano = dataclasses.replace(sample, model='mano', pose=pose, flat_hand_mean=False, handedness='right')
    expected = axis_angle_to_matrix((pose[3:] + fields['hands_mean']).reshape(15, 3))
    np.testing.assert_allclose(hand_labels(mano, 0, told).rotations[1:], expected, atol=1e-6)
    # The left hand that is the mirror image: poses and the mean they count from are mirrored, what is learned is not.
    mirrored = dataclasses.replace(mano, handedness='left', pose=pose * np.tile([1, -1, -1], 16))
    np.testing.assert_allclose(hand_labels(mirrored, 0, told).rotations[1:], expected, atol=1e-6)
    assert hand_labels(dataclasses.replace(mano, pose_space='pca', pose=pose[:20]), 0, told).rotations is None
