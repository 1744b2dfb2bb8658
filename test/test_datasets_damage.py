"""Everything that can be wrong with a downloaded set is named: the file, the label, what was expected."""
import json
import pickle
import re

import numpy as np
import pytest
from dataset_folders import (write_dexycb, write_freihand, write_ho3d, write_humbi, write_interhand, write_rhd,
                             write_stb)

from hand_recon_ros.datasets import json_rows
from hand_recon_ros.datasets.json_rows import JsonRows
from hand_recon_ros.datasets.registry import DATASETS, dataset_class, open_dataset
from hand_recon_ros.datasets.sample import Sample, View
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.pickle_reader import read_pickled_tree


def rewrite(path, change):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content)))


def test_unknown_names_splits_and_roots(tmp_path):
    with pytest.raises(ValueError, match="data set 'mnist': unknown, expected one of freihand, rhd, stb"):
        open_dataset('mnist', tmp_path)
    for name in DATASETS:
        first = dataset_class(name).SPLITS[0]
        with pytest.raises(ValueError, match=f"{name}: split 'nonsense', expected one of {first}"):
            open_dataset(name, tmp_path, 'nonsense')
        with pytest.raises(ValueError, match='no such folder, expected'):
            open_dataset(name, tmp_path / 'nowhere')
        with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
            open_dataset(name, tmp_path)             # an empty folder


def test_freihand_partial_download_is_counted(tmp_path):
    write_freihand(tmp_path)
    for k in (2, 5, 7):
        (tmp_path / 'training' / 'rgb' / f'{k:08d}.jpg').unlink()
    (tmp_path / 'training' / 'mask' / '00000001.jpg').write_bytes(b'')
    dataset = open_dataset('freihand', tmp_path, 'training')
    assert len(dataset) == 12 and dataset[2].joints_m is not None       # labels do not need the image
    with pytest.raises(ValueError, match='00000002.jpg: no such file'):
        dataset[2].views[0].image()
    assert list(dataset.check()) == [
        f'missing image files: 3 of 12, first {tmp_path / "training" / "rgb" / "00000002.jpg"}']
    damaged = list(dataset.check(pixels=True))
    assert len(damaged) == 2 and '00000001.jpg: not readable as an image (0 bytes)' in damaged[0]


def test_freihand_damaged_labels(tmp_path):
    write_freihand(tmp_path)
    path = tmp_path / 'training_xyz.json'
    whole = path.read_text()

    def nan_row(rows):
        rows[1][3][0] = float('nan')
        return rows

    rewrite(path, nan_row)
    dataset = open_dataset('freihand', tmp_path, 'training')
    assert dataset[0].joints_m is not None
    with pytest.raises(ValueError, match=r'training_xyz.json row 1: 1 of 63 values are not finite'):
        dataset[1]
    assert [p.split(':')[0] for p in dataset.check()] == ['sample 1', 'sample 4', 'sample 7', 'sample 10']
    rewrite(path, lambda rows: [rows[0], rows[0], rows[0][:20]])
    with pytest.raises(ValueError, match=r'row 2: shape \(20, 3\), expected 21 x 3'):
        open_dataset('freihand', tmp_path, 'training')[2]
    path.write_text(whole.replace('], [[', '], [["x", ', 1))
    with pytest.raises(ValueError, match='training_xyz.json: holds text'):
        open_dataset('freihand', tmp_path, 'training')
    path.write_text(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match=r'training_xyz.json: ends within row 1 after \d+ bytes.*truncated'):
        open_dataset('freihand', tmp_path, 'training')
    path.write_text(json.dumps(json.loads(whole)[:2]))
    with pytest.raises(ValueError, match='training_xyz.json: 2 rows, expected 3 as in K'):
        open_dataset('freihand', tmp_path, 'training')
    path.unlink()
    with pytest.raises(ValueError, match='xyz .*training_xyz.json: no such file'):
        open_dataset('freihand', tmp_path, 'training')


def test_freihand_camera_without_focal_length(tmp_path):
    write_freihand(tmp_path)
    rewrite(tmp_path / 'training_K.json', lambda rows: [[[0, 0, 1], [0, 0, 1], [0, 0, 1]]] * 3)
    with pytest.raises(ValueError, match='K: fx is 0, expected a positive focal length'):
        open_dataset('freihand', tmp_path, 'training')[0]


