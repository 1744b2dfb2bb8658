"""Tracks over both views: which detections continue which hand, what a hidden hand's crop reads, sides that settle."""
from dataclasses import replace

import numpy as np
import pytest

from hand_recon_ros.fusion.stereo_tracks import FASTEST_M_S, HANDEDNESS_MEMORY, StereoTrack, StereoTracks
from hand_recon_ros.fusion.track_assignment import TrackAssignment
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import HandEstimate, HandKeypoints

CAMERA = Camera(640, 480, np.array([[600, 0, 319.5], [0, 600, 239.5], [0, 0, 1.0]]))
BASELINE = np.eye(4)
BASELINE[0, 3] = -0.12
RIG = StereoRig(CAMERA, CAMERA, BASELINE)
STEP_NS = 33_333_333


def open_hand_m(side: str, at) -> np.ndarray:
    """(21, 3) fingers up, an adult's palm; a left hand is the mirror image."""
    points = np.zeros((21, 3))
    points[1:5, :2] = [[-0.030, -0.020], [-0.045, -0.040], [-0.055, -0.055], [-0.065, -0.070]]
    for finger, x in enumerate((-0.025, 0.0, 0.02, 0.04)):
        points[5 + 4 * finger:9 + 4 * finger, :2] = [[x, -0.085], [x, -0.12], [x, -0.14], [x, -0.16]]
    points = points * ([-1.0, 1.0, 1.0] if side == 'left' else 1.0)
    return points + np.asarray(at, np.float64)


def seen(points_px, side: str, sure: float = 0.95, score: float = 0.95) -> HandKeypoints:
    pixels = np.asarray(points_px, np.float32)
    return HandKeypoints(side, sure, score, np.concatenate([pixels.min(0), pixels.max(0)]), pixels, np.ones(21))


def views(*hands) -> tuple[list[HandKeypoints], list[HandKeypoints]]:
    """Both images' detections of (side, points (21, 3)), in order."""
    projected = [(side, RIG.project(points)) for side, points in hands]
    return tuple([seen(pixels[view], side) for side, pixels in projected] for view in (0, 1))


def estimate(points_m, side: str = 'right') -> HandEstimate:
    points = np.asarray(points_m, np.float32)
    return HandEstimate(0, side, 1.0, 1.0, 'open_hand', np.zeros(48), np.zeros(10), points[0], points, points,
                        np.array([1000.0, 320, 240]))


def track(number: int, side: str, at, velocity=(0.0, 0.0, 0.0), measured=True) -> StereoTrack:
    return StereoTrack(number, estimate(open_hand_m(side, at), side), 0, 10.0 if side == 'right' else -10.0,
                       np.array(velocity), STEP_NS / 1e9, sights=int(measured))


def assign(tracks, left, right, stamp_ns=STEP_NS, most=2):
    return {hand.track.track_id if hand.track else 'new': hand.pair
            for hand in TrackAssignment().assign(RIG, left, right, tracks, stamp_ns, most)}


def test_hands_that_pass_before_each_other_are_told_apart_by_depth_and_speed():
    tracks = [track(0, 'right', (-0.05, 0, 0.5), (0.9, 0, 0)), track(1, 'left', (0.05, 0, 0.62), (-0.9, 0, 0))]
    left, right = views(('left', open_hand_m('left', (0.02, 0, 0.62))),
                        ('right', open_hand_m('right', (-0.02, 0, 0.5))))
    assert assign(tracks, left, right) == {0: (1, 1), 1: (0, 0)}


def test_one_detection_is_of_one_hand_when_both_views_see_the_one_in_front():
    """The hand behind is hidden: what is read in both views is the front hand, not one view of each."""
    tracks = [track(0, 'right', (0.01, 0, 0.5)), track(1, 'left', (0.0, 0, 0.6))]
    left, right = views(('right', open_hand_m('right', (0.0, 0.005, 0.51))))
    assert assign(tracks, left, right) == {0: (0, 0)}


def test_a_second_reading_of_the_hand_in_front_is_not_the_hand_behind_it():
    tracks = [track(0, 'right', (0.0, 0, 0.5)), track(1, 'left', (0.03, 0, 0.6))]
    left, right = views(('right', open_hand_m('right', (0.0, 0, 0.5))))
    shaken = [seen(hand.points_px + np.random.default_rng(3).normal(0, 12, (21, 2)), 'left', 0.8, 0.7) for hand in left]
    assert assign(tracks, left + shaken, right) == {0: (0, 0)}
    # Nor is it a new one where nobody is behind.
    assert assign(tracks[:1], left + shaken, right) == {0: (0, 0)}


