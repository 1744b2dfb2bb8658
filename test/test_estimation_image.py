"""Estimators that look at the image: on rendered hands better than guessing, the same for both sides and both backends."""
import dataclasses

import numpy as np
import pytest
from training_sets import small_set

from hand_recon_ros.estimation.det_net_reader import DetNetReader, peaks
from hand_recon_ros.estimation.handnet import HandNetEstimator
from hand_recon_ros.estimation.minimal_hand import MinimalHandEstimator
from hand_recon_ros.estimation.names import FROM_IMAGE, LEARNED, NAMES, WITH_FEATURES
from hand_recon_ros.estimation.painting import painted_masks
from hand_recon_ros.estimation.registry import ESTIMATORS, build_estimator, chosen_estimator
from hand_recon_ros.evaluation.metrics import aligned_mm
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.types import Frame, HandIdentity, HandKeypoints


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def hands(tmp_path_factory):
    """(frame, keypoints, true joints, mask) of rendered hands, the keypoints true joints with 1 px of noise."""
    dataset, rng, made = small_set(tmp_path_factory.mktemp('shards') / 'set', seed=8), np.random.default_rng(0), []
    for number in range(len(dataset)):
        sample = dataset[number]
        view = sample.views[0]
        points = view.joints_px + rng.normal(0, 1, (21, 2))
        made.append((Frame.from_image(view.image(), view.camera), HandKeypoints(
            sample.handedness, 1.0, 1.0, np.concatenate([points.min(0), points.max(0)]), points, np.ones(21),
            np.zeros((21, 3)), track_id=number), np.asarray(sample.joints_m, float), view.mask() > 0))
    return made


def mirrored(frame, keypoints):
    """The same picture and hand in a mirror."""
    camera = dataclasses.replace(frame.camera, K=np.array([
        [frame.camera.K[0, 0], 0, frame.width - 1 - frame.camera.K[0, 2]], frame.camera.K[1], [0, 0, 1.0]]))
    points = keypoints.points_px * [-1, 1] + [frame.width - 1, 0]
    return Frame.from_image(np.ascontiguousarray(frame.image[:, ::-1]), camera), dataclasses.replace(
        keypoints, handedness={'left': 'right', 'right': 'left'}[keypoints.handedness], points_px=points,
        box_px=np.concatenate([points.min(0), points.max(0)]))


@pytest.mark.parametrize('kind, limit_mm', [(HandNetEstimator, 18.0), (MinimalHandEstimator, 25.0)])
def test_hands_are_found_in_pictures(kind, limit_mm, model, hands):
    estimator = kind(model)
    errors = [aligned_mm(estimator.estimate(frame, keypoints).joints_m, truth).mean() for frame, keypoints, truth, _ in hands]
    rest = np.asarray(estimator.estimate(Frame.from_image(np.zeros_like(hands[0][0].image), hands[0][0].camera),
                                         hands[0][1]).joints_m)
    assert np.mean(errors) < limit_mm
    assert np.mean(errors) < np.mean([aligned_mm(rest, truth).mean() for _, _, truth, _ in hands])


@pytest.mark.parametrize('kind', [HandNetEstimator, MinimalHandEstimator])
def test_a_hand_in_the_mirror_is_the_other_hand(kind, model, hands):
    estimator = kind(model)
    for frame, keypoints, *_ in hands[:4]:
        one, other = estimator.estimate(frame, keypoints), estimator.estimate(*mirrored(frame, keypoints))
        # The crops are the same to a 32nd of a pixel; the highest cell of a heat map may then be its neighbour.
        apart = np.linalg.norm(other.joints_m * [-1, 1, 1] - one.joints_m, axis=1)
        assert apart.mean() < 0.02 and aligned_mm(other.joints_m * [-1, 1, 1], one.joints_m).mean() < 3
        assert other.handedness != one.handedness


@pytest.mark.parametrize('kind', [HandNetEstimator, MinimalHandEstimator])
def test_both_backends_agree(kind, model, hands):
    pytest.importorskip('openvino')
    frame, keypoints, *_ = hands[0]
    one, other = (kind(model, backend=backend).estimate(frame, keypoints) for backend in ('openvino', 'torch'))
    np.testing.assert_allclose(one.joints_m, other.joints_m, atol=1e-3)


