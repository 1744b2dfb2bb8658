"""`hand-recon evaluate`: its figures, its JSON, its refusals; the truth as detector; many recordings over processes."""
import json
from dataclasses import replace

import numpy as np
import pytest
from recording_slices import IMAGE, INFO, TRUTH, sliced

from hand_recon_ros import cli
from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.evaluation.runs import RunSettings, evaluate_frames
from hand_recon_ros.evaluation.spreading import spread
from hand_recon_ros.evaluation.sets import load_set
from hand_recon_ros.evaluation.truth_detector import TruthDetector
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.pipeline import MonoSettings
from hand_recon_ros.types import Frame

METRICS = ('pa_mpjpe_mm', 'pa_mpvpe_mm', 'mpjpe_mm', 'cs_mpjpe_mm', 'cs_mpvpe_mm', 'auc_0_50', 'auc_20_50', 'auc_5_20',
           'f_5', 'f_15', 'recall', 'handedness_accuracy', 'id_switches', 'jitter_mm', 'bone_length_std_mm',
           'coverage_95', 'keypoint_recall', 'keypoint_error_percent')


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Two recordings of 8 and 6 frames, of different moments."""
    prepare_jax()
    folder = tmp_path_factory.mktemp('bags')
    return sliced(folder / 'a', 8), sliced(folder / 'b', 6, first=60)


@pytest.fixture(scope='module')
def recording(bags):
    return LabelledRecording.read(bags[0], labelled=True, calibrated=True)


def evaluate(*arguments):
    return cli.main(['evaluate', *map(str, arguments)])


def test_the_json_contract_and_the_report(bags, tmp_path, capsys):
    file = tmp_path / 'made' / 'figures.json'
    assert evaluate(*bags, '--frames', 12, '--offsets', 'synthetic', '--json', file, '--out', tmp_path / 'out') == 0
    stored, printed = json.loads(file.read_text()), capsys.readouterr().out
    assert stored['frames'] == 12 and stored['estimator'] == 'iknet+gauss_newton'
    assert stored['detector'] == 'mediapipe' and stored['offsets'] == 'synthetic'
    metrics = stored['metrics']
    assert set(METRICS) <= set(metrics)
    assert set(metrics['latency_ms']) == {'p50', 'p95', 'p99'}
    assert 0 < metrics['latency_ms']['p50'] <= metrics['latency_ms']['p99']
    # MediaPipe sees both hands of every frame here, and the mesh is where they are.
    assert metrics['recall'] == metrics['handedness_accuracy'] == 1 and metrics['id_switches'] == 0
    assert 3 < metrics['pa_mpjpe_mm'] < 20 < metrics['cs_mpjpe_mm'] < 100
    assert f'{metrics["pa_mpjpe_mm"]:.2f}' in printed and '12 frames, 24 hands, 2 recordings' in printed
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'Worst frames' in page and page.count('data:image/jpeg') >= 2 and (tmp_path / 'out' / 'plots').is_dir()


def test_the_truth_as_detector_leaves_the_tailor_almost_no_error(recording):
    settings = RunSettings(MonoSettings(offsets='none'), 'truth')
    first = evaluate_frames('a', recording.frames(), recording.truths, settings).evaluation.metrics()
    assert first['recall'] == 1 and first['keypoint_error_percent'] < 1e-3
    assert first['pa_mpjpe_mm'] < 4         # what is left is the shape, which 21 points do not tell
    noisy = [evaluate_frames('a', recording.frames(), recording.truths,
                             RunSettings(MonoSettings(offsets='none'), 'truth+noise', 3.0, seed)).evaluation.metrics()
             for seed in (1, 1, 2)]
    for metrics in noisy:
        del metrics['latency_ms']
    assert noisy[0] == noisy[1] != noisy[2]
    assert noisy[0]['pa_mpjpe_mm'] > first['pa_mpjpe_mm'] and noisy[0]['jitter_mm'] > 2 * first['jitter_mm']


def test_the_truth_detector_is_exact_and_its_noise_is_seeded(recording):
    frame = next(recording.frames())
    truths = recording.truths[frame.stamp_ns]
    seen = TruthDetector(recording.truths).detect(frame)
    assert [hand.handedness for hand in seen] == [truth.handedness for truth in truths] == ['right', 'left']
    for hand, truth in zip(seen, truths):
        assert hand.points_px == pytest.approx(frame.camera.project(truth.joints_m), abs=1e-3)
        assert np.diff(hand.points_m, axis=0) == pytest.approx(np.diff(truth.joints_m, axis=0), abs=1e-6)
    noisy = TruthDetector(recording.truths, 2.0, 5)
    errors = np.concatenate([hand.points_px - exact.points_px for stamp in recording.truths
                             for hand, exact in zip(*(detector.detect(Frame(640, 480, None, frame.camera, stamp))
                                                      for detector in (noisy, TruthDetector(recording.truths))))])
    assert errors.std() == pytest.approx(2.0, rel=0.15) and abs(errors.mean()) < 0.3
    again = TruthDetector(recording.truths, 2.0, 5).detect(frame)       # without the frames before
    assert all((a.points_px == b.points_px).all() for a, b in zip(again, noisy.detect(frame)))
    assert TruthDetector(recording.truths).detect(Frame(640, 480, None, frame.camera, 17)) == []
    with pytest.raises(ValueError, match='camera'):
        noisy.detect(Frame(640, 480, None, None, frame.stamp_ns))
    with pytest.raises(ValueError, match='noise_px: -1'):
        TruthDetector({}, -1)


def test_workers_change_nothing(bags, tmp_path):
    figures = []
    for workers in (1, 2):
        assert evaluate(*bags, '--detector', 'truth+noise', '--workers', workers, '--json', tmp_path / 'w.json') == 0
        stored = json.loads((tmp_path / 'w.json').read_text())
        del stored['metrics']['latency_ms']
        figures.append(stored)
    assert figures[0] == figures[1] and figures[0]['frames'] == 14


def test_a_recording_is_judged_alike_whatever_ran_before(recording, bags):
    settings = RunSettings(MonoSettings(offsets='synthetic'))
    other = LabelledRecording.read(bags[1])
    runs = []
    for before in (None, other, recording):
        if before is not None:
            evaluate_frames('before', before.frames(), before.truths, settings)
        judged = evaluate_frames('a', recording.frames(), recording.truths, settings)
        runs.append([[(hand.track_id, hand.joints_m.tolist()) for hand in hands] for hands, _ in judged.found.values()])
    assert runs[0] == runs[1] == runs[2] and len(runs[0]) == 8


def test_a_frame_that_is_refused_counts_as_empty_and_is_named(recording):
    settings = RunSettings(MonoSettings(offsets='none'), 'truth')
    frames = list(recording.frames())
    frames[3] = replace(frames[3], camera=None)
    judged = evaluate_frames('a', frames, recording.truths, settings)
    assert judged.evaluation.frames == 8 and judged.evaluation.metrics()['recall'] == 7 / 8
    assert len(judged.refused) == 1 and judged.refused[0].startswith('a: frame 3: frame.camera: None')
    with pytest.raises(ValueError, match='frame 0: frame.camera: None'):
        evaluate_frames('a', [replace(frame, camera=None) for frame in frames], recording.truths, settings)


def test_what_is_not_usable_is_one_line_and_status_2(bags, tmp_path, capsys):
    stray = tmp_path / 'folder'
    stray.mkdir()
    cases = [
        (['nowhere'], 'no such recording'), ([stray], 'metadata.yaml'),
        ([sliced(tmp_path / 'unlabelled', 2, (IMAGE, INFO))], 'no ground truth'),
        ([sliced(tmp_path / 'uncalibrated', 2, (IMAGE, TRUTH))], 'no camera_info'),
        ([sliced(tmp_path / 'blind', 2, (INFO, TRUTH))], 'no images'),
        ([bags[0], '--estimator', 'magic'], "'magic', expected one of auto, closed_form_ik"),
        ([bags[0], '--offsets', 'imagined'], 'imagined'), ([bags[0], '--frames', '0'], '--frames: 0'),
        ([bags[0], '--workers', '0'], '--workers: 0'), ([bags[0], '--rate', '0'], '--rate: 0'),
        ([], 'give either'), ([bags[0], '--set', 'mono_wild'], 'give either'),
        (['--set', 'imagined'], "'imagined', expected one of egocentric, mono_wild, stereo_baselines, "),
        ([bags[0], '--through-nodes', '--ray', 'auto'], '--ray: not with --through-nodes'),
        ([bags[0], '--ray', '127.0.0.1:9'], 'ray: ')]
    for arguments, expected in cases:
        assert evaluate(*arguments) == 2, arguments
        error = capsys.readouterr().err
        assert error.count('\n') == 1 and error.startswith('hand-recon evaluate: ') and expected in error, error
    empty = tmp_path / 'empty'
    from hand_recon_ros.bags.writer import BagWriter
    with BagWriter(empty):
        pass
    assert evaluate(empty) == 2 and 'holds no messages' in capsys.readouterr().err


def test_spread_raises_what_the_function_raised_and_keeps_the_order():
    names = ['mono_wild', 'egocentric', 'stereo_desk']
    assert [found.name for found in spread(load_set, names)] == names
    results = spread(load_set, [*names, 'imagined', names[0]], 2)
    assert [next(results).name for _ in names] == names
    with pytest.raises(ValueError, match="'imagined', expected one of"):
        next(results)
    with pytest.raises(ValueError, match='workers: 0'):
        spread(load_set, names, 0)


def test_ray_gives_the_same():
    pytest.importorskip('ray', reason='the optional extra `ray` is not installed')
    names = ['mono_wild', 'egocentric', 'stereo_desk']
    assert list(spread(load_set, names, 2, 'local')) == list(spread(load_set, names))
    with pytest.raises(ValueError, match="'imagined', expected one of"):
        list(spread(load_set, ['imagined'], 1, 'local'))


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'ray', None)
    with pytest.raises(ValueError, match=r'not installed.*hand_recon_ros\[ray\]'):
        list(spread(load_set, ['mono_wild'], 2, 'local'))