def test_json_rows_over_block_borders(tmp_path, monkeypatch):
    rows = [[[k, k + 0.5], [-k, 1e-5]] for k in range(40)] + [[]]
    (tmp_path / 'a.json').write_text(json.dumps(rows, indent=1))
    for size in (1, 7, 64):
        monkeypatch.setattr(json_rows, '_BLOCK_BYTES', size)
        opened = JsonRows(tmp_path / 'a.json', 'rows')
        assert [opened[k] for k in range(len(opened))] == rows
    (tmp_path / 'b.json').write_text('17')
    with pytest.raises(ValueError, match='no rows in 2 bytes'):
        JsonRows(tmp_path / 'b.json', 'rows')


def test_rhd_damage(tmp_path):
    write_rhd(tmp_path)
    path = tmp_path / 'training' / 'anno_training.pickle'
    stored = pickle.loads(path.read_bytes())
    (tmp_path / 'training' / 'depth' / '00001.png').unlink()
    assert list(open_dataset('rhd', tmp_path).check()) == [
        f'missing depth files: 1 of 2, first {tmp_path / "training" / "depth" / "00001.png"}']
    stored[1]['xyz'][30] = np.nan
    path.write_bytes(pickle.dumps(stored))
    with pytest.raises(ValueError, match='anno_training.pickle image 1 xyz: 3 of 126 values are not finite'):
        open_dataset('rhd', tmp_path)[2]
    del stored[0]['uv_vis']
    path.write_bytes(pickle.dumps(stored))
    with pytest.raises(ValueError, match=r'image 0: uv_vis is missing \(fields xyz, K\)'):
        open_dataset('rhd', tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match='anno_training.pickle: not a readable pickle'):
        open_dataset('rhd', tmp_path)


def test_pickles_run_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / 'ran'), 'w'))

    path = tmp_path / 'bomb.pkl'
    path.write_bytes(pickle.dumps({'K': Bomb()}))
    with pytest.raises(ValueError, match='bomb.pkl: .*io.open is not allowed'):
        read_pickled_tree(path)
    assert not (tmp_path / 'ran').exists()
    content = {1: {'a': np.arange(3), 'b': [None, 'text', 2.5, np.float32(1.5), {'c': (True, b'x')}]}}
    for protocol in (0, 2, 5):
        path.write_bytes(pickle.dumps(content, protocol=protocol))
        read = read_pickled_tree(path)
        assert read[1]['a'].tolist() == [0, 1, 2]
        assert read[1]['b'][:4] == [None, 'text', 2.5, 1.5] and read[1]['b'][4]['c'][0] is True
    path.write_bytes(pickle.dumps({'deep': [{'objects': np.array([object, None])}]}))
    with pytest.raises(ValueError, match='bomb.pkl'):
        read_pickled_tree(path)


def test_stb_damage(tmp_path):
    write_stb(tmp_path)
    (tmp_path / 'images' / 'B1Random' / 'BB_right_1.png').unlink()
    assert list(open_dataset('stb', tmp_path, 'evaluation').check()) == [
        f'missing image files: 1 of 8, first {tmp_path / "images" / "B1Random" / "BB_right_1.png"}']
    path = tmp_path / 'labels' / 'B1Random_BB.mat'
    whole = path.read_bytes()
    for damaged in (whole[:300], b'', b'no matlab file at all' * 20):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match='labels .*B1Random_BB.mat: '):
            open_dataset('stb', tmp_path, 'evaluation')


