"""Synthetic scenes: exact labels, smooth human-paced motion in view, one seed one recording."""
import hashlib
from dataclasses import replace

import cv2
import numpy as np
import pytest

from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.messages.cameras import camera_from_msg
from hand_recon_ros.messages.hands import msg_to_estimates
from hand_recon_ros.messages.images import compressed_to_rgb
from hand_recon_ros.synthesis.appearance import sample_appearance
from hand_recon_ros.synthesis.capture import Capture, captured
from hand_recon_ros.synthesis.motion import script_motion
from hand_recon_ros.synthesis.recording import START_NS, write_recording
from hand_recon_ros.synthesis.scene import Scene, SceneConfig
from hand_recon_ros.synthesis.sleeve import sleeve_mesh

SMALL = dict(frames=3, width=256, height=192)


@pytest.fixture(scope='module')
def hand():
    return JaxHand(load_hand_model('open_hand_long'))


@pytest.fixture(scope='module')
def stereo_scene():
    return Scene(SceneConfig(seed=11, cameras=2, baseline_m=0.10, **SMALL))


@pytest.fixture(scope='module')
def stereo_bag(stereo_scene, tmp_path_factory):
    path = tmp_path_factory.mktemp('synthesis') / 'stereo'
    write_recording(stereo_scene, path, progress=False)
    return path


def camera_pair(baseline=0.1):
    camera = Camera(640, 480, np.array([[600.0, 0, 319.5], [0, 600.0, 239.5], [0, 0, 1]]))
    return [(camera, np.zeros(3)), (camera, np.array([baseline, 0.0, 0.0]))]


@pytest.mark.parametrize('view', ['facing', 'egocentric'])
@pytest.mark.parametrize('handedness', ['right', 'left'])
def test_motion_is_in_view_smooth_and_of_human_speed(hand, view, handedness):
    cameras, shape, fps = camera_pair(), np.zeros(10), 30.0
    rng = np.random.default_rng(5)
    motion = script_motion(hand, load_named_poses(), shape, handedness, 200, fps, view, cameras, rng)
    assert motion.poses.shape == (200, 48) and motion.translations.shape == (200, 3)
    _, keypoints = posed_hand(hand, motion.poses, shape, motion.translations, handedness)
    for camera, position in cameras:
        assert camera.inside(camera.project(keypoints - position)).all()
    speed = np.linalg.norm(np.diff(keypoints, axis=0), axis=-1) * fps
    assert 0.05 < np.median(speed[:, 8]) < 1.0 and speed.max() < 4.0     # a finger tip, m/s
    jump = np.abs(np.diff(keypoints, 2, axis=0)).max()
    assert jump < 0.02                                                   # no teleporting between frames
    fingers = motion.poses[:, 3:]
    assert np.ptp(fingers, axis=0).max() > 0.8                           # the poses really change
    palms = keypoints[:, 9] - keypoints[:, 0]
    assert (palms[:, 1] < 0).all()                                       # fingers upwards in the image


def test_the_left_hand_lives_on_the_other_side(hand):
    cameras = camera_pair()[:1]
    sides = {}
    for handedness in ('right', 'left'):
        motion = script_motion(hand, load_named_poses(), np.zeros(10), handedness, 60, 30.0, 'facing', cameras,
                               np.random.default_rng(1))
        sides[handedness] = posed_hand(hand, motion.poses, np.zeros(10), motion.translations, handedness)[1][..., 0]
    assert sides['right'].mean() < -0.08 and sides['left'].mean() > 0.08     # as one sees a person facing the camera
    assert sides['right'] == pytest.approx(-sides['left'], abs=1e-5)          # the same seed: mirror images


def test_drawn_and_labelled_hand_agree_on_the_skeleton(hand):
    labelled, rng = JaxHand(load_hand_model('open_hand')), np.random.default_rng(2)
    pose, shape = rng.normal(0, 0.3, 48), rng.normal(0, 1, 10)
    drawn_vertices, drawn = hand(pose, shape, np.zeros(3))
    vertices, keypoints = labelled(pose, shape, np.zeros(3))
    assert drawn == pytest.approx(keypoints, abs=2e-4)
    tree = np.linalg.norm(drawn_vertices[None] - vertices[::50, None], axis=-1).min(1)
    assert np.median(tree) < 2e-4


