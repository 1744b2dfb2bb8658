"""Recordings over processes: the same bytes however they came about, topics by ROS's conventions, labels exact."""
import hashlib
import json
import shutil

import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.bags.camera_topics import camera_topics
from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.recorded_pictures import recorded_pictures
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.geometry.rigs import load_rig
from hand_recon_ros.media.images import read_image
from hand_recon_ros.messages.cameras import camera_from_msg
from hand_recon_ros.messages.labels import (compressed_to_depth, compressed_to_mask, depth_to_compressed,
                                            mask_to_compressed)
from hand_recon_ros.messages.transforms import msg_to_transforms
from hand_recon_ros.synthesis.recording import START_NS, RecordingOptions, synthesize_recording, write_recording
from hand_recon_ros.synthesis.scene import Scene, SceneConfig
from hand_recon_ros.synthesis.workspace import Workspace

WIDE = SceneConfig(frames=10, seed=4, rig='wide', hands=1, width=128, height=96)
FULL = RecordingOptions(vertices=False, masks=True, depth=True)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope='module')
def scene():
    return Scene(WIDE)


@pytest.fixture(scope='module')
def bag_path(scene, tmp_path_factory):
    path = tmp_path_factory.mktemp('wide') / 'bag'
    write_recording(scene, path, FULL, progress=False)
    return path


def test_two_workers_an_ended_run_and_a_damaged_unit_come_to_what_one_process_writes(bag_path, tmp_path, monkeypatch):
    out = tmp_path / 'bag'
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, 'publish', lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            synthesize_recording(WIDE, out, FULL, workers=2, progress=False)
    assert not out.exists()
    assert digests(out.with_name('bag.partial') / 'assembled' / 'bag') == digests(bag_path)
    unit = out.with_name('bag.partial') / 'units' / 'frames-000008'
    unit.write_bytes(unit.read_bytes()[:-1] + b'?')
    with pytest.raises(ValueError, match='begun with other settings .scene.seed: 4, now 5'):
        synthesize_recording(SceneConfig(**{**vars(WIDE), 'seed': 5}), out, FULL, progress=False)
    assert synthesize_recording(WIDE, out, FULL, progress=False) == 2
    assert digests(out) == digests(bag_path) and [path.name for path in tmp_path.iterdir()] == ['bag']
    with pytest.raises(ValueError, match='bag: exists already'):
        synthesize_recording(WIDE, out, FULL, progress=False)


def test_a_wide_recording_has_the_topics_of_raw_images_and_where_the_cameras_stand(scene, bag_path):
    with BagReader(bag_path) as bag:
        assert {name: info.message_count for name, info in bag.topics.items()} == {
            '/tf_static': 1, '/ground_truth/hands/mesh': 10,
            **{f'/{side}/{name}': 10 for side in ('left', 'right') for name in ('image_raw/compressed', 'camera_info')},
            **{f'/ground_truth/{side}/{name}': 10 for side in ('left', 'right') for name in ('mask', 'depth')}}
        assert [name for name, info in bag.topics.items() if info.latched] == ['/tf_static']
        assert [topics.base for topics in camera_topics(bag)] == ['/left/image_raw', '/right/image_raw']
        first = {topic: (stamp, message) for topic, stamp, message in bag.messages() if stamp == START_NS}
        stamps = sorted({stamp for _, stamp, _ in bag.messages()})
    assert np.diff(stamps) == pytest.approx(1e9 / 30, abs=1)
    T_right_left = scene.rig.T_camera_first[1]
    transforms = msg_to_transforms(first['/tf_static'][1])
    assert list(transforms) == [('left_optical_frame', 'right_optical_frame')]
    T_left_right = transforms['left_optical_frame', 'right_optical_frame']
    assert np.linalg.inv(T_left_right) == pytest.approx(T_right_left, abs=1e-12)
    rig = load_rig(bag_path / 'rig.yaml')
    assert rig.T_right_left == pytest.approx(T_right_left, abs=1e-15) and not rig.is_rectified
    for k, (side, camera) in enumerate((('left', rig.left), ('right', rig.right))):
        info = first[f'/{side}/camera_info'][1]
        assert info.header.frame_id == f'{side}_optical_frame' and info.p[3] == 0.0
        assert info.distortion_model == 'plumb_bob' and np.any(info.d)
        for known in (camera_from_msg(info, False), scene.rig.cameras[k]):
            assert known.K == pytest.approx(camera.K) and known.D == pytest.approx(camera.D)


