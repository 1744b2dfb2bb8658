"""Two cameras judged: the stereo pipeline with the truth as detector, plain triangulation beside it, the command."""
import json
from dataclasses import replace

import numpy as np
import pytest
from stereo_scripts import pairs, recorded, scripted

from hand_recon_ros import cli
from hand_recon_ros.commands.demo import RECORDING
from hand_recon_ros.evaluation.runs import RunSettings, evaluate_pairs
from hand_recon_ros.evaluation.stereo_reference import StereoReference
from hand_recon_ros.evaluation.truth_detector import StereoTruthDetector
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.parameters import from_pose
from hand_recon_ros.pipeline import StereoPipeline, StereoSettings


@pytest.fixture(scope='module')
def desk():
    prepare_jax()
    return scripted('rectified', 0.12)


def judged(rig, truths, fusion='joint', noise_px=1.0, **settings):
    return evaluate_pairs('a', rig, pairs(rig, truths), truths, RunSettings(
        StereoSettings(fusion=fusion, offsets='none', **settings), 'truth+noise', noise_px))


@pytest.mark.parametrize('fusion, most_mm', [('joint', 3.2), ('triangulation', 3.5)])
def test_1_px_of_noise_leaves_millimetres_beside_plain_triangulation(desk, fusion, most_mm):
    metrics = judged(*desk, fusion).evaluation.metrics()
    assert metrics['recall'] == metrics['seen_twice'] == metrics['handedness_accuracy'] == 1
    assert metrics['id_switches'] == 0 and metrics['cs_mpjpe_mm'] < most_mm
    # 1 px in both views at 0.12 m of baseline and about 0.6 m away: 7 mm of depth a point.
    assert 3 < metrics['triangulated_points_mm'] < 9 < metrics['triangulated_points_p95_mm'] * 1.8
    assert 0.4 < metrics['epipolar_px'] < 1.0
    if fusion == 'joint':
        assert metrics['cs_mpjpe_mm'] < 0.5 * metrics['triangulated_points_mm']


def test_weights_ask_for_the_estimator_whose_features_they_weigh(desk):
    assert StereoSettings(fusion='weights').method == 'handnet+weights'
    with pytest.raises(ValueError, match="estimator: 'iknet', expected handnet, whose features fusion weights weighs"):
        judged(*desk, 'weights', estimator='iknet')


def test_a_wide_pair_with_distortion_and_exact_points():
    prepare_jax()
    rig, truths = scripted('wide', None, frames=4)
    metrics = judged(rig, truths, noise_px=0.0).evaluation.metrics()
    assert metrics['triangulated_points_mm'] < 1e-3 and metrics['epipolar_px'] < 1e-3
    assert metrics['cs_mpjpe_mm'] < 1.5 and metrics['pa_mpvpe_mm'] < 1.5


def test_triangulated_points_are_judged_by_the_detectors_own_landmarks(desk):
    rig, truths = desk
    offsets = np.random.default_rng(0).normal(0, 0.004, (21, 3))
    model = load_hand_model('open_hand')
    skeleton = build_skeleton(model, offsets)
    truth = truths[0][0]
    parameters = from_pose(truth.pose, truth.shape, truth.joints_m[0], skeleton.axes, 'right')
    expected = np.asarray(place(skeleton, parameters)[1])
    seen = StereoReference(model, offsets).landmarks_m(truth)
    assert seen == pytest.approx(expected, abs=1e-6)
    assert 0.002 < np.linalg.norm(seen - truth.joints_m, axis=-1).mean() < 0.02
    plain = StereoReference(model, np.zeros((21, 3)))
    for hand in truths[0]:
        assert plain.landmarks_m(hand) == pytest.approx(hand.joints_m, abs=2e-4), hand.handedness


