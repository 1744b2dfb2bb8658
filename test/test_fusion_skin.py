"""The skin-disparity term: the model drawn, rectified crops, patches found, gates, the fit. Hands painted by a mesh."""
from dataclasses import replace
from functools import cache

import cv2
import jax
import numpy as np
import pytest

from hand_recon_ros.estimation.closed_form_ik import ClosedFormIk
from hand_recon_ros.fusion.hand_pairs import HandPair, ViewHand
from hand_recon_ros.fusion.joint import JointFusion
from hand_recon_ros.fusion.model_raster import rasterise
from hand_recon_ros.fusion.observations import observe_pair
from hand_recon_ros.fusion.patch_search import Patches, search
from hand_recon_ros.fusion.rectified_crops import RectifiedRig
from hand_recon_ros.fusion.skin_energy import SkinEnergy, carried, joint_frames
from hand_recon_ros.fusion.skin_matching import SkinGates, match_skin
from hand_recon_ros.fusion.skin_term import FEW_POINTS, MEASURED, NO_IMAGES, ONE_VIEW, OVER_BUDGET, SkinSettings
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.hand_model.landmarks import build_skeleton
from hand_recon_ros.hand_model.mirroring import handed_faces, posed_hand
from hand_recon_ros.hand_model.parameters import from_pose, to_pose
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.types import Frame, HandKeypoints

SIZE = 640, 480
K = np.array([[600, 0, 319.5], [0, 600, 239.5], [0, 0, 1.0]])
PLACE = np.array([0.02, 0.06, 0.55], np.float32)
SKIN_GREY, BACKGROUND_GREY = 150.0, 60.0


@pytest.fixture(autouse=True, scope='module')
def compilations_kept():
    prepare_jax()


@cache
def model():
    return load_hand_model('open_hand')


@cache
def hand():
    return JaxHand(model())


@cache
def skeleton():
    return build_skeleton(model())


def parallel_rig():
    T = np.eye(4)
    T[0, 3] = -0.12
    return StereoRig(Camera(*SIZE, K), Camera(*SIZE, K), T)


def bent_rig():
    """Neither parallel nor alike nor free of distortion: 8 degrees of vergence, 2 of roll, other focal lengths."""
    T = np.eye(4)
    T[:3, :3] = axis_angle_to_matrix(np.radians([1.0, 8.0, 2.0]))
    T[:3, 3] = -0.11, 0.004, 0.012
    right = Camera(*SIZE, K * [[1.1], [1.1], [1.0]] - [[0, 0, 40], [0, 0, 30], [0, 0, 0]], 'plumb_bob',
                   [-0.2, 0.05, 0.001, -0.001, 0.0])
    return StereoRig(Camera(*SIZE, K, 'plumb_bob', [-0.25, 0.08, 0.0, 0.002, 0.0]), right, T)


def posed(handedness='right', place=PLACE, seed=0):
    """pose, vertices, joints of a back of the hand seen from the front, fingers a little bent."""
    pose = np.zeros(48, np.float32)
    pose[:3] = np.array([np.pi / 2, 0, 0]) * (1, 1, 1)
    pose[3:] = np.random.default_rng(seed).normal(0, 0.12, 45)
    vertices, joints = posed_hand(hand(), pose, np.zeros(10, np.float32), place, handedness)
    return pose, np.asarray(vertices, np.float64), np.asarray(joints, np.float64)


def painted(camera, vertices, faces, contrast=12.0, gain=1.0, noise=1.0, seed=0):
    """RGB image of a mesh whose grey is a smooth function of the place on its surface at rest."""
    rng = np.random.default_rng(7)
    waves, phases = rng.normal(0, 900.0, (24, 3)), rng.uniform(0, 2 * np.pi, 24)
    raster = rasterise(camera.project(vertices), 1 / vertices[:, 2], faces, (camera.height, camera.width))
    row, column = np.nonzero(raster.covered)
    triangle = faces[raster.triangles[row, column]]
    corners, rest = camera.project(vertices)[triangle], model().template_m[triangle]
    to_second, to_third = (corners[:, k] - corners[:, 0] for k in (1, 2))
    away = np.stack([column, row], 1) - corners[:, 0]
    area = np.cross(to_second, to_third)
    bary = np.stack([np.cross(away, to_third), np.cross(to_second, away)], 1) / area[:, None]
    bary = np.concatenate([1 - bary.sum(1, keepdims=True), bary], 1) / vertices[triangle][..., 2]
    bary /= bary.sum(1, keepdims=True)
    at = (bary[..., None] * rest).sum(1)
    image = np.full((camera.height, camera.width), BACKGROUND_GREY)
    image[row, column] = gain * (SKIN_GREY + contrast * np.cos(at @ waves.T + phases).sum(1) * (2 / 24) ** 0.5)
    image += np.random.default_rng(seed).normal(0, noise, image.shape)
    return np.repeat(np.clip(np.rint(image), 0, 255).astype(np.uint8)[..., None], 3, 2)


