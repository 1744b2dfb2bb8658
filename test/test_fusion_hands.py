"""Two views to one hand: association, the three methods, tracks, stated noise. Exact keypoints of posed hands."""
import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.fusion.association import Association
from hand_recon_ros.fusion.energy import PointEnergy, ReprojectionEnergy, whitened_reprojection
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.fusion.observations import mirrored_rig, observe_pair
from hand_recon_ros.fusion.stereo_fuser import METHODS, StereoFuser, View
from hand_recon_ros.fusion.stereo_tracks import SHAPE_STD, StereoTrack
from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.fusion.weights import WeightsFusion, blended_rotations
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_pose, posed_hand
from hand_recon_ros.hand_model.parameters import from_pose
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import Frame, HandIdentity, HandKeypoints
from hand_recon_ros.weights.store import load_weights, save_weights

CAMERA = Camera(640, 480, np.array([[600, 0, 319.5], [0, 600, 239.5], [0, 0, 1.0]]))
SHAPE = np.array([0.8, -0.6, 0, 0, 0, 0, 0, 0, 0, 0], np.float32)
INSTANT_NS = 33_333_333


def rig_of(angle_deg: float = 0.0, baseline_m: float = 0.12) -> StereoRig:
    """A parallel pair, or one whose right camera is turned towards the left one's axis 0.6 m ahead."""
    T = np.eye(4)
    if angle_deg:
        angle = np.radians(angle_deg)
        T[:3, :3] = axis_angle_to_matrix(np.array([0.0, angle, 0.0]))
        T[:3, 3] = [0, 0, 0.6] - T[:3, :3] @ [0, 0, 0.6]
    else:
        T[0, 3] = -baseline_m
    return StereoRig(CAMERA, CAMERA, T)


@cache
def hand() -> JaxHand:
    return JaxHand(load_hand_model('open_hand'))


@cache
def estimator() -> ClosedFormIk:
    return ClosedFormIk(hand().model)


@cache
def fuser_of(method: str) -> StereoFuser:
    """One compiled fuser for many tests, each of which begins at `later()`, when all tracks before have ended."""
    return StereoFuser(hand().model, method=method)


def later(moments=itertools.count(1)) -> int:
    return next(moments) * 10 ** 10


def truth(side='right', at=(0.0, 0.0, 0.6), pose='relaxed', turn=(0.1, 0.2, 0.0)):
    """(joints (21, 3), pose (48,)) of a hand, fingers up, palm to the camera."""
    full = np.array(load_named_poses()[pose], np.float32)
    upright = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    full[:3] = matrix_to_axis_angle(axis_angle_to_matrix(np.array(turn)) @ upright)
    if side == 'left':
        full = mirror_pose(full)
    _, joints = posed_hand(hand(), full, SHAPE, np.asarray(at, np.float32), side)
    return posed_hand(hand(), full, SHAPE, np.asarray(at, np.float32) + np.asarray(at) - joints.mean(0), side)[1], full


def keypoints_of(joints_m, camera, side, noise_px=0.0, rng=None, score=0.95):
    px = camera.project(np.asarray(joints_m, np.float64))
    if noise_px:
        px = px + rng.normal(0, noise_px, px.shape)
    return HandKeypoints(side, score, 0.9, np.concatenate([px.min(0) - 5, px.max(0) + 5]), px, np.ones(21),
                         joints_m - joints_m.mean(0), 'truth')


def views_of(rig, hands, stamp_ns=0, noise_px=0.0, rng=None, left=True, right=True):
    """Both views of {side: joints (21, 3)}."""
    views = []
    for camera, there, moved in ((rig.left, left, lambda p: p), (rig.right, right, rig.to_right)):
        frame = Frame(camera.width, camera.height, None, camera, stamp_ns)
        seen = [keypoints_of(moved(joints), camera, side, noise_px, rng) for side, joints in hands.items()] if there else []
        views.append(View(frame, seen, [estimator().estimate(frame, k) for k in seen]))
    return views


@pytest.mark.parametrize('angle', [0.0, 60.0])
@pytest.mark.parametrize('side', ['right', 'left'])
@pytest.mark.parametrize('method, limit_mm', [('joint', 2.5), ('triangulation', 2.5)])
def test_exact_keypoints_give_the_hand_in_place_and_size(method, limit_mm, side, angle):
    rig = rig_of(angle)
    joints, _ = truth(side)
    fused, = fuser_of(method).fuse(rig, *views_of(rig, {side: joints}, stamp_ns=later()))
    away_mm = 1000 * np.linalg.norm(fused.estimate.joints_m - joints, axis=1)
    assert away_mm.mean() < limit_mm
    assert fused.estimate.handedness == side and fused.estimate.metric and fused.pair == (0, 0)
    assert fused.epipolar_px < 0.01
    assert 0.0 < fused.estimate.joint_std_m.min() and fused.estimate.joint_std_m.max() < 0.03