def test_dexycb_damage(tmp_path):
    write_dexycb(tmp_path, subjects=('20200709-subject-01',), sequences=3, filled=1)
    with pytest.raises(ValueError, match='20200709-subject-01: 3 sequences, expected 100: split s1_train counts them'):
        open_dataset('dexycb', tmp_path, 's1_train')
    dataset = open_dataset('dexycb', tmp_path, 'all')
    problems = list(dataset.check(pixels=True))
    # what a partial download lacks: 9 subjects, sequences of the first, and 16 of its 24 label files
    assert len(problems) == 11 and problems[0].endswith('20200709-subject-01: 3 sequences, expected 100')
    assert problems[-1].startswith('missing labels files: of 16 of 24 samples, first ')
    folder = tmp_path / '20200709-subject-01' / '20200109_000001'
    path = folder / '836212060125' / 'labels_000000.npz'
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match='836212060125/labels_000000.npz: not a readable .npz'):
        dataset[8]
    with np.load(folder / '839512060362' / 'labels_000000.npz') as stored:
        arrays = dict(stored)
    np.savez(path, **{**arrays, 'joint_3d': arrays['joint_3d'][:, :20]})
    with pytest.raises(ValueError, match=r'labels_000000.npz joint_3d: shape \(1, 20, 3\), expected 1 x 21 x 3'):
        dataset[8]
    np.savez(path, **{name: array for name, array in arrays.items() if name != 'joint_2d'})
    with pytest.raises(ValueError, match='labels_000000.npz: joint_2d is missing'):
        dataset[8]
    np.savez(path, **{**arrays, 'joint_3d': np.where(np.arange(3) == 1, np.nan, arrays['joint_3d'])})
    with pytest.raises(ValueError, match='joint_3d: 21 of 63 values are not finite'):
        dataset[8]
    (folder / 'meta.yml').write_text('num_frames: [')
    with pytest.raises(ValueError, match='meta .*meta.yml: not YAML'):
        open_dataset('dexycb', tmp_path, 'all')
    (folder / 'meta.yml').write_text('num_frames: 1\nmano_sides: [both]\nmano_calib: [a]\n')
    with pytest.raises(ValueError, match='mano_sides, mano_calib: .*expected one hand'):
        open_dataset('dexycb', tmp_path, 'all')


def test_ho3d_damage(tmp_path):
    write_ho3d(tmp_path, 3)
    meta = tmp_path / 'train' / 'ABF10' / 'meta' / '0000.pkl'
    stored = pickle.loads(meta.read_bytes())
    meta.write_bytes(pickle.dumps({**stored, 'handPose': np.zeros(45)}))
    with pytest.raises(ValueError, match=r'0000.pkl handPose: shape \(45,\), expected 48'):
        open_dataset('ho3d_v3', tmp_path, 'train')[0]
    meta.unlink()
    (tmp_path / 'train' / 'ABF10' / 'rgb' / '0001.jpg').unlink()
    assert list(open_dataset('ho3d_v3', tmp_path, 'train').check()) == [
        f'missing labels files: of 1 of 2 samples, first {meta}',
        f'missing image files: 1 of 1, first {tmp_path / "train" / "ABF10" / "rgb" / "0001.jpg"}']
    # version 2's images are PNG: the wrong name for a root shows at once
    assert list(open_dataset('ho3d_v2', tmp_path, 'evaluation').check())[0].startswith('missing image files: 1 of 1')
    (tmp_path / 'train.txt').write_text('ABF10/0000\n../../secret\n')
    with pytest.raises(ValueError, match="train.txt: line '../../secret', expected SEQUENCE/FRAME"):
        open_dataset('ho3d_v3', tmp_path, 'train')


def test_humbi_damage(tmp_path):
    write_humbi(tmp_path)
    frame = tmp_path / 'subject_3' / 'hand' / '00000041'
    (frame / 'image_cropped' / 'right' / 'image0000011.png').write_bytes(b'\x89PNG')
    (frame / 'reconstruction' / 'keypoints_l.txt').unlink()
    problems = list(open_dataset('humbi', tmp_path).check(pixels=True))
    assert len(problems) == 2 and 'image0000011.png: not readable as an image (4 bytes)' in problems[0]
    assert problems[1].startswith('missing keypoints files: of 1 of 2 samples')
    (frame / 'reconstruction' / 'keypoints_r.txt').write_text('1 2 3\n' * 20 + '1 2 x\n')
    with pytest.raises(ValueError, match='keypoints_r.txt: not a table of numbers'):
        open_dataset('humbi', tmp_path)[1]
    (frame / 'reconstruction' / 'keypoints_r.txt').write_text('1 2 3\n' * 20)
    with pytest.raises(ValueError, match=r'keypoints_r.txt: shape \(20, 3\), expected 21 x 3'):
        open_dataset('humbi', tmp_path)[1]
    (frame / 'image_cropped' / 'left' / 'list.txt').write_text('12 0 10 0 10\n')
    (frame / 'reconstruction' / 'keypoints_l.txt').write_text('1 2 3\n' * 21)
    with pytest.raises(ValueError, match='camera 12, expected one of intrinsic.txt'):
        open_dataset('humbi', tmp_path)[0]
    intrinsics = tmp_path / 'subject_3' / 'hand' / 'intrinsic.txt'
    intrinsics.write_text(intrinsics.read_text().rsplit('\n', 3)[0])
    with pytest.raises(ValueError, match='intrinsic.txt: .* lines after the header, expected 4 for each camera'):
        open_dataset('humbi', tmp_path)[0]


