"""The loop, its recipes and IKNet: a killed run goes on exactly, wrong settings are named, the network learns."""
import dataclasses
import json

import numpy as np
import pytest
import torch

from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.skeleton import KEYPOINT_JOINTS
from hand_recon_ros.networks.forward_kinematics import LandmarkKinematics, local_rotations, world_rotations
from hand_recon_ros.training.checkpoint import HISTORY, RunFolder, best_weights, finished_weights
from hand_recon_ros.training.detector_points import DetectorPoints, detector_points
from hand_recon_ros.training.fit import fit
from hand_recon_ros.training.hand_labels import LabelModel
from hand_recon_ros.training.ik_losses import IkWeights, norm_loss, rotation_losses, xyz_loss
from hand_recon_ros.training.ik_task import IkTask
from hand_recon_ros.training.motion_capture import MotionCapture, MotionCaptureSettings
from hand_recon_ros.training.recipe import HandRecipe, IkRecipe, load_recipe, recipe_path
from hand_recon_ros.training.schedule import Schedule
from training_sets import perfect_detections, small_set

SCHEDULE = Schedule(12, 32, 1e-3, validate_every=4, save_every=4)


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def offsets():
    return load_offsets('mediapipe', 'synthetic').offsets_m


@pytest.fixture(scope='module')
def hands(model, offsets):
    return MotionCapture(model, [offsets], MotionCaptureSettings(poses=64))


@pytest.fixture(scope='module')
def seen(tmp_path_factory, model, offsets):
    dataset = small_set(tmp_path_factory.mktemp('shards') / 'set')
    return detector_points(dataset, perfect_detections(dataset), LabelModel(model, 'open_hand'), offsets,
                           progress=False)


class Killed(Exception):
    """Stands for the end of a process."""


def test_a_killed_run_goes_on_exactly_where_it_was(tmp_path, model, hands, seen):
    def task():
        return IkTask(model, hands, 32, seen=seen, seen_held_out=seen)
    whole = fit(task(), SCHEDULE, tmp_path / 'whole', progress=False)
    broken, last = task(), 7
    losses = broken.losses

    def dying(network, step, rank, size):
        if step == last:
            raise Killed
        return losses(network, step, rank, size)
    broken.losses = dying
    with pytest.raises(Killed):
        fit(broken, SCHEDULE, tmp_path / 'broken', progress=False)
    resumed = fit(task(), SCHEDULE, tmp_path / 'broken', progress=False)
    assert resumed.history == whole.history and [line['step'] for line in whole.history] == [4, 8, 12]
    assert dataclasses.replace(resumed.progress, seconds=0) == dataclasses.replace(whole.progress, seconds=0)
    states = [torch.load(tmp_path / name / 'best.pt', weights_only=True) for name in ('whole', 'broken')]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])


def test_a_folder_of_other_settings_is_refused(tmp_path, model, hands):
    once = dataclasses.replace(SCHEDULE, steps=1)
    fit(IkTask(model, hands, 16), once, tmp_path, {'width': 16}, progress=False)
    with pytest.raises(ValueError, match='begun with width = 16, now 24'):
        fit(IkTask(model, hands, 24), once, tmp_path, {'width': 24}, progress=False)
    (tmp_path / 'state.pt').write_bytes(b'not a state')
    with pytest.raises(ValueError, match='state.pt: .* expected the state of this run'):
        fit(IkTask(model, hands, 16), once, tmp_path, {'width': 16}, progress=False)


def test_a_figure_without_labels_is_named(tmp_path, model, hands):
    task = IkTask(model, hands, 16)
    for figures, complaint in (({}, 'nothing in the validation set is labelled for error_mm'),
                               ({'error_mm': float('nan')}, 'error_mm is nan on the validation set')):
        task.validate = lambda figures=figures: figures
        with pytest.raises(ValueError, match=complaint):
            fit(task, SCHEDULE, tmp_path / str(len(figures)), progress=False)