def test_masks_cover_hands(model, hands):
    estimator, scores = build_estimator('handnet', model, masks=True), []
    for frame, keypoints, _, truth in hands:
        labels = painted_masks([estimator.estimate(frame, keypoints)], frame.width, frame.height)
        assert set(np.unique(labels)) <= {0, {'right': 1, 'left': 2}[keypoints.handedness]}
        scores.append(((labels > 0) & truth).sum() / max(((labels > 0) | truth).sum(), 1))
    assert np.mean(scores) > 0.6
    with pytest.raises(ValueError, match='mask: none of track'):
        painted_masks([build_estimator('handnet', model).estimate(*hands[0][:2])], 8, 8)


def test_an_identitys_shape_takes_the_networks_place(model, hands):
    frame, keypoints, *_ = hands[0]
    ann = HandIdentity('ann', model.name, np.full(10, 0.5), np.full(10, 0.1), True)
    for name in FROM_IMAGE:
        estimate = build_estimator(name, model).estimate(frame, keypoints, ann)
        np.testing.assert_array_equal(estimate.shape, ann.shape)
        assert estimate.identity == 'ann' and estimate.metric
        with pytest.raises(ValueError, match="identity 'ann': for model 'mano', expected 'open_hand'"):
            build_estimator(name, model).estimate(frame, keypoints, dataclasses.replace(ann, model='mano'))


def test_bad_input_is_named(model, hands, tmp_path):
    frame, keypoints, *_ = hands[0]
    for name in FROM_IMAGE:
        with pytest.raises(ValueError, match='frame.image: none, expected the image'):
            build_estimator(name, model).estimate(dataclasses.replace(frame, image=None), keypoints)
    with pytest.raises(ValueError, match="masks: estimator 'iknet' makes none, expected handnet"):
        build_estimator('iknet', model, masks=True)
    with pytest.raises(ValueError, match='weights_dir: .*nowhere is no folder'):
        build_estimator('iknet', model, weights_dir=str(tmp_path / 'nowhere'))
    with pytest.raises(ValueError, match='weights_dir: .* has no .safetensors file, expected some of detnet.safetensors'):
        build_estimator('closed_form_ik', model, weights_dir=str(tmp_path))
    (tmp_path / 'iknett.safetensors').write_bytes(b'a slip of the pen')
    with pytest.raises(ValueError, match='weights_dir: .* has iknett.safetensors, expected some of'):
        build_estimator('iknet', model, weights_dir=str(tmp_path))
    (tmp_path / 'iknett.safetensors').unlink()
    (tmp_path / 'iknet.safetensors').write_bytes(b'not weights')
    with pytest.raises(ValueError, match='iknet.safetensors: .* expected a weight file'):
        build_estimator('auto', model, weights_dir=str(tmp_path))


def test_names_say_what_the_estimators_are(model):
    assert tuple(ESTIMATORS) == NAMES
    for name in NAMES:
        estimator = build_estimator(name, model)
        assert estimator.name == name and estimator.needs_image == (name in FROM_IMAGE)
    assert set(WITH_FEATURES) <= set(FROM_IMAGE) <= set(LEARNED)
    assert chosen_estimator('auto', 'open_hand') == 'iknet' and chosen_estimator('auto', 'MANO_RIGHT') == 'closed_form_ik'


def test_peaks_lie_between_cells():
    at = np.array([[4.3, 7.75], [0.0, 11.0], [6.0, 6.0]])
    grid = np.arange(12)
    heat = np.stack([np.exp(-0.5 * ((grid[None, :] - x) ** 2 + (grid[:, None] - y) ** 2)) for x, y in at])
    places, cells = peaks(heat)
    np.testing.assert_allclose(places, at, atol=0.05)
    np.testing.assert_array_equal(cells, np.round(at))
    assert np.isfinite(peaks(np.zeros((2, 5, 5)))[0]).all()


def test_detnet_reads_points_of_the_mean_hands_size(model, hands):
    reader = DetNetReader(model)
    frame, keypoints, *_ = hands[0]
    read = reader.read(frame, keypoints)
    assert read.detector == 'detnet' and read.track_id == keypoints.track_id and 0 <= read.point_scores.min()
    assert 0.02 < np.linalg.norm(read.points_m[0] - read.points_m[9]) < 0.2
    centre = (read.box_px[:2] + read.box_px[2:]) / 2
    np.testing.assert_allclose(centre, (keypoints.box_px[:2] + keypoints.box_px[2:]) / 2, atol=1e-3)
