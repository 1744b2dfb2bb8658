"""`hand-recon train`: from shards on disk to a weight file that an estimator can load; wrong usage is named."""
import json
import re
import subprocess
import sys

import pytest

from hand_recon_ros.cli import main
from hand_recon_ros.training.recipe import IkRecipe, load_recipe, recipe_path
from hand_recon_ros.weights.files import checksum
from hand_recon_ros.weights.store import load_weights
from training_sets import small_set

IK = """
width: 16
hands: {poses: 32}
schedule: {steps: 4, batch_size: 16, learning_rate: 1.0e-3, validate_every: 2, save_every: 2}
data: {training: {samples: 4, seed: 1}, validation: {samples: 4, seed: 2}}
"""
HAND = """
backbone: resnet18_half
crop: 64
sigma_px: 1.0
schedules:
  image: {steps: 2, batch_size: 2, learning_rate: 1.0e-3, validate_every: 2, save_every: 2}
  keypoint: {steps: 2, batch_size: 2, learning_rate: 1.0e-3, validate_every: 2, save_every: 2}
data: {training: {samples: 4, seed: 1}, validation: {samples: 4, seed: 2}}
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A cache of its own, so that what the detector saw of one test's set is no other's."""
    path = tmp_path_factory.mktemp('train')
    small_set(path / 'set')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(path / 'cache'))
        yield path


@pytest.mark.parametrize('system, recipe, stages', [('iknet', IK, [()]),
                                                    ('handnet', HAND, [('--stage', 'image'), ('--stage', 'keypoint')])])
def test_a_run_ends_with_a_weight_file(folder, system, recipe, stages, capsys):
    (folder / f'{system}.yaml').write_text(recipe)
    data = str(folder / 'set')
    for stage in stages:
        out = folder / f'run_{system}'
        assert main(['train', system, *stage, '--config', str(folder / f'{system}.yaml'), '--out', str(out), '--data', data,
                     '--validation', f'shards:{data}:all', '--threads', '1', '--json', str(folder / 'x.json')]) == 0
        told = json.loads((folder / 'x.json').read_text())
        network, card = load_weights(told['weights'], system)
        assert card.network == system and 'hand-recon' in card.command and card.data.startswith('shards all of set, ')
        home = out / stage[1] if stage else out
        assert (home / 'curves.png').stat().st_size > 5000 and (home / f'{system}.md').is_file()
        assert told['last']['step'] == (4 if system == 'iknet' else 2)
    assert f'{system}.safetensors: best at step' in capsys.readouterr().out


def test_detnets_points_teach_an_iknet_of_their_own(folder):
    """Written under the name that the estimator minimal_hand looks for; another stage's settings are not taken over."""
    (folder / 'ik.yaml').write_text(IK + 'detnet: detnet')
    data, out = f'shards:{folder / "set"}:all', folder / 'run_detnet_points'
    command = ['train', 'iknet', '--config', str(folder / 'ik.yaml'), '--out', str(out), '--data', data, '--validation', data,
               '--threads', '1']
    assert main(command) == 0
    card = load_weights(out / 'iknet_detnet.safetensors', 'iknet')[1]
    assert card.upon == checksum('detnet') and card.inputs.startswith("DetNet's 21 points")
    assert not (out / 'iknet.safetensors').exists()


def test_a_stage_upon_another_recipe_is_refused(folder, capsys):
    (folder / 'hand.yaml').write_text(HAND)
    data, out = f'shards:{folder / "set"}:all', folder / 'run_stages'
    command = ['train', 'handnet', '--config', str(folder / 'hand.yaml'), '--out', str(out), '--data', data, '--validation', data,
               '--threads', '1']
    assert main([*command, '--stage', 'image']) == 0
    for override, named in (('sigma_px=2.0', f'sigma_px: 2.0, expected 1.0 as in {out / "image"}'),
                            ('crop=96', 'crop: 96, expected 64 as in'), ('backbone=resnet18', "backbone: 'resnet18', expected 'resnet18_half'")):
        capsys.readouterr()
        assert main([*command, '--stage', 'keypoint', '--override', override]) == 2
        assert named in capsys.readouterr().err
    assert not (out / 'keypoint').exists()


