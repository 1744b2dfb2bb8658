"""bench latency --stereo: a few seconds of a pair through the real nodes, every figure there and in agreement."""
import json

import numpy as np
import pytest
from node_harness import recorded

from hand_recon_ros import cli
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.benchmarks.stereo_latency import draw
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.images import rgb_to_compressed
from hand_recon_ros.nodes.pair_player import PlayedPairs
from hand_recon_ros.nodes.stereo_trial import FINAL, TOPICS, Load, Trial

DISPARITY_PX, BASELINE_M = 60, 0.06
NODES = ('stereo_keypoint_node', 'left_mesh_node', 'right_mesh_node', 'stereo_fusion_node', 'tailor_node',
         'identity_node')


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """A rectified pair: the bundled images, and the same as seen from 60 mm to the right, were all of it at one depth."""
    images, camera = recorded()
    path = tmp_path_factory.mktemp('pair') / 'bag'
    with BagWriter(path) as bag:
        for index, image in enumerate(images):
            moved = np.zeros_like(image)
            moved[:, :-DISPARITY_PX] = image[:, DISPARITY_PX:]
            stamp_ns = (index + 1) * 33_333_333
            for side, picture in (('left', image), ('right', moved)):
                info = camera_to_msg(camera, stamp_ns, f'{side}_optical_frame')
                info.p[3] = -camera.fx_px * BASELINE_M * (side == 'right')
                bag.write(f'/{side}/camera_info', info, stamp_ns)
                bag.write(f'/{side}/image_rect/compressed',
                          rgb_to_compressed(picture, stamp_ns, f'{side}_optical_frame'), stamp_ns)
    return path


def test_pairs_become_meshes_and_all_is_counted(recording, tmp_path):
    result = tmp_path / 'rows.json'
    assert cli.main(['bench', 'latency', '--stereo', '--seconds', '2', '--rate', '5', '--recording', str(recording),
                     '--out', str(tmp_path / 'plots'), '--json', str(result)]) == 0
    told = json.loads(result.read_text())
    rows = {row['case']: row for row in told['rows']}
    head = rows['mesh p50']
    assert head['sent'] == 10 and head['received'] + head['dropped'] == 10 and head['received'] >= 5
    assert 0 < head['hands_per_mesh'] <= 2
    assert rows['mesh p50']['ours_ms'] <= rows['mesh p95']['ours_ms'] <= rows['mesh p99']['ours_ms']
    assert head['ratio'] == pytest.approx(head['reference_ms'] / head['ours_ms'])
    for topic in TOPICS:
        assert rows[topic]['received'] >= head['received']
        assert 0 < rows[topic]['work_p50_ms'] < rows[topic]['after_p95_ms']
    # A mesh comes after what it is made of.
    assert rows['left/hands/keypoints']['after_p50_ms'] < rows['hands/fused']['after_p50_ms'] <= head['ours_ms']
    for name in (*NODES, 'pair player', 'measuring subscriber'):
        assert rows[name]['cpu_percent'] >= 0 and rows[name]['memory_mb'] > 20 and rows[name]['restarts'] == 0
    assert rows['all']['cpu_ms_per_pair'] == pytest.approx(sum(
        rows[name]['cpu_ms_per_pair'] for name in (*NODES, 'pair player', 'measuring subscriber')))
    assert (tmp_path / 'plots' / 'latency_stereo.png').stat().st_size > 10_000


def test_what_did_not_arrive_is_dropped(tmp_path):
    stamps = [1_000_000_000 + k * 33_000_000 for k in range(6)]
    arrived = {topic: {stamp: stamp + 20_000_000 for stamp in stamps} for topic in TOPICS}
    arrived[FINAL] = {stamp: stamp + 40_000_000 for stamp in stamps[:4]}
    trial = Trial(PlayedPairs(stamps, [0.0] * 6), arrived, {topic: {} for topic in TOPICS},
                  dict.fromkeys(stamps[:4], 2), {'node': Load(10.0, 100.0, 0)}, 0.2)
    assert trial.dropped == 2 and trial.latencies_ms() == [40.0] * 4
    assert draw(trial, 30.0, tmp_path).is_file()


def test_a_recording_without_a_pair_is_refused(tmp_path, capfd):
    from hand_recon_ros.commands.demo import RECORDING
    assert cli.main(['bench', 'latency', '--stereo', '--seconds', '1', '--recording', str(RECORDING)]) != 0
    assert 'expected a left and a right one' in capfd.readouterr().err
