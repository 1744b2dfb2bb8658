"""Calibration health: every injected fault comes under its name within 5 s of hands, healthy rigs stay without one."""
import re
from dataclasses import replace

import numpy as np
import pytest
from rig_sequences import detections, sequence

from hand_recon_ros.fusion.rig_faults import CameraFacts, calibration_faults
from hand_recon_ros.fusion.rig_health import RigHealth
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.synthesis.rigs import CameraRig, miscalibrated
from hand_recon_ros.types import HandKeypoints

KINDS = {'rectified': 0.12, 'wide': None}


def turned(rig, degrees):
    T = np.eye(4)
    T[:3, :3] = axis_angle_to_matrix(np.radians(degrees))
    return StereoRig(rig.left, rig.right, T @ rig.T_right_left)


def sign_wrong(rig):
    T = rig.T_right_left.copy()
    T[:3, 3] *= -1
    return StereoRig(rig.left, rig.right, T)


def scaled(camera, factor):
    K = camera.K.copy()
    K[:2] *= factor
    return Camera(camera.width, camera.height, K, camera.distortion_model, camera.D)


def watched(rig, kind, seed=0, swap=False, skew_s=0.0, facts=(None, None), frames=150):
    """Names by the time they were first reported, and the last report, of 5 s with two hands in view."""
    true, hands = sequence(kind, frames, seed, KINDS[kind])
    health, first = RigHealth(rig(true) if callable(rig) else rig, *facts), {}
    for number, (stamp_ns, left, right) in enumerate(detections(true, hands, seed + 10, skew_s)):
        health.add(stamp_ns, *((right, left) if swap else (left, right)))
        if number % 10 == 9:
            for fault in health.report().faults:
                first.setdefault(fault.name, stamp_ns / 1e9)
    return first, health.report()


def same(rig):
    return rig


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('name, rig, options, expected', [
    ('bumped_camera', lambda rig: turned(rig, [1.5, 0, 0]), {}, r'by -1\.(4[6-9]|5[0-4]) deg about x'),
    ('bumped_camera', lambda rig: turned(rig, [0.6, 0.6, 1.5]), {}, 'deg about x'),
    ('scaled_k', lambda rig: StereoRig(rig.left, scaled(rig.right, 1.1), rig.T_right_left), {}, 'K divided by'),
    ('swapped_images', same, {'swap': True}, 'images of left and right exchanged'),
    ('time_skew', same, {'skew_s': 0.04}, 'the right images taken'),
    ('time_skew', same, {'skew_s': -0.04}, 'the left images taken'),
], ids=['pitch', 'all axes', 'right K', 'images swapped', 'right late', 'left late'])
def test_the_fault_is_named_within_5_s(kind, name, rig, options, expected):
    first, report = watched(rig, kind, seed=1, **options)
    assert list(first) == [name] and first[name] <= 5.0
    assert len(report.faults) == 1 and re.search(expected, report.faults[0].text), report
    assert report.seconds == pytest.approx(4.8, abs=0.4)


def test_a_wrong_sign_shows_where_cameras_are_not_parallel_and_is_doubted_where_they_are():
    first, report = watched(sign_wrong, 'wide')
    assert list(first) == ['baseline_sign'] and first['baseline_sign'] < 2
    assert 'behind cameras' in report.faults[0].text and '100 % do with the baseline' in report.faults[0].text
    first, report = watched(sign_wrong, 'rectified')
    assert list(first) == ['swapped_images'] and 'or the baseline has the wrong sign' in report.faults[0].text
    first, report = watched(lambda rig: StereoRig(rig.left, rig.right, np.linalg.inv(rig.T_right_left)), 'wide')
    assert list(first) == ['baseline_sign'] and 'inverted' in report.faults[0].text


def test_exchanged_intrinsics_show_where_they_differ():
    first, report = watched(lambda rig: StereoRig(rig.right, rig.left, rig.T_right_left), 'wide', seed=1)
    assert list(first) == ['swapped_camera_infos'] and first['swapped_camera_infos'] < 3
    assert report.residual_px > 3


