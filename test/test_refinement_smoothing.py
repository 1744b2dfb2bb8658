"""Smoothing over time: less jitter at a stated lag, mesh and joints of one pose, hands carried on while unseen."""
from dataclasses import replace

import numpy as np
import pytest

from hand_recon_ros.benchmarks.smoothing import FPS, jitter_and_lag, simulated
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose, posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.refinement.smoothing import HandSmoother
from hand_recon_ros.refinement.time_filters import ConstantVelocity, OneEuro, started

STEP_NS = round(1e9 / FPS)


@pytest.fixture(scope='module')
def model():
    prepare_jax()
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def moving():
    return simulated(240, 0)


def through(smoother, estimates, start=0):
    return [smoother.smooth([estimate], (start + k) * STEP_NS)[0] for k, estimate in enumerate(estimates)]


def still(estimate, count):
    return [estimate] * count


@pytest.mark.parametrize('method, filtering, least_ratio, most_lag, most_error', [
    ('one_euro', None, 1.5, 0.5, 0.93), ('one_euro', OneEuro(1.2, 30.0, 1.2), 2.5, 1.3, 1.02),
    ('constant_velocity', None, 1.6, 0.4, 1.02)])
def test_jitter_falls_at_a_small_lag_and_the_error_does_not_rise(model, moving, method, filtering, least_ratio,
                                                                 most_lag, most_error):
    true, noisy = moving
    raw = jitter_and_lag(np.stack([hand.joints_m for hand in noisy]), true)
    smoother = HandSmoother(model, method, filtering=filtering)
    figures = jitter_and_lag(np.stack([hand.joints_m for hand in through(smoother, noisy)]), true)
    assert raw['lag_frames'] < 0.2 and figures['lag_frames'] <= most_lag
    assert raw['jitter_mm_per_frame2'] / figures['jitter_mm_per_frame2'] > least_ratio
    assert figures['error_mm'] < most_error * raw['error_mm']


def test_one_euro_steadies_a_hand_at_rest_and_follows_one_at_half_a_metre_a_second(model, moving):
    base, rng = moving[1][0], np.random.default_rng(5)
    noise = rng.normal(0, 0.001, (60, 3))
    shake = rng.normal(0, 0.01, (60, 48)).astype(np.float32)
    hand = JaxHand(model)
    for speed_m_s in (0.0, 0.5):
        seen = []
        for k in range(60):
            place = (base.translation + noise[k] + [speed_m_s * k / FPS, 0, 0]).astype(np.float32)
            vertices, joints = hand(base.pose + shake[k], base.shape, place)
            seen.append(replace(base, pose=base.pose + shake[k], translation=place, joints_m=joints,
                                vertices_m=vertices))
        smoother = HandSmoother(model)
        out = np.stack([estimate.joints_m for estimate in through(smoother, seen)])[30:]
        raw = np.stack([estimate.joints_m for estimate in seen])[30:]
        if speed_m_s:
            late_m = (raw - out).mean(axis=(0, 1))[0]
            assert 0 < late_m * FPS / speed_m_s < 0.5 and 0 < smoother.lag_s * FPS < 0.5
        else:
            jitter, smoothed = (np.linalg.norm(np.diff(points, axis=0), axis=-1).mean() for points in (raw, out))
            assert smoothed < 0.65 * jitter


def test_another_size_or_turn_keeps_the_middle_of_the_hand(model, moving):
    base, other = moving[1][0], np.full(len(moving[1][0].shape), 1.5, np.float32)
    vertices, joints = JaxHand(model)(base.pose, other, base.translation)
    joints = joints + (base.joints_m.mean(0) - joints.mean(0))
    out = through(HandSmoother(model), [base, replace(base, shape=other, joints_m=joints, vertices_m=vertices)])[-1]
    assert out.shape == pytest.approx(other / 2 + base.shape / 2, abs=1e-6)
    assert out.joints_m.mean(0) == pytest.approx(base.joints_m.mean(0), abs=1e-6)
    assert np.linalg.norm(out.joints_m[0] - base.joints_m[0]) > 1e-3


def test_lag_is_measured_as_it_is(moving):
    true, _ = moving
    assert jitter_and_lag(true, true) == {'error_mm': 0, 'jitter_mm_per_frame2': 0, 'lag_frames': 0}
    late = jitter_and_lag(np.roll(true, 2, axis=0), true)
    assert late['lag_frames'] == pytest.approx(2, abs=0.051)


def test_mesh_and_joints_are_of_the_smoothed_pose_on_either_side(model, moving):
    hand = JaxHand(model)
    for side in ('right', 'left'):
        estimates = moving[1][:12]
        if side == 'left':
            estimates = [replace(e, handedness='left', pose=mirror_pose(e.pose),
                                 translation=mirror_points(e.translation),
                                 joints_m=mirror_points(e.joints_m), vertices_m=mirror_points(e.vertices_m))
                         for e in estimates]
        smoothed = through(HandSmoother(model), estimates)[-1]
        vertices, joints = posed_hand(hand, smoothed.pose, smoothed.shape, smoothed.translation, side)
        assert smoothed.vertices_m == pytest.approx(np.asarray(vertices), abs=1e-6)
        assert smoothed.joints_m == pytest.approx(np.asarray(joints), abs=1e-6)
        away = np.linalg.norm(smoothed.joints_m - estimates[-1].joints_m, axis=-1)
        assert 1e-4 < away.mean() < 0.02
        if side == 'right':
            right = smoothed
    assert mirror_points(smoothed.joints_m) == pytest.approx(right.joints_m, abs=1e-6)


