"""Loaders give the joints, cameras, sides, masks and units of folders whose every value the test itself wrote."""
import numpy as np
import pytest
from dataset_folders import (BACKGROUND, DEXYCB_SERIALS, hand_joints, level, moved, write_dexycb, write_freihand,
                             write_ho3d, write_humbi, write_interhand, write_rhd, write_stb)

from hand_recon_ros.datasets.dataset import projected
from hand_recon_ros.datasets.registry import open_dataset
from hand_recon_ros.datasets.sample import MASK_LEFT, MASK_RIGHT


def assert_shows(sample, joints, joints_tolerance_m=2e-6):
    """Joints are the written ones, and in every image each joint's own grey level lies where the sample puts it."""
    assert np.abs(sample.joints_m - joints).max() < joints_tolerance_m
    for view in sample.views:
        assert np.abs(projected(view.camera, sample.joints_m, view.T_view_first) - view.joints_px).max() < 0.02
        if view.image_reader is not None:
            assert_dots(view)


def assert_dots(view, joints=range(21)):
    u, v = np.round(view.joints_px[list(joints)]).astype(int).T
    seen = view.image()[v, u].astype(int)
    assert np.abs(seen - [[level(joint)] for joint in joints]).max() <= 4


def test_the_written_hand_can_tell_every_order_apart():
    px = projected_spacing()
    assert px.min() > 8            # squares of 7 pixels do not cover each other's centres


def projected_spacing():
    joints = hand_joints(x=-0.02, y=0.07, z=0.62)
    px = 480 * joints[:, :2] / joints[:, 2:]
    return np.linalg.norm(px[:, None] - px[None], axis=-1)[~np.eye(21, dtype=bool)]


