"""One view left, or left out: views that contradict each other, and the distance both measured before."""
from dataclasses import replace

import numpy as np
import pytest

from test_fusion_hands import INSTANT_NS, hand, later, rig_of, truth, views_of

from hand_recon_ros.fusion.stereo_fuser import StereoFuser, View
from hand_recon_ros.fusion.view_conflict import ViewConflict
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import epipolar_residual_px


@pytest.fixture(scope='module')
def fuser():
    return StereoFuser(hand().model)


def slipped(view: View, move_px, score: float) -> View:
    """The view with its only hand's landmarks moved as one, and another score."""
    seen = view.keypoints[0]
    seen = replace(seen, points_px=seen.points_px + move_px, box_px=seen.box_px + np.tile(move_px, 2), score=score)
    return replace(view, keypoints=[seen])


def off_mm(fused, joints) -> float:
    return 1000 * np.linalg.norm(fused.estimate.joints_m - joints, axis=1).mean()


def test_disagreement_is_counted_in_what_the_rig_lets_expect():
    rig, noise = rig_of(), ViewNoise()
    left, right = views_of(rig, {'right': truth()[0]})
    seen = left.keypoints[0], right.keypoints[0]
    middle = truth()[0].mean(0)
    apart = lambda *hands: ViewConflict.disagreement(       # noqa: E731
        rig, noise, *hands, epipolar_residual_px(rig, *(hand.points_px for hand in hands)), middle)
    assert apart(*seen) < 0.01
    size = 0.5 * (seen[0].box_size_px + seen[1].box_size_px)
    lowered = replace(seen[1], points_px=seen[1].points_px + [0, 0.05 * size])
    found = apart(seen[0], lowered)
    # 5 % of the hand, against 2.5 % * 0.9 of each view and their correlation along y.
    expected = 0.05 / (0.025 * 0.9 * np.sqrt(2 * (1 - noise.correlation(rig, middle)[1])))
    assert found == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize('slip', ['left', 'right'])
def test_a_view_that_slips_by_a_finger_is_left_out(fuser, slip):
    rig, joints, start_ns = rig_of(), truth()[0], later()
    for instant in range(5):
        fuser.fuse(rig, *views_of(rig, {'right': joints}, start_ns + instant * INSTANT_NS))
    views = views_of(rig, {'right': joints}, start_ns + 5 * INSTANT_NS)
    move = np.array([0.12, 0.05]) * views[0].keypoints[0].box_size_px
    views = [slipped(view, move, 0.6) if side == slip else view for side, view in zip(('left', 'right'), views)]
    fused, = fuser.fuse(rig, *views)
    assert fused.one_view and fused.pair == (0, 0)
    assert fused.epipolar_px == pytest.approx(move[1] / np.sqrt(2), rel=0.05)
    assert off_mm(fused, joints) < 8
    trusting = StereoFuser(hand().model, conflict=ViewConflict(limit=100.0))
    fused, = trusting.fuse(rig, *views)
    assert not fused.one_view and off_mm(fused, joints) > 40


def test_limits_of_a_conflict_are_checked():
    with pytest.raises(ValueError, match='clear, limit: 5.0, 3.5, expected'):
        ViewConflict(clear=5.0)


def test_a_hand_left_to_one_view_stays_at_the_distance_that_both_measured(fuser):
    """The view alone takes the hand for 8 % nearer: its landmarks lie 8 % wider apart."""
    rig, joints, start_ns = rig_of(), truth()[0], later()
    for instant in range(5):
        both, = fuser.fuse(rig, *views_of(rig, {'right': joints}, start_ns + instant * INSTANT_NS))

    def alone(fuser, instant):
        left, right = views_of(rig, {'right': joints}, start_ns + instant * INSTANT_NS, right=False)
        seen = left.keypoints[0]
        wider = seen.points_px.mean(0) + 1.08 * (seen.points_px - seen.points_px.mean(0))
        return fuser.fuse(rig, replace(left, keypoints=[replace(seen, points_px=wider)]), right)[0]

    fresh = StereoFuser(hand().model)
    assert off_mm(alone(fresh, 5), joints) > 30
    found = [alone(fuser, instant) for instant in range(5, 30)]
    errors, stated = [off_mm(f, joints) for f in found], [float(f.estimate.joint_std_m.mean()) for f in found]
    assert errors[0] < 10 and errors[0] < errors[-1]
    assert stated[0] > both.estimate.joint_std_m.mean()
    assert all(later >= sooner - 1e-5 for sooner, later in zip(stated, stated[1:])) and stated[-1] > 1.5 * stated[0]
    assert all(f.one_view and f.estimate.metric for f in found)
    # The mesh and its weak camera went along.
    moved = found[0].estimate
    assert moved.weak_camera[0] == pytest.approx(600 / moved.joints_m[0, 2], rel=1e-3)
    assert np.linalg.norm(moved.vertices_m.mean(0) - moved.joints_m.mean(0)) < 0.05


def test_a_distance_that_the_view_contradicts_is_given_up(fuser):
    rig, joints, start_ns = rig_of(), truth()[0], later()
    for instant in range(5):
        fuser.fuse(rig, *views_of(rig, {'right': joints}, start_ns + instant * INSTANT_NS))
    gone, _ = truth(at=(0.0, 0.0, 0.7))
    views = views_of(rig, {'right': gone}, start_ns + 12 * INSTANT_NS, right=False)
    fused, = fuser.fuse(rig, *views)
    assert fused.one_view and off_mm(fused, gone) < 15


def test_a_hand_of_unknown_size_takes_the_other_hands(fuser):
    rig, start_ns = rig_of(), later()
    right, left = truth('right', (0.12, 0, 0.6))[0], truth('left', (-0.12, 0, 0.6))[0]
    for instant in range(3):
        fuser.fuse(rig, *views_of(rig, {'right': right}, start_ns + instant * INSTANT_NS))
    now_ns = start_ns + 3 * INSTANT_NS
    both, alone = views_of(rig, {'right': right, 'left': left}, now_ns), views_of(rig, {'right': right}, now_ns)
    hands = {f.estimate.handedness: f for f in fuser.fuse(rig, both[0], alone[1])}
    palms = {side: np.linalg.norm(f.estimate.joints_m[9] - f.estimate.joints_m[0]) for side, f in hands.items()}
    assert palms['left'] == pytest.approx(palms['right'], rel=0.01)
    assert hands['left'].one_view and not hands['left'].estimate.metric and hands['right'].estimate.metric