def test_masks_and_depth_are_the_scenes(scene, bag_path):
    frame = scene.frame(3)
    stamp = START_NS + round(3e9 / 30)
    with BagReader(bag_path) as bag:
        found = {topic: message for topic, at, message in bag.messages() if at == stamp}
    for k, side in enumerate(('left', 'right')):
        mask = compressed_to_mask(found[f'/ground_truth/{side}/mask'])
        np.testing.assert_array_equal(mask, frame.masks[k])
        depth = compressed_to_depth(found[f'/ground_truth/{side}/depth'])
        assert depth == pytest.approx(frame.depths_m[k], abs=0.00051) and (depth[mask > 0] > 0.1).all()
        assert found[f'/ground_truth/{side}/depth'].format == '16UC1; png compressed '
        joints = scene.rig.project(k, frame.estimates[0].joints_m)[[0, 5, 9, 13, 17]]
        u, v = np.round(joints).astype(int).T
        assert (mask[v, u] == 1).mean() >= 0.6
    recording = LabelledRecording.read(bag_path)
    picture, = recorded_pictures(recording, [3])
    np.testing.assert_array_equal(picture.mask, frame.masks[0])
    assert picture.joints_px[0] == pytest.approx(scene.rig.project(0, frame.estimates[0].joints_m), abs=1e-3)


def test_a_rectified_recording_says_its_baseline_and_nothing_twice(tmp_path):
    out = tmp_path / 'pair'
    assert cli.main(['synthesize', '--out', str(out), '--frames', '1', '--rig', 'rectified', '--baseline-m', '0.1',
                     '--hands', '1', '--size', '96x80', '--no-vertices', '--workers', '1',
                     '--sheet', str(tmp_path / 'sheet.png'), '--strip', str(tmp_path / 'strip.png'), '--draw-labels',
                     '--json', str(tmp_path / 'out.json')]) == 0
    with BagReader(out) as bag:
        assert set(bag.topics) == {'/left/image_rect/compressed', '/right/image_rect/compressed', '/left/camera_info',
                                   '/right/camera_info', '/ground_truth/hands/mesh'}
        infos = {topic: message for topic, _, message in bag.messages() if topic.endswith('info')}
    right = infos['/right/camera_info']
    assert right.p[3] == pytest.approx(-0.1 * right.p[0]) and infos['/left/camera_info'].p[3] == 0.0
    assert right.header.frame_id == 'left_optical_frame' and not (out / 'rig.yaml').exists()
    assert read_image(tmp_path / 'sheet.png').shape[1] == 2048 and read_image(tmp_path / 'strip.png').shape[1] == 256
    assert json.loads((tmp_path / 'out.json').read_text())['frames'] == 1


def test_bad_usage_of_the_command_is_one_line(tmp_path, capsys):
    (tmp_path / 'there').mkdir()
    for arguments, expected in ((['--out', str(tmp_path / 'there')], 'exists already'),
                                (['--out', str(tmp_path / 'there'), '--force'], 'exists and is no recording'),
                                (['--out', str(tmp_path / 'a'), '--crop', '128'], '--crop: not an option of --format'),
                                (['--out', str(tmp_path / 'a'), '--format', 'shards', '--size', '9x9'], '--size: not'),
                                (['--out', str(tmp_path / 'a'), '--format', 'shards', '--strip', 'x.png'], '--strip:'),
                                (['--out', str(tmp_path / 'a'), '--sheet', 'x.gif'], '--sheet: x.gif, expected a .png'),
                                (['--out', str(tmp_path / 'a'), '--jpeg-quality', '0'], 'jpeg_quality: 0'),
                                (['--out', str(tmp_path / 'a'), '--frames', '0'], 'frames: 0'),
                                (['--out', str(tmp_path / 'a'), '--workers', '0', '--frames', '1'], 'workers: 0')):
        assert cli.main(['synthesize', *arguments]) == 2
        error = capsys.readouterr().err
        assert expected in error and error.count('\n') == 1
        shutil.rmtree(tmp_path / 'a.partial', ignore_errors=True)
    assert [path.name for path in tmp_path.iterdir()] == ['there']


def test_label_messages_refuse_what_they_cannot_hold(tmp_path):
    depth = np.array([[0.0, 0.4321], [1.0, 65.535]], np.float32)
    assert compressed_to_depth(depth_to_compressed(depth, 0, 'a')) == pytest.approx(
        np.array([[0, 0.432], [1.0, 65.535]]), abs=1e-5)
    for bad in (np.full((2, 2), 66.0), np.full((2, 2), -0.1), np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match='depth_m'):
            depth_to_compressed(bad, 0, 'a')
    with pytest.raises(ValueError, match='mask: float64'):
        mask_to_compressed(np.zeros((2, 2)), 0, 'a')
    message = mask_to_compressed(np.eye(3, dtype=np.uint8), 0, 'a')
    np.testing.assert_array_equal(compressed_to_mask(message), np.eye(3))
    with pytest.raises(ValueError, match="format: 'mono8"):
        compressed_to_depth(message)
    message.data = message.data[:-20]
    with pytest.raises(ValueError, match='no whole PNG'):
        compressed_to_mask(message)
    with pytest.raises(ValueError, match="name: 'metadata.yaml'"), BagWriter(tmp_path / 'bag') as bag:
        bag.add_file('metadata.yaml', '')
    assert not (tmp_path / 'bag').exists()
