"""Where errors come from, which frames are worst, the plots, and the page that shows them."""
import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros.evaluation.definitions import DEFINITIONS
from hand_recon_ros.evaluation.error_analysis import as_json, breakdowns, joint_errors
from hand_recon_ros.evaluation.plots import draw_plots
from hand_recon_ros.evaluation.report import write_report
from hand_recon_ros.evaluation.summary import Evaluation
from hand_recon_ros.evaluation.worst_frames import worst_frames
from hand_recon_ros.types import HandEstimate

POINTS = np.random.default_rng(5).normal(0, 0.04, (21, 3)).astype(np.float32)


def hand(depth=0.5, track=0, score=1.0, error_m=0.0, joint=8, std=np.nan):
    """A hand at a depth whose one joint is wrong by error_m along x; joint 0 to 20."""
    joints = POINTS - POINTS[0] + np.float32([0, 0, depth])
    joints[joint, 0] += error_m
    return HandEstimate(track, 'right', 1.0, score, 'open_hand', np.zeros(48), np.zeros(10), np.zeros(3), joints,
                        np.zeros((0, 3)), np.ones(3), joint_std_m=np.full(21, std))


def evaluation(name='desk', frames=40, missed=(7, 8, 30)):
    """Depths from 0.3 to 0.69 m in steps of 10 mm; one joint errs by as many mm as the frame's number."""
    result = Evaluation(name)
    for index in range(frames):
        depth = 0.3 + 0.01 * index
        seen = [] if index in missed else [hand(depth, score=1 - index / 100, error_m=index / 1000, std=0.01)]
        result.add(index * 33_000_000, seen, [hand(depth)], 0.02 + 0.001 * index)
    return result


def frames_of(result):
    return [frame for recording in result.recordings for frame in recording.frames]


def test_errors_per_joint():
    result = evaluation(missed=())
    errors = joint_errors(result.hands, 'camera_space')
    assert errors.mean_mm[8] == pytest.approx(19.5, rel=1e-4) and errors.mean_mm[[7, 9]] == pytest.approx(0, abs=1e-4)
    assert errors.p95_mm[8] == pytest.approx(37.05, rel=1e-4)    # numbers 0 to 39: 0.95 * 39
    with pytest.raises(ValueError, match='hands: none'):
        joint_errors([], 'aligned')


def test_errors_over_depth_and_score():
    depth, angle, length, score = breakdowns(frames_of(evaluation()))
    assert (depth.name, depth.unit) == ('depth of the wrist', 'm') and len(depth.centres) == 8
    assert depth.true.tolist() == [5] * 8 and depth.matched.tolist() == [5, 3, 5, 5, 5, 5, 4, 5]
    # Bin k holds errors of 5 k to 5 k + 4 mm of one joint in 21.
    means = 21 * depth.means_mm('camera_space')
    np.testing.assert_allclose(means[[0, 2, 7]], (2, 12, 37), atol=1e-3)
    np.testing.assert_allclose(21 * depth.p95_mm('root_relative')[7], 35 + 0.95 * 4, atol=1e-3)
    assert length.matched.tolist() == [37] and length.true is None       # the same hand: one bin
    assert angle.matched.sum() == 37 and np.diff(angle.edges).min() >= 1.0
    assert score.edges[[0, -1]] == pytest.approx((0.61, 1.0))
    assert score.means_mm('aligned')[0] > score.means_mm('aligned')[-1]
    assert breakdowns([]) == []


def test_view_angle_and_length_are_those_of_the_truth():
    flat = np.zeros((21, 3))
    flat[[5, 17]] = [[0.02, -0.08, 0], [-0.03, -0.07, 0]]
    flat[[9, 10, 11, 12], 1] = [-0.08, -0.12, -0.15, -0.17]
    for turn, degrees in ((np.eye(3), 0.0), (np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]), 90.0)):
        joints = flat @ turn.T
        joints += [0, 0, 0.5] - joints[[0, 5, 17]].mean(0)       # the palm's centre on the optical axis
        truth = replace(hand(), joints_m=joints)
        result = Evaluation()
        result.add(0, [truth], [truth])
        assert np.degrees(result.hands[0].view_angle_rad) == pytest.approx(degrees, abs=0.1)
        assert result.hands[0].size_m == pytest.approx(0.17, abs=1e-6)


