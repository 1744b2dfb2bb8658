"""Workers and their workspace: any number of them makes the same bytes; kills, damage and failures end as they must."""
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from hand_recon_ros.synthesis.workers import Workers, WorkFailed
from hand_recon_ros.synthesis.workspace import Workspace, differences, store_unit


@dataclass(frozen=True)
class Digits:
    """Units of three lines each. slow_s: a line. bad_unit, deadly_unit: raise, or end their process."""
    unit_count: int = 6
    slow_s: float = 0.0
    bad_unit: int = -1
    deadly_unit: int = -1
    refuse: bool = False
    step = 'line'

    def unit_name(self, unit):
        return f'data/digits-{unit:03d}.txt'

    def unit_steps(self, unit):
        return 3

    def open(self, folder):
        if self.refuse:
            raise ValueError('refuse: True, expected False')

        def make(unit, tick):
            if unit == self.bad_unit:
                raise KeyError('no such digit')
            if unit == self.deadly_unit:
                os.kill(os.getpid(), signal.SIGKILL)
            lines = []
            for k in range(3):
                time.sleep(self.slow_s)
                lines.append(hashlib.sha256(f'{unit} {k}'.encode()).hexdigest())
                tick()
            return '\n'.join(lines).encode()
        return make


def make_all(out: Path, task: Digits = Digits(), workers: int = 1, settings=None) -> int:
    with Workspace(out, settings or {'digits': 3}) as work:
        with Workers(workers, progress=False) as processes:
            made = processes.run(task, work)
        work.publish('data')
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp('digits') / 'out'
    assert make_all(out, workers=2) == 18
    return contents(out)


def test_the_output_is_there_and_nothing_else(whole, tmp_path):
    assert list(whole) == [f'digits-{unit:03d}.txt' for unit in range(6)]
    assert whole['digits-004.txt'].splitlines()[1] == hashlib.sha256(b'4 1').hexdigest().encode()
    make_all(tmp_path / 'out')
    assert contents(tmp_path / 'out') == whole and os.listdir(tmp_path) == ['out']
    with pytest.raises(ValueError, match='out: exists already'):
        make_all(tmp_path / 'out')


def test_kill_9_in_the_middle_leaves_nobody_and_the_same_command_goes_on(whole, tmp_path):
    out = tmp_path / 'out'
    code = ('import sys; sys.path[:0] = sys.argv[1:3]; from pathlib import Path; import test_synthesis_workers as t; '
            't.make_all(Path(sys.argv[3]), t.Digits(slow_s=0.25), 2)')
    here = Path(__file__).resolve().parent
    script = tmp_path / 'run.py'
    script.write_text(f'if __name__ == "__main__":\n    {code}\n')
    parent = subprocess.Popen([sys.executable, str(script), str(here), str(here.parent), str(out)])
    data = out.with_name('out.partial') / 'data'
    while not (data.is_dir() and len(list(data.glob('digits*'))) >= 2):
        assert parent.poll() is None
        time.sleep(0.01)
    children = psutil.Process(parent.pid).children(recursive=True)
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert len(gone) >= 2 and not alive and not out.exists()
    assert 0 < make_all(out) < 18
    assert contents(out) == whole and not out.with_name('out.partial').exists()


def test_damaged_and_half_recorded_units_are_made_again(whole, tmp_path):
    out = tmp_path / 'out'
    with pytest.raises(WorkFailed, match='digits-005'):
        make_all(out, Digits(bad_unit=5))
    folder = out.with_name('out.partial')
    (folder / 'data' / 'digits-001.txt').write_bytes(whole['digits-001.txt'][:-1] + b'!')    # same size
    (folder / 'data' / 'digits-002.txt').write_bytes(whole['digits-002.txt'][:20])
    (folder / 'records' / 'data' / 'digits-003.txt.json').unlink()
    (folder / 'data' / '.digits-004.txt.x.tmp').write_bytes(b'half')
    assert make_all(out) == 12
    assert contents(out) == whole


def test_other_settings_or_a_second_run_are_refused(tmp_path):
    out = tmp_path / 'out'
    with Workspace(out, {'scene': {'frames': 10, 'seed': 1}}):
        with pytest.raises(ValueError, match='another run is writing it'):
            make_all(out, settings={'scene': {'frames': 10, 'seed': 1}})
    with pytest.raises(ValueError, match=r'begun with other settings \(scene.frames: 10, now 20\)'):
        make_all(out, settings={'scene': {'frames': 20, 'seed': 1}})
    manifest = out.with_name('out.partial') / 'manifest.json'
    now = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**now, 'version': '0.0.0'}))
    with pytest.raises(ValueError, match="version: '0.0.0', now"):
        make_all(out, settings={'scene': {'frames': 10, 'seed': 1}})
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), 'version': now['version'], 'source': 'abc'}))
    with pytest.raises(ValueError, match=f"source: 'abc', now '{now['source']}'"):
        make_all(out, settings={'scene': {'frames': 10, 'seed': 1}})
    strange = tmp_path / 'strange.partial'
    strange.mkdir()
    (strange / 'mine.txt').touch()
    with pytest.raises(ValueError, match='holds mine.txt but no manifest.json'):
        make_all(tmp_path / 'strange')
    assert differences({'a': [1], 'b': 2}, {'a': [1], 'c': 3}) == ['b: 2, now None', 'c: None, now 3']


def test_failures_name_their_unit_and_stop_everybody(tmp_path):
    with pytest.raises(WorkFailed, match="data/digits-002.txt: KeyError: 'no such digit'") as failure:
        make_all(tmp_path / 'a', Digits(bad_unit=2), workers=2)
    assert 'make' in failure.value.trace
    with pytest.raises(WorkFailed, match='digits-000.txt: its worker ended by signal SIGKILL'):
        make_all(tmp_path / 'b', Digits(deadly_unit=0))
    with pytest.raises(ValueError, match='refuse: True'):
        make_all(tmp_path / 'c', Digits(refuse=True))
    with pytest.raises(ValueError, match='workers: 0'):
        Workers(0)
    assert not [child for child in psutil.Process().children() if 'spawn_main' in ' '.join(child.cmdline())]


def test_a_run_that_ended_before_tidying_up_is_complete(whole, tmp_path):
    out = tmp_path / 'out'
    with Workspace(out, {'digits': 3}) as work:
        for unit in range(6):
            store_unit(work.folder, Digits().unit_name(unit), whole[f'digits-{unit:03d}.txt'])
        (work.folder / 'done').write_text('data')
        assert not work.finished
        (work.folder / 'data').replace(out)
        assert work.finished
    with Workspace(out, {'digits': 3}) as work:
        assert work.finished
        work.clear()
    assert contents(out) == whole and os.listdir(tmp_path) == ['out']


def test_overwriting_replaces_only_when_whole(whole, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'old.txt').write_text('old')
    for task, expected in ((Digits(bad_unit=3), {'old.txt': b'old'}), (Digits(), whole)):
        with Workspace(out, {'digits': 3}, overwrite=True) as work:
            try:
                with Workers(1, progress=False) as processes:
                    processes.run(task, work)
                work.publish('data')
            except WorkFailed:
                assert task.bad_unit == 3
        assert contents(out) == expected