def test_a_hand_at_rest_stays_and_the_shape_is_averaged(model, moving):
    estimate = moving[1][0]
    for method in ('one_euro', 'constant_velocity'):
        out = through(HandSmoother(model, method), still(estimate, 5))[-1]
        assert out.joints_m == pytest.approx(estimate.joints_m, abs=1e-5)
        assert out.pose == pytest.approx(estimate.pose, abs=1e-5)
    shapes = [np.full(len(estimate.shape), value) for value in (0.0, 1.0, 0.5, 0.1)]
    out = through(HandSmoother(model), [replace(estimate, shape=shape) for shape in shapes])[-1]
    assert out.shape == pytest.approx(np.full(len(estimate.shape), 0.4), abs=1e-6)


def test_the_filters_follow_their_equations():
    position, eye = np.zeros(6), np.eye(3)[None]
    step = np.array([0.01, 0, 0, 0, 0, 0])
    state, lag = OneEuro(least_hz=1.0, beta_per_m=0.0).step(started(position, eye), step, eye, 1 / 30)
    gain = 1 / (1 + 30 / (2 * np.pi))
    assert state.position[0] == pytest.approx(0.01 * gain) and lag == pytest.approx((1 - gain) / gain / 30)
    # At constant velocity the one lags by its stated time, the other by nothing.
    for filtering, expected_s in ((OneEuro(1.0, 0.0, 0.0), lag), (ConstantVelocity(3.0), 0.0)):
        state = started(position, eye)
        for k in range(1, 200):
            turn = axis_angle_to_matrix(np.array([[0.0, 0.5 * k / 30, 0.0]]))
            state, stated = filtering.step(state, 0.3 * k / 30 * np.eye(6)[0], turn, 1 / 30)
        assert (0.3 * 199 / 30 - state.position[0]) / 0.3 == pytest.approx(expected_s, abs=1e-6)
        assert stated == expected_s
        assert state.speed[0] == pytest.approx(0.3, abs=1e-6) and state.turning[0, 1] == pytest.approx(0.5, abs=1e-6)


def test_a_lost_hand_goes_on_for_200_ms_with_growing_doubt_and_falling_score(model, moving):
    base = moving[1][0]
    speed_m = 0.3 / FPS
    path = [replace(base, **{name: getattr(base, name) + [k * speed_m, 0, 0]
                             for name in ('joints_m', 'vertices_m', 'translation')}) for k in range(30)]
    smoother = HandSmoother(model, 'constant_velocity')
    last = through(smoother, path)[-1]
    predicted = [smoother.smooth([], (30 + k) * STEP_NS) for k in range(7)]
    assert [len(hands) for hands in predicted] == [1] * 6 + [0]
    hands = [hands[0] for hands in predicted[:6]]
    assert all(hand.track_id == base.track_id for hand in hands)
    travelled = [hand.joints_m[0, 0] - last.joints_m[0, 0] for hand in hands]
    assert travelled[0] == pytest.approx(speed_m, rel=0.2) and np.all(np.diff(travelled) > 0)
    assert travelled[5] < 0.3 * 0.12                           # fading velocity: less than speed times decay
    assert [hand.score for hand in hands] == pytest.approx([1 - (k + 1) / 6 for k in range(6)], abs=1e-6)
    doubt = [hand.joint_std_m[0] for hand in hands]
    assert doubt[0] > 0.005 and np.all(np.diff(doubt) > 0) and 0.05 < doubt[5] < 0.12
    # Seen again under its id within the gap: no new start, and no prediction beside it.
    assert len(smoother.smooth([path[-1]], 38 * STEP_NS)) == 1


def test_restart_on_backward_stamps_gaps_and_changed_hands(model, moving):
    first, other = moving[1][0], moving[1][100]
    for stamps in ((0, STEP_NS, STEP_NS), (0, STEP_NS, 0), (0, STEP_NS, 10 ** 9)):
        smoother = HandSmoother(model)
        smoother.smooth([first], stamps[0])
        smoother.smooth([first], stamps[1])
        (out,) = smoother.smooth([other], stamps[2])
        assert (out.joints_m == other.joints_m).all()
    smoother = HandSmoother(model)
    smoother.smooth([first], 0)
    (out,) = smoother.smooth([replace(other, handedness='left')], STEP_NS)
    assert out.handedness == 'left' and (out.joints_m == other.joints_m).all()
    # The same hand under a new id is not shown twice; another hand's prediction stays.
    renamed = replace(other, handedness='left', track_id=5)
    assert [hand.track_id for hand in smoother.smooth([renamed], 2 * STEP_NS)] == [5]
    far = replace(other, handedness='left', track_id=6, joints_m=other.joints_m + [0.3, 0, 0])
    assert [hand.track_id for hand in smoother.smooth([far], 3 * STEP_NS)] == [6, 5]


def test_none_only_predicts_and_bad_settings_are_refused(model, moving):
    smoother = HandSmoother(model, 'none')
    out = through(smoother, moving[1][:5])
    assert all(a is b for a, b in zip(out, moving[1][:5])) and smoother.lag_s == 0
    assert len(smoother.smooth([], 5 * STEP_NS)) == 1
    assert HandSmoother(model, predict_s=0).smooth([], 0) == []
    for settings, message in (({'method': 'magic'}, "'magic', expected one of none"),
                              ({'predict_s': 0.5}, 'predict_s: 0.5'), ({'max_gap_s': 0}, 'max_gap_s: 0')):
        with pytest.raises(ValueError, match=message):
            HandSmoother(model, **settings)
    with pytest.raises(ValueError, match='least_hz: 0'):
        OneEuro(least_hz=0)
    with pytest.raises(ValueError, match='bandwidth_hz: -1'):
        ConstantVelocity(-1)
    with pytest.raises(ValueError, match="model: 'mano'"):
        smoother.smooth([replace(moving[1][0], model='mano')], 10 ** 12)