def test_an_unfinished_run_is_not_built_upon(tmp_path, model, hands):
    once = dataclasses.replace(SCHEDULE, steps=1)
    fit(IkTask(model, hands, 16), once, tmp_path, progress=False)
    assert finished_weights(tmp_path).keys() == best_weights(tmp_path).keys()
    (tmp_path / HISTORY).write_text('')
    with pytest.raises(ValueError, match='stands at step 0 of 1, expected a run that came to its end'):
        finished_weights(tmp_path)


def test_a_loss_that_is_not_finite_is_named(tmp_path, model, hands):
    task = IkTask(model, hands, 16)
    task.losses = lambda *_: {'xyz': torch.tensor(float('nan'))}
    with pytest.raises(ValueError, match='iknet: step 0: loss xyz is nan'):
        fit(task, SCHEDULE, tmp_path, progress=False)


def test_the_history_of_an_interrupted_run_is_cut(tmp_path):
    run = RunFolder(tmp_path, {'a': 1})
    network = torch.nn.Linear(2, 2)
    optimizer = torch.optim.Adam(network.parameters())
    run.note(5, {'x': 1.0})
    run.save(network, optimizer, dataclasses.replace(run.load(network, optimizer), step=6))
    run.note(10, {'x': 2.0})
    RunFolder(tmp_path, {'a': 1}).load(network, optimizer)
    assert [json.loads(line)['step'] for line in (tmp_path / HISTORY).read_text().splitlines()] == [5]


def test_iknet_learns(tmp_path, model, hands):
    task = IkTask(model, hands, 128)
    ended = fit(task, Schedule(150, 128, 2e-3, validate_every=50, save_every=150), tmp_path, progress=False)
    errors = [line['exact_mm'] for line in ended.history]
    assert errors[-1] < 0.92 * errors[0]


def test_drawn_hands_agree_with_their_rotations(model, hands):
    batch = hands.batch(0, 16)
    kinematics = LandmarkKinematics(model)
    torch.testing.assert_close(kinematics(batch.world, batch.shape, batch.offsets), batch.points)
    torch.testing.assert_close(world_rotations(local_rotations(batch.world)), batch.world, atol=1e-5, rtol=0)
    other = hands.batch(0, 16, rank=1)
    assert not torch.equal(batch.points, other.points)


def test_perfect_detections_are_the_truth(model, seen):
    """The shape's rest, the rotations and the detector's points belong to one hand."""
    kinematics = LandmarkKinematics(model)
    offsets = torch.from_numpy(seen.rest) - kinematics.rest(torch.from_numpy(seen.shape), torch.zeros(len(seen), 21, 3))
    posed = kinematics(torch.from_numpy(seen.world), torch.from_numpy(seen.shape), offsets)
    torch.testing.assert_close(posed, torch.from_numpy(seen.truth), atol=1e-5, rtol=0)
    # Detections here are keypoints without offsets: a centimetre at most from the landmarks, once placed and sized.
    points, truth = (value - value[:, 9:10] for value in (seen.points, seen.truth))
    sizes = (points * truth).sum((1, 2)) / (points ** 2).sum((1, 2))
    assert np.linalg.norm(sizes[:, None, None] * points - truth, axis=-1).mean() < 0.012


def test_detector_points_know_their_shapes(seen):
    part = seen.part([0, 1])
    assert len(part) == 2 and (part.world == seen.world[:2]).all()
    with pytest.raises(ValueError, match='points: shape'):
        DetectorPoints(seen.points[:, :20], seen.truth, seen.rest, seen.shape, seen.world)


def test_rotation_losses_know_both_signs_of_a_quaternion():
    truth = torch.nn.functional.normalize(torch.randn(4, 21, 4, dtype=torch.float64), dim=-1)
    for raw in (truth, -truth, 3 * truth):
        terms = rotation_losses(raw, truth)
        assert abs(terms['cosine']) < 1e-12 and abs(terms['l2']) < 1e-12
    assert norm_loss(truth) < 1e-12 and abs(norm_loss(3 * truth) - 8) < 1e-9
    points = torch.randn(4, 21, 3)
    assert xyz_loss(points + 1, points) < 1e-10
    assert len(KEYPOINT_JOINTS) == 21
    with pytest.raises(ValueError, match='cosine: -1'):
        IkWeights(cosine=-1)


