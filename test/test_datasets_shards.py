"""Training shards: the same bytes however they came about, WebDataset's naming, labels that lie on the hand."""
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from hand_recon_ros.datasets.registry import open_dataset
from hand_recon_ros.datasets.sample import MASK_VALUES
from hand_recon_ros.datasets.shards import Shards
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.mirroring import posed_hand
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.media.contact_sheet import GAP_GREY, Picture, even_places, random_places, sheet
from hand_recon_ros.synthesis.shards import ShardOptions, synthesize_shards
from hand_recon_ros.synthesis.studio import StudioConfig
from hand_recon_ros.synthesis.workspace import Workspace

MONO = StudioConfig(samples=22, crop=64, seed=5, skins=1, rooms=2)
STEREO = StudioConfig(samples=5, crop=64, seed=6, views=2, skins=1, rooms=1)
SIZE = ShardOptions(shard_size=6)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.fixture(scope='module')
def mono(tmp_path_factory):
    path = tmp_path_factory.mktemp('mono') / 'set'
    assert synthesize_shards(MONO, path, SIZE, workers=2, progress=False) == 22
    return path


@pytest.fixture(scope='module')
def stereo(tmp_path_factory):
    path = tmp_path_factory.mktemp('stereo') / 'set'
    synthesize_shards(STEREO, path, ShardOptions(shard_size=3), workers=1, progress=False)
    return path


@pytest.fixture(scope='module')
def hand():
    return JaxHand(load_hand_model('open_hand'))


def test_a_killed_command_resumed_equals_an_uninterrupted_one(mono, tmp_path):
    out, root = tmp_path / 'set', Path(__file__).resolve().parents[1]
    command = [sys.executable, '-m', 'hand_recon_ros.cli', 'synthesize', '--format', 'shards', '--out', str(out),
               '--samples', '22', '--crop', '64', '--seed', '5', '--skins', '1', '--rooms', '2', '--shard-size', '6',
               '--workers', '1']
    run = subprocess.Popen(command, cwd=root, env={**os.environ, 'PYTHONPATH': str(root)}, stderr=subprocess.DEVNULL)
    folder = out.with_name('set.partial')
    while not list((folder / 'records' / 'shards').glob('*.json')):
        assert run.poll() is None
        time.sleep(0.005)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    assert not psutil.wait_procs(children, timeout=5)[1] and not out.exists()
    with pytest.raises(ValueError, match='begun with other settings .studio.seed: 5, now 7'):
        synthesize_shards(StudioConfig(**{**vars(MONO), 'seed': 7}), out, SIZE, progress=False)
    whole = sorted((folder / 'records' / 'shards').glob('*.json'))
    shard = folder / 'shards' / whole[0].name.removesuffix('.json')
    shard.write_bytes(shard.read_bytes().replace(b'JFIF', b'JFIG', 1))
    made = synthesize_shards(MONO, out, SIZE, workers=1, progress=False)
    assert made == 22 - 6 * (len(whole) - 1) or len(whole) == 4 and made == 6
    assert digests(out) == digests(mono) and [path.name for path in tmp_path.iterdir()] == ['set']


def test_files_are_named_as_webdataset_names_them(mono, stereo):
    for folder, keys, shards, first in ((mono, ['jpg', 'mask.png', 'depth.png', 'json'], 4, 18), (stereo, [
            f'{side}.{kind}' for side in ('left', 'right') for kind in ('jpg', 'mask.png', 'depth.png')] +
            ['json'], 2, 3)):
        index = json.loads((folder / 'shards.json').read_text())
        assert index['keys'] == keys and index['licence'] == 'CC0-1.0' and len(index['shards']) == shards
        with tarfile.open(folder / index['shards'][-1]['name']) as tar:
            names = [(member.name, member.mtime, member.uid) for member in tar]
        count = index['shards'][-1]['samples']
        assert names == [(f'{first + k:09d}.{key}', 0, 0) for k in range(count) for key in keys]
    assert sum(shard['samples'] for shard in json.loads((mono / 'shards.json').read_text())['shards']) == 22


def test_labels_lie_on_the_hands_pixels(mono, stereo, hand):
    on_hand, covered = [], []
    for sample in (*Shards(mono), *Shards(stereo)):
        value = MASK_VALUES[sample.handedness]
        vertices, joints = posed_hand(hand, sample.pose, sample.shape, sample.translation, sample.handedness)
        assert joints == pytest.approx(sample.joints_m, abs=2e-5) and sample.metric
        for view in sample.views:
            assert view.image().shape == (64, 64, 3) and view.camera.width == 64
            T = view.T_view_first
            in_view = sample.joints_m @ T[:3, :3].T + T[:3, 3]
            assert view.camera.project(in_view) == pytest.approx(view.joints_px, abs=2e-3)
            mask, depth = view.mask(), view.depth()
            assert (mask == value).mean() >= 0.03 and (depth[mask > 0] > 0.05).all()
            mesh = vertices @ T[:3, :3].T + T[:3, 3]
            seen = depth[mask == value]
            assert mesh[:, 2].min() - 0.004 < seen.min() and seen.max() < mesh[:, 2].max() + 0.004
            pixels = np.round(view.camera.project(mesh)).astype(int)
            inside = ((pixels >= 0) & (pixels < 64)).all(1)
            u, v = pixels[inside].T
            hand_pixels, nearby = (mask == value).astype(np.uint8), np.ones((3, 3), np.uint8)
            on_hand.append(cv2.dilate(hand_pixels, nearby)[v, u].mean())
            drawn = np.zeros((64, 64), np.uint8)
            drawn[v, u] = 1
            covered.append(cv2.dilate(drawn, nearby, iterations=2)[hand_pixels > 0].mean())
    # Objects, the other hand and the image's border hide a part of some.
    assert np.median(on_hand) > 0.93 and np.mean(on_hand) > 0.8
    assert np.min(covered) > 0.95