def test_worst_frames_by_the_rule():
    shown = worst_frames(evaluation().recordings, 6)             # 0.3 of 6: two misses, the first and the last
    assert [frame.index for frame in shown] == [39, 34, 29, 24, 7, 30]
    assert shown[0].error_mm > shown[1].error_mm and shown[-1].error_mm is None
    assert shown[-1].caption == 'desk, frame 30: missed right hand' and 'desk, frame 39: aligned' in shown[0].caption
    assert [frame.index for frame in worst_frames(evaluation(missed=range(40)).recordings, 3)] == [0, 20, 39]
    many = Evaluation.merged([evaluation('a', missed=()), evaluation('b', missed=())])
    assert [(frame.recording, frame.index) for frame in worst_frames(many.recordings, 3)] \
        == [('a', 39), ('b', 39), ('a', 34)]
    assert worst_frames(Evaluation().recordings) == []
    with pytest.raises(ValueError, match='count: 0'):
        worst_frames((), 0)


def test_plots_of_what_there_is(tmp_path):
    files = draw_plots(frames_of(evaluation()), tmp_path / 'all')
    assert list(files) == ['pck', 'coverage', 'joints', 'conditions', 'depth', 'latency']
    for file in files.values():
        image = cv2.imread(str(file))
        assert image.shape[0] > 300 and image.shape[1] > 400 and image.std() > 10
    assert {file.name for file in (tmp_path / 'all').iterdir()} == {f'{name}.png' for name in files}
    bare = Evaluation()
    bare.add(0, [hand()], [hand()])
    assert list(draw_plots(frames_of(bare), tmp_path)) == ['pck', 'joints', 'conditions', 'depth']
    assert draw_plots([], tmp_path) == {}


def test_the_page_stands_alone(tmp_path):
    def picture(frame):
        return None if frame.index == 39 else np.full((48, 64, 3), 5 * frame.index, np.uint8)
    settings = {'estimator': 'tailor & co', 'detector': 'mediapipe'}
    page = write_report(tmp_path / 'out', evaluation('<desk>'), settings, 'Run <1>', picture, worst=5)
    text = page.read_text()
    assert sorted(file.name for file in page.parent.iterdir()) == ['errors.json', 'plots', 'report.html']
    assert 'Run &lt;1&gt;' in text and 'tailor &amp; co' in text and '<desk>' not in text
    assert not re.search(r'(src|href)="(?!data:)', text) and 'http' not in text
    assert text.count('data:image/jpeg') == 4 and text.count('data:image/png') == 6 and 'frame 39' in text
    aligned_mm = evaluation().hands[-6].aligned_mm.mean()
    assert f'frame 34: aligned {aligned_mm:.1f} mm, camera space 1.6 mm' in text
    for name in evaluation().metrics():
        assert f'<td class="k">{name}</td>' in text
    for note in evaluation().notes():
        assert note.replace("'", '&#x27;') in text
    assert 'Worst frames' not in write_report(tmp_path / 'bare', evaluation(), {}).read_text()
    analysis = json.loads((page.parent / 'errors.json').read_text())
    assert analysis['joints_mm']['camera_space']['index4'] == pytest.approx(
        np.mean([hand.camera_space_mm[8] for hand in evaluation().hands]))
    assert analysis['over']['depth of the wrist']['true'] == [5] * 8 and as_json([]) == {}
    write_report(tmp_path / 'none', Evaluation(), {}, picture=picture)


def test_every_figure_is_defined():
    everything = set(evaluation().metrics())
    assert everything <= set(DEFINITIONS) and all(definition.meaning for definition in DEFINITIONS.values())


def test_every_figure_is_in_the_manual():
    manual = (Path(__file__).resolve().parents[1] / 'docs' / 'evaluation.md').read_text()
    families = ('_p95_', '_root_relative', 'cs_f_', 'cs_surface_f_')
    assert not [name for name in DEFINITIONS
                if f'`{name}`' not in manual and not any(part in name for part in families)]