def test_freihand(tmp_path):
    truth = write_freihand(tmp_path)
    training = open_dataset('freihand', tmp_path, 'training')
    assert len(training) == 12 and training[5].id == 'training/00000005'
    for index in range(12):
        sample = training[index]
        assert_shows(sample, truth[index % 3])
        # the four versions of a pose are different images with one label
        assert abs(int(sample.views[0].image()[0, 0, 0]) - BACKGROUND - 5 * (index // 3)) <= 2
    sample = training[4]
    assert (sample.handedness, sample.joint_definition, sample.model) == ('right', 'mano_tips', 'mano')
    assert sample.flat_hand_mean is False and sample.pose_space == 'axis_angle' and sample.translation is None
    np.testing.assert_allclose(sample.pose, np.arange(48) / 100 + 1, rtol=1e-6)
    np.testing.assert_allclose(sample.shape, np.arange(48, 58) / 100 + 1, rtol=1e-6)
    np.testing.assert_allclose(sample.vertices_m, np.arange(778 * 3).reshape(778, 3) / 1e4 + 1, rtol=1e-6)
    mask, px = sample.views[0].mask(), np.round(sample.views[0].joints_px).astype(int)
    assert set(np.unique(mask)) == {0, MASK_RIGHT} and mask[px[9, 1], px[9, 0]] == MASK_RIGHT and mask[0, 0] == 0
    auto = open_dataset('freihand', tmp_path, 'training_auto')
    assert len(auto) == 3 and auto[0].views[0].image_reader.path.name == '00000009.jpg'
    hidden = open_dataset('freihand', tmp_path, 'evaluation')
    assert len(hidden) == 1 and hidden[0].joints_m is None and hidden[0].views[0].joints_px is None
    assert hidden[0].pose is None and not hidden[0].joint_valid.any() and hidden[0].views[0].camera.fx_px == 480
    (tmp_path / 'evaluation_xyz.json').write_text(str([truth[0].tolist()]))
    assert_shows(open_dataset('freihand', tmp_path, 'evaluation')[0], truth[0])


def test_rhd(tmp_path):
    truth = write_rhd(tmp_path)
    dataset = open_dataset('rhd', tmp_path, 'training')
    assert [sample.id for sample in dataset] == [f'training/{n:05d}/{side}' for n, side in
                                                 ((0, 'right'), (1, 'left'), (1, 'right'))]
    for sample, ((_, side), joints) in zip(dataset, truth.items()):
        assert sample.handedness == side and sample.joint_definition == 'rhd'
        assert_shows(sample, joints)
        view = sample.views[0]
        mask, px = view.mask(), np.round(view.joints_px).astype(int)
        assert mask[px[9, 1], px[9, 0]] == {'right': MASK_RIGHT, 'left': MASK_LEFT}[side]
        assert mask[319, 0] == 0                              # the person is no hand
        np.testing.assert_allclose(view.depth(), 0.45, atol=5 / 65535)
    assert np.flatnonzero(~dataset[0].views[0].joint_visible).tolist() == [4]       # the thumb's tip
    assert dataset[2].views[0].joint_visible.all()


def test_stb(tmp_path):
    stereo, colour = write_stb(tmp_path)
    pair = open_dataset('stb', tmp_path, 'evaluation')
    assert len(pair) == 4 and [s.id for s in pair][::3] == ['B1Counting/BB/0', 'B1Random/BB/1']
    for index, sample in enumerate(pair):
        assert_shows(sample, stereo[index % 2])
        assert sample.handedness == 'left' and sample.joint_definition == 'stb_palm' and len(sample.views) == 2
        left, right = (view.joints_px for view in sample.views)
        # a rectified pair: equal rows, disparity = f b / z
        np.testing.assert_allclose(left[:, 1], right[:, 1], atol=1e-3)
        np.testing.assert_allclose(left[:, 0] - right[:, 0], 822.79041 * 0.120054 / sample.joints_m[:, 2], atol=0.01)
    depth = open_dataset('stb', tmp_path, 'evaluation_sk')
    for index, sample in enumerate(depth):
        assert_shows(sample, colour[index % 2])
        np.testing.assert_allclose(sample.views[1].depth(), 0.451, atol=1e-6)
        with pytest.raises(ValueError, match='image: the view depth has none'):
            sample.views[1].image()
    with pytest.raises(ValueError, match='labels .*B2Counting_BB.mat: no such file'):
        open_dataset('stb', tmp_path, 'training')


def test_dexycb(tmp_path):
    truth = write_dexycb(tmp_path)
    single = open_dataset('dexycb', tmp_path, 's0_val')
    assert len(single) == 2 * 20 * 8
    for k, serial in enumerate(DEXYCB_SERIALS):
        sample = single[k]
        assert sample.id == f'20200709-subject-01/20200109_000004/{serial}/000000' and sample.handedness == 'left'
        view = sample.views[0]
        assert view.camera.fx_px == 600.5 + k and view.camera.fy_px == 600.25 + k
        assert view.camera.centre_px.tolist() == [320 + k, 240 + k]
        np.testing.assert_allclose(view.depth(), 0.7 + 0.001 * k, atol=1e-6)
        assert set(np.unique(view.mask())) == {0, MASK_LEFT}
        if k == 2:
            assert sample.joints_m is None and sample.pose is None and view.joints_px is None
            continue
        assert_shows(sample, truth[k])
        assert (sample.pose_space, sample.flat_hand_mean, sample.subject) == ('pca', False, '20200709-subject-01')
        assert sample.pose.tolist() == list(range(k, 48 + k))
        assert sample.translation.tolist() == [48 + k, 49 + k, 50 + k]
        np.testing.assert_allclose(sample.shape, 0.1 * np.arange(10), rtol=1e-6)
    together = open_dataset('dexycb', tmp_path, 's0_val_multiview')
    assert len(together) == 40 and [view.name for view in together[0].views] == list(DEXYCB_SERIALS)
    # the camera without label shows the hand where the others' labels put it
    assert_shows(together[0], truth[0])
    assert len(open_dataset('dexycb', tmp_path, 'all')) == 2 * 100 * 8
    with pytest.raises(ValueError, match='20200820-subject-03: 0 sequences, expected 100'):
        open_dataset('dexycb', tmp_path, 's0_train')


def test_dexycb_setups_do_not_overlap():
    from hand_recon_ros.datasets.dexycb import _SETUPS
    sizes = {}
    for setup in ('s0', 's1', 's2', 's3'):
        parts = []
        for part in ('train', 'val', 'test'):
            subjects, serials, keep = _SETUPS[f'{setup}_{part}']
            parts.append({(s, c, q) for s in subjects for c in serials for q in range(100) if keep(q)})
            sizes[f'{setup}_{part}'] = len(parts[-1])
        assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert sizes == {'s0_train': 6400, 's0_val': 320, 's0_test': 1280, 's1_train': 5600, 's1_val': 800, 's1_test': 1600,
                     's2_train': 6000, 's2_val': 1000, 's2_test': 1000, 's3_train': 6000, 's3_val': 800,
                     's3_test': 1200}


@pytest.mark.parametrize('version', [2, 3])
def test_ho3d(tmp_path, version):
    joints = write_ho3d(tmp_path, version)
    training = open_dataset(f'ho3d_v{version}', tmp_path, 'train')
    sample, bare = training
    assert_shows(sample, joints)
    assert sample.joints_m[:, 2].min() > 0.4                  # in front of the camera: OpenCV's axes
    assert sample.pose_space == 'axis_angle' and sample.flat_hand_mean is True
    np.testing.assert_allclose(sample.pose, np.arange(48) / 50, rtol=1e-6)
    np.testing.assert_allclose(moved(sample.T_first_model, sample.translation), [0.1, -0.2, 0.5], atol=1e-7)
    np.testing.assert_allclose(sample.views[0].depth(), 0.55, atol=1e-4)
    mask = sample.views[0].mask()
    assert (mask is None) == (version == 2)
    if version == 3:
        u, v = np.round(sample.views[0].joints_px[9]).astype(int)
        assert mask[v, u] == MASK_RIGHT and mask[5, 5] == 0
    assert bare.joints_m is None and bare.pose is None and bare.views[0].image().shape == (480, 640, 3)
    wrist = open_dataset(f'ho3d_v{version}', tmp_path, 'evaluation')[0]
    assert wrist.joint_valid.tolist() == [True] + [False] * 20 and np.isnan(wrist.joints_m[1:]).all()
    np.testing.assert_allclose(wrist.joints_m[0], joints[0], atol=1e-6)
    assert wrist.views[0].box_px.tolist() == [200, 100, 400, 300] and wrist.pose is None
    assert_dots(wrist.views[0], [0])


def test_ho3d_evaluation_labels_published_later(tmp_path):
    joints = write_ho3d(tmp_path, 3, evaluation_labels=True)
    sample = open_dataset('ho3d_v3', tmp_path, 'evaluation')[0]
    assert_shows(sample, joints)
    assert sample.vertices_m.shape == (778, 3) and (sample.vertices_m == 0.5).all()


def test_humbi(tmp_path):
    world, cameras = write_humbi(tmp_path)
    left, right = open_dataset('humbi', tmp_path)
    for sample, side, first, count in ((left, 'left', 11, 1), (right, 'right', 4, 2)):
        assert (sample.handedness, len(sample.views), sample.subject, sample.metric) == (side, count, '3', False)
        assert_shows(sample, moved(cameras[first], world[side]))
        np.testing.assert_allclose(sample.T_first_model, cameras[first], atol=1e-12)
        vertices = np.arange(778 * 3).reshape(778, 3) / 1e4
        np.testing.assert_allclose(sample.vertices_m, moved(cameras[first], vertices), atol=1e-6)
        assert sample.translation.tolist() == [0, 1, 2] and sample.pose.tolist() == list(range(3, 26))
        assert sample.shape.tolist() == list(range(26, 36)) and sample.pose_space == 'pca'


def test_interhand(tmp_path):
    world, cameras = write_interhand(tmp_path)
    samples = list(open_dataset('interhand', tmp_path, 'train'))
    assert [(s.handedness, s.views[0].name) for s in samples] == [
        ('right', '400262'), ('left', '400262'), ('right', '400263'), ('left', '400263'), ('right', '400262')]
    for sample in samples:
        truth = moved(cameras[sample.views[0].name], world[sample.handedness])
        known = sample.joint_valid
        np.testing.assert_allclose(sample.joints_m[known], truth[known], atol=1e-6)
        assert np.flatnonzero(~known).tolist() == ([] if sample.handedness == 'right' else [16])    # the ring's tip
        assert np.isnan(sample.joints_m[~known]).all() and np.isnan(sample.views[0].joints_px[~known]).all()
        assert_dots(sample.views[0], np.flatnonzero(known))
        assert sample.subject == '5' and sample.joint_definition == 'interhand'
    # a box of both hands is not this hand's
    assert samples[4].views[0].box_px.tolist() == [60, 80, 260, 380] and samples[0].views[0].box_px[0] != 60
    fitted = samples[2]
    assert fitted.model == 'mano' and fitted.flat_hand_mean is False and samples[1].pose is None
    np.testing.assert_allclose(fitted.T_first_model, cameras['400263'], atol=1e-12)
    np.testing.assert_allclose(fitted.translation, [0.1, 0.2, 0.9], rtol=1e-6)
    together = open_dataset('interhand', tmp_path, 'train_multiview')
    assert [(s.handedness, len(s.views)) for s in together] == [('right', 2), ('left', 2), ('right', 1)]
    assert_shows(together[0], moved(cameras['400262'], world['right']))
