"""Benchmark sets: what they hold, how one's own is checked, and that generated recordings are kept and found again."""
import json

import numpy as np
import pytest
import yaml

from hand_recon_ros import cli
from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.benchmarks.covered_camera import PHASES
from hand_recon_ros.evaluation import sets
from hand_recon_ros.evaluation.sets import ACCURACY_SETS, generate, known_sets, load_set
from hand_recon_ros.synthesis.scene import SceneConfig

TINY = {'description': 'two frames', 'offsets': 'synthetic', 'common': {'frames': 2, 'width': 160, 'height': 120},
        'recordings': [{'seed': 5, 'hands': 1}, {'seed': 6}]}


def written(tmp_path, **changes):
    path = tmp_path / 'tiny.yaml'
    path.write_text(yaml.safe_dump({**TINY, **changes}))
    return str(path)


def test_the_sets_are_there():
    assert known_sets() == ['egocentric', 'mono_wild', 'stereo_baselines', 'stereo_covered', 'stereo_crossing',
                            'stereo_desk', 'stereo_wide']
    loaded = {name: load_set(name) for name in ACCURACY_SETS}
    for chosen in loaded.values():
        assert chosen.frames >= 400 and chosen.offsets == 'synthetic' and chosen.description
    seeds = [recording.config.seed for chosen in loaded.values() for recording in chosen.recordings]
    assert len(set(seeds)) == len(seeds) >= 28          # no person, room or motion twice
    desk = [recording.config for recording in loaded['stereo_desk'].recordings]
    assert all((c.rig, c.baseline_m, c.width, c.height) == ('rectified', 0.12, 640, 480) for c in desk)
    assert all(recording.config.rig == 'wide' for recording in loaded['stereo_wide'].recordings)
    assert all(recording.config.view == 'egocentric' for recording in loaded['egocentric'].recordings)
    assert all(recording.config.rig == 'mono' for recording in loaded['mono_wild'].recordings)


def test_the_sets_of_one_purpose_share_no_person_with_the_others():
    accuracy = {recording.config.seed for name in ACCURACY_SETS for recording in load_set(name).recordings}
    crossing, baselines, hidden = (
        [recording.config for recording in load_set(f'stereo_{name}').recordings]
        for name in ('crossing', 'baselines', 'covered'))
    assert len(crossing) == len({config.seed for config in crossing}) == 20
    assert all(config.motion == 'crossing' and config.hands == 2 for config in crossing)
    assert {config.rig for config in crossing} == {'rectified', 'wide', 'headset'}
    people = {config.seed for config in baselines}
    assert {(config.seed, config.baseline_m) for config in baselines} == {
        (seed, baseline_m) for seed in people for baseline_m in (0.04, 0.06, 0.08, 0.12, 0.16, 0.2, 0.25)}
    others = [{config.seed for config in configs} for configs in (crossing, baselines, hidden)]
    assert not any(accuracy & seeds for seeds in others) and len(set.union(*others)) == sum(map(len, others))
    assert min(config.frames / config.fps for config in hidden) > sum(length for _, length, _ in PHASES[:-1])


def test_the_first_frames_need_the_first_recordings_only(tmp_path):
    chosen = load_set(written(tmp_path, recordings=[{'seed': 1, 'frames': 4}, {'seed': 2, 'frames': 3}, {'seed': 3}]))
    assert chosen.frames == 9
    assert [r.frames for r in chosen.first(None)] == [4, 3, 2] and [r.frames for r in chosen.first(100)] == [4, 3, 2]
    assert [r.frames for r in chosen.first(5)] == [4, 1] and [r.frames for r in chosen.first(4)] == [4]
    # A recording cut short is the same recording: it is generated and kept whole.
    assert chosen.first(5)[1].path == chosen.recordings[1].path
    with pytest.raises(ValueError, match='frames: 0'):
        chosen.first(0)


@pytest.mark.parametrize('changes, text', [
    ({'offsets': None}, 'offsets: None, expected text'), ({'extra': 1}, 'extra unknown'),
    ({'recordings': []}, 'expected a list of at least one'), ({'recordings': [{'hands': 1}]}, 'seed missing'),
    ({'recordings': [{'seed': 1, 'colour': 'red'}]}, r'recordings\[0\]: colour: unknown'),
    ({'recordings': [{'seed': 1, 'hands': 3}]}, r'recordings\[0\]: hands: 3, expected 1 to 2'),
    ({'recordings': [{'seed': 'x'}]}, r'recordings\[0\]'), ({'common': [1]}, 'common: list'),
    ({'recordings': [{'seed': 1, 'rig': 'triple'}]}, "rig: 'triple'")])
def test_a_bad_set_is_named_by_file_and_field(tmp_path, changes, text):
    with pytest.raises(ValueError, match=text) as error:
        load_set(written(tmp_path, **changes))
    assert 'tiny.yaml' in str(error.value)


def test_files_that_are_no_sets(tmp_path):
    (tmp_path / 'list.yaml').write_text('- 1\n')
    (tmp_path / 'bad.yaml').write_text('a: [')
    for name, text in (('list.yaml', 'expected a mapping'), ('bad.yaml', 'not a readable YAML'),
                       ('no.yaml', "no.yaml', expected one of egocentric")):
        with pytest.raises(ValueError, match=text):
            load_set(str(tmp_path / name))


def test_recordings_are_kept_under_what_decides_about_them(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    chosen = load_set(written(tmp_path))
    first = chosen.recordings[0]
    path = generate(first)
    assert path == first.path and path.is_relative_to(tmp_path / 'cache' / 'hand_recon_ros' / 'sets' / 'tiny')
    made = path.stat().st_mtime_ns
    assert generate(load_set(written(tmp_path)).recordings[0]) == path and path.stat().st_mtime_ns == made
    recording = LabelledRecording.read(path, labelled=True, calibrated=True)
    frames = list(recording.frames())
    assert len(frames) == recording.image_count == 2 and frames[0].image.shape == (120, 160, 3)
    (truth,) = recording.truths[frames[0].stamp_ns]
    mask = recording.mask(frames[0].stamp_ns)
    u, v = np.round(frames[0].camera.project(truth.joints_m).mean(0)).astype(int)
    assert mask.shape == (120, 160) and set(np.unique(mask)) == {0, 1} and mask[v, u] == 1
    figures = tmp_path / 'figures.json'
    assert cli.main(['evaluate', '--set', written(tmp_path), '--frames', '2', '--detector', 'truth',
                     '--json', str(figures)]) == 0
    stored = json.loads(figures.read_text())
    assert stored['frames'] == 2 and stored['offsets'] == 'none' and stored['metrics']['recall'] == 1
    assert stored['metrics']['mask_iou'] > 0.7 and path.stat().st_mtime_ns == made
    # Other settings, and another generator, are another recording.
    changed = load_set(written(tmp_path, common={**TINY['common'], 'fps': 15.0})).recordings[0]
    assert changed.path != path
    monkeypatch.setattr(sets, 'generator_version', lambda: 'another')
    assert first.path != path


def test_the_generators_digest_is_stable():
    assert sets.generator_version() == sets.generator_version() and len(sets.generator_version()) == 64
    assert load_set('mono_wild').recordings[0].config == SceneConfig(
        seed=4001, view='wild', rig='mono', frames=60, occluders=0.5)
