"""`reconstruct --left --right --rig`: paired images in, metric hands, meshes and overlays of both views out."""
import json

import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.benchmarks.detector import RECORDING, recorded_frames
from hand_recon_ros.commands.reconstruct import beside
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, save_rig
from hand_recon_ros.media.images import read_image, write_image

DISPARITY_PX, DEPTH_M = 60, 0.6
K = np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]])


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """Folder with left/, right/ and rig.yaml: two pictures, and the same as a camera 60 mm to the right would see them,
    were all in them 0.6 m away."""
    folder = tmp_path_factory.mktemp('pairs')
    for side in ('left', 'right'):
        (folder / side).mkdir()
    for name, frame in zip('ab', recorded_frames(str(RECORDING))[::20]):
        shifted = np.zeros_like(frame.image)
        shifted[:, :-DISPARITY_PX] = frame.image[:, DISPARITY_PX:]
        write_image(folder / 'left' / f'{name}.png', frame.image)
        write_image(folder / 'right' / f'other_{name}.png', shifted)
    T = np.eye(4)
    T[0, 3] = -DISPARITY_PX * DEPTH_M / 600
    save_rig(StereoRig(Camera(640, 480, K), Camera(640, 480, K), T), folder / 'rig.yaml')
    return folder


def reconstruct(folder, *arguments):
    return cli.main(['reconstruct', '--left', str(folder / 'left'), '--right', str(folder / 'right'), '--rig',
                     str(folder / 'rig.yaml'), '--offsets', 'synthetic', '--max-hands', '2', *map(str, arguments)])


def test_folders_of_pairs(recorded, tmp_path, capsys):
    out = tmp_path / 'out'
    assert reconstruct(recorded, '--out', out, '--json', tmp_path / 'summary.json') == 0
    stored = json.loads((out / 'hands.json').read_text())
    assert stored['model'] == 'open_hand' and [frame['source'] for frame in stored['frames']] == ['a.png', 'b.png']
    for frame in stored['frames']:
        assert {hand['handedness'] for hand in frame['hands']} == {'left', 'right'}
        for hand in frame['hands']:
            joints = np.array(hand['joints_3d'])
            assert hand['metric'] is True and np.median(joints[:, 2]) == pytest.approx(DEPTH_M, rel=0.03)
            for side, shift in (('left', 0.0), ('right', -0.06)):
                seen = (joints + [shift, 0, 0]) @ K.T
                assert np.array(hand['joints_2d'][side]) == pytest.approx(seen[:, :2] / seen[:, 2:], abs=0.1)
            apart = np.subtract(*(hand['joints_2d_detected'][side] for side in ('left', 'right')))
            assert np.median(apart, axis=0) == pytest.approx([DISPARITY_PX, 0], abs=2.0)
            assert (out / hand['mesh']).stat().st_size > 10_000
    for name in 'ab':
        assert read_image(out / 'overlays' / f'{name}.jpg').shape == (480, 1280, 3)
    summary = json.loads((tmp_path / 'summary.json').read_text())
    assert summary['hands'] == 4 and summary['epipolar_px_median'] < 2.0
    assert '4 hands seen by both cameras' in capsys.readouterr().out


def test_an_unreadable_partner_is_named_and_the_rest_is_done(recorded, tmp_path, capsys):
    folder = tmp_path / 'damaged'
    for side in ('left', 'right'):
        (folder / side).mkdir(parents=True)
        for file in (recorded / side).iterdir():
            (folder / side / file.name).write_bytes(file.read_bytes())
    (folder / 'rig.yaml').write_bytes((recorded / 'rig.yaml').read_bytes())
    (folder / 'right' / 'other_a.png').write_bytes(b'no picture')
    assert reconstruct(folder, '--out', tmp_path / 'out', '--no-meshes', '--no-overlays') == 1
    first, second = json.loads((tmp_path / 'out' / 'hands.json').read_text())['frames']
    assert first['hands'] == [] and 'other_a.png' in first['error'] and len(second['hands']) == 2
    assert 'other_a.png' in capsys.readouterr().err


def test_what_is_not_usable_is_one_line_and_status_2(recorded, tmp_path, capsys):
    out = ['--out', tmp_path / 'out']
    left, right, rig = recorded / 'left', recorded / 'right', recorded / 'rig.yaml'
    alone = tmp_path / 'alone'
    alone.mkdir()
    write_image(alone / 'a.png', np.zeros((480, 640, 3), np.uint8))
    small = tmp_path / 'small.png'
    write_image(small, np.zeros((240, 320, 3), np.uint8))
    for arguments, expected in (
            (['--left', left, '--right', right], 'all of --left, --right and --rig'),
            (['--image', left, '--rig', rig], 'give either --image'), ([], 'give either --image'),
            (['--left', left, '--right', alone, '--rig', rig], '--right: 1 images, expected 2'),
            (['--left', left, '--right', right, '--rig', rig, '--camera', rig], '--camera: only with --image'),
            (['--left', small, '--right', small, '--rig', rig], 'left small.png: image: 320 x 240, expected'),
            (['--left', left, '--right', right, '--rig', left / 'a.png'], 'not a readable YAML file')):
        assert cli.main(['reconstruct', *map(str, arguments + out)]) == 2, arguments
        error = capsys.readouterr().err
        assert expected in error and error.count('hand-recon reconstruct: ') == 1, error


def test_pictures_of_two_sizes_stand_beside_each_other():
    whole = beside([np.full((4, 3, 3), 7, np.uint8), np.full((2, 5, 3), 9, np.uint8)])
    assert whole.shape == (4, 8, 3) and whole[3, :3].min() == 7 and whole[1, 3:].min() == 9 and whole[3, 3:].max() == 0
