"""bench stereo: ways side by side on the same detections, triangulated points, a covered camera's phases, plots."""
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
from stereo_scripts import pairs, scripted

from hand_recon_ros.benchmarks import stereo
from hand_recon_ros.benchmarks.covered_camera import PHASES, Sight, covered, phase_of, phase_rows
from hand_recon_ros.benchmarks.stereo_cases import Case, CaseRun, Detected, PointRun, cases
from hand_recon_ros.benchmarks.stereo_plots import draw_baselines, draw_covered, draw_methods
from hand_recon_ros.benchmarks.view_pairing import fused_from_both
from hand_recon_ros.evaluation.truth_detector import StereoTruthDetector
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.pipeline import StereoSettings
from hand_recon_ros.types import Frame

@pytest.fixture(scope='module')
def recording():
    """Six instants of two scripted hands, the exact landmarks as detections, none in the right view of the last one."""
    prepare_jax()
    rig, truths = scripted('rectified', 0.12, frames=6)
    detector = StereoTruthDetector(truths)
    detector.use(rig)
    frames = list(pairs(rig, truths))
    seen = {left.stamp_ns: detector.detect(left, right) for left, right in frames}
    seen = {stamp_ns: tuple([replace(hand, detector='mediapipe') for hand in hands] for hands in views)
            for stamp_ns, views in seen.items()}
    last = frames[-1][0].stamp_ns
    seen[last] = (seen[last][0], [])
    return Detected('scripted', rig, frames, seen, truths)


@pytest.fixture(scope='module')
def joint(recording):
    run = CaseRun(Case('joint', StereoSettings(fusion='joint', offsets='none')))
    return run, run.add(recording)


def test_a_case_is_judged_on_the_given_detections(recording, joint):
    run, results = joint
    metrics = run.metrics()
    assert len(results) == 6 and run.hands == 12 and run.seconds > 0
    assert metrics['recall'] == 1 and metrics['id_switches'] == 0 and metrics['cs_mpjpe_mm'] < 4
    errors = run.hand_errors_mm()
    assert len(errors) == 12 and np.mean(list(errors.values())) == pytest.approx(metrics['cs_mpjpe_mm'])
    assert fused_from_both(recording, results) == (12, 12, 10)


def test_points_are_judged_against_joints_and_against_the_table(recording, joint):
    exact, biased = PointRun('none'), PointRun('synthetic')
    for points in (exact, biased):
        points.add(recording, joint[1])
    assert len(exact.errors_mm[0]) == 10                                    # hands of both views
    assert max(exact.errors_mm[0].values()) < 0.05 and max(exact.aligned_mm[1].values()) < 0.3
    # These landmarks are the joints themselves: beside the table's landmarks they are off by the table's offsets.
    assert np.mean(list(biased.errors_mm[0].values())) < 0.05 < 2 < np.mean(list(biased.errors_mm[1].values())) < 20


def test_ratios_are_of_the_hands_that_both_have():
    errors = {'a': 2.0, 'b': 4.0, 'c': 100.0}
    ratios = stereo._ratios(errors, {'a': 4.0, 'b': 8.0, 'd': 1.0}, {'a': 1.0, 'b': 2.0})
    assert ratios == {'to_mono': pytest.approx(0.5), 'to_points': pytest.approx(2.0)}
    assert stereo._ratios({}, {'a': 1.0}, {}) == {}
    assert stereo.PAPER_PA_MPVPE_RATIO == pytest.approx(0.57, abs=0.001)


def test_the_cases_are_mono_the_three_methods_and_the_truth():
    listed = {case.name: case for case in cases('synthetic')}
    assert list(listed)[:4] == ['mono', 'weights', 'triangulation', 'joint']
    assert not listed['mono'].stereo and listed['joint'].settings.offsets == 'synthetic'
    exact = listed['joint, truth + 1 px']
    assert exact.truth_px == 1.0 and exact.settings.offsets == 'none'


def test_cameras_are_covered_one_after_the_other():
    frame = Frame.from_image(np.full((480, 640, 3), 90, np.uint8))
    hidden = []
    for seconds in (0.2, 0.6, 1.6, 2.2, 3.2, 3.7, 5.2, 9.0):
        views = covered(10 ** 9)(*(replace(frame, stamp_ns=10 ** 9 + round(seconds * 1e9)) for _ in range(2)))
        hidden.append(tuple(view for view in (0, 1) if not views[view].image.any()))
    assert hidden == [(), (1,), (), (0,), (), (0, 1), (), ()]
    assert [phase_of(seconds) for seconds in (0.0, 0.5, 1.5, 6.0, 60.0)] == [0, 1, 2, 6, 6]


def test_a_phase_says_error_doubt_coverage_and_ids(recording, tmp_path):
    ratios = np.array([0.5] * 19 + [4.0])
    found = [Sight(0.1, 0, 'right_1', 7, 5.0, 4.0, ratios, 90.0), Sight(0.6, 1, 'right_1', 7, 15.0, 12.0, ratios, 90.0),
             Sight(0.7, 1, 'right_1', 8, 25.0, 14.0, ratios, 92.0)]
    rows = phase_rows('here', recording, found)
    assert [row['case'] for row in rows] == [f'here, {name}' for name, _, _ in PHASES]
    assert rows[0] == {'case': 'here, both see', 'hands': 1, 'true_hands': 12, 'cs_mpjpe_mm': 5.0, 'stated_std_mm': 4.0,
                       'palm_length_mm': 90.0, 'first_ids_kept': 1.0, 'coverage_95': 0.95}
    assert rows[1]['cs_mpjpe_mm'] == 20.0 and rows[1]['stated_std_mm'] == 13.0 and rows[1]['first_ids_kept'] == 0.5
    assert rows[5] == {'case': 'here, both covered', 'hands': 0, 'true_hands': 0}
    methods = [{'method': name, 'cs_mpjpe_mm': error, 'cs_mpjpe_p95_mm': 2 * error}
               for name, error in (('mono', 50.0), ('joint', 9.0))]
    draw_methods(methods, 'a', tmp_path / 'a.png')
    draw_baselines([40.0, 120.0], {'joint': [20.0, 9.0]}, 'b', tmp_path / 'b.png')
    draw_covered(found, 'c', tmp_path / 'c.png')
    assert all((tmp_path / f'{name}.png').stat().st_size > 10_000 for name in 'abc')


def test_a_set_of_one_camera_is_refused():
    wanted = Namespace(frames=None, sets=['mono_wild'], detector='mediapipe', parts=[], baselines=False, out=None)
    with pytest.raises(ValueError, match='--set: mono_wild has one camera'):
        stereo.run(wanted)
    with pytest.raises(ValueError, match='--frames: 0'):
        stereo.run(Namespace(**{**vars(wanted), 'frames': 0}))