def test_stereo_weights_belong_to_their_network(tmp_path):
    """Features of another HandNet would mean something else."""
    network, card = load_weights('handnet')
    network.regressor.heads.bias.data += 1
    save_weights(network, card, tmp_path / 'handnet.safetensors')
    with pytest.raises(ValueError, match=r'stereo_weights.safetensors: trained upon weights .*, expected .* of .*handnet'):
        WeightsFusion(hand().model, weights_dir=str(tmp_path))


def test_weights_blend_two_estimates_by_what_their_views_saw():
    rig, rng = rig_of(60.0), np.random.default_rng(0)
    joints, pose = truth()
    stamp_ns = later()
    plain = views_of(rig, {'right': joints}, stamp_ns=stamp_ns)
    with pytest.raises(ValueError, match='features: none, expected the estimates of handnet'):
        fuser_of('weights').fuse(rig, *plain)
    left, right = (View(view.frame, view.keypoints, [replace(view.estimates[0], features=rng.normal(size=512))])
                   for view in plain)
    fused, = fuser_of('weights').fuse(rig, left, right)
    one, other = left.estimates[0], right.estimates[0]
    weights = WeightsFusion(hand().model).right_weights(*(ViewHand(view.frame, view.keypoints[0], view.estimates[0])
                                                          for view in (left, right)))
    assert weights.shape == (16, 3) and 0 <= weights.min() and weights.max() <= 1
    turns = [axis_angle_to_matrix(estimate.pose.reshape(16, 3).astype(float)) for estimate in (one, other, fused.estimate)]
    turns[1][0] = rig.T_right_left[:3, :3].T @ turns[1][0]
    assert turns[2] == pytest.approx(blended_rotations(turns[0], turns[1], weights), abs=1e-4)
    assert fused.estimate.shape == pytest.approx(0.5 * (one.shape + other.shape), abs=1e-6)
    assert fused.estimate.joints_m[0] == pytest.approx(
        0.5 * (one.joints_m[0] + rig.to_left(other.joints_m[0])), abs=1e-5)
    assert np.isnan(fused.estimate.joint_std_m).all()


def test_rotations_are_blended_along_the_shortest_arc():
    left = axis_angle_to_matrix(np.tile([0.0, 0.0, 1.0], (16, 1)))
    right = axis_angle_to_matrix(np.tile([0.0, 0.0, 0.2], (16, 1)))
    share = np.linspace(0, 1, 16)
    blended = blended_rotations(left, right, np.tile(share[:, None], 3))
    assert blended == pytest.approx(axis_angle_to_matrix(np.outer(1.0 - 0.8 * share, [0.0, 0.0, 1.0])), abs=1e-9)


def test_a_narrow_pair_with_one_pixel_of_noise_stays_within_millimetres():
    rig, rng, away, begin_ns = rig_of(), np.random.default_rng(3), [], later()
    for instant in range(12):
        joints, _ = truth(at=(0.02 * np.cos(instant), 0.0, 0.5 + 0.02 * instant), turn=(0.2, 0.1 * instant - 0.5, 0.1))
        fused, = fuser_of('joint').fuse(rig, *views_of(rig, {'right': joints}, begin_ns + instant * INSTANT_NS, 1.0, rng))
        away.append(1000 * np.linalg.norm(fused.estimate.joints_m - joints, axis=1).mean())
    assert np.mean(away) < 6.0 and max(away) < 12.0


def test_hands_are_matched_by_geometry_not_by_order():
    rig = rig_of()
    hands = {'right': truth('right', (-0.12, 0, 0.6))[0], 'left': truth('left', (0.12, 0.02, 0.55))[0]}
    left, right = views_of(rig, hands)
    assert sorted(Association().match(rig, left.keypoints, right.keypoints)) == [(0, 0), (1, 1)]
    assert sorted(Association().match(rig, left.keypoints, right.keypoints[::-1])) == [(0, 1), (1, 0)]
    assert Association().match(rig, left.keypoints, []) == []