def test_a_folder_of_another_recipe_or_data_is_refused(folder, capsys):
    (folder / 'ik.yaml').write_text(IK)
    data, out = f'shards:{folder / "set"}:all', folder / 'run_again'
    command = ['train', 'iknet', '--config', str(folder / 'ik.yaml'), '--out', str(out), '--data', data, '--validation', data,
               '--threads', '1']
    assert main(command) == 0 and main(command) == 0
    small_set(folder / 'other', seed=4)
    other = [data.replace('/set', '/other') if word == data else word for word in command]
    for changed, named in ((command + ['--override', 'hands.towards_rest=0.1'], 'begun with hands = '),
                           (other, 'begun with training = '),
                           (['train', 'detnet', '--out', str(out), '--threads', '1'], "begun with task = 'iknet', now 'detnet'")):
        capsys.readouterr()
        assert main(changed) == 2
        assert named in capsys.readouterr().err


def test_two_processes_train_one_network(folder):
    (folder / 'two.yaml').write_text(IK)
    out = folder / 'run_two'
    data = f'shards:{folder / "set"}:all'
    ended = subprocess.run([sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2', '--rdzv-backend', 'c10d',
                            '--rdzv-endpoint', 'localhost:0', '-m', 'hand_recon_ros.cli', 'train', 'iknet', '--config',
                            str(folder / 'two.yaml'), '--out', str(out), '--data', data, '--validation', data, '--threads', '1'],
                           capture_output=True, text=True, timeout=200)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count('best at step') == 1 and load_weights(out / 'iknet.safetensors', 'iknet')[1].network == 'iknet'
    assert len((out / 'history.jsonl').read_text().splitlines()) == 2


def test_a_config_is_overridden_field_by_field():
    recipe = load_recipe(IkRecipe, recipe_path('iknet', 'small'), ['weights.cosine=0', 'schedule.steps=7', 'detnet='])
    assert recipe.weights.cosine == 0.0 and recipe.weights.l2 == 1.0 and recipe.schedule.steps == 7
    for override, named in (('weights.cosin=0', "unknown field 'cosin'"), ('width', 'expected FIELD.FIELD=VALUE'),
                            ('width=[', 'expected FIELD.FIELD=VALUE'), ('width.x=1', 'but width has no fields'),
                            ('width=big', "width: 'big', expected int")):
        with pytest.raises(ValueError, match=re.escape(named)):
            load_recipe(IkRecipe, recipe_path('iknet', 'small'), [override])


@pytest.mark.parametrize('arguments, named', [
    (['handnet', '--stage', 'fusion'], "expected stage 'keypoint' to be trained before 'fusion'|no schedule for stage"),
    (['iknet', '--data', '/nowhere'], 'only one is given, expected both or neither'),
    (['iknet', '--data', '/nowhere', '--validation', '/nowhere'], '/nowhere'),
    (['iknet', '--threads', '0'], '--threads: 0, expected at least 1'),
    (['iknet', '--config', 'huge'], "config 'huge': unknown for iknet"),
    (['iknet', '--device', 'cuda:7'], "--device: 'cuda:7'"), (['iknet', '--device', 'foo'], "--device: 'foo'"),
    (['detnet', '--workers', '-3'], '--workers: -3, expected at least 0'),
    (['iknet', '--override', 'width=-4'], 'with width=-4: width: -4, expected at least 1'),
    (['detnet', '--override', 'crop=100'], 'crop: 100, expected a multiple of 32'),
    (['handnet', '--stage', 'image', '--override', 'sigma_px=0'], 'sigma_px: 0.0, expected above 0'),
    (['iknet', '--override', 'detnet=nosuch'], 'nosuch.safetensors: missing, expected a weight file'),
    (['iknet', '--data', 'frei:/x', '--validation', 'frei:/x'], "no data set 'frei' and no such path, expected .NAME:.ROOT"),
    (['iknet', '--json', '/proc/none/x.json'], '--json: /proc/none/x.json: .*expected a file in a folder that can be made')])
def test_wrong_usage_is_named(tmp_path, capsys, arguments, named):
    """All before any set is made."""
    assert main(['train', *arguments, '--out', str(tmp_path / 'run')]) == 2
    assert re.search(named, capsys.readouterr().err)


def test_a_run_goes_into_a_folder(tmp_path, capsys):
    (tmp_path / 'file').write_text('')
    assert main(['train', 'iknet', '--out', str(tmp_path / 'file')]) == 2
    assert re.search('--out: .*file: .*expected a folder', capsys.readouterr().err)
