"""The tailor: residuals by their definitions, solvers that lower them, left hands, both projections, uncertainty."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_estimation_closed_form import CAMERA, FRAME, detection, posture

from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, place
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.hand_model.parameters import HandParameters, StepSpace, to_pose
from hand_recon_ros.hand_model.skeleton import KEYPOINT_JOINTS
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.refinement import residuals
from hand_recon_ros.refinement.energies import AnatomicalEnergy, HandTailorEnergy
from hand_recon_ros.refinement.observations import observe
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.types import Frame, HandIdentity


@pytest.fixture(scope='module')
def model():
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def tailor(model):
    return Tailor(model)


@pytest.fixture(scope='module')
def hands(model):
    """Ten hands with noisy detections: true joints, keypoints, first estimates."""
    rng, skeleton, estimator = np.random.default_rng(0), build_skeleton(model), ClosedFormIk(model)
    drawn = []
    for _ in range(10):
        points = np.asarray(place(skeleton, posture(rng, model.shape_size))[0], np.float64)
        keypoints = detection(points, noise_px=1.5, rng=rng)
        drawn.append((points, keypoints, estimator.estimate(FRAME, keypoints)))
    return drawn


def test_landmarks_are_the_skinned_keypoints(model):
    skeleton, rng = build_skeleton(model), np.random.default_rng(1)
    parameters = posture(rng, model.shape_size)._replace(shape=rng.standard_normal(model.shape_size))
    pose, root = to_pose(parameters, skeleton.axes, 'right')
    _, keypoints = JaxHand(model)(pose, parameters.shape, np.zeros(3))
    mine = np.asarray(place(skeleton, parameters)[0])
    np.testing.assert_allclose(mine, keypoints - keypoints[0] + root, atol=3e-6)


def test_offsets_ride_in_the_joints_frames(model):
    offsets = np.zeros((21, 3))
    offsets[7] = [0.001, 0.002, -0.003]
    skeleton = build_skeleton(model, offsets)
    parameters = posture(np.random.default_rng(2), model.shape_size)
    keypoints, landmarks = (np.asarray(p) for p in place(skeleton, parameters))
    moved = landmarks - keypoints
    assert np.abs(np.delete(moved, 7, 0)).max() == 0
    assert np.linalg.norm(moved[7]) == pytest.approx(np.linalg.norm(offsets[7]), rel=1e-4)
    assert KEYPOINT_JOINTS[7] == 3


def test_huber_bends_at_its_limit():
    rows = jnp.array([[0.6, 0.8], [3.0, 4.0]])
    squared = np.sum(np.asarray(residuals.huber(rows, 1.5)) ** 2, -1)
    np.testing.assert_allclose(squared, [1.0, 2 * 1.5 * 5 - 1.5 ** 2], rtol=1e-6)


def test_unnatural_twist_is_eq_10():
    points = np.zeros((21, 3), np.float32)
    points[9] = [0, 2, 0]                                              # reference bone of length 2
    a, b, c, d = np.array([[1, 1, 4], [1, 0, 2], [0, 0, 0], [0, 2, 0.0]])
    points[[8, 7, 6, 5]] = a, b, c, d
    ab, bc, cd = (a - b) / 2, (b - c) / 2, (c - d) / 2
    wanted = abs(np.cross(ab, bc) @ cd) - min(0, np.cross(ab, bc) @ np.cross(bc, cd))
    assert np.asarray(residuals.unnatural_twist(points))[1] ** 2 == pytest.approx(wanted, rel=1e-4)
    assert wanted > 0.1


@pytest.mark.parametrize('energy', [AnatomicalEnergy(), HandTailorEnergy()])
def test_gradients_are_finite_at_rest(model, energy):
    skeleton, space = build_skeleton(model), StepSpace.full(model.shape_size)
    rest = HandParameters(np.eye(3, dtype=np.float32), np.zeros((15, 3), np.float32), np.array([0, 0, .5], np.float32),
                          np.zeros(model.shape_size, np.float32))
    points = np.asarray(place(skeleton, rest)[0], np.float64)
    observation = observe(FRAME, detection(points), model.shape_size)
    gradient = jax.grad(lambda step: jnp.sum(energy(skeleton, space.moved(rest, step), observation, rest) ** 2))(
        jnp.zeros(space.size))
    assert np.isfinite(np.asarray(gradient)).all()


def test_gauss_newton_meets_the_detections(tailor, hands):
    refined = [tailor.refine(FRAME, [k], [e])[0] for _, k, e in hands]
    before = np.mean([np.linalg.norm(CAMERA.project(e.joints_m) - k.points_px, axis=1).mean() for _, k, e in hands])
    after = np.mean([np.linalg.norm(CAMERA.project(r.joints_m) - k.points_px, axis=1).mean()
                     for r, (_, k, _) in zip(refined, hands)])
    assert after < 2.2 and after < 0.85 * before
    relative = [np.linalg.norm((r.joints_m - r.joints_m[0]) - (p - p[0]), axis=1).mean() for r, (p, _, _) in zip(refined, hands)]
    assert np.median(relative) < 0.008
    for estimate in refined:
        assert np.isfinite(estimate.joint_std_m).all() and 0.001 < np.median(estimate.joint_std_m) < 0.1
        assert estimate.reprojection_px < 5


def test_batch_equals_one_by_one(tailor, hands):
    keypoints, estimates = [h[1] for h in hands[:5]], [h[2] for h in hands[:5]]
    together = tailor.refine(FRAME, keypoints, estimates)
    for one, k, e in zip(together, keypoints, estimates):
        np.testing.assert_allclose(one.joints_m, tailor.refine(FRAME, [k], [e])[0].joints_m, atol=2e-4)
    assert tailor.refine(FRAME, [], []) == []


def test_left_hand_is_the_mirror_image(tailor, model, hands):
    points = hands[0][0]
    estimator = ClosedFormIk(model)
    sides = []
    for side, p in (('right', points), ('left', mirror_points(points))):
        k = detection(p, side)
        sides.append(tailor.refine(FRAME, [k], [estimator.estimate(FRAME, k)])[0])
    np.testing.assert_allclose(mirror_points(sides[1].vertices_m), sides[0].vertices_m, atol=1e-3)


def test_weak_perspective_fits_without_intrinsics(tailor, model, hands):
    frame, estimator = Frame(640, 480), ClosedFormIk(model)
    for _, k, _ in hands[:4]:
        estimate = tailor.refine(frame, [k], [estimator.estimate(frame, k)])[0]
        scale, tx, ty = estimate.weak_camera
        drawn = scale * (estimate.joints_m - estimate.joints_m[0])[:, :2] + (tx, ty)
        assert np.linalg.norm(drawn - k.points_px, axis=1).mean() < 4


def test_identity_holds_the_shape_and_makes_it_metric(tailor, model, hands):
    shape = np.zeros(model.shape_size)
    shape[0] = 1.5
    identity = HandIdentity('ann', model.name, shape, np.full(model.shape_size, 0.1), metric=True)
    _, k, e = hands[0]
    known, unknown = (tailor.refine(FRAME, [k], [e], i)[0] for i in (identity, None))
    assert known.identity == 'ann' and known.metric and not unknown.metric
    assert known.shape[0] == pytest.approx(1.5, abs=0.1)
    # A larger hand with the same image is farther away.
    assert known.joints_m[0, 2] > unknown.joints_m[0, 2] * 1.02


def test_adam_lowers_the_papers_energy(model, hands):
    paper, skeleton = Tailor(model, solver='adam'), build_skeleton(model)
    for _, k, e in hands[:4]:
        observation = observe(FRAME, k, model.shape_size)
        start = paper._start(e, k, observation)
        fitted = paper.fit([observation], [start])
        before = HandTailorEnergy()(skeleton, start, observation, start)
        assert fitted.energy[0] < 0.7 * float(before @ before / 2)
        np.testing.assert_allclose(fitted.parameters.root[0], start.root)          # eq. 13 moves pose and shape only
        moved = np.abs(fitted.parameters.angles[0] - start.angles)
        assert 0.001 < moved.max() <= 20 * 0.003 * 1.2                             # 20 Adam steps of 0.003


def test_bad_input_is_named(tailor, model, hands):
    _, k, e = hands[0]
    with pytest.raises(ValueError, match='keypoints: 1 hands, expected 0'):
        tailor.refine(FRAME, [k], [])
    with pytest.raises(ValueError, match='4 shape numbers, expected 10'):
        tailor.refine(FRAME, [k], [e], HandIdentity('x', model.name, np.zeros(4), np.zeros(4)))
    with pytest.raises(ValueError, match="solver: 'sgd', expected one of gauss_newton, adam"):
        Tailor(model, solver='sgd')
    with pytest.raises(ValueError, match='max_hands: 0'):
        Tailor(model, max_hands=0)
