"""Identities on disk, and the command that makes them refuses what it cannot use."""
import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.identity import store as store_module
from hand_recon_ros.identity.measures import HandSize
from hand_recon_ros.identity.store import IdentityStore, StoredIdentity, default_folder, read_identity, write_identity
from hand_recon_ros.types import HandIdentity


def anna(name='anna', **changes):
    fields = {'model': 'open_hand', 'shape': np.linspace(-1, 1, 10), 'shape_std': np.full(10, 0.1), 'metric': True}
    fields |= changes
    return StoredIdentity(HandIdentity(name, **fields), HandSize(43.21, 187.65, 0.5, 1.25), 20, '2026-11-21',
                          'measured by a pair 120.0 mm apart')


def test_round_trip_by_name(tmp_path):
    store = IdentityStore(tmp_path / 'deep' / 'er')
    assert store.names() == []
    path = store.save(anna())
    back = store.load('anna', model='open_hand')
    assert back.identity.shape == pytest.approx(anna().identity.shape, abs=1e-6)
    assert (back.size, back.frames, back.date, back.scale) == (anna().size, 20, '2026-11-21', anna().scale)
    assert back.identity.metric and back.identity.name == 'anna'
    assert 'width_mm: 43.21' in path.read_text() and path.read_text().startswith('# The shape of one person')
    store.save(anna('Zoë-2'))
    store.save(anna(shape=np.zeros(10)))
    assert store.names() == ['Zoë-2', 'anna'] and not store.load('anna').identity.shape.any()
    store.delete('anna')
    assert store.names() == ['Zoë-2'] and [p.name for p in store.folder.iterdir()] == ['Zoë-2.yaml']
    for lost in (store.load, store.delete):
        with pytest.raises(ValueError, match="'anna': not in"):
            lost('anna')


def test_names_stay_in_the_folder(tmp_path):
    for name in ('', '../x', 'a/b', '.hidden', '-o', 'a' * 65, 'a b', 'a\n'):
        with pytest.raises(ValueError, match='name'):
            IdentityStore(tmp_path).path(name)


def test_unknown_spread_and_default_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path))
    assert default_folder() == tmp_path / 'hand_recon_ros' / 'identities'
    IdentityStore().save(anna(shape_std=np.full(10, np.nan)))
    assert np.isnan(IdentityStore().load('anna').identity.shape_std).all()


@pytest.mark.parametrize('change, message', [
    (('version: 1', 'version: 2'), 'version 2, expected 1'),
    (('model: open_hand', 'model: 3'), 'model 3, expected str'),
    (('frames: 20', 'frames: true'), 'frames True, expected int'), (('width_mm', 'wide'), 'width_mm missing'),
    (('name: anna', 'name: ../x'), 'name'), (('shape: [', 'shape: [.nan, '), 'shape'),
    (('shape: [', 'shape: [a, '), 'shape'),
    (('name: anna', 'name: bo'), "name 'bo', expected 'anna'"), (('version: 1', '- 1'), 'YAML')])
def test_damage_is_named(tmp_path, change, message):
    path = IdentityStore(tmp_path).save(anna())
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change, 1))
    with pytest.raises(ValueError, match='anna.yaml') as error:
        IdentityStore(tmp_path).load('anna')
    assert message in str(error.value)


def test_other_model_and_no_yaml(tmp_path):
    path = IdentityStore(tmp_path).save(anna())
    with pytest.raises(ValueError, match="of model 'open_hand', expected 'mano'"):
        read_identity(path, 'mano')
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(ValueError, match='not a readable YAML file'):
        read_identity(path)
    path.write_text('[1, 2]')
    with pytest.raises(ValueError, match='list, expected a mapping'):
        read_identity(path)


def test_a_failed_write_leaves_the_former_file(tmp_path, monkeypatch):
    path = IdentityStore(tmp_path).save(anna())
    before = path.read_text()

    def fail(*_):
        raise OSError('disk full')
    monkeypatch.setattr(store_module.os, 'replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_identity(anna(shape=np.zeros(10)), path)
    assert path.read_text() == before and [p.name for p in tmp_path.iterdir()] == ['anna.yaml']


@pytest.mark.parametrize('arguments, message', [
    (['--name', 'a'], 'give one of'), (['bag', '--image', 'x', '--name', 'a'], 'give one of'),
    (['--left', 'x', '--rig', 'y', '--name', 'a'], 'give one of'), (['nowhere', '--name', 'a/b'], 'name'),
    (['nowhere', '--name', 'a'], 'nowhere: no such recording'),
    (['nowhere', '--name', 'a', '--frames', '0'], '--frames'),
    (['nowhere', '--name', 'a', '--plot', 'p.jpg'], '--plot'),
    (['--live', '--name', 'a', '--out', 'a.yaml'], '--out: not with --live'),
    (['nowhere', '--name', 'a', '--live'], 'give one of'), (['nowhere', '--name', 'a', '--hand', 'left'], '--hand'),
    (['nowhere', '--name', 'a', '--camera', 'c'], '--camera'),
    (['nowhere', '--name', 'a', '--offsets', 'odd'], 'offset table')])
def test_calibrate_refuses_in_one_line(arguments, message, capsys):
    assert cli.main(['calibrate', *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count('\n') == 1
