"""Closed-form inverse kinematics, shape by proportions and placement against hands whose truth is known."""
import numpy as np
import pytest

from hand_recon_ros.estimation.bone_shape import BoneShape
from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.estimation.inverse_kinematics import InverseKinematics
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.estimation.viewing import ray_rotation
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.placement import place_by_spread
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import (angles_to_rotations, anatomical_angles, joint_ranges, limit_violation,
                                               rotations_to_angles)
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_points, mirror_pose
from hand_recon_ros.hand_model.parameters import HandParameters, from_pose, to_pose
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.types import WEAK_PERSPECTIVE, Frame, HandIdentity, HandKeypoints

CAMERA = Camera(640, 480, np.array([[600.0, 0, 319.5], [0, 600, 239.5], [0, 0, 1]]))
FRAME = Frame(640, 480, camera=CAMERA)


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def skeleton(model):
    return build_skeleton(model)


def posture(rng, shape_count, spread=0.7):
    ranges = joint_ranges()
    angles = np.zeros(45)
    chosen = list(anatomical_angles())
    drawn = ranges['mean'] + spread * ranges['spread'] * rng.standard_normal((15, 3))
    angles[chosen] = np.clip(drawn, ranges['lower'], ranges['upper']).ravel()[chosen]
    return HandParameters(axis_angle_to_matrix(rng.uniform(-1.5, 1.5, 3)), angles.reshape(15, 3),
                          np.array([0.05, -0.03, 0.6]), np.zeros(shape_count))


def detection(points, handedness='right', noise_px=0.0, rng=None):
    pixels = CAMERA.project(points)
    if noise_px:
        pixels = pixels + noise_px * rng.standard_normal(pixels.shape)
    centre = points.mean(0)
    return HandKeypoints(handedness, 1.0, 1.0, np.concatenate([pixels.min(0), pixels.max(0)]), pixels, np.ones(21),
                         (points - centre) @ ray_rotation(centre[:2] / centre[2]))


def test_angles_and_rotations_are_inverse(skeleton):
    rng = np.random.default_rng(0)
    axes = np.asarray(skeleton.axes, np.float64)
    angles = rng.uniform(-1.4, 1.4, (4, 15, 3)) * [1.5, 1, 1]
    np.testing.assert_allclose(rotations_to_angles(angles_to_rotations(angles, axes), axes), angles, atol=1e-6)


def test_axes_close_the_hand_and_spread_towards_the_thumb(skeleton):
    # Fingers point to -x, dorsal is +y, the thumb's side +z: flexion moves an index tip to the palm, abduction to the thumb.
    start = HandParameters(np.eye(3), np.zeros((15, 3)), np.zeros(3), np.zeros(skeleton.joint_dirs.shape[-1]))
    rest = np.asarray(place(skeleton, start)[0])
    flexed = np.zeros((15, 3))
    flexed[:, 0] = 0.5
    spread = np.zeros((15, 3))
    spread[0, 1] = 0.2
    bent = np.asarray(place(skeleton, start._replace(angles=flexed))[0])
    apart = np.asarray(place(skeleton, start._replace(angles=spread))[0])
    for tip in (8, 12, 16, 20):
        assert bent[tip, 1] < rest[tip, 1] - 0.03
    assert apart[8, 2] > rest[8, 2] + 0.012
    assert anatomical_angles()[:4] == (0, 1, 3, 6) and len(anatomical_angles()) == 21


def test_inverse_kinematics_recovers_postures(model, skeleton):
    rng, solver = np.random.default_rng(1), InverseKinematics.build(skeleton)
    for _ in range(20):
        truth = posture(rng, model.shape_size)
        points = np.asarray(place(skeleton, truth)[0], np.float64)
        rotation, angles = solver.solve(points * 1.3 + 5.0)          # neither size nor place matter
        found = np.asarray(place(skeleton, truth._replace(rotation=rotation, angles=angles))[0])
        # The thumb's base takes part in the palm's alignment with a small weight, so the palm is not exact.
        assert np.linalg.norm(found - points, axis=1).mean() < 0.004
        assert limit_violation(angles).max() < 1e-9


def test_inverse_kinematics_stays_within_limits(model, skeleton):
    solver = InverseKinematics.build(skeleton)
    points = np.random.default_rng(2).standard_normal((21, 3))
    assert limit_violation(solver.solve(points)[1]).max() < 1e-9


def test_shape_from_proportions_is_eq_8(model, skeleton):
    bones = BoneShape.build(skeleton)
    truth = np.zeros(model.shape_size)
    truth[1] = 1.5
    points = np.asarray(place(skeleton, HandParameters(np.eye(3), np.zeros((15, 3)), np.zeros(3), truth))[0], np.float64)
    loose, firm = bones.solve(points, 1e-9), bones.solve(points, 10.0)
    ratio = bones.lengths(loose) / bones.lengths(loose)[8]
    np.testing.assert_allclose(ratio, bones.lengths(truth) / bones.lengths(truth)[8], atol=2e-4)
    np.testing.assert_allclose(bones.solve(3.7 * points, 1e-9), loose, atol=1e-6)     # scale-free
    assert np.abs(firm).max() < 0.05
    with pytest.raises(ValueError, match='wrist and middle knuckle'):
        bones.solve(np.zeros((21, 3)))


