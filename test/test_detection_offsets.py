"""Offset tables: files, and calibrations that give back the offsets a made-up detector was given."""
import argparse

import numpy as np
import pytest

from hand_recon_ros.commands import calibrate_detector
from hand_recon_ros.detection.mediapipe_detector import box_around
from hand_recon_ros.detection.offsets import LandmarkOffsets, load_offsets, save_offsets
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import ABDUCTION, FLEXION, TWIST
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, place, wrist_position
from hand_recon_ros.hand_model.mirroring import mirror_points, posed_hand
from hand_recon_ros.hand_model.parameters import HandParameters, to_pose
from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.refinement.calibration_frames import CURLED_SIGMA, curl_factors, diverse, prepare, usable_pair
from hand_recon_ros.refinement.offset_calibration import OffsetBundle
from hand_recon_ros.refinement.offset_regression import OffsetRegression, matched
from hand_recon_ros.types import HandEstimate, HandKeypoints

CAMERA = Camera(640, 480, np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]))


@pytest.fixture(scope='module')
def model():
    return load_hand_model()


@pytest.fixture(scope='module')
def true_offsets():
    return np.random.default_rng(7).normal(0, 0.004, (21, 3))


def postures(count, seed):
    """Random parameters of open to half-closed right hands about 0.5 m before the camera, turned every way."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        angles = np.zeros((15, 3))
        curl = rng.uniform(0, 0.9, 5)
        for finger in range(5):
            angles[3 * finger:3 * finger + 3, FLEXION] = curl[finger] * np.array([0.9, 0.9, 0.54])
        angles[::3, ABDUCTION] = rng.normal(0, 0.08, 5)
        angles[12, TWIST] = rng.normal(0.14, 0.1)
        rotation = axis_angle_to_matrix(rng.normal(0, 1.0, 3))
        yield HandParameters(*(np.asarray(part, np.float32) for part in (
            rotation, angles, rng.uniform([-0.05, -0.04, 0.45], [0.05, 0.04, 0.6]), np.zeros(10))))


def detected(points_px, handedness='right'):
    return HandKeypoints(handedness, 0.99, 0.99, box_around(points_px), points_px, np.full(21, 0.99))


def test_tables_of_the_package_load_and_say_where_they_come_from(model):
    for name in ('real', 'synthetic'):
        table = load_offsets('mediapipe', name)
        assert table.offsets_m.shape == (21, 3) and table.offsets_m.dtype == np.float32
        assert (table.detector, table.table, table.model) == ('mediapipe', name, model.name)
        assert 0.001 < table.lengths_m.mean() < 0.012 and table.lengths_m.max() < 0.02
        before, after = table.provenance['without_table'], table.provenance['with_table']
        assert after['median_px'] < before['median_px']


def test_a_table_is_read_back_as_written(tmp_path, true_offsets):
    table = LandmarkOffsets('mediapipe', 'mine', 'open_hand', true_offsets, {'method': 'made up', 'frames': 3})
    save_offsets(table, tmp_path / 'mediapipe_mine.yaml')
    back = load_offsets('mediapipe', tmp_path / 'mediapipe_mine.yaml')
    np.testing.assert_allclose(back.offsets_m, true_offsets, atol=6e-7)
    assert (back.table, back.provenance) == ('mine', {'method': 'made up', 'frames': 3})


@pytest.mark.parametrize('change, message', [
    (lambda text: text.replace('detector: mediapipe', 'detector: other'), "for detector 'other', expected 'mediapipe'"),
    (lambda text: text.replace('  wrist:', '  wrst: '), "missing or unknown"),
    (lambda text: text.replace('[', '[nan, ', 1), r'offsets_mm.wrist: shape \(4,\), expected 3'),
    (lambda text: 'offsets_mm: [', 'not a readable YAML file'),
    (lambda text: 'just text', 'str, expected a mapping'),
    (lambda text: text.replace('model: open_hand\n', ''), 'model missing')],
    ids=['other detector', 'wrong name', 'four numbers', 'broken', 'no mapping', 'no model'])
def test_damaged_tables_are_refused(tmp_path, true_offsets, change, message):
    path = tmp_path / 'mediapipe_bad.yaml'
    save_offsets(LandmarkOffsets('mediapipe', 'bad', 'open_hand', true_offsets), path)
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=message):
        load_offsets('mediapipe', path)


def test_an_unknown_table_and_metres_that_are_millimetres_are_refused():
    with pytest.raises(ValueError, match='expected real.* or the path'):
        load_offsets('mediapipe', 'imagined')
    with pytest.raises(ValueError, match='offsets_m: 4 m from a joint'):
        LandmarkOffsets('mediapipe', 'x', 'open_hand', np.full((21, 3), 4.0))


@pytest.mark.parametrize('handedness', ['right', 'left'])
def test_known_hands_give_back_the_detectors_offsets(model, true_offsets, handedness):
    skeleton, hand, regression = build_skeleton(model, true_offsets), JaxHand(model), OffsetRegression(model)
    for parameters in postures(120, seed=1):
        landmarks = np.asarray(place(skeleton, parameters)[1], np.float64)
        pose, root = to_pose(parameters, skeleton.axes, handedness)
        wrist = wrist_position(skeleton, parameters.shape)
        if handedness == 'left':
            landmarks, wrist = mirror_points(landmarks), mirror_points(wrist)
        vertices, joints = posed_hand(hand, pose, parameters.shape, root - wrist, handedness)
        truth = HandEstimate(0, handedness, 1.0, 1.0, model.name, pose, parameters.shape, root - wrist, joints,
                             vertices, np.ones(3))
        seen = detected(CAMERA.project(landmarks), handedness)
        (pair,) = matched([seen], [truth], CAMERA)
        regression.add(*pair, CAMERA)
    found = regression.solve()
    assert len(regression) == 120
    # Exact points: only the prior pulls, and it pulls towards zero.
    assert np.linalg.norm(found - true_offsets) < 0.15 * np.linalg.norm(true_offsets)
    assert np.linalg.norm(found) < np.linalg.norm(true_offsets)
    assert regression.residual_px(found).mean() < 0.15 * regression.residual_px(np.zeros((21, 3))).mean()


def test_a_truth_of_another_model_is_refused(model):
    truth = HandEstimate(0, 'right', 1.0, 1.0, 'other', np.zeros(48), np.zeros(10), np.zeros(3), np.zeros((21, 3)),
                         np.zeros((0, 3)), np.ones(3))
    with pytest.raises(ValueError, match="of model 'other', expected 'open_hand'"):
        OffsetRegression(model).add(detected(np.random.default_rng(0).uniform(0, 99, (21, 2))), truth, CAMERA)


def wide_rig():
    """Two cameras 70 degrees apart, both looking at a point half a metre before the left one."""
    angle = np.radians(70)
    T = np.eye(4)
    T[:3, :3] = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    T[:3, 3] = np.array([0, 0, 0.52]) - T[:3, :3] @ [0, 0, 0.52]
    return StereoRig(CAMERA, CAMERA, T)


@pytest.mark.parametrize('handedness', ['right', 'left'])
def test_a_pair_of_cameras_recovers_what_the_offsets_do_to_the_landmarks(model, true_offsets, handedness):
    rig, skeleton = wide_rig(), build_skeleton(model, true_offsets)
    pairs = []
    for index, parameters in enumerate(postures(40, seed=2)):
        landmarks = np.asarray(place(skeleton, parameters)[1], np.float64)
        landmarks = mirror_points(landmarks) if handedness == 'left' else landmarks
        left, right = rig.project(landmarks)
        pairs.append(usable_pair(rig, index, [detected(left, handedness)], [detected(right, handedness)]))
    assert None not in pairs
    np.testing.assert_allclose(pairs[-1].points_m, landmarks, atol=1e-4)
    bare = build_skeleton(model)
    views, start, triangulated = prepare(rig, pairs, bare)
    bundle = OffsetBundle(bare)
    before, after = bundle.adjust(views, start, hold_offsets=True), bundle.adjust(views, start)
    assert np.abs(before.shared.offsets).max() == 0 and after.energy < 0.6 * before.energy
    assert after.rms_px < 0.3 * before.rms_px
    off_before, off_after = (np.linalg.norm(fit.landmarks_m - triangulated, axis=-1).mean() for fit in (before, after))
    assert off_before > 0.003 and off_after < 0.001
    # The offsets themselves only in part: along bones and across the palm they trade off with shape and posture.
    assert np.linalg.norm(after.shared.offsets - true_offsets) < 0.75 * np.linalg.norm(true_offsets)
    assert np.abs(after.shared.shape).max() < 0.5


def test_pairs_that_cannot_be_one_hand_are_left_out(model):
    rig, skeleton = wide_rig(), build_skeleton(model)
    (parameters,) = postures(1, seed=3)
    left, right = rig.project(np.asarray(place(skeleton, parameters)[1], np.float64))
    assert usable_pair(rig, 0, [detected(left)], [detected(right)]) is not None
    assert usable_pair(rig, 0, [detected(left)], []) is None
    assert usable_pair(rig, 0, [detected(left)], [detected(right, 'left')]) is None
    assert usable_pair(rig, 0, [detected(left)], [detected(right + [0, 60])]) is None


def test_diverse_frames_span_the_extremes(model):
    rig, skeleton = wide_rig(), build_skeleton(model)
    pairs = []
    for index, parameters in enumerate(postures(12, seed=4)):
        left, right = rig.project(np.asarray(place(skeleton, parameters)[1], np.float64))
        pairs += [usable_pair(rig, 2 * index + extra, [detected(left)], [detected(right)]) for extra in (0, 1)]
    assert {pair.index // 2 for pair in diverse(pairs, 12)} == set(range(12))     # no posture twice
    assert diverse(pairs, 100) == pairs


def test_only_the_far_part_of_a_curled_finger_is_doubted(model):
    straight = HandParameters(np.eye(3), np.zeros((15, 3)), np.array([0, 0, 0.5]), np.zeros(10))
    angles = np.zeros((15, 3))
    angles[3:6, FLEXION] = 0, 1.5, 0.8      # middle finger
    skeleton = build_skeleton(model)
    np.testing.assert_array_equal(curl_factors(np.asarray(place(skeleton, straight)[0])), np.ones(21))
    factors = curl_factors(np.asarray(place(skeleton, straight._replace(angles=angles))[0]))
    assert [KEYPOINT_NAMES[row] for row in np.flatnonzero(factors == CURLED_SIGMA)] == ['middle2', 'middle3', 'middle4']


def test_the_command_refuses_incomplete_input(tmp_path):
    parser = argparse.ArgumentParser()
    calibrate_detector.add_arguments(parser)
    for given, message in ((['--left', 'a.mp4'], 'give either'), ([], 'give either'),
                           (['--bag', str(tmp_path / 'none')], 'no such recording')):
        with pytest.raises(ValueError, match=message):
            calibrate_detector.run(parser.parse_args([*given, '--out', str(tmp_path / 'table.yaml')]))
    assert not (tmp_path / 'table.yaml').exists()
