"""Metrics by hand-computed values, matching, and the table of a recording."""
from dataclasses import replace

import numpy as np
import pytest

from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.metrics import aligned_mm, auc, distances_mm, pck, root_relative_mm
from hand_recon_ros.evaluation.summary import Evaluation, table
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.types import HandEstimate


def hand(offset=(0, 0, 0), handedness='right', track=1, seed=0):
    points = np.random.default_rng(seed).standard_normal((21, 3)) * 0.04 + [0, 0, 0.6]
    joints = (points + offset).astype(np.float32)
    return HandEstimate(track, handedness, 1.0, 1.0, 'open_hand', np.zeros(48), np.zeros(10), np.zeros(3), joints,
                        np.concatenate([joints, joints * 1.01]), np.ones(3))


def test_distances_and_alignment():
    points = np.random.default_rng(1).standard_normal((4, 21, 3)) * 0.05
    moved = 1.3 * points @ axis_angle_to_matrix(np.array([0.3, -0.2, 0.9])).T + [0.1, 0, 0.4]
    assert distances_mm(points + [0.003, 0.004, 0], points) == pytest.approx(5.0)
    assert root_relative_mm(points + 1.0, points, points[:, 0] + 1.0, points[:, 0]) == pytest.approx(0.0, abs=1e-9)
    assert aligned_mm(moved, points).max() < 1e-9
    assert aligned_mm(points * [-1, 1, 1], points).mean() > 5           # a mirror image is not an alignment
    with pytest.raises(ValueError, match='expected equal shapes'):
        distances_mm(points, points[:2])


def test_pck_and_area():
    errors = np.array([0.0, 10.0, 20.0, 60.0])
    np.testing.assert_allclose(pck(errors, np.array([0, 10, 15, 50, 60])), [.25, .5, .5, .75, 1])
    assert auc(np.zeros(5), 0, 50) == pytest.approx(1.0)
    assert auc(np.full(5, 25.0), 0, 50, steps=2001) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(ValueError, match='empty'):
        pck(np.array([]), np.array([1.0]))


def test_matching_ignores_depth_and_handedness():
    near, far = hand((-0.2, 0, 0)), hand((0.2, 0, 0), seed=2)
    deep = replace(far, joints_m=far.joints_m * 1.5, handedness='left')
    assert match_hands([deep, near], [near, far]) == [(0, 1), (1, 0)]
    assert match_hands([hand((3.0, 0, 0))], [near]) == []
    assert match_hands([], [near]) == []


def test_table_of_a_recording():
    evaluation = Evaluation()
    truth = hand()
    shifted = replace(truth, joints_m=truth.joints_m + np.float32(0.01), vertices_m=truth.vertices_m + np.float32(0.01))
    evaluation.add(0, [replace(shifted, track_id=5)], [truth], 0.02)
    evaluation.add(1, [replace(truth, handedness='left', track_id=6)], [truth], 0.04)
    evaluation.add(2, [], [truth])
    metrics = evaluation.metrics()
    assert (evaluation.frames, evaluation.true_hands, len(evaluation.hands)) == (3, 3, 2)
    assert metrics['recall'] == pytest.approx(2 / 3) and metrics['precision'] == 1.0
    assert metrics['cs_mpjpe_mm'] == pytest.approx(np.sqrt(3) * 10 / 2, rel=1e-4)
    assert metrics['mpjpe_mm'] == pytest.approx(0, abs=1e-4) and metrics['pa_mpjpe_mm'] == pytest.approx(0, abs=1e-4)
    assert metrics['cs_mpvpe_mm'] == pytest.approx(np.sqrt(3) * 10 / 2, rel=1e-4)
    assert metrics['mpvpe_mm'] == pytest.approx(0, abs=1e-4) and metrics['pa_mpvpe_mm'] == pytest.approx(0, abs=1e-4)
    assert metrics['handedness_accuracy'] == 0.5 and metrics['id_switches'] == 1
    assert metrics['latency_ms']['p50'] == pytest.approx(30.0)
    assert 'cs_mpjpe_mm' in table(metrics, 'demo') and '0.667' in table(metrics)


def test_nothing_to_judge_gives_no_figures_but_reasons():
    assert Evaluation().metrics() == {}
    empty = Evaluation()
    empty.add(0, [], [])
    assert empty.metrics() == {} and any('no true hand' in note for note in empty.notes())
    missed = Evaluation()
    missed.add(0, [], [hand()])
    assert missed.metrics() == {'recall': 0.0, 'false_positives_per_frame': 0.0}
    assert any('no accuracy figures' in note for note in missed.notes())