def test_placement_by_spread():
    rng = np.random.default_rng(3)
    points = 0.05 * rng.standard_normal((21, 3)) * [1, 1, 0.01]
    place_at = np.array([0.1, -0.05, 0.7])
    image = (points + place_at)[:, :2] / (points + place_at)[:, 2:]
    np.testing.assert_allclose(place_by_spread(points, image), place_at, atol=2e-3)
    with pytest.raises(ValueError, match='in one place'):
        place_by_spread(points, np.zeros((21, 2)))


def test_estimate_of_exact_detections(model, skeleton):
    rng, estimator = np.random.default_rng(4), build_estimator('closed_form_ik', model)
    for _ in range(5):
        truth = posture(rng, model.shape_size)
        points = np.asarray(place(skeleton, truth)[0], np.float64)
        estimate = estimator.estimate(FRAME, detection(points))
        assert np.linalg.norm(estimate.joints_m - points, axis=1).mean() < 0.03
        assert estimate.vertices_m.shape == (model.vertex_count, 3) and not estimate.metric
        at = CAMERA.project(estimate.joints_m[0].astype(float))
        np.testing.assert_allclose(estimate.weak_camera, [600 / estimate.joints_m[0, 2], *at], rtol=1e-4)


def test_left_hand_is_the_mirror_image(model, skeleton):
    truth = posture(np.random.default_rng(5), model.shape_size)
    points = np.asarray(place(skeleton, truth)[0], np.float64)
    estimator = ClosedFormIk(model)
    right, left = (estimator.estimate(FRAME, detection(p, side))
                   for p, side in ((points, 'right'), (mirror_points(points), 'left')))
    np.testing.assert_allclose(mirror_points(left.vertices_m), right.vertices_m, atol=2e-5)
    np.testing.assert_allclose(mirror_pose(left.pose), right.pose, atol=2e-4)


def test_unknown_camera_gives_weak_perspective(model, skeleton):
    points = np.asarray(place(skeleton, posture(np.random.default_rng(6), model.shape_size))[0], np.float64)
    estimate = ClosedFormIk(model).estimate(Frame(640, 480), detection(points))
    assert estimate.projection == WEAK_PERSPECTIVE and not estimate.metric
    scale, tx, ty = estimate.weak_camera
    drawn = scale * (estimate.joints_m - estimate.joints_m[0])[:, :2] + (tx, ty)
    assert np.linalg.norm(drawn - CAMERA.project(points), axis=1).mean() < 15


def test_pose_round_trip(model, skeleton):
    rng = np.random.default_rng(7)
    for side in ('right', 'left'):
        pose = 0.4 * rng.standard_normal(48)
        parameters = from_pose(pose, np.zeros(model.shape_size), [0.1, 0.2, 0.5], skeleton.axes, side)
        back, root = to_pose(parameters, skeleton.axes, side)
        np.testing.assert_allclose(back, pose, atol=2e-5)
        np.testing.assert_allclose(root, [0.1, 0.2, 0.5], atol=1e-6)


def test_bad_input_is_named(model, skeleton):
    points = np.asarray(place(skeleton, posture(np.random.default_rng(8), model.shape_size))[0], np.float64)
    estimator = ClosedFormIk(model)
    flat = detection(points)
    without = HandKeypoints('right', 1, 1, flat.box_px, flat.points_px, flat.point_scores)
    with pytest.raises(ValueError, match='points_m: missing'):
        estimator.estimate(FRAME, without)
    stranger = HandIdentity('ann', 'mano', np.zeros(10), np.zeros(10))
    with pytest.raises(ValueError, match="identity 'ann': for model 'mano'"):
        estimator.estimate(FRAME, flat, stranger)
    with pytest.raises(ValueError, match='estimator: .nonsense., expected one of auto, closed_form_ik'):
        build_estimator('nonsense', model)
    with pytest.raises(ValueError, match='points_px: 1 of 42 values are not finite'):
        HandKeypoints('right', 1, 1, flat.box_px, np.where(np.arange(42).reshape(21, 2) == 3, np.nan, flat.points_px),
                      flat.point_scores)


def test_points_beyond_the_lens_model_do_not_spoil_the_rest(model, skeleton):
    # Strong barrel distortion folds back at a radius of 1 / sqrt(3 * 0.4): no ray reaches the image's far corner.
    camera = Camera(640, 480, np.array([[300.0, 0, 319.5], [0, 300, 239.5], [0, 0, 1]]), 'plumb_bob', [-0.4, 0, 0, 0, 0])
    assert np.isnan(camera.normalise(np.array([639.0, 479.0]))).any()
    points = np.asarray(place(skeleton, posture(np.random.default_rng(9), model.shape_size))[0], np.float64)
    inside = detection(points)
    pixels = camera.project(points)
    pixels[20] = [639, 479]
    keypoints = HandKeypoints('right', 1, 1, inside.box_px, pixels, np.ones(21), inside.points_m)
    frame = Frame(640, 480, camera=camera)
    estimate = Tailor(model, max_hands=1).refine(frame, [keypoints], [ClosedFormIk(model).estimate(frame, keypoints)])[0]
    error = np.linalg.norm(camera.project(estimate.joints_m.astype(float)) - camera.project(points), axis=1)
    assert np.median(error) < 5
