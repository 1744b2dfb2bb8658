"""Motion of estimates against the truth: switches, runs, jitter, acceleration, bone lengths."""
import numpy as np
import pytest

from hand_recon_ros.evaluation.records import FrameRecord, MatchedHand
from hand_recon_ros.evaluation.temporal import (acceleration_error_mm, acceleration_mm, bone_length_std_mm,
                                                bone_lengths_mm, id_switches, jitter_mm, still_jitter_mm, stretches)
from hand_recon_ros.evaluation.uncertainty import coverage, standardised

JOINTS = np.random.default_rng(0).normal(0, 0.05, (21, 3)) + [0, 0, 0.5]


def matched(true_id, track_id, joints=JOINTS, true=JOINTS):
    zeros = np.zeros(21)
    return MatchedHand(true_id, track_id, True, 1.0, true, joints, zeros, zeros, zeros, zeros, 0.0, 0.19)


def frame(index, *hands):
    return FrameRecord(index, len(hands), hands, ())


def test_id_switches():
    steady = [frame(k, matched('right_0', 3), matched('left_1', 4)) for k in range(4)]
    assert id_switches(steady) == 0
    swapped = steady[:2] + [frame(2, matched('right_0', 4), matched('left_1', 3))] + steady[2:]
    assert id_switches(swapped) == 4                            # two there, two back
    gap = [frame(0, matched('right_0', 3)), frame(1), frame(2, matched('right_0', 9)), frame(3, matched('right_0', 9))]
    assert id_switches(gap) == 1 and id_switches([]) == 0


def test_runs_end_at_gaps_at_other_ids_and_at_jumps_back():
    def lengths(frames):
        return [len(estimated) for estimated, _ in stretches(tuple(frames))]
    one = [frame(k, matched('right_0', 3)) for k in range(6)]
    assert lengths(one) == [6] and lengths([]) == [] and lengths(one[:1]) == []
    assert lengths(one[:3] + [frame(3)] + one[4:]) == [3, 2]
    assert lengths(one[:3] + [frame(3 + k, matched('right_0', 8)) for k in range(4)]) == [3, 4]
    assert lengths(one + one[2:4]) == [6, 2]
    assert sorted(lengths([frame(k, matched('right_0', 3), matched('left_1', 4)) for k in range(5)])) == [5, 5]


def test_jitter_and_acceleration():
    time = np.arange(6.0)[:, None, None]
    true = JOINTS + time * [0.01, 0, 0]                         # even motion, 10 mm a frame
    shifted = true + [0.03, 0.04, 0]
    assert np.abs(jitter_mm(shifted, true)).max() < 1e-9        # a constant offset does not jitter
    assert np.abs(acceleration_mm(true)).max() < 1e-9
    trembling = true + np.where(np.arange(6) % 2, 0.002, 0.0)[:, None, None] * [0, 1, 0]
    assert jitter_mm(trembling, true) == pytest.approx(2.0)
    assert acceleration_mm(trembling) == pytest.approx(4.0)     # 2 - 2 * 0 + 2
    assert acceleration_error_mm(trembling, true) == pytest.approx(4.0)
    assert acceleration_mm(JOINTS + time ** 2 * [0, 0, 0.001]) == pytest.approx(2.0)
    assert jitter_mm(true, true).shape == (5, 21) and acceleration_mm(true).shape == (4, 21)
    resting = np.repeat(JOINTS[None], 6, 0)
    assert len(still_jitter_mm(trembling, true)) == 0
    assert still_jitter_mm(resting + (trembling - true), resting) == pytest.approx(2.0)


def test_bone_lengths_and_their_drift():
    lengths = bone_lengths_mm(JOINTS)
    assert lengths.shape == (20,)
    assert lengths[4] == pytest.approx(1e3 * np.linalg.norm(JOINTS[5] - JOINTS[0]))      # index base hangs on the wrist
    assert lengths[5] == pytest.approx(1e3 * np.linalg.norm(JOINTS[6] - JOINTS[5]))
    grown = [frame(k, matched('right_0', 3, JOINTS * scale)) for k, scale in enumerate((0.9, 1.1, 0.9, 1.1))]
    alone = frame(9, matched('left_1', 5))
    deviations, counts = bone_length_std_mm([*grown, alone])
    assert counts.tolist() == [4]                               # one frame has no deviation
    np.testing.assert_allclose(deviations, 0.1 * lengths[None])
    assert bone_length_std_mm([])[0].shape == (0, 20)


def test_coverage_of_an_honest_and_of_a_boasting_gaussian():
    random = np.random.default_rng(1)
    sigma = random.uniform(0.001, 0.02, 200_000)
    distances = np.linalg.norm(random.standard_normal((200_000, 3)), axis=1) * sigma * 1e3
    assert coverage(standardised(distances, sigma)) == pytest.approx(0.95, abs=2e-3)
    np.testing.assert_allclose(coverage(standardised(distances, sigma), np.array([0.5, 0.9])), (0.5, 0.9), atol=5e-3)
    assert coverage(standardised(distances, sigma / 3)) < 0.25
    assert coverage(np.array([2.794, 2.796])) == 0.5            # sqrt(chi2_3(0.95)) = 2.7955
    stated = standardised(np.array([1.0, 2, 3, 4]), np.array([0.001, np.nan, 0.0, 0.002]))
    assert stated.tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match='empty'):
        coverage(np.array([]))
    with pytest.raises(ValueError, match='std_m: shape'):
        standardised(np.ones(3), np.ones(2))
