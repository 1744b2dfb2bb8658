"""Rigs of synthetic scenes: who stands where, what lenses bend, what a wrong calibration means; a hand in any frame."""
import numpy as np
import pytest

from hand_recon_ros.geometry.rigs import epipolar_residual_px
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.synthesis.backgrounds import Backdrop, covering_pinhole
from hand_recon_ros.synthesis.rigs import CameraRig, hands_in_frame, miscalibrated, sample_rig

SIZE = (640, 480)


def drawn(kind, seed=0, distance=0.6, baseline=None):
    return sample_rig(kind, *SIZE, distance, baseline, np.random.default_rng(seed))


def middle_px(rig, T_first_viewer, distance=0.6):
    """Where each camera sees the place looked at."""
    target = T_first_viewer[:3, :3] @ [0, 0, distance] + T_first_viewer[:3, 3]
    return np.array([rig.project(k, target) for k in range(len(rig.cameras))])


def test_a_rectified_pair_has_its_baseline_and_its_viewer_between():
    for seed in range(10):
        rig, T = drawn('rectified', seed)
        assert rig.is_rectified and 0.04 <= rig.baseline_m <= 0.25
        assert rig.stereo_rig().is_rectified
        assert rig.T_camera_first[1, :3, 3] == pytest.approx([-rig.baseline_m, 0, 0])
        left, right = middle_px(rig, T)
        assert left[1] == right[1] and left[0] - right[0] == pytest.approx(
            rig.cameras[0].fx_px * rig.baseline_m / 0.6)
    rig, _ = drawn('rectified', baseline=0.123)
    assert rig.baseline_m == pytest.approx(0.123)


def test_a_wide_pair_converges_on_the_hands_through_different_real_lenses():
    for seed in range(20):
        rig, T = drawn('wide', seed)
        left, right = rig.cameras
        assert not rig.is_rectified and left.distortion_model == right.distortion_model == 'plumb_bob'
        assert abs(left.fx_px - right.fx_px) > 0.1 and np.abs(left.D[0]) > 0.005
        angle = np.degrees(np.arccos(rig.T_camera_first[1, 2, 2]))
        assert 35 < angle < 92
        assert np.abs(middle_px(rig, T) - [319.5, 239.5]).max() < 40       # both look at the hands
    rig, _ = drawn('wide', baseline=0.6)
    assert rig.baseline_m == pytest.approx(0.6, abs=0.12)
    with pytest.raises(ValueError, match='baseline_m: 1.3'):
        drawn('wide', baseline=1.3)


def test_a_headset_s_pair_is_narrow_wide_angled_and_turned_outwards():
    for seed in range(10):
        rig, _ = drawn('headset', seed)
        assert 0.05 < rig.baseline_m < 0.15 and rig.cameras[0].fx_px < 0.63 * SIZE[0]
        toes = axis_angle_to_matrix(np.zeros(3)) @ rig.T_camera_first[1, :3, :3]
        assert np.degrees(np.arcsin(toes[0, 2])) < 2.5     # the right one looks to the right of the left one, or along
    with pytest.raises(ValueError, match='baseline_m: 0.1'):
        drawn('mono', baseline=0.1)


@pytest.mark.parametrize('kind', ['wide', 'headset'])
def test_lenses_bend_every_pixel_one_to_one(kind):
    for seed in range(12):
        for camera in drawn(kind, seed)[0].cameras:
            y, x = np.mgrid[0:480:20, 0:640:20]
            pixels = np.stack([x, y], -1)
            rays = camera.rays(pixels)
            assert camera.project(rays) == pytest.approx(pixels, abs=1e-6)
            moved = np.linalg.norm(camera.undistorted().project(rays) - pixels, axis=-1)
            assert 5 < moved.max() < 250


def test_a_wrong_calibration_is_wrong_by_what_it_says_and_none_is_the_rig_itself():
    rig, _ = drawn('wide', 3)
    assert miscalibrated(rig, 0.0, np.random.default_rng(0)) is rig
    residuals = {}
    for size in (1.0, 4.0):
        values = []
        for seed in range(30):
            true = miscalibrated(rig, size, np.random.default_rng(seed))
            assert np.array_equal(true.T_camera_first[0], np.eye(4))
            points = np.random.default_rng(seed).uniform((-0.1, -0.1, 0.55), (0.1, 0.1, 0.7), (50, 3))
            seen = [true.project(k, points) for k in range(2)]
            values.append(np.abs(epipolar_residual_px(rig.stereo_rig(), *seen)).mean())
        residuals[size] = np.mean(values)
    assert 0.2 < residuals[1.0] < 2.0 and residuals[4.0] == pytest.approx(4 * residuals[1.0], rel=0.25)
    with pytest.raises(ValueError, match='calibration_error: -1'):
        miscalibrated(rig, -1, np.random.default_rng(0))


@pytest.mark.parametrize('handedness', ['right', 'left'])
def test_a_hand_in_another_frame_is_the_same_hand(handedness):
    hand, rng = JaxHand(load_hand_model(), np.float64), np.random.default_rng(2)
    shape, poses, translations = rng.normal(size=10), rng.normal(0, 0.5, (3, 48)), rng.normal(0, 0.2, (3, 3))
    wrist = hand(np.zeros(48), shape, np.zeros(3))[1][0]
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = axis_angle_to_matrix(np.array([0.4, -0.8, 0.3])), (0.1, -0.2, 0.7)
    before = posed_hand(hand, poses, shape, translations, handedness)[0]
    after = posed_hand(hand, *(lambda p, t: (p, shape, t))(*hands_in_frame(T, poses, translations, wrist, handedness)),
                       handedness)[0]
    assert after == pytest.approx(before @ T[:3, :3].T + T[:3, 3], abs=1e-9)


def test_rigs_are_checked():
    rig, _ = drawn('rectified')
    with pytest.raises(ValueError, match='T_camera_first: shape'):
        CameraRig(rig.cameras, np.eye(4))
    with pytest.raises(ValueError, match='no identity'):
        CameraRig(rig.cameras, rig.T_camera_first[::-1])
    with pytest.raises(ValueError, match='cameras: 1'):
        drawn('mono')[0].stereo_rig()
    with pytest.raises(ValueError, match="rig: 'ring'"):
        drawn('ring')


def test_a_backdrop_is_seen_through_the_lens_and_turns_with_the_head():
    camera = drawn('headset', 1)[0].cameras[0]
    sway = np.radians(5)
    pinhole = covering_pinhole(camera, sway)
    y, x = np.mgrid[0:pinhole.height, 0:pinhole.width]
    picture = np.stack([255 * x / pinhole.width, 255 * y / pinhole.height, 0 * x], -1)
    backdrop = Backdrop(picture, pinhole, camera)
    turn = axis_angle_to_matrix(np.array([0.0, sway, 0.0]))
    for rotation, shown in ((np.eye(3), backdrop.seen()), (turn, backdrop.seen(turn))):
        for px in ((320, 240), (5, 5), (630, 470), (100, 400)):
            at = pinhole.project(rotation @ camera.rays(np.array(px, float)))
            assert (at >= 0).all() and (at <= [pinhole.width - 1, pinhole.height - 1]).all()    # wide enough
            expected = 255 * at / (pinhole.width, pinhole.height)
            assert shown[px[1], px[0], :2] == pytest.approx(expected, abs=1.5)
    plain = drawn('mono')[0].cameras[0]
    assert covering_pinhole(plain) is plain
