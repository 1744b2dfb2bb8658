"""Synthetic scenes: exact labels, any frame on its own, every view through every rig, what configs mean."""
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.synthesis.backgrounds import VIEWS
from hand_recon_ros.synthesis.motion import VIEW_DISTANCES_M, motion_keypoints, script_motions
from hand_recon_ros.synthesis.occluders import GAP_M, sample_occluder
from hand_recon_ros.synthesis.poses import PoseSpace
from hand_recon_ros.synthesis.rigs import RIGS, sample_rig
from hand_recon_ros.synthesis.scene import Scene, SceneConfig, labelled_vertices

SMALL = dict(frames=6, width=256, height=192)


@pytest.fixture(scope='module')
def space():
    return PoseSpace(load_hand_model('open_hand_long'))


@pytest.fixture(scope='module')
def scene():
    """A wide pair over a table: distorted lenses, shadows, a calibration that is wrong."""
    return Scene(SceneConfig(seed=11, view='desk', rig='wide', calibration_error=2.0, **SMALL))


def scripted(space, view='facing', kind='free', rig='mono', seed=0, frames=150, sides=('right', 'left')):
    rng = np.random.default_rng(seed)
    distance = max(rng.uniform(*VIEW_DISTANCES_M[view]), 0.6 if rig == 'wide' else 0)
    cameras, T = sample_rig(rig, 640, 480, distance, None, rng)
    motions = script_motions(space, sides, frames, 30.0, view, kind, cameras, T, distance, rng)
    return motions, np.stack([motion_keypoints(space, motion) for motion in motions]), cameras, T


@pytest.mark.parametrize('view, rig', list(product(VIEWS, RIGS)))
def test_every_view_and_rig_shows_both_hands_all_the_time(space, view, rig):
    for seed, kind in ((1, 'free'), (2, 'crossing')):
        motions, keypoints, cameras, _ = scripted(space, view, kind, rig, seed, 120)
        assert [m.handedness for m in motions] == ['right', 'left'] and motions[0].poses.shape == (120, 48)
        for k, camera in enumerate(cameras.cameras):
            assert camera.inside(cameras.project(k, keypoints)).all()
        apart = np.linalg.norm(keypoints[0][:, :, None] - keypoints[1][:, None], axis=-1)
        assert apart.min() > 0.039                  # hands are solid
        assert 0.25 < keypoints[..., 2].min() and keypoints[..., 2].max() < 1.7


def test_motion_is_smooth_and_of_human_speed(space):
    for seed, view in enumerate(VIEWS):
        _, keypoints, _, _ = scripted(space, view, seed=seed, frames=200)
        speed = np.linalg.norm(np.diff(keypoints, axis=1), axis=-1) * 30
        assert 0.05 < np.median(speed[:, :, 8]) < 1.0 and speed.max() < 4.0      # a finger tip, m/s
        assert np.abs(np.diff(keypoints, 2, axis=1)).max() < 0.025               # no teleporting between frames


def test_fingers_reach_many_poses_and_never_break_their_limits_at_them(space):
    motions, _, _, _ = scripted(space, frames=300)
    assert np.ptp(motions[0].poses[:, 3:], axis=0).max() > 0.8
    assert space.capsules.collide(motions[0].poses).mean() < 0.1      # only on the way from one pose to another


def test_crossing_hands_change_sides_one_before_the_other_and_come_back(space):
    for view in ('facing', 'desk'):
        _, keypoints, _, T = scripted(space, view, 'crossing', seed=3)
        middle = keypoints[:, :, [0, 9]].mean(2) - T[:3, 3]
        side = middle[0, :, 0] - middle[1, :, 0]
        assert side.min() < -0.08 and side.max() > 0.08
        change = np.flatnonzero(np.diff(np.sign(side)))
        assert len(change) >= 2 and (np.abs(np.diff(middle[:, change, 2], axis=0)) > 0.09).all()


def test_the_left_hand_lives_on_the_other_side(space):
    for view, sign in (('facing', -1), ('egocentric', 1)):
        _, keypoints, _, _ = scripted(space, view, seed=4)
        assert sign * keypoints[0, ..., 0].mean() > 0.04 and sign * keypoints[1, ..., 0].mean() < -0.04


