"""The command line: help for every command, one line for bad usage, reconstruct's files."""
import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.commands.bench import table
from hand_recon_ros.media.images import close_up
from hand_recon_ros.media.sources import Source


def test_every_command_has_help(capsys):
    for name in cli.COMMANDS:
        with pytest.raises(SystemExit) as stop:
            cli.main([name, '--help'])
        assert stop.value.code == 0 and '--help' in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        cli.main(['nonsense'])
    assert stop.value.code == 2


def test_bad_input_is_one_line_and_status_2(capsys, tmp_path):
    assert cli.main(['reconstruct', '--image', str(tmp_path / 'none.jpg'), '--out', str(tmp_path / 'out')]) == 2
    error = capsys.readouterr().err
    assert error.count('\n') == 1 and 'none.jpg: no such file' in error
    assert not (tmp_path / 'out').exists()


def test_reconstruct_without_hands_and_with_a_damaged_file(tmp_path, capsys):
    folder = tmp_path / 'in'
    folder.mkdir()
    cv2.imwrite(str(folder / 'a_grey.png'), np.full((60, 80), 90, np.uint8))
    cv2.imwrite(str(folder / 'b_deep.png'), np.full((60, 80, 4), 30000, np.uint16))
    cv2.imwrite(str(folder / 'c_pixel.png'), np.zeros((1, 1, 3), np.uint8))
    (folder / 'd_broken.jpg').write_bytes(b'\xff\xd8 nothing')
    assert cli.main(['reconstruct', '--image', str(folder), '--out', str(tmp_path / 'out'), '--tailor', 'none',
                     '--json', str(tmp_path / 'summary.json')]) == 1
    captured = capsys.readouterr()
    assert '0 hands in 0 of 4 images' in captured.out and 'd_broken.jpg' in captured.err
    stored = json.loads((tmp_path / 'out' / 'hands.json').read_text())
    assert stored['model'] == 'open_hand' and [f['hands'] for f in stored['frames']] == [[], [], [], []]
    assert [f['index'] for f in stored['frames']] == [0, 1, 2, 3] and 'error' in stored['frames'][3]
    assert json.loads((tmp_path / 'summary.json').read_text())['images'] == 4
    assert len(list((tmp_path / 'out' / 'overlays').glob('*.jpg'))) == 3


def test_reconstruct_of_the_demo_recordings_hand(tmp_path):
    """One rendered image of the bundled recording: joints, mesh file and projections agree."""
    from hand_recon_ros.bags.reader import BagReader
    from hand_recon_ros.commands.demo import RECORDING
    with BagReader(RECORDING) as bag:
        images = [m for topic, _, m in bag.messages() if topic.endswith('compressed')]
    (tmp_path / 'hand.jpg').write_bytes(bytes(images[10].data))
    assert cli.main(['reconstruct', '--image', str(tmp_path / 'hand.jpg'), '--out', str(tmp_path / 'out'),
                     '--offsets', 'synthetic', '--no-overlays']) == 0
    hands = json.loads((tmp_path / 'out' / 'hands.json').read_text())['frames'][0]['hands']
    assert {h['handedness'] for h in hands} == {'left', 'right'}
    for hand in hands:
        box = np.array(hand['box_px'])
        error = np.linalg.norm(np.array(hand['joints_2d']['left']) - hand['joints_2d_detected']['left'], axis=1)
        assert np.median(error) < 0.05 * (box[2:] - box[:2]).max()
        assert np.array(hand['joints_3d']).shape == (21, 3) and len(hand['pose']) == 48 and not hand['metric']
        assert (tmp_path / 'out' / hand['mesh']).stat().st_size > 10_000


def test_close_up_stays_inside_the_picture():
    picture = np.arange(100 * 80 * 3, dtype=np.uint32).reshape(100, 80, 3)
    assert close_up(picture, np.array([30, 40, 50, 60.0])).shape == (32, 32, 3)
    assert close_up(picture, np.array([-20, 90, 10, 120.0])).size > 0


def test_bench_table_aligns_numbers():
    lines = table([{'case': 'a', 'ours_ms': 1.234567, 'ratio': 12.0}, {'case': 'longer', 'ours_ms': 2500.0}]).splitlines()
    assert lines[0].split() == ['case', 'ours_ms', 'ratio'] and lines[1].split() == ['a', '1.23', '12']
    assert lines[2].split() == ['longer', '2500', '-'] and len(set(map(len, lines[:2]))) <= 2


def test_the_library_never_loads_ros_or_smplx():
    code = ('import sys, pkgutil, importlib, hand_recon_ros.pipeline, hand_recon_ros.commands.reconstruct; '
            'print(sorted(m for m in ("rclpy", "smplx", "torch") if m in sys.modules))')
    result = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().splitlines()[-1] == '[]'


def test_source_of_one_file_is_not_a_video(tmp_path):
    cv2.imwrite(str(tmp_path / 'x.png'), np.zeros((4, 4, 3), np.uint8))
    assert Source.open(tmp_path / 'x.png').count == 1