def test_what_cannot_be_one_hand_is_not_matched():
    rig = rig_of()
    joints, _ = truth()
    left, right = views_of(rig, {'right': joints})
    seen = right.keypoints[0]
    association = Association()
    assert association.cost(rig, left.keypoints[0], seen) < 0.05
    lowered = replace(seen, points_px=seen.points_px + [0, 60], box_px=seen.box_px + [0, 60, 0, 60])
    assert association.cost(rig, left.keypoints[0], lowered) == np.inf
    behind = replace(seen, points_px=seen.points_px + [400, 0], box_px=seen.box_px + [400, 0, 400, 0])
    assert association.cost(rig, left.keypoints[0], behind) == np.inf
    # A fifth of the disparity: as a palm, five times too large and too far.
    shift = 0.8 * (left.keypoints[0].points_px - seen.points_px).mean(0)
    far = replace(seen, points_px=seen.points_px + shift)
    assert association.cost(rig, left.keypoints[0], far) == np.inf


def test_a_lost_view_keeps_track_and_scale_and_states_more_doubt():
    rig, fuser = rig_of(), StereoFuser(hand().model)
    joints, _ = truth()
    for instant in range(5):
        fused, = fuser.fuse(rig, *views_of(rig, {'right': joints}, instant * INSTANT_NS))
    both = fused.estimate
    for instant, there in ((5, dict(right=False)), (6, dict(left=False))):
        fused, = fuser.fuse(rig, *views_of(rig, {'right': joints}, instant * INSTANT_NS, **there))
        assert fused.estimate.track_id == both.track_id and None in fused.pair and np.isnan(fused.epipolar_px)
        length = [np.linalg.norm(e.joints_m[9] - e.joints_m[0]) for e in (fused.estimate, both)]
        assert length[0] == pytest.approx(length[1], rel=0.01)
        # More and more of it as the measured distance ages: test_fusion_one_view.py.
        assert fused.estimate.joint_std_m.mean() > both.joint_std_m.mean()
        assert np.linalg.norm(fused.estimate.joints_m - joints, axis=1).mean() < 0.02
    back, = fuser.fuse(rig, *views_of(rig, {'right': joints}, 7 * INSTANT_NS))
    assert back.estimate.track_id == both.track_id and back.pair == (0, 0)
    assert back.estimate.joint_std_m.mean() == pytest.approx(both.joint_std_m.mean(), rel=0.1)
    # Both covered: the hand is gone, and its track lives for max_gap_s.
    assert fuser.fuse(rig, *views_of(rig, {}, 8 * INSTANT_NS)) == []
    soon, = fuser.fuse(rig, *views_of(rig, {'right': joints}, 7 * INSTANT_NS + 950_000_000))
    assert soon.estimate.track_id == both.track_id
    again, = fuser.fuse(rig, *views_of(rig, {'right': joints}, 7 * INSTANT_NS + 950_000_000 + 1_050_000_000))
    assert again.estimate.track_id != both.track_id


def test_a_slip_of_handedness_in_one_view_changes_nothing():
    rig, fuser = rig_of(), StereoFuser(hand().model)
    joints, _ = truth()
    for instant in range(4):
        before, = fuser.fuse(rig, *views_of(rig, {'right': joints}, instant * INSTANT_NS))
    left, right = views_of(rig, {'right': joints}, 4 * INSTANT_NS)
    slipped = replace(right.keypoints[0], handedness='left', handedness_score=0.7)
    right = View(right.frame, [slipped], [estimator().estimate(right.frame, slipped)])
    after, = fuser.fuse(rig, left, right)
    assert after.estimate.handedness == 'right' and after.estimate.track_id == before.estimate.track_id
    assert after.estimate.joints_m == pytest.approx(before.estimate.joints_m, abs=2e-3)


def test_two_hands_that_cross_keep_their_ids():
    rig, fuser, seen = rig_of(), StereoFuser(hand().model), []
    for instant, x in enumerate(np.linspace(-0.12, 0.12, 40)):
        hands = {'right': truth('right', (x, 0.0, 0.50))[0], 'left': truth('left', (-x, 0.03, 0.62))[0]}
        for fused in fuser.fuse(rig, *views_of(rig, hands, instant * INSTANT_NS)):
            seen.append((fused.estimate.handedness, fused.estimate.track_id))
    assert len(seen) == 80 and len(set(seen)) == 2


def test_an_identity_holds_the_shape():
    rig = rig_of()
    joints, _ = truth()
    identity = HandIdentity('ann', 'open_hand', SHAPE, np.full(10, 0.05), metric=True)
    fused, = fuser_of('joint').fuse(rig, *views_of(rig, {'right': joints}, later()), default_identity=identity)
    assert fused.estimate.identity == 'ann'
    assert fused.estimate.shape == pytest.approx(SHAPE, abs=0.05)
    assert 1000 * np.linalg.norm(fused.estimate.joints_m - joints, axis=1).mean() < 1.5