def test_any_frame_on_its_own_is_the_same_as_in_a_row(scene):
    row = list(scene.frames())
    again = Scene(scene.config)
    for index in (5, 2):
        alone = again.frame(index)
        assert alone.index == index
        for name in ('images', 'masks', 'depths_m'):
            for one, other in zip(getattr(alone, name), getattr(row[index], name)):
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(alone.estimates[0].vertices_m, row[index].estimates[0].vertices_m)
    assert (row[0].images[0] != row[1].images[0]).mean() > 0.2                    # noise is a frame's own
    other = Scene(replace(scene.config, seed=12)).frame(2)
    assert (other.images[0] != row[2].images[0]).mean() > 0.8
    for index in (-1, 6):
        with pytest.raises(ValueError, match=f'index: {index}'):
            scene.frame(index)


def test_masks_and_depth_are_where_the_labels_project(scene):
    """The true cameras, bent lenses and all, see each hand's own vertices on its mask, at their depth or behind it."""
    frame = scene.frame(3)
    for k, (camera, mask, depth) in enumerate(zip(scene.true_rig.cameras, frame.masks, frame.depths_m)):
        assert mask.shape == depth.shape == (192, 256) and mask.dtype == np.uint8 and depth.dtype == np.float32
        assert set(np.unique(mask)) == {0, 1, 2} and (depth[mask > 0] > 0).all()
        assert (depth[mask == 0] > 0).mean() > 0.02                               # arms have depth and no mask
        for estimate in frame.estimates:
            value = {'right': 1, 'left': 2}[estimate.handedness]
            points = scene.true_rig.to_camera(k, estimate.vertices_m)
            u, v = np.round(camera.project(points)).astype(int).T
            near = cv2.dilate((mask == value).astype(np.uint8), np.ones((3, 3), np.uint8))
            assert near[v, u].mean() > 0.93                                       # a cuff may hide a wrist, no more
            behind = points[:, 2] - depth[v, u]
            on = (mask == value)[v, u]
            assert np.percentile(behind[on], 3) > -0.004                          # never clearly before the surface
            assert (np.abs(behind[on]) < 0.004).mean() > 0.3                      # about half the vertices are seen
            rows, columns = np.nonzero(mask == value)
            tree = cKDTree(camera.project(points))
            assert np.percentile(tree.query(np.stack([columns, rows], 1))[0], 99) < 4


def test_the_labelled_hand_and_the_drawn_one_agree():
    labelled, drawn = load_hand_model('open_hand'), load_hand_model('open_hand_long')
    labels = labelled_vertices(labelled, drawn)
    assert labels.sum() > 0.95 * labelled.vertex_count - 20
    assert drawn.template_m[labels == 0, 0].min() > 0.0                           # behind the wrist
    rng = np.random.default_rng(2)
    pose, shape = rng.normal(0, 0.3, 48), rng.normal(0, 1, 10)
    (long, keypoints), (short, same) = (JaxHand(model)(pose, shape, np.zeros(3)) for model in (drawn, labelled))
    assert keypoints == pytest.approx(same, abs=2e-4)
    distance, _ = cKDTree(short).query(long[labels == 1])
    assert np.median(distance) < 1e-5 and distance.max() < 0.005                  # cuffs are cut differently


def test_a_wrong_calibration_moves_the_reported_rig_and_nothing_else(scene):
    exact = Scene(replace(scene.config, calibration_error=0.0))
    assert exact.rig is exact.true_rig
    assert np.abs(scene.rig.T_camera_first - scene.true_rig.T_camera_first).max() > 1e-4
    np.testing.assert_array_equal(scene.rig.T_camera_first, exact.rig.T_camera_first)
    frame = scene.frame(0)
    joints = frame.estimates[0].joints_m
    shift = np.linalg.norm(scene.rig.project(1, joints) - scene.true_rig.project(1, joints), axis=1)
    assert 0.1 < shift.mean() < 12
    hand = JaxHand(load_hand_model('open_hand'))
    motion = scene.motions[0]
    vertices, _ = posed_hand(hand, motion.poses[0], scene.appearance.shape, motion.translations[0], 'right')
    assert frame.estimates[0].vertices_m == pytest.approx(vertices, abs=1e-6)