@pytest.mark.parametrize('lost_s', [0.2, 0.5, 0.9])
def test_a_hand_lost_behind_the_other_is_found_again_by_its_own_track(lost_s):
    lost_ns = round(lost_s * 1e9)
    front = replace(track(0, 'right', (0.06, 0, 0.5)), stamp_ns=lost_ns)
    behind = track(1, 'left', (0.0, 0, 0.62), (-0.3, 0.1, 0.2))
    hands = ('right', open_hand_m('right', (0.07, 0, 0.5))), ('left', open_hand_m('left', (-0.16, 0.02, 0.6)))
    assert assign([front, behind], *views(*hands), lost_ns + STEP_NS) == {0: (0, 0), 1: (1, 1)}
    # A hand of the other side is not: it is somebody else's.
    other = hands[0], ('right', open_hand_m('right', (-0.16, 0.02, 0.6)))
    assert assign([front, behind], *views(*other), lost_ns + STEP_NS) == {0: (0, 0), 'new': (1, 1)}


def test_a_measured_hand_does_not_jump_and_no_more_hands_begin_than_wanted():
    tracks = [track(0, 'right', (0.0, 0, 0.5))]
    far = views(('right', open_hand_m('right', (0.0, 0, 1.1))))
    assert assign(tracks, *far) == {'new': (0, 0)}
    # One that a single view saw may: its depth was a guess.
    assert assign([replace(tracks[0], sights=0)], *far) == {0: (0, 0)}
    three = views(*(('right', open_hand_m('right', (x, 0, 0.6))) for x in (-0.25, 0.0, 0.25)))
    assert len(TrackAssignment().assign(RIG, *three, [], 0, 2)) == 2
    assert len(TrackAssignment().assign(RIG, *three, [], 0, 3)) == 3


def test_two_detections_that_the_detectors_own_tracking_swapped_change_nothing():
    tracks = [track(0, 'right', (-0.12, 0, 0.55)), track(1, 'left', (0.12, 0, 0.55))]
    left, right = views(('right', open_hand_m('right', (-0.12, 0, 0.55))),
                        ('left', open_hand_m('left', (0.12, 0, 0.55))))
    swapped = [replace(hand, track_id=number) for hand, number in zip(left, (1, 0))]
    assert assign(tracks, swapped, right[::-1]) == {0: (0, 1), 1: (1, 0)}


def test_the_side_of_a_hand_is_its_tracks_own_and_slips_do_not_turn_it():
    tracks = StereoTracks()
    tracks.begin(0)
    hand = tracks.add(estimate(open_hand_m('right', (0, 0, 0.5))), 0, 0.2)
    assert hand.handedness == 'left' and hand.right_probability == pytest.approx(0.2)
    for _ in range(3):
        hand.judge(0.98)
    assert hand.handedness == 'right'                   # the first sight was wrong
    for _ in range(20):
        hand.judge(0.98)
    assert hand.right_evidence == HANDEDNESS_MEMORY and hand.right_probability == 1.0
    for _ in range(9):
        hand.judge(0.0)
    assert hand.handedness == 'right'
    for _ in range(3):
        hand.judge(0.0)
    assert hand.handedness == 'left'


def test_one_view_says_nothing_of_the_speed_along_its_sight_and_no_hand_is_faster_than_hands_are():
    hand = track(0, 'right', (0.0, 0.0, 0.5))
    middle = hand.estimate.joints_m.mean(0, np.float64)
    moved = estimate(hand.estimate.joints_m + 0.1 * middle / np.linalg.norm(middle))
    one, both = replace(hand), replace(hand)
    one.see(moved, STEP_NS, np.zeros(3))
    both.see(moved, STEP_NS)
    assert np.linalg.norm(one.velocity_m_s) < 1e-3
    assert np.linalg.norm(both.velocity_m_s) == pytest.approx(0.5 * 0.1 * 30, rel=0.01)
    both.see(estimate(hand.estimate.joints_m + [3.0, 0, 0]), 2 * STEP_NS)
    assert np.linalg.norm(both.velocity_m_s) == pytest.approx(FASTEST_M_S)
    assert both.lost_s(3 * STEP_NS) == pytest.approx(0.0, abs=1e-6)
    assert both.lost_s(6 * STEP_NS) == pytest.approx(0.1, abs=1e-6)
