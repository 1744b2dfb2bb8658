"""Recordings through the real nodes: the figures of one process, from the first to the last image, again and again."""
import numpy as np
import pytest
from recording_slices import sliced

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.evaluation.runs import RunSettings, evaluate_frames
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.nodes.live_runs import LiveRuns
from hand_recon_ros.nodes.session import choose_private_domain
from hand_recon_ros.pipeline import MonoSettings

FRAMES = 8
# Slow enough for a machine that does other things too.
RATE = 0.25


@pytest.fixture(scope='module')
def recordings(tmp_path_factory):
    """The recording's beginning, and a later stretch of it."""
    prepare_jax()
    folder = tmp_path_factory.mktemp('bags')
    return [LabelledRecording.read(sliced(folder / str(first), FRAMES, first=first)) for first in (0, 60)]


def compared(live, alone):
    live, alone = live.evaluation.metrics(), alone.evaluation.metrics()
    assert live.pop('latency_ms')['p50'] > 0 < alone.pop('latency_ms')['p50']
    assert live.keys() == alone.keys()
    for name, value in alone.items():
        assert live[name] == pytest.approx(value, rel=1e-5, abs=1e-6), name


def test_played_again_and_again_the_nodes_find_what_one_process_finds(recordings, tmp_path):
    choose_private_domain()
    settings = RunSettings(MonoSettings(offsets='synthetic'))
    lines, runs = [], []
    with LiveRuns(settings, RATE, lines.append) as nodes:
        # The stamps go forth and back: by 2 s, by 0.2 s (a recording played again), by 2 s.
        for number, recording in enumerate([*recordings, recordings[1], recordings[0]]):
            runs.append(nodes.evaluate('part', recording, tmp_path / str(number)))
    for run in runs:
        assert run.replay.images == FRAMES and run.replay.restarts == 0
        assert run.replay.lost == {'/hands/keypoints': 0, '/hands/mesh_initial': 0, '/hands/mesh': 0}
        assert run.replay.counts == dict.fromkeys(run.replay.lost, FRAMES)
    assert runs[0].replay.start_s > 0 and all(run.replay.start_s == 0 for run in runs[1:])
    for run, recording in zip(runs, [*recordings, recordings[1], recordings[0]]):
        compared(run.judged, evaluate_frames('part', recording.frames(), recording.truths, settings))
    for one, other in ((0, 3), (1, 2)):
        for (stamp, (hands, _)), (again, (others, _)) in zip(runs[one].judged.found.items(),
                                                             runs[other].judged.found.items()):
            assert stamp == again and len(hands) == len(others) == 2
            for a, b in zip(hands, others):
                assert np.array_equal(a.joints_m, b.joints_m) and a.track_id < b.track_id   # ids are never used again


def test_the_truth_through_the_nodes(recordings, tmp_path):
    choose_private_domain()
    settings = RunSettings(MonoSettings(offsets='none'), 'truth+noise', noise_px=2.0, seed=3)
    with LiveRuns(settings, RATE, lambda line: None) as nodes:
        run = nodes.evaluate('part', recordings[1], tmp_path / 'truth', most=6)
    assert run.replay.images == run.judged.evaluation.frames == 6 and not any(run.replay.lost.values())
    compared(run.judged, evaluate_frames('part', recordings[1].frames(most=6), recordings[1].truths, settings))
