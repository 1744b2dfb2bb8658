"""Track ids and voted handedness, on scripted hands."""
import numpy as np
import pytest

from hand_recon_ros.detection.duplicates import without_duplicates
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.types import HandKeypoints

FRAME_NS = 33_333_333


def hand(x, y=200.0, handedness='right', score=0.97, size=100.0, noise=None):
    """A hand-like cloud of landmarks of `size` pixels centred on (x, y)."""
    shape = np.random.default_rng(5).uniform(-0.5, 0.5, (21, 2))
    shape[:2] = (-0.5, -0.5), (0.5, 0.5)
    points = shape * size + [x, y]
    if noise is not None:
        points = points + noise.normal(0, 0.02 * size, (21, 2))
    return HandKeypoints(handedness, score, score, [x - size / 2, y - size / 2, x + size / 2, y + size / 2], points,
                         np.full(21, score))


def test_a_moving_hand_keeps_its_id_through_a_short_loss_and_gets_a_new_one_after_a_long_loss():
    tracker, noise = HandTracker(max_gap_s=0.5), np.random.default_rng(0)
    seen = []
    for index in range(60):
        hands = [] if 20 <= index < 30 else [hand(100 + 6 * index, noise=noise)]     # a loss of 0.33 s
        seen += [found.track_id for found in tracker.update(hands, index * FRAME_NS)]
    assert seen == [0] * 50
    later = tracker.update([hand(100 + 6 * 59)], 59 * FRAME_NS + 600_000_000)
    assert later[0].track_id == 1


@pytest.mark.parametrize('same_handedness', [False, True])
def test_crossing_hands_keep_their_ids(same_handedness):
    tracker, noise = HandTracker(), np.random.default_rng(1)
    other = 'right' if same_handedness else 'left'
    for index in range(60):
        first, second = hand(50 + 10 * index, 200, noise=noise), hand(640 - 10 * index, 230, other, noise=noise)
        hands = [first, second] if index % 2 else [second, first]       # the detector's order means nothing
        ids = [found.track_id for found in tracker.update(hands, index * FRAME_NS)]
        if index == 0:
            right_id, left_id = ids[1], ids[0]
        assert ids == ([right_id, left_id] if index % 2 else [left_id, right_id]), index


def test_two_hands_where_one_is_lost_do_not_swap():
    tracker = HandTracker()
    tracker.update([hand(100), hand(400, handedness='left')], 0)
    only = tracker.update([hand(402, handedness='left')], FRAME_NS)
    assert [found.track_id for found in only] == [1]
    both = tracker.update([hand(404, handedness='left'), hand(101)], 2 * FRAME_NS)
    assert [found.track_id for found in both] == [1, 0]


def test_one_slip_of_handedness_is_outvoted_and_can_be_asked_for():
    names = ['right'] * 5 + ['left'] + ['right'] * 3
    voting, plain = HandTracker(), HandTracker(vote_handedness=False)
    voted = [voting.update([hand(100, handedness=name)], i * FRAME_NS)[0] for i, name in enumerate(names)]
    told = [plain.update([hand(100, handedness=name)], i * FRAME_NS)[0].handedness for i, name in enumerate(names)]
    assert [found.handedness for found in voted] == ['right'] * 9 and told == names
    assert {found.track_id for found in voted} == {0}
    assert voted[5].handedness_score == pytest.approx((5 * 0.97 + 0.03) / 6)


def test_a_wrong_first_impression_is_corrected():
    tracker = HandTracker()
    tracker.update([hand(100, handedness='left', score=0.6)], 0)
    assert tracker.update([hand(100, score=0.98)], FRAME_NS)[0].handedness == 'right'


def test_a_backward_jump_ends_all_tracks_and_ids_are_never_reused():
    tracker = HandTracker()
    assert tracker.update([hand(100)], 10 * FRAME_NS)[0].track_id == 0
    assert tracker.update([hand(100)], 9 * FRAME_NS)[0].track_id == 1
    assert tracker.update([hand(100)], 10 * FRAME_NS)[0].track_id == 1


def test_a_far_jump_is_another_hand_and_order_and_fields_survive():
    tracker = HandTracker()
    tracker.update([hand(100)], 0)
    near, far = hand(700, 600), hand(103)
    found = tracker.update([near, far], FRAME_NS)
    assert [one.track_id for one in found] == [1, 0]
    np.testing.assert_array_equal(found[0].points_px, near.points_px)


def test_bad_gap_is_refused():
    with pytest.raises(ValueError, match='max_gap_s: nan, expected seconds'):
        HandTracker(max_gap_s=float('nan'))


def test_duplicates_keep_the_better_report_and_leave_neighbours():
    noise = np.random.default_rng(2)
    worse, better, neighbour = hand(100, score=0.8, noise=noise), hand(101, score=0.95, noise=noise), hand(150)
    assert without_duplicates([worse, neighbour, better]) == [neighbour, better]
    assert without_duplicates([]) == []
