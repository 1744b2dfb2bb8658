"""Two right hands of two known people, before one pair: each keeps its person's name and shape while they cross."""
from dataclasses import replace

import numpy as np
import pytest
from identity_people import CAMERA, RIG

from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.fusion.stereo_fuser import StereoFuser, View
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import joint_ranges
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.parameters import HandParameters
from hand_recon_ros.identity.calibration import ShapeCalibration
from hand_recon_ros.identity.landmark_response import LandmarkResponse
from hand_recon_ros.identity.sights import stereo_sights
from hand_recon_ros.identity.track_recognition import TrackRecognition
from hand_recon_ros.types import Frame, HandIdentity, HandKeypoints

INSTANT_NS, COUNT = 66_666_667, 60
SHAPES = {'ann': np.array([1.3, -0.4, 0.6, *[0.0] * 7]), 'bob': np.array([-1.3, 0.6, -0.5, *[0.0] * 7])}


@pytest.fixture(scope='module')
def scene():
    model = load_hand_model('open_hand')
    exact = LandmarkResponse(np.zeros((21, 3)), np.zeros((21, 3, 0)), np.full(21, 5e-4))
    return build_skeleton(model), ClosedFormIk(model), StereoFuser(model), ShapeCalibration(model, exact)


def landmarks_m(skeleton, shape, middle_m, phase):
    """(21, 3) of a right hand that turns and closes as it goes, its palm's middle at middle_m."""
    ranges, bend = joint_ranges(), np.sin(5 * phase)
    angles = np.clip(ranges['mean'] + 0.7 * bend * ranges['spread'], ranges['lower'], ranges['upper'])
    angles[:, 1:] = ranges['mean'][:, 1:]
    turned = axis_angle_to_matrix(np.array([0.5 * np.sin(3 * phase), 0.6 * np.cos(4 * phase), 0.7 * np.sin(2 * phase)]))
    parameters = HandParameters(*(np.asarray(part, np.float32) for part in (turned, angles, np.zeros(3), shape)))
    points = np.asarray(place(skeleton, parameters)[1], np.float64)
    return points - points[[0, 9]].mean(0) + middle_m


def seen(rng, points_px, points_m):
    pixels = points_px + 0.5 * rng.standard_normal((21, 2))
    return HandKeypoints('right', 0.97, 0.9, np.concatenate([pixels.min(0), pixels.max(0)]), pixels, np.ones(21),
                         points_m - points_m.mean(0))


def test_two_right_hands_keep_their_people_through_a_crossing(scene):
    skeleton, estimator, fuser, calibration = scene
    rng, identities = np.random.default_rng(0), [HandIdentity(name, 'open_hand', shape, np.full(10, 0.2), True)
                                                 for name, shape in SHAPES.items()]
    recognition = TrackRecognition(calibration, identities)
    by_name, history = {identity.name: identity for identity in identities}, []
    for instant in range(COUNT):
        x = 0.16 - 0.32 * instant / (COUNT - 1)
        truths = {'ann': landmarks_m(skeleton, SHAPES['ann'], (x, 0.0, 0.50), 0.1 * instant),
                  'bob': landmarks_m(skeleton, SHAPES['bob'], (-x, 0.02, 0.64), 0.1 * instant + 2)}
        views, stamp = [], instant * INSTANT_NS
        for view in (0, 1):
            frame = Frame(640, 480, camera=CAMERA, stamp_ns=stamp)
            hands = [seen(rng, RIG.project(points)[view], points) for points in truths.values()]
            views.append(View(frame, hands, [estimator.estimate(frame, hand) for hand in hands]))
        known = {track: by_name[name] for track, name in recognition.names.items()}
        fused = fuser.fuse(RIG, *views, known)
        owners = {hand.estimate.track_id: min(truths, key=lambda name: np.linalg.norm(
            hand.estimate.joints_m.mean(0) - truths[name].mean(0))) for hand in fused}
        recognition.add({sight.estimate.track_id: sight for sight in stereo_sights(RIG, *views, fused)}, stamp)
        history.append((owners, dict(recognition.names), {h.estimate.track_id: h.estimate for h in fused}))
    first = next(i for i, (_, names, _) in enumerate(history) if len(names) == 2)
    assert first < COUNT // 2 - 8                   # both are named before they meet
    for owners, names, _ in history[first:]:
        assert len(owners) == 2 and names == owners
    for track, estimate in history[-1][2].items():
        assert estimate.identity == names[track]
        assert estimate.shape == pytest.approx(SHAPES[names[track]], abs=0.03)


def test_names_follow_the_hands_where_tracks_were_exchanged(scene):
    """Up to the meeting ann is track 1; after it the same ids are on the other hand."""
    *_, calibration = scene
    from identity_people import People
    people, rng = People(load_hand_model('open_hand')), np.random.default_rng(4)
    recognition = TrackRecognition(calibration, [HandIdentity(name, 'open_hand', shape, np.full(10, 0.2), True)
                                                 for name, shape in SHAPES.items()])
    sights = {name: people.sights(shape, 24, rng, noise_px=0.3) for name, shape in SHAPES.items()}
    place_at = {1: np.array([-0.2, 0, 0.5], np.float32), 2: np.array([0.2, 0, 0.5], np.float32)}

    def show(row, owners, apart=1.0):
        shown = {}
        for track, name in owners.items():
            sight = sights[name][row]
            moved = np.float32(apart * place_at[track] - sight.estimate.joints_m.mean(0))
            estimate = replace(sight.estimate, translation=sight.estimate.translation + moved)
            shown[track] = replace(sight, estimate=replace(estimate, joints_m=sight.estimate.joints_m + moved))
        return recognition.add(shown, row * INSTANT_NS)
    for row in range(8):
        show(row, {1: 'ann', 2: 'bob'})
    assert recognition.names == {1: 'ann', 2: 'bob'}
    show(8, {1: 'ann', 2: 'bob'}, apart=0.1)
    assert recognition.names == {1: 'ann', 2: 'bob'}        # nothing says otherwise yet
    changed = [show(row, {1: 'bob', 2: 'ann'}) for row in range(9, 18)]
    assert recognition.names == {1: 'bob', 2: 'ann'} and any(changed)