def test_labels_lie_on_the_drawn_hand_in_both_cameras(stereo_scene):
    """The picture differs from the empty scene where the projected ground truth says."""
    frame = next(stereo_scene.frames())
    for (camera, position), image, background in zip(stereo_scene.cameras, frame.images, stereo_scene._backgrounds):
        lens = replace(stereo_scene._capture, read_noise=0.0, shot_noise=0.0)
        empty = captured(background, lens, np.random.default_rng(0))
        different = np.abs(image.astype(float) - empty).max(-1) > 20
        inner = [1, 5, 6, 9, 10, 13, 17]
        points = np.concatenate([camera.project(e.joints_m[inner] - position) for e in frame.estimates])
        u, v = np.round(points).astype(int).T
        assert different[v, u].mean() > 0.8 and different.mean() < 0.5
    disparity = [camera.project(frame.estimates[0].joints_m - position) for camera, position in stereo_scene.cameras]
    expected = stereo_scene.cameras[0][0].fx_px * 0.10 / frame.estimates[0].joints_m[:, 2]
    assert disparity[0][:, 0] - disparity[1][:, 0] == pytest.approx(expected, rel=1e-5)


def test_a_stereo_recording_holds_what_the_scene_says(stereo_scene, stereo_bag):
    with BagReader(stereo_bag) as bag:
        assert {name: info.message_count for name, info in bag.topics.items()} == {
            '/left/image_rect/compressed': 3, '/right/image_rect/compressed': 3, '/left/camera_info': 3,
            '/right/camera_info': 3, '/ground_truth/hands/mesh': 3}
        messages = {}
        for topic, stamp, message in bag.messages():
            assert stamp == message.header.stamp.sec * 10 ** 9 + message.header.stamp.nanosec
            messages.setdefault(topic, []).append(message)
    assert messages['/ground_truth/hands/mesh'][0].header.frame_id == 'left_optical_frame'
    assert messages['/left/camera_info'][0].header.stamp.sec == START_NS // 10 ** 9
    right = messages['/right/camera_info'][0]
    assert right.p[3] == pytest.approx(-right.p[0] * 0.10) and messages['/left/camera_info'][0].p[3] == 0.0
    assert camera_from_msg(right, True).K == pytest.approx(stereo_scene.cameras[0][0].K)
    assert compressed_to_rgb(messages['/left/image_rect/compressed'][0]).shape == (192, 256, 3)
    labelled = JaxHand(load_hand_model('open_hand'))
    for k, message in enumerate(messages['/ground_truth/hands/mesh']):
        hands = msg_to_estimates(message)
        assert [h.hand_id for h in hands] == ['right_1', 'left_2'] and message.method == 'ground_truth'
        for estimate, motion in zip(hands, stereo_scene.motions):
            assert estimate.metric and estimate.model == 'open_hand'
            np.testing.assert_array_equal(estimate.pose, motion.poses[k])
            vertices, keypoints = posed_hand(labelled, estimate.pose, estimate.shape, estimate.translation,
                                             estimate.handedness)
            assert estimate.vertices_m == pytest.approx(vertices, abs=1e-6)
            assert estimate.joints_m == pytest.approx(keypoints, abs=1e-6)


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(stereo_bag, tmp_path):
    def digest(path):
        return [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(path.iterdir())]
    for seed, same in ((11, True), (12, False)):
        path = tmp_path / str(seed) / 'stereo'
        write_recording(Scene(SceneConfig(seed=seed, cameras=2, baseline_m=0.10, **SMALL)), path, progress=False)
        assert (digest(path) == digest(stereo_bag)) is same


def test_photographs_are_put_behind_and_shift_by_their_disparity(tmp_path):
    rng = np.random.default_rng(0)
    pattern = cv2.GaussianBlur(rng.integers(0, 256, (600, 900, 3)).astype(np.uint8), (0, 0), 5)
    cv2.imwrite(str(tmp_path / 'wall.png'), cv2.normalize(pattern, None, 0, 255, cv2.NORM_MINMAX))
    scene = Scene(SceneConfig(seed=1, cameras=2, baseline_m=0.1, hands=1, backgrounds=tmp_path, **SMALL))
    left, right = scene._backgrounds
    shift = scene.cameras[0][0].fx_px * 0.1 / 2.5
    matrix = np.array([[1.0, 0, shift], [0, 1, 0]])
    back = cv2.warpAffine(right, matrix, (256, 192), flags=cv2.INTER_LINEAR)
    inner = np.s_[10:-10, 20:-20]
    assert np.abs(back - left)[inner].mean() < 1.5 < np.abs(right - left)[inner].mean()
    (tmp_path / 'none').mkdir()
    for folder, expected in ((tmp_path / 'none', 'holds no photograph'), (tmp_path / 'gone', 'is no folder')):
        with pytest.raises(ValueError, match=expected):
            Scene(SceneConfig(backgrounds=folder, **SMALL))