def test_samples_follow_from_config_and_index_alone(mono, stereo):
    samples = list(Shards(mono))
    assert {sample.handedness for sample in samples} == {'left', 'right'}
    assert len({sample.pose.tobytes() for sample in samples}) == 22
    baselines = [np.linalg.norm(sample.views[1].T_view_first[:3, 3]) for sample in Shards(stereo)]
    assert min(baselines) > 0.03 and np.ptp(baselines) > 0.01


def test_streaming_gives_every_sample_once_in_an_order_that_follows_the_seed(mono):
    shards = open_dataset('shards', mono)
    in_order = [sample.id for sample in shards.stream()]
    assert in_order == [f'{k:09d}' for k in range(22)] == [sample.id for sample in shards]
    orders = [[sample.id for sample in shards.stream(seed=seed, epoch=epoch, buffer=8)]
              for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert orders[0] == orders[1] and len({tuple(order) for order in orders[1:]}) == 3
    assert all(sorted(order) == in_order and order != in_order for order in orders)
    parts = [[sample.id for sample in shards.stream(seed=3, rank=rank, world_size=2, worker=worker, worker_count=2)]
             for rank in range(2) for worker in range(2)]
    assert sorted(sum(parts, [])) == in_order and all(parts)
    with pytest.raises(ValueError, match='4 shards for 6 readers'):
        next(shards.stream(world_size=6))
    with pytest.raises(ValueError, match='rank, worker: 2 of 2'):
        next(shards.stream(rank=2, world_size=2))
    np.testing.assert_array_equal(next(shards.stream()).views[0].image(), shards[0].views[0].image())


def test_damaged_shards_are_named(mono, tmp_path):
    def damaged(name, change):
        folder = tmp_path / name
        folder.mkdir()
        for path in mono.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        change(folder / 'shard-000002.tar')
        return Shards(folder)

    def flip(path):
        data = bytearray(path.read_bytes())
        data[5000] ^= 1
        path.write_bytes(data)
    for name, change, expected in (('cut', lambda path: path.write_bytes(path.read_bytes()[:9000]), '9000 bytes'),
                                   ('flipped', flip, 'damaged, its checksum'),
                                   ('gone', lambda path: path.unlink(), 'no such file')):
        shards = damaged(name, change)
        with pytest.raises(ValueError, match=f'shard-000002.tar: {expected}'):
            list(shards.stream())
        problems = list(shards.check())
        assert len(problems) == 1 and 'shard-000002.tar' in problems[0]
    assert list(Shards(mono).check(pixels=True)) == []
    (tmp_path / 'cut' / 'shards.json').write_text('{"samples": 3')
    with pytest.raises(ValueError, match='shards.json: not whole JSON'):
        Shards(tmp_path / 'cut')


def test_bad_settings_and_other_folders_are_refused(mono, tmp_path):
    for field, value in (('samples', 0), ('crop', 16), ('views', 3), ('seed', -1), ('skins', 0), ('rooms', 0)):
        with pytest.raises(ValueError, match=f'{field}: {value}'):
            StudioConfig(**{field: value})
    with pytest.raises(ValueError, match='shard_size: 0'):
        ShardOptions(shard_size=0)
    (tmp_path / 'mine').mkdir()
    with pytest.raises(ValueError, match='is no set of shards'):
        synthesize_shards(MONO, tmp_path / 'mine', overwrite=True)
    with pytest.raises(ValueError, match='exists already'):
        synthesize_shards(MONO, mono)
    with Workspace(tmp_path / 'new', {}), pytest.raises(ValueError, match='another run'):
        synthesize_shards(MONO, tmp_path / 'new')


def test_sheets_show_every_picture_once_and_labels_where_they_are():
    mask = np.zeros((20, 40), np.uint8)
    mask[5:15, 10:30] = 1
    pictures = [Picture(np.full((20, 40, 3), 10 * k, np.uint8), mask, (np.full((21, 2), 5.0),)) for k in range(5)]
    plain = sheet(pictures, 3, 80)
    assert plain.shape == (2 * 40 + 2, 3 * 80 + 4, 3) and (plain[:40, 80:82] == GAP_GREY).all()
    assert [plain[20, x].tolist() for x in (20, 100, 200)] == [[0] * 3, [10] * 3, [20] * 3]
    assert (plain[60, 200] == GAP_GREY).all()
    drawn = sheet(pictures, 3, 80, labels=True)
    assert (drawn[10, 40] != plain[10, 40]).any() and (drawn[20, 40] == plain[20, 40]).all()     # outline, not inside
    assert (drawn[11, 11] != plain[11, 11]).any()                                                # the joints
    assert random_places(4, 10, 1) == random_places(4, 10, 1) and len(set(random_places(99, 10, 1))) == 10
    assert even_places(4, 100, 10) == [34, 44, 54, 64] and even_places(4, 5, 10) == [0, 1, 2, 3]
    assert even_places(3, 1, 4) == [0]
    with pytest.raises(ValueError, match='pictures: none'):
        sheet([], 3, 80)