def photographed(rig, vertices, handedness='right', **options):
    faces = handed_faces(model().faces, handedness)
    return [Frame.from_image(painted(camera, points, faces, seed=seed, gain=gain, **options), camera)
            for seed, gain, camera, points in ((1, 1.0, rig.left, vertices),
                                               (2, 0.93, rig.right, rig.to_right(vertices)))]


def pair_of(rig, frames, pose, joints, handedness='right'):
    """What a detector would say of joints (21, 3): exact keypoints of that place in both views."""
    estimator, views = ClosedFormIk(model()), []
    for frame, points_px, local in zip(frames, rig.project(joints), (joints, rig.to_right(joints))):
        keypoints = HandKeypoints(handedness, 1.0, 1.0, np.concatenate([points_px.min(0), points_px.max(0)]), points_px,
                                  np.ones(21), local - local[0])
        views.append(ViewHand(frame, keypoints, estimator.estimate(frame, keypoints)))
    return HandPair(*views, tuple(frames), middle_m=joints.mean(0))


def farther(points, by_m):
    """Points moved along the line of sight of their middle."""
    return points * (1 + by_m / points[:, 2].mean())


@cache
def fusion():
    return JointFusion(model(), disparity=SkinSettings(budget_ms=1e5))


@cache
def plain():
    return JointFusion(model())


@pytest.mark.parametrize('seed', [0, 1])
def test_the_raster_shows_the_nearest_triangle_and_interpolates_it(seed):
    rng = np.random.default_rng(seed)
    points, nearness = rng.uniform(-5, 45, (60, 2)), rng.uniform(1, 2, 60)
    faces = rng.permutation(60).reshape(20, 3)
    expected, which = np.zeros((32, 40)), np.full((32, 40), -1)
    grid = np.stack(np.meshgrid(np.arange(40), np.arange(32)), -1)
    for index, face in enumerate(faces):
        a, b, c = points[face]
        area = np.cross(b - a, c - a)
        if area >= 0:                                           # on a screen whose y runs down, the inside
            continue
        bary = np.stack([np.cross(b - grid, c - grid), np.cross(c - grid, a - grid), np.cross(a - grid, b - grid)], -1)
        bary /= area
        value = bary @ nearness[face]
        drawn = (bary >= 0).all(-1)
        # painter's order, as the raster has it: by the middle of the triangle
        rank = nearness[face].sum()
        over = drawn & ((which < 0) | (rank > np.where(which < 0, 0, nearness[faces[which]].sum(-1))))
        expected[over], which[over] = value[over], index
    raster = rasterise(points, nearness, faces, (32, 40))
    assert (which >= 0).mean() > 0.3
    np.testing.assert_array_equal(raster.triangles, which)
    np.testing.assert_allclose(raster.nearness, expected, atol=1e-5)


@pytest.mark.parametrize('shift', [-3.4, 0.0, 0.15, 2.75])
def test_patches_are_found_to_a_fraction_of_a_pixel(shift):
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.normal(0, 1, (60, 480)).astype(np.float32), (0, 0), 5.0) * 200
    at = np.arange(120, dtype=np.float32)
    left, right = (cv2.remap(wide, np.tile((at + move) * 3 + 30, (60, 1)).astype(np.float32),
                             np.tile(np.arange(60, dtype=np.float32)[:, None], (1, 120)), cv2.INTER_CUBIC)
                   for move in (0.0, shift))
    dy, dx = (a.ravel() for a in np.mgrid[-5:6, -5:6])
    centre = np.stack(np.meshgrid(np.arange(20, 40, 7), np.arange(30, 90, 11)), -1).reshape(-1, 2)
    rows, columns = centre[:, :1] + dy, centre[:, 1:] + dx
    weights = np.full(rows.shape, 1 / rows.shape[1], np.float32)
    # what the left shows at x the right shows at x - shift; the guess is 1.1 px off
    found = search(left, 1.1 * right + 7, Patches(rows, columns, columns - np.float32(1.1), weights), 8)
    np.testing.assert_allclose(found.shift_px, shift - 1.1, atol=0.25)
    assert abs(found.shift_px.mean() - (shift - 1.1)) < 0.05
    # shifts of whole pixels are tried, so the best one is up to half a pixel off
    assert found.inside.all() and found.correlation.min() > 0.93 and found.back_px.max() < 0.5