def test_whitening_is_the_inverse_of_the_stated_covariance():
    """Sum of squares of both views' errors e: e^T [[1, c], [c, 1]]^-1 e for each landmark and axis."""
    rig = rig_of()
    joints, pose = truth()
    left, right = views_of(rig, {'right': joints})
    frames = left.frame, right.frame
    seen = left.keypoints[0], right.keypoints[0]
    skeleton = build_skeleton(hand().model)
    parameters = from_pose(pose, SHAPE, joints[0] + np.float32([0.004, -0.002, 0.01]), skeleton.axes, 'right')
    _, landmarks = place(skeleton, parameters)
    errors = []
    for view, points in zip((0, 1), (np.asarray(landmarks), rig.to_right(np.asarray(landmarks)))):
        observation = observe_pair(rig, frames, seen, 10, (0.6, 0.9))[view]
        errors.append((CAMERA.project(points) - seen[view].points_px) / observation.sigma_px[:, None])
    for correlation in ((0.0, 0.0), (0.6, 0.9)):
        observation = observe_pair(rig, frames, seen, 10, correlation)
        residual = np.asarray(whitened_reprojection(landmarks, parameters.root, observation, 1e6))
        expected = sum((errors[0][:, k] ** 2 + errors[1][:, k] ** 2 - 2 * c * errors[0][:, k] * errors[1][:, k]).sum()
                       / (1 - c * c) for k, c in enumerate(correlation))
        assert (residual ** 2).sum() == pytest.approx(expected, rel=1e-3)


def test_correlation_falls_with_the_angle_between_the_views():
    noise, point = ViewNoise(), np.array([0.0, 0.0, 0.6])
    narrow, wide = (noise.correlation(rig, point) for rig in (rig_of(baseline_m=0.02), rig_of(60.0)))
    assert narrow == pytest.approx([0.90, 0.95], abs=0.02) and wide.max() < 0.02
    assert (np.diff([noise.correlation(rig_of(baseline_m=b), point)[0] for b in (0.04, 0.12, 0.25)]) < 0).all()


def test_a_left_hand_is_seen_by_the_mirrored_rig():
    rig = rig_of(40.0)
    rotation, translation = mirrored_rig(rig, 'left')
    point = np.array([0.1, -0.05, 0.6])
    mirror = np.array([-1.0, 1.0, 1.0])
    assert rotation @ (mirror * point) + translation == pytest.approx(mirror * rig.to_right(point), abs=1e-12)


def test_the_tracks_own_shape_is_the_mean_of_its_stereo_sights():
    joints, pose = truth()
    rig = rig_of()
    left, _ = views_of(rig, {'right': joints})
    track = StereoTrack(0, left.estimates[0], 0, 0.9)
    assert track.held_shape() is None
    for step, value in enumerate((1.0, 2.0, 6.0)):
        track.see(replace(left.estimates[0], shape=np.full(10, value)), step + 1)
    track.see(replace(left.estimates[0], shape=np.full(10, 50.0)), 9, eye_m=np.zeros(3))
    assert track.held_shape().shape == pytest.approx(np.full(10, 3.0)) and track.held_shape().metric
    assert track.held_shape().shape_std == pytest.approx(np.full(10, SHAPE_STD))


@pytest.mark.parametrize('energy', [ReprojectionEnergy(), PointEnergy()])
def test_energies_are_hashable_settings(energy):
    assert hash(energy) == hash(type(energy)())


def test_bad_input_is_named():
    rig = rig_of()
    joints, _ = truth()
    left, right = views_of(rig, {'right': joints})
    with pytest.raises(ValueError, match='hand: seen in neither view'):
        HandPair(None, None, (left.frame, right.frame))
    with pytest.raises(ValueError, match='keypoints: 1 hands, expected 0'):
        View(left.frame, left.keypoints, [])
    with pytest.raises(ValueError, match="method: 'sum'"):
        StereoFuser(hand().model, method='sum')
    with pytest.raises(ValueError, match='correlation_x: 1.5'):
        ViewNoise(correlation_x=1.5)
    with pytest.raises(ValueError, match='max_gap_s: nan'):
        StereoFuser(hand().model, max_gap_s=float('nan'))
    assert set(METHODS) == {'joint', 'triangulation', 'weights'}