def test_interhand_damage(tmp_path):
    write_interhand(tmp_path)
    folder = tmp_path / 'annotations' / 'train'

    def lose_camera(content):
        del content['0']['campos']['400263']
        return content

    def odd_hand(content):
        content['annotations'][0]['hand_type'] = 'both'
        return content

    rewrite(folder / 'InterHand2.6M_train_camera.json', lose_camera)
    (tmp_path / 'images' / 'train' / 'Capture0' / 'ROM01_No_Interaction' / 'cam400262' / 'image20.jpg').unlink()
    problems = list(open_dataset('interhand', tmp_path).check())
    assert len(problems) == 3 and problems[0].startswith('sample 2: ') and 'campos: 400263 is missing' in problems[1]
    assert problems[2].startswith('missing image files: 1 of 2, first ')
    rewrite(folder / 'InterHand2.6M_train_data.json', odd_hand)
    with pytest.raises(ValueError, match="annotation 100: hand_type 'both', expected right, left, interacting"):
        open_dataset('interhand', tmp_path)
    path = folder / 'InterHand2.6M_train_joint_3d.json'
    path.write_text(path.read_text()[:-40])
    with pytest.raises(ValueError, match=r'InterHand2.6M_train_joint_3d.json: not whole JSON \(.*; \d+ bytes\)'):
        open_dataset('interhand', tmp_path)


def test_images_of_another_size_are_refused(tmp_path):
    write_rhd(tmp_path)
    import cv2
    path = tmp_path / 'training' / 'color' / '00000.png'
    cv2.imwrite(str(path), np.zeros((320, 300, 3), np.uint8))
    with pytest.raises(ValueError, match='image .*00000.png: uint8 320 x 300 x 3, expected uint8 320 x 320 x 3'):
        open_dataset('rhd', tmp_path)[0].views[0].image()


def test_sample_checks_its_fields():
    view = View(20, 10, lambda: np.zeros((10, 20, 3), np.uint8))
    joints = np.zeros((21, 3))
    good = Sample('a', 'x', 'left', (view,), 'rhd', joints)
    assert good.joint_valid.all() and view.mask() is None and view.depth() is None
    with pytest.raises(ValueError):
        good.joints_m[0] = 1
    for change, message in ((dict(handedness='both'), "x a: handedness: 'both'"), (dict(views=()), 'views: 0 of'),
                            (dict(joint_definition='coco'), 'joint_definition'),
                            (dict(joints_m=np.full((21, 3), np.nan)), r'joints_m: joints \[0, 1'),
                            (dict(joints_m=None, joint_valid=np.ones(21)), 'joint_valid: 21 joints, but'),
                            (dict(pose=np.zeros(48)), 'model: none'),
                            (dict(T_first_model=np.diag([1, 1, -1, 1.0])), 'T_first_model: .* no rotation')):
        with pytest.raises(ValueError, match=message):
            Sample(**{**dict(id='a', dataset='x', handedness='left', views=(view,), joint_definition='rhd',
                             joints_m=joints), **change})
    with pytest.raises(ValueError, match='camera: 30 x 10, expected'):
        View(20, 10, camera=Camera(30, 10, np.eye(3)))
    with pytest.raises(ValueError, match='mask: value 7, expected 0, 1'):
        View(2, 1, mask_reader=lambda: np.full((1, 2), 7, np.uint8)).mask()
    partial = Sample('a', 'x', 'left', (view,), 'rhd', np.where(np.arange(21)[:, None] == 3, np.nan, joints),
                     np.arange(21) != 3)
    assert np.isnan(partial.joints_m[3]).all() and np.isfinite(partial.joints_m[4]).all()