def test_the_truth_in_the_right_view_is_where_the_rig_says(desk):
    rig, truths = desk
    detector = StereoTruthDetector(truths)
    left, right = next(pairs(rig, truths))
    with pytest.raises(ValueError, match='expected use'):
        detector.detect(left, right)
    detector.use(rig)
    views = detector.detect(left, right)
    for seen, expected in zip(views, zip(*(rig.project(hand.joints_m) for hand in truths[0]))):
        assert np.stack([hand.points_px for hand in seen]) == pytest.approx(np.stack(expected), abs=1e-3)
    noisy = StereoTruthDetector(truths, 2.0)
    noisy.use(rig)
    errors = [np.stack([a.points_px - b.points_px for a, b in zip(one, other)])
              for one, other in zip(noisy.detect(left, right), views)]
    assert abs(np.corrcoef(errors[0].ravel(), errors[1].ravel())[0, 1]) < 0.35


def test_a_recording_is_judged_alike_whatever_ran_before_and_refusals_are_named(desk):
    rig, truths = desk
    first = judged(rig, truths)
    judged(*scripted('rectified', 0.2, frames=3, seed=5))
    again = judged(rig, truths)
    tracks = [[[(hand.track_id, hand.joints_m.tolist()) for hand in hands] for hands, _ in run.found.values()]
              for run in (first, again)]
    assert tracks[0] == tracks[1] and len(tracks[0]) == 12
    frames = list(pairs(rig, truths))
    frames[2] = (replace(frames[2][0], width=320), frames[2][1])
    settings = RunSettings(StereoSettings(offsets='none'), 'truth')
    refused = evaluate_pairs('a', rig, frames, truths, settings).refused
    assert len(refused) == 1 and refused[0].startswith('a: frame 2: left: 320 x 480, expected the rig\'s 640 x 480')


def test_a_covered_camera_keeps_the_hand_and_its_scale(desk):
    rig, truths = desk
    detector = StereoTruthDetector(truths)
    pipeline = StereoPipeline(rig, StereoSettings(offsets='none'), detector)
    pipeline.restart()
    ids, errors = [], []
    for number, (left, right) in enumerate(pairs(rig, truths)):
        if number == 6:                                   # the right camera is covered: nothing is detected there
            detect = detector.detect
            detector.detect = lambda *frames: (detect(*frames)[0], [])
        result = pipeline.process(left, right)
        ids.append({hand.handedness: hand.track_id for hand in result.estimates})
        errors.append(np.mean([np.linalg.norm(hand.joints_m - true.joints_m, axis=-1).mean()
                               for hand in result.estimates for true in truths[left.stamp_ns]
                               if hand.handedness == true.handedness]))
        assert set(result.stage_seconds) == {'detection', 'estimation', 'fusion'}
        assert [None in hand.pair for hand in result.hands] == [number >= 6] * 2
    assert all(frame == ids[0] and len(frame) == 2 for frame in ids)
    assert max(errors[:6]) < 0.002 and max(errors[6:]) < 0.02
    with pytest.raises(ValueError, match="detector: 'mediapipe', expected 'truth'"):
        pipeline.restart(detector=type('Other', (), {'name': 'mediapipe'})())


def test_the_command_fuses_where_it_is_asked_to(desk, tmp_path, capsys):
    bag, file = recorded(tmp_path / 'bag', *desk), tmp_path / 'figures.json'
    figures = {}
    for fusion in ('mono', 'joint'):
        assert cli.main(['evaluate', str(bag), '--detector', 'truth+noise', '--fusion', fusion,
                         '--json', str(file)]) == 0
        figures[fusion] = json.loads(file.read_text())
    assert figures['joint']['estimator'] == 'iknet+joint' and figures['joint']['fusion'] == 'joint'
    assert figures['mono']['estimator'] == 'iknet+gauss_newton'
    assert 'epipolar_px' not in figures['mono']['metrics']
    assert figures['joint']['frames'] == 12
    # The truth's 3D points are exact and the hand is the mean one: mono is at its best here.
    assert figures['joint']['metrics']['cs_mpjpe_mm'] < 0.6 * figures['mono']['metrics']['cs_mpjpe_mm']
    assert 'triangulated_points_mm' in capsys.readouterr().out
    assert cli.main(['evaluate', str(RECORDING), '--fusion', 'joint']) == 2
    assert 'one camera, expected a left and a right one' in capsys.readouterr().err