def test_schedules_warm_up_and_decay():
    linear = Schedule(100, 1, 1.0, warmup_steps=10, decay='linear', decay_steps=20)
    assert [linear.rate(step) for step in (0, 9, 50, 80, 90)] == pytest.approx([0.1, 1, 1, 1, 0.5])
    assert Schedule(100, 1, 1.0, decay='cosine', decay_steps=100).rate(50) == pytest.approx(0.5)
    for wrong, named in (({'steps': 0}, 'steps: 0'), ({'decay': 'fast'}, 'decay'), ({'beta1': 1.0}, 'beta1: 1.0')):
        with pytest.raises(ValueError, match=named):
            Schedule(**{'steps': 1, 'batch_size': 1, 'learning_rate': 1.0, **wrong})


def test_the_papers_recipes_hold_its_numbers():
    paper = load_recipe(HandRecipe, recipe_path('handnet', 'paper'))
    assert paper.backbone == 'resnet50' and paper.crop == 224
    assert dataclasses.astuple(paper.weights) == (10, 1, 100, 0.5, 1e-5)                     # eq. 9
    steps = {'image': 1424, 'keypoint': 1424, 'fusion': 1424, 'finalize': 1424, 'segmentation': 686,
             'synthetic_adaption': 330, 'stereo': 165}                                              # of an epoch
    epochs = [paper.schedules[name].steps / steps[name] for name in steps]
    assert epochs == [120, 100, 100, 180, 10, 2, 8]
    for schedule in paper.schedules.values():
        assert (schedule.learning_rate, schedule.beta1, schedule.beta2) == (2e-4, 0.9, 0.99)
    assert paper.schedules['image'].decay_steps == 20 * 1424
    ik = load_recipe(IkRecipe, recipe_path('iknet', 'paper'))
    assert ik.hands.shape_std == pytest.approx(3 ** 0.5) and not ik.seen_rotations and ik.detnet == 'detnet'
    for system, kind in (('handnet', HandRecipe), ('iknet', IkRecipe)):
        load_recipe(kind, recipe_path(system, 'small'))


WHOLE = """
schedule: {steps: 4, batch_size: 16, learning_rate: 1e-3}
data: {training: {samples: 4, seed: 1}, validation: {samples: 4, seed: 2}}
"""


@pytest.mark.parametrize('text, named', [
    ('width: 3', 'no schedule, expected Schedule'), ('widht: 3', "unknown field 'widht'"), ('- 1', 'expected the fields of'),
    ('width: x', "width: 'x', expected int"), ('[', 'expected a recipe in YAML'),
    ('hands: {poses: 0}', 'hands: poses: 0, expected at least 1'), ('seed: true', 'seed: True, expected int'),
    (WHOLE + 'width: 0', 'width: 0, expected at least 1'), (WHOLE + 'seen_share: 1', 'seen_share: 1.0, expected below 1'),
    (WHOLE + 'mean_rest: half', "mean_rest: 'half', expected float")])
def test_a_wrong_recipe_is_named(tmp_path, text, named):
    path = tmp_path / 'recipe.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=named):
        load_recipe(IkRecipe, path)
    with pytest.raises(ValueError, match="config 'huge': unknown for iknet, expected paper, small"):
        recipe_path('iknet', 'huge')


def test_the_skeleton_of_the_network_is_the_estimators(model, offsets):
    from hand_recon_ros.hand_model.landmarks import rest_landmarks
    kinematics = LandmarkKinematics(model)
    rest = kinematics.rest(torch.zeros(1, 10), torch.tensor(offsets)[None])
    np.testing.assert_allclose(rest[0], rest_landmarks(build_skeleton(model, offsets)), atol=1e-6)