@pytest.mark.parametrize('rig', [parallel_rig(), bent_rig()], ids=['parallel', 'bent'])
def test_rectified_planes_have_common_rows_and_the_stated_disparity(rig):
    rectified = RectifiedRig(rig)
    points = np.random.default_rng(0).uniform([-0.15, -0.1, 0.4], [0.15, 0.1, 0.8], (50, 3))
    plane, disparity = rectified.points_px(points)
    depth = rectified.focal_px[0] * rectified.baseline_m / disparity
    np.testing.assert_allclose(rectified.rays(plane) * depth[:, None], points, atol=1e-9)
    # a dot drawn into the right image lies in the same row of the right crop, disparity farther left
    image = np.zeros((480, 640, 3), np.uint8)
    pixel = rig.right.project(rig.to_right(points[:1]))[0]
    x, y = np.rint(pixel).astype(int)
    image[y, x] = 255
    aim = plane[0] - [disparity[0], 0]
    crop = rectified.crop(1, Frame.from_image(image, rig.right), aim - 12, aim + 12)
    row, column = np.unravel_index(crop.image.argmax(), crop.image.shape)
    np.testing.assert_allclose(crop.origin_px + [column, row], aim, atol=1.3)


@pytest.mark.parametrize('handedness', ['right', 'left'])
@pytest.mark.parametrize('rig', [parallel_rig(), bent_rig()], ids=['parallel', 'bent'])
def test_matches_tell_how_far_the_model_is_off(rig, handedness):
    _, vertices, _ = posed(handedness)
    frames = photographed(rig, vertices, handedness)
    faces = handed_faces(model().faces, handedness)
    matches = match_skin(RectifiedRig(rig), tuple(frames), farther(vertices, 0.02), faces, 0.045)
    assert len(matches.triangles) >= 100
    nearer = np.linalg.norm(matches.points_m, axis=1) - np.linalg.norm(matches.measured_m, axis=1)
    assert abs(np.median(nearer) - 0.02) < 0.0015
    assert abs((1 - matches.consensus()[0]) * 0.57 - 0.02) < 0.0015
    # the points are on the mesh that was given, and what was measured is on the true one
    on_mesh = (farther(vertices, 0.02)[faces[matches.triangles]] * matches.barycentric[..., None]).sum(1)
    np.testing.assert_allclose(on_mesh, matches.points_m, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(matches.normals, axis=1), 1, atol=1e-6)
    assert (matches.normals[:, 2] < 0).mean() > 0.95


def test_blank_skin_and_unlike_images_match_nothing():
    rig, (_, vertices, _) = parallel_rig(), posed()
    rectified, faces = RectifiedRig(rig), model().faces
    blank = photographed(rig, vertices, contrast=0.0)
    assert len(match_skin(rectified, tuple(blank), vertices, faces, 0.045).triangles) < SkinGates().least_points
    left, _ = photographed(rig, vertices)
    other = Frame.from_image(np.random.default_rng(5).integers(0, 255, (480, 640, 3)).astype(np.uint8), rig.right)
    assert len(match_skin(rectified, (left, other), vertices, faces, 0.045).triangles) < SkinGates().least_points