def test_a_rig_scaled_in_both_cameras_shows_by_a_known_palm_alone():
    true, hands = sequence('rectified', 120, 2, 0.12)
    T = true.T_right_left.copy()
    T[:3, 3] *= 1.1
    names = []
    for known in (None, {side: true_palm_m(points) for side, points in hands.items()}):
        health = RigHealth(StereoRig(true.left, true.right, T))
        for stamp_ns, left, right in detections(true, hands, 5):
            health.add(stamp_ns, left, right, known)
        names.append([fault.name for fault in health.report().faults])
    assert names == [[], ['wrong_scale']]
    assert '1.1' in health.report().faults[0].text and health.report().palm_ratio == pytest.approx(1.1, abs=0.04)


def true_palm_m(points_m):
    return float(np.mean([np.linalg.norm(points_m[:, 0] - points_m[:, k], axis=-1) for k in (5, 9, 13, 17)]))


@pytest.mark.parametrize('kind, error', [('rectified', 0), ('rectified', 1), ('wide', 1)])
@pytest.mark.parametrize('seed', [21])
def test_30_s_of_a_healthy_rig_name_nothing(kind, error, seed):
    true, hands = sequence(kind, 900, seed, KINDS[kind])
    cameras = CameraRig((true.left, true.right), np.stack([np.eye(4), true.T_right_left]))
    health = RigHealth(miscalibrated(cameras, 0.7 * error, np.random.default_rng(seed)).stereo_rig())
    for number, (stamp_ns, left, right) in enumerate(detections(true, hands, seed)):
        health.add(stamp_ns, left, right)
        if number % 30 == 29:
            assert health.report().faults == (), health.report()
    report = health.report()
    assert 0.3 < report.residual_px < 4 and abs(report.trend_px_per_s) < 0.5
    assert report.palm_ratio == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize('kind', KINDS)
def test_a_bump_midway_is_named_for_what_it_is_and_nothing_else_on_the_way(kind):
    true, hands = sequence(kind, 240, 4, KINDS[kind])
    health, first = RigHealth(true), {}
    bumped = turned(true, [1.5, 0, 0])
    before, after = (list(detections(rig, hands, 14)) for rig in (true, bumped))
    for number, (stamp_ns, left, right) in enumerate(before[:120] + after[120:]):
        health.add(stamp_ns, left, right)
        for fault in health.report().faults:
            first.setdefault(fault.name, stamp_ns / 1e9)
    assert list(first) == ['bumped_camera'] and 0 < first['bumped_camera'] - 4.0 <= 3.5


def test_five_instants_a_second_are_enough_for_a_bump_and_tell_no_skew():
    true, hands = sequence('rectified', 240, 6, 0.12)
    for rig, skew_s, expected in ((turned(true, [1.5, 0, 0]), 0.0, ['bumped_camera']), (true, 0.04, [])):
        health = RigHealth(rig)
        for stamp_ns, left, right in list(detections(true, hands, 16, skew_s))[::6]:
            health.add(stamp_ns, left, right)
        assert [fault.name for fault in health.report().faults] == expected


def test_landmarks_that_one_view_makes_up_are_no_fault_of_the_rig():
    true, hands = sequence('rectified', 240, 5, 0.12)
    rng, health = np.random.default_rng(8), RigHealth(true)
    spread = rng.normal(0, 0.05, (21, 2))           # of the hand's size: a hand behind something, guessed at
    for stamp_ns, left, right in detections(true, hands, 15):
        guessed = [replace(hand, points_px=hand.points_px + spread * hand.box_size_px) for hand in left]
        health.add(stamp_ns, guessed, right)
        assert health.report().faults == (), health.report()
    assert health.report().residual_px > 3


def test_a_loop_starts_afresh_and_a_mended_rig_is_believed_again():
    true, hands = sequence('rectified', 150, 0, 0.12)
    health = RigHealth(true)
    frames = list(detections(true, hands, 3))
    for stamp_ns, left, right in frames:
        health.add(stamp_ns, right, left)
    assert [fault.name for fault in health.report().faults] == ['swapped_images']
    health.add(*frames[0])
    assert health.report().faults == () and np.isnan(health.report().residual_px)
    for stamp_ns, left, right in frames[1:60]:
        health.add(stamp_ns, right, left)
    for stamp_ns, left, right in frames[60:]:
        health.add(stamp_ns + 4_000_000_000, left, right)
    for stamp_ns, left, right in frames:
        health.add(stamp_ns + 10_000_000_000, left, right)
    assert health.report().faults == ()