def test_things_stand_before_the_hands_and_hide_a_part_of_them(space):
    hidden = []
    for seed in range(40):
        _, keypoints, cameras, _ = scripted(space, seed=seed % 4, frames=30)
        points = keypoints.reshape(-1, 21, 3)
        thing = sample_occluder(np.random.default_rng(seed), points)
        if thing is None:
            continue
        assert thing.vertices_m[:, 2].max() < points[..., 2].min() - 0.5 * GAP_M
        image = np.zeros((480, 640), np.uint8)
        pixels = cameras.project(0, thing.vertices_m.astype(float))
        for face in thing.faces:
            cv2.fillConvexPoly(image, np.clip(np.round(pixels[face]), -3000, 3000).astype(np.int32), 1)
        u, v = np.round(cameras.project(0, points)).astype(int).reshape(-1, 2).T
        hidden.append(image[v, u].mean())
    assert len(hidden) > 25 and 0.01 < np.mean(hidden) < 0.35 and np.max(hidden) < 0.9


def test_occluders_are_drawn_with_depth_and_without_label():
    plain = SceneConfig(seed=5, view='facing', hands=2, **SMALL)
    free, hidden = Scene(plain), Scene(replace(plain, occluders=1.0))
    assert len(free._things) == 0 and len(hidden._things) >= 1
    np.testing.assert_array_equal(free.motions[0].poses, hidden.motions[0].poses)     # its own random numbers
    before, after = free.frame(2), hidden.frame(2)
    nearer = after.depths_m[0] + 0.01 < np.where(before.depths_m[0] > 0, before.depths_m[0], 99)
    thing = nearer & (after.depths_m[0] > 0)
    assert thing.sum() > 50 and (after.masks[0][thing] == 0).all()
    assert (after.masks[0][~thing] == before.masks[0][~thing]).mean() > 0.995


def test_photographs_are_put_behind_and_shift_by_their_disparity(tmp_path):
    rng = np.random.default_rng(0)
    pattern = cv2.GaussianBlur(rng.integers(0, 256, (600, 900, 3)).astype(np.uint8), (0, 0), 5)
    cv2.imwrite(str(tmp_path / 'wall.png'), cv2.normalize(pattern, None, 0, 255, cv2.NORM_MINMAX))
    scene = Scene(SceneConfig(seed=1, rig='rectified', baseline_m=0.1, hands=1, backgrounds=tmp_path, **SMALL))
    left, right = (backdrop.seen().astype(float) for backdrop in scene._backdrops)
    shift = scene.rig.cameras[0].fx_px * 0.1 / 2.5
    matrix = np.array([[1.0, 0, shift], [0, 1, 0]])
    back = cv2.warpAffine(right, matrix, (256, 192), flags=cv2.INTER_LINEAR)
    inner = np.s_[10:-10, 20:-20]
    assert np.abs(back - left)[inner].mean() < 1.5 < np.abs(right - left)[inner].mean()
    (tmp_path / 'none').mkdir()
    for folder, expected in ((tmp_path / 'none', 'holds no photograph'), (tmp_path / 'gone', 'is no folder')):
        with pytest.raises(ValueError, match=expected):
            Scene(SceneConfig(backgrounds=folder, **SMALL))


def test_a_head_s_background_moves_and_a_stand_s_does_not():
    for view, moves in (('egocentric', True), ('desk', False)):
        scene = Scene(SceneConfig(seed=2, view=view, frames=40, width=128, height=96, hands=1))
        one, other = (scene._behind_hands(0, index, [np.full((1, 3), 50.0)]).astype(float) for index in (0, 30))
        assert bool(np.abs(one - other).mean() > 1.0) is moves


@pytest.mark.parametrize('field, value', [
    ('frames', 0), ('hands', 0), ('hands', 3), ('fps', 0.0), ('width', 10), ('seed', -1), ('occluders', 1.5),
    ('calibration_error', -0.1), ('view', 'above'), ('rig', 'ring'), ('motion', 'dance'), ('baseline_m', 0.1)])
def test_bad_configurations_are_refused_by_name(field, value):
    with pytest.raises(ValueError, match=f'{field}: '):
        SceneConfig(**{field: value})
    with pytest.raises(ValueError, match='motion: crossing of 1 hand'):
        SceneConfig(hands=1, motion='crossing')
    with pytest.raises(ValueError, match='baseline_m: -0.1'):
        SceneConfig(rig='rectified', baseline_m=-0.1)


def test_hands_that_cannot_be_seen_by_both_cameras_are_refused(space):
    cameras, T = sample_rig('rectified', 640, 480, 0.5, 1.6, np.random.default_rng(0))
    with pytest.raises(ValueError, match='leaves the view'):
        script_motions(space, ('right',), 5, 30.0, 'facing', 'free', cameras, T, 0.5, np.random.default_rng(0))
