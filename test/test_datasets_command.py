"""`hand-recon dataset` on written folders: counts, problems, exit status, the sheet; curated folders, real and small."""
import json
from pathlib import Path

import numpy as np
import pytest
from dataset_folders import hand_joints, level, painted, pixels, save, turned, write_freihand, write_stb

from hand_recon_ros import cli
from hand_recon_ros.datasets.dataset import projected
from hand_recon_ros.datasets.preview import CELL_PX, close_up
from hand_recon_ros.datasets.registry import open_dataset
from hand_recon_ros.datasets.sample import MASK_LEFT
from hand_recon_ros.media.images import read_image

REAL = Path(__file__).resolve().parents[2] / 'shared' / 'data' / 'real'


def write_curated(root):
    """A left hand in two cameras with a mask, and a photograph of which nothing is known."""
    world, K = hand_joints('left', x=0.04, y=0.06, z=0.8), [[700.0, 0, 250], [0, 700.0, 200], [0, 0, 1]]
    cameras = [turned((0, 1, 0), 0.1, (-0.05, 0, 0)), turned((1, 0, 0), -0.1, (0, -0.1, 0))]
    views, joints = [], []
    for place, T in enumerate(np.linalg.inv(cameras)):
        joints.append(world @ T[:3, :3].T + T[:3, 3])
        px = pixels(K, joints[-1])
        save(root / 'images' / f'{place}.png', painted((500, 400), px))
        views.append({'image': f'images/{place}.png', 'size': [500, 400], 'K': K, 'T_cam_world': T.tolist(),
                      'joints_2d': px.tolist()})
    save(root / 'images' / 'mask.png', np.full((400, 500), 255, np.uint8))
    save(root / 'images' / 'photo.png', np.zeros((30, 40, 3), np.uint8))
    known = {'id': 'known', 'views': views, 'joints_3d': joints[0].tolist(), 'handedness': 'left', 'subject': 'someone',
             'mesh_verts': None, 'mask': 'images/mask.png', 'gt_kind': 'MANO fit', 'source': 'TACO'}
    photo = {'id': 'photo', 'views': [{'image': 'images/photo.png', 'size': [40, 30], 'K': None, 'T_cam_world': None,
                                       'joints_2d': None}], 'joints_3d': None, 'handedness': None, 'gt_kind': 'none'}
    (root / 'samples.json').write_text(json.dumps([known, photo]))
    return joints[0]


def test_curated_folder(tmp_path):
    joints = write_curated(tmp_path)
    known, photo = open_dataset('curated', tmp_path)
    np.testing.assert_allclose(known.joints_m, joints, atol=1e-6)
    for view in known.views:
        np.testing.assert_allclose(projected(view.camera, known.joints_m, view.T_view_first), view.joints_px, atol=0.01)
        u, v = np.round(view.joints_px).astype(int).T
        assert (view.image()[v, u, 0] == [level(joint) for joint in range(21)]).all()
    assert (known.handedness, known.joint_definition) == ('left', 'mano_tips')
    assert known.subject == 'someone' and known.metric
    assert (known.views[0].mask() == MASK_LEFT).all() and known.views[1].mask() is None
    assert (photo.handedness, photo.joint_definition, photo.metric) == ('', '', False)
    assert photo.views[0].camera is None and photo.views[0].box_px is None
    assert close_up(photo.views[0]).image.shape == (CELL_PX, CELL_PX, 3)


def test_curated_damage(tmp_path):
    write_curated(tmp_path)
    path = tmp_path / 'samples.json'
    stored = json.loads(path.read_text())
    stored[0]['views'][1]['T_cam_world'][0][0] = 3.0
    (tmp_path / 'images' / 'photo.png').unlink()
    path.write_text(json.dumps(stored))
    problems = list(open_dataset('curated', tmp_path).check(pixels=True))
    assert 'entry 0 (known) view 1 T_cam_world: its 3 x 3 is no rotation' in problems[0]
    assert problems[1].startswith('missing image files: 1 of 1') and len(problems) == 2
    del stored[1]['views'][0]['size']
    path.write_text(json.dumps(stored))
    with pytest.raises(ValueError, match=r'entry 1 \(photo\) view 0: size is missing'):
        open_dataset('curated', tmp_path)[1]


def test_a_crop_keeps_the_joints_on_their_marks(tmp_path):
    write_curated(tmp_path)
    picture = close_up(open_dataset('curated', tmp_path)[0].views[0])
    u, v = np.round(picture.joints_px[0]).astype(int).T
    assert np.abs(picture.image[v, u, 0].astype(int) - [level(joint) for joint in range(21)]).max() <= 2
    assert (picture.mask[v, u] == MASK_LEFT).all()


def test_command_counts_checks_and_draws(tmp_path, capsys):
    write_freihand(tmp_path / 'set')
    arguments = ['dataset', 'freihand', str(tmp_path / 'set')]
    sheet, figures = tmp_path / 'sheet.png', tmp_path / 'out.json'
    assert cli.main([*arguments, '--check', '--pixels', '--sheet', str(sheet), '--json', str(figures)]) == 0
    out = capsys.readouterr().out
    assert 'freihand training: 12 samples' in out and 'joint definition mano_tips' in out and 'mano axis_angle' in out
    assert read_image(sheet).shape[1] > 8 * CELL_PX - 1
    assert json.loads(figures.read_text())['samples'] == 12 and json.loads(figures.read_text())['problems'] == []
    (tmp_path / 'set' / 'training' / 'rgb' / '00000003.jpg').unlink()
    assert cli.main([*arguments, '--check', '--json', str(figures)]) == 1
    assert 'missing image files: 1 of 12' in capsys.readouterr().err
    assert len(json.loads(figures.read_text())['problems']) == 1
    assert cli.main([*arguments, '--split', 'evaluation']) == 0
    assert 'joints in space  0 of 1 looked at' in capsys.readouterr().out
    for wrong, message in ((['--pixels'], '--pixels: given without --check'), (['--split', 'x'], "split 'x', expected"),
                           (['--sheet', 'a.gif'], 'a.gif, expected a .png')):
        assert cli.main([*arguments, *wrong]) == 2
        error = capsys.readouterr().err
        assert message in error and error.count('\n') == 1


def test_command_shows_both_images_of_a_pair(tmp_path, capsys):
    write_stb(tmp_path)
    assert cli.main(['dataset', 'stb', str(tmp_path), '--split', 'evaluation', '--sheet', str(tmp_path / 's.jpg')]) == 0
    assert 'views            2 (4 x)' in capsys.readouterr().out
    assert read_image(tmp_path / 's.jpg').shape[0] >= CELL_PX


@pytest.mark.skipif(not (REAL / 'temuge_stereo').is_dir(), reason='the real recordings are not beside the checkout')
def test_real_folders():
    stereo = open_dataset('curated', REAL / 'temuge_stereo')
    assert len(stereo) == 40 and not list(stereo.check())
    for sample in stereo:
        assert (sample.handedness, sample.joint_definition, sample.metric) == ('right', 'mediapipe', False)
        for view in sample.views:
            seen = projected(view.camera, sample.joints_m, view.T_view_first)
            assert np.abs(seen - view.joints_px).max() < 0.01
    assert [len(open_dataset('curated', REAL / name)) for name in ('photos', 'keypoints_2d')] == [35, 5]
    assert {sample.joint_definition for sample in open_dataset('curated', REAL / 'keypoints_2d')} == {'manual'}