def facts(width=640, height=480, fx=600.0, shift=0.0, K_factor=1.0, P_factor=1.0, centre=(319.5, 239.5), **more):
    K = np.array([[fx, 0, centre[0]], [0, fx, centre[1]], [0, 0, 1]])
    P = np.concatenate([np.diag([P_factor, P_factor, 1]) @ K, [[shift * fx * P_factor], [0], [0]]], 1)
    K = K.copy()
    K[[0, 1], [0, 1]] *= K_factor
    return CameraFacts(width, height, K, np.zeros(5), P, **{'rectified': True, **more})


LEFT, RIGHT = facts(), facts(shift=-0.12)


@pytest.mark.parametrize('left, right, name, text', [
    (facts(), facts(shift=0.12), 'baseline_sign', 'P[0, 3] is 72.0 in the right camera: it puts that camera 120 mm '
                                                  'to the left'),
    (facts(shift=-0.12), facts(), 'swapped_camera_infos', 'left P[0, 3] is -72.0 and the right one 0'),
    (facts(), facts(), 'baseline_sign', 'no baseline'),
    (facts(), facts(shift=-0.12, P_factor=1.1, K_factor=1.1), 'scaled_k', 'fy 600.0 px left, 660.0 px right, a '
                                                                          'factor 1.100'),
    (facts(K_factor=1.1), facts(shift=-0.12, K_factor=1.1), 'scaled_k', 'K says fx 660.0 px, P says 600.0 px'),
    (facts(), facts(shift=-0.12, centre=(319.5, 250.0)), 'scaled_k', 'cy 239.5 px left, 250.0 px right'),
    (facts(image_size=(1280, 960)), RIGHT, 'image_size', 'left images are 1280 x 960, their camera_info is for 640 '
                                                         'x 480'),
    (facts(rectified=False, centre=(480, 360)), facts(rectified=False), 'scaled_k', 'principal point (480, 360)'),
])
def test_what_calibrations_say_by_themselves(left, right, name, text):
    found = calibration_faults(left, right)
    assert {fault.name for fault in found} == {name} and text in found[0].text, found


def test_good_calibrations_say_nothing():
    assert calibration_faults(LEFT, RIGHT) == []
    assert calibration_faults(facts(rectified=False), facts(rectified=False)) == []


@pytest.mark.parametrize('swap, name', [(False, 'swapped_camera_infos'), (True, 'swapped_topics')])
def test_infos_swapped_alone_or_with_the_images(swap, name):
    true, _ = sequence('rectified', 150, 0, 0.12)
    left, right = (CameraFacts(640, 480, camera.K, (),
                               np.concatenate([camera.K, [[shift * camera.fx_px], [0], [0]]], 1), True)
                   for camera, shift in ((true.left, -0.12), (true.right, 0.0)))
    first, report = watched(None, 'rectified', swap=swap, facts=(left, right))
    assert [fault.name for fault in report.faults] == [name] and first[name] < 2
    with pytest.raises(ValueError, match='rig: None, expected one'):
        RigHealth(None)


def test_too_few_hands_say_nothing_and_bad_settings_are_refused():
    true, hands = sequence('rectified', 150, 0, 0.12)
    health = RigHealth(true)
    for stamp_ns, left, right in list(detections(true, hands, 0))[:60]:
        health.add(stamp_ns, left, [])
    assert health.report().seconds == 0 and health.report().faults == ()
    points_px = np.random.default_rng(0).uniform(0, 50, (21, 2))
    both = HandKeypoints('left', 0.9, 0.9, [0, 0, 50, 50], points_px, np.ones(21))
    health.add(10 ** 10, [both, both], [both])        # which of the two it is, nobody knows
    assert health.report().seconds == 0
    with pytest.raises(ValueError, match='window_s: 1'):
        RigHealth(true, window_s=1)
    with pytest.raises(ValueError, match='period_s: 1'):
        RigHealth(true, period_s=1)