def test_an_occluder_is_not_taken_for_skin():
    rig, (_, vertices, _) = parallel_rig(), posed()
    left, right = (frame.image.copy() for frame in photographed(rig, vertices))
    middle = rig.left.project(vertices.mean(0))
    board = np.repeat(np.random.default_rng(9).integers(80, 220, (400, 60, 1)), 3, 2).astype(np.uint8)
    board = cv2.GaussianBlur(board, (0, 0), 1.0)
    # a board 0.36 m before the cameras: 200 px of disparity, nearer than any depth that is searched
    for image, x in ((left, int(middle[0])), (right, int(middle[0]) - 200)):
        x0, x1 = max(x, 0), x + 60
        image[40:440, x0:x1] = board[:, x0 - x:]
    frames = tuple(Frame.from_image(image, rig.left) for image in (left, right))
    matches = match_skin(RectifiedRig(rig), frames, vertices, model().faces, 0.045)
    column = matches.pixels[:, 0] + rig.left.centre_px[0]
    on_board = (column > middle[0] + 1) & (column < middle[0] + 58)
    assert len(on_board) > 40 and on_board.sum() <= 2
    assert np.median(np.abs(matches.moved_px)) < 0.25


@pytest.mark.parametrize('handedness', ['right', 'left'])
@pytest.mark.parametrize('rig', [parallel_rig(), bent_rig()], ids=['parallel', 'bent'])
def test_the_fit_finds_the_depth_that_keypoints_miss_by_20_mm(rig, handedness):
    pose, vertices, joints = posed(handedness)
    frames = photographed(rig, vertices, handedness)
    wrong = pair_of(rig, frames, pose, farther(joints, 0.02), handedness)
    keypoints_alone, = plain().fuse(rig, [wrong])
    before = fusion().skin.counts[MEASURED]
    with_skin, = fusion().fuse(rig, [wrong])
    assert fusion().skin.counts[MEASURED] == before + 1 and fusion().skin.points >= 100
    assert abs((keypoints_alone.joints_m - joints)[:, 2].mean()) > 0.015
    assert abs((with_skin.joints_m - joints)[:, 2].mean()) < 0.002


def test_hands_that_cannot_be_measured_keep_the_keypoints_fit_and_are_counted():
    rig, (pose, vertices, joints) = parallel_rig(), posed()
    frames = photographed(rig, vertices)
    both = pair_of(rig, frames, pose, joints)
    without_images = [replace(frame, image=None) for frame in frames]
    cases = {NO_IMAGES: replace(pair_of(rig, without_images, pose, joints)),
             ONE_VIEW: replace(both, right=None),
             FEW_POINTS: pair_of(rig, photographed(rig, vertices, contrast=0.0), pose, joints)}
    for outcome, pair in cases.items():
        before = fusion().skin.counts[outcome]
        fused, = fusion().fuse(rig, [pair])
        assert fusion().skin.counts[outcome] == before + 1, outcome
        np.testing.assert_array_equal(fused.joints_m, plain().fuse(rig, [pair])[0].joints_m)


def test_time_over_the_budget_is_reported(monkeypatch):
    rig, (pose, vertices, joints) = parallel_rig(), posed()
    pair = pair_of(rig, photographed(rig, vertices), pose, farther(joints, 0.02))
    skin, now = fusion().skin, iter(np.arange(0.0, 1e5, 1e3))
    monkeypatch.setattr(skin, '_clock', lambda: next(now))   # every look at the clock is 1000 s later, the budget is 100
    before = dict(skin.counts)
    fused, = fusion().fuse(rig, [pair])
    assert {key: skin.counts[key] - before[key] for key in before} == dict.fromkeys(before, 0) | {OVER_BUDGET: 1}
    np.testing.assert_array_equal(fused.joints_m, plain().fuse(rig, [pair])[0].joints_m)


def observation_of(pose, vertices, joints, measured_offset_m, handedness='right'):
    rig = parallel_rig()
    frames = photographed(rig, vertices, handedness)
    faces = handed_faces(model().faces, handedness)
    matches = match_skin(RectifiedRig(rig), tuple(frames), vertices, faces, 0.02)
    matches = matches._replace(measured_m=matches.points_m + matches.normals * measured_offset_m)
    pair = pair_of(rig, frames, pose, joints, handedness)
    stereo = observe_pair(rig, tuple(frames), pair.keypoints, 10, np.zeros(2))
    reference = from_pose(pose, np.zeros(10), joints[0], skeleton().axes, handedness)
    return SkinEnergy().observe(stereo, reference, matches, model(), faces, handedness), matches, reference