def test_ground_truth_without_vertices_keeps_the_parameters(stereo_scene, stereo_bag, tmp_path):
    write_recording(stereo_scene, tmp_path / 'lean', vertices=False, progress=False)
    with BagReader(tmp_path / 'lean') as lean, BagReader(stereo_bag) as full:
        for (_, _, a), (_, _, b) in zip(*(bag.messages('/ground_truth/hands/mesh') for bag in (lean, full))):
            assert [len(h.vertices) for h in a.hands] == [0, 0] and all(len(h.vertices) for h in b.hands)
            for one, other in zip(a.hands, b.hands):
                assert (one.pose, one.shape, one.joints) == (other.pose, other.shape, other.joints)


def test_sleeves_cover_the_end_of_the_forearm_for_every_shape(hand):
    model, rng = hand.model, np.random.default_rng(4)
    for _ in range(6):
        shape = np.clip(rng.normal(size=10), -2, 2)
        vertices, faces, uvs = sleeve_mesh(model, shape, rng)
        template = model.template_m + model.shape_dirs @ shape
        end = template[template[:, 0] > template[:, 0].max() - 0.02]
        axis = vertices[-37:].mean(0) - end.mean(0)
        axis /= np.linalg.norm(axis)
        assert axis[0] > 0.9                      # away from the hand
        rings = vertices.reshape(-1, 37, 3)
        middles = rings.mean(1)
        for point in end[::7]:
            ring = np.abs((middles - point) @ axis).argmin()
            radius = np.linalg.norm(rings[ring] - middles[ring], axis=1).max()
            assert np.linalg.norm(point - middles[ring]) < radius + 0.002
        assert faces.max() == len(vertices) - 1 and uvs.shape == (len(vertices), 2)


def test_people_differ_within_limits():
    people = [sample_appearance(np.random.default_rng(k), 10) for k in range(40)]
    tones = np.array([p.tone.lightness for p in people])
    assert tones.min() < 45 and tones.max() > 63 and np.abs([p.shape for p in people]).max() <= 2.0


def test_the_camera_model_blurs_brightens_and_adds_noise():
    flat = np.full((60, 80, 3), 100.0, np.float32)
    plain = captured(flat, Capture(blur_px=0, falloff=0, read_noise=0, shot_noise=0), np.random.default_rng(0))
    np.testing.assert_array_equal(plain, 100)
    lens = Capture(blur_px=0, gain=(1.2, 1.0, 0.8), falloff=0, read_noise=3.0, shot_noise=0)
    noisy = captured(flat, lens, np.random.default_rng(0))
    assert noisy.reshape(-1, 3).mean(0) == pytest.approx([120, 100, 80], abs=0.5) and 1.5 < noisy[..., 1].std() < 4.5
    corners = captured(flat, Capture(falloff=0.2, read_noise=0, shot_noise=0), np.random.default_rng(0))
    assert corners[0, 0, 0] == pytest.approx(80, abs=1) and corners[30, 40, 0] == pytest.approx(100, abs=1)


@pytest.mark.parametrize('field, value', [('frames', 0), ('cameras', 3), ('hands', 0), ('fps', 0.0),
                                          ('baseline_m', -0.1), ('width', 10), ('seed', -1)])
def test_bad_configurations_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f'{field}: '):
        SceneConfig(**{field: value})
    with pytest.raises(ValueError, match="view: 'above'"):
        SceneConfig(view='above')


def test_hands_that_cannot_be_seen_by_both_cameras_are_refused(hand):
    with pytest.raises(ValueError, match='leaves the view'):
        script_motion(hand, load_named_poses(), np.zeros(10), 'right', 5, 30.0, 'facing', camera_pair(1.5),
                      np.random.default_rng(0))