@pytest.mark.parametrize('offset_m', [0.0, 1e-5, 0.003, 0.5])
def test_residuals_are_cauchys_and_their_gradients_finite(offset_m):
    energy, (observation, matches, reference) = SkinEnergy(), observation_of(*posed(), offset_m)
    residual = np.asarray(energy.skin(skeleton(), reference, observation), np.float64)
    count = len(matches.triangles)
    scaled = offset_m / (0.7 * matches.metre_per_px)
    expected = 30 / count * np.log1p(scaled ** 2)
    np.testing.assert_allclose(residual[:count] ** 2, expected, rtol=2e-2, atol=1e-4)
    assert not residual[count:].any()
    gradient = jax.grad(lambda p: (energy(skeleton(), p, observation) ** 2).sum())(reference)
    assert all(np.isfinite(leaf).all() for leaf in gradient)
    if offset_m > 1e-3:
        assert np.abs(gradient.root).max() > 1e-3


@pytest.mark.parametrize('handedness', ['right', 'left'])
def test_points_are_carried_as_skinning_carries_them(handedness):
    pose, vertices, joints = posed(handedness)
    observation, matches, reference = observation_of(pose, vertices, joints, 0.0, handedness)
    count = len(matches.triangles)
    angles = reference.angles + np.random.default_rng(2).normal(0, 0.03, (15, 3)).astype(np.float32)
    turned = axis_angle_to_matrix(np.array([0.2, -0.1, 0.3])) @ reference.rotation
    moved = reference._replace(angles=angles, rotation=np.float32(turned),
                               root=reference.root + np.float32([0.01, -0.02, 0.05]))
    new_pose, root = to_pose(moved, skeleton().axes, handedness)
    mesh, at = posed_hand(hand(), new_pose, np.zeros(10, np.float32), np.zeros(3, np.float32), handedness)
    faces = handed_faces(model().faces, handedness)
    expected = ((mesh + root - at[0])[faces[matches.triangles]] * matches.barycentric[..., None]).sum(1)
    got = np.asarray(carried(skeleton(), moved, observation))[:count]
    if handedness == 'left':
        got = got * [-1, 1, 1]
    away = np.linalg.norm(got - expected, axis=1)
    assert np.median(away) < 2e-4 and away.max() < 2e-3


def test_joint_frames_are_rotations_at_the_joints():
    pose, _, joints = posed()
    rotation, position = joint_frames(skeleton(), from_pose(pose, np.zeros(10), joints[0], skeleton().axes, 'right'))
    squares = np.asarray(rotation) @ np.swapaxes(rotation, 1, 2)
    np.testing.assert_allclose(squares, np.tile(np.eye(3), (16, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.asarray(position)[[0, 1, 13]], joints[[0, 5, 1]], atol=1e-4)


def test_rigs_that_cannot_be_rectified_and_bad_settings_are_named():
    T = np.eye(4)
    T[:3, :3] = axis_angle_to_matrix(np.array([0, np.radians(100), 0]))
    T[:3, 3] = -0.2, 0, 0.1
    with pytest.raises(ValueError, match='rig: a camera looks .* expected at most 35'):
        RectifiedRig(StereoRig(Camera(*SIZE, K), Camera(*SIZE, K), T))
    forward = np.eye(4)
    forward[2, 3] = -0.1
    with pytest.raises(ValueError, match='rig: '):
        RectifiedRig(StereoRig(Camera(*SIZE, K), Camera(*SIZE, K), forward))
    with pytest.raises(ValueError, match='budget_ms: 0'):
        SkinSettings(budget_ms=0)
    with pytest.raises(ValueError, match='range_m: 0'):
        SkinSettings(range_m=0)
    frame = Frame(*SIZE, None, Camera(*SIZE, K))
    with pytest.raises(ValueError, match='left frame: no image'):
        RectifiedRig(parallel_rig()).crop(0, frame, np.zeros(2), np.ones(2) * 50)


def test_a_hand_too_large_to_be_cut_out_goes_without_its_skin():
    rig, (_, vertices, _) = parallel_rig(), posed()
    blind = tuple(Frame(camera.width, camera.height, None, camera) for camera in (rig.left, rig.right))
    matches = match_skin(RectifiedRig(rig), blind, vertices * np.array([12.0, 1.0, 1.0]), model().faces, 0.02)
    assert not len(matches.triangles) and not matches.looked_at
