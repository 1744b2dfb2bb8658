"""Sampled poses: within the joints' limits, moving together as fingers do, never a finger through another."""
import numpy as np
import pytest

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model.anatomy import joint_ranges, limit_violation, rotations_to_angles
from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.skeleton import JOINT_NAMES
from hand_recon_ros.hand_model.skinning_jax import JaxHand
from hand_recon_ros.synthesis.hand_capsules import HandCapsules, _segment_distances
from hand_recon_ros.synthesis.hand_shapes import SHAPES
from hand_recon_ros.synthesis.poses import SOURCES, WRISTS, PoseSpace, sample_pose, sample_wrist, wrist_rotation


@pytest.fixture(scope='module')
def model():
    return load_hand_model()


@pytest.fixture(scope='module')
def space(model):
    return PoseSpace(model)


def row(name):
    return JOINT_NAMES.index(name) - 1


def angles_of(space, pose):
    return rotations_to_angles(axis_angle_to_matrix(pose.reshape(-1, 16, 3).astype(float))[:, 1:], space.axes)


def test_the_library_holds_the_package_s_poses_and_thirty_more_all_possible(space):
    assert set(load_named_poses()) <= set(space.library) and len(SHAPES) >= 30 and len(space.library) >= 40
    for name, angles in space.library.items():
        assert limit_violation(angles).max() < 1e-9, name
        assert space.possible(angles), name
    flat = np.stack(list(space.library.values())).reshape(len(space.library), -1)
    apart = np.linalg.norm(flat[:, None] - flat, axis=-1) + 10 * np.eye(len(flat))
    assert np.degrees(apart.min()) > 8      # no two are the same


@pytest.mark.parametrize('source', SOURCES)
def test_samples_keep_the_limits_and_leave_fingers_room(space, source):
    rng = np.random.default_rng(3)
    samples = np.stack([space.sample_angles(rng, source) for _ in range(60)])
    assert limit_violation(samples).max() < 1e-9
    poses = np.stack([space.pose(angles) for angles in samples])
    assert not space.capsules.collide(poses).any()
    assert angles_of(space, poses) == pytest.approx(samples, abs=1e-6)
    assert np.degrees(samples[:, row('index1'), 0].std()) > 12      # they differ


def test_end_joints_follow_the_middle_ones_where_flexions_are_drawn_evenly(space):
    rng = np.random.default_rng(4)
    angles = np.stack([space._even(rng) for _ in range(300)])
    for finger in ('index', 'middle', 'ring', 'pinky'):
        middle, end = angles[:, row(f'{finger}2'), 0], angles[:, row(f'{finger}3'), 0]
        assert (middle @ end) / (middle @ middle) == pytest.approx(0.6, abs=0.03)
    knuckles = angles[:, [row(f'{f}1') for f in ('index', 'middle', 'ring', 'pinky')], 0]
    correlation = np.corrcoef(knuckles.T)
    assert correlation[np.triu_indices(4, 1)].min() > 0.15


def test_few_synergies_carry_most_of_the_shapes(space):
    """Santello et al. 1998 found two components with more than 80 % of the variance of grasps; signs differ more."""
    assert 0.6 < space.explained[1] < 0.95 and space.explained[5] > 0.9
    assert space.synergies.shape == (6, 21)


def test_clear_collisions_are_found(space):
    """Two fingers crossed, a thumb in a fist's fingers, a finger folded into the palm."""
    lower = joint_ranges()['lower']
    crossed = np.zeros((15, 3))
    crossed[row('index1'), 1], crossed[row('middle1'), 1] = -0.45, 0.45     # beyond their limits, into each other
    through = space.library['fist'].copy()                                   # the thumb into the folded fingers
    thumb = row('thumb1')
    through[thumb:thumb + 3] = np.radians([[53, -30, -8], [21, 0, 0], [50, 0, 0]])
    folded = np.zeros((15, 3))
    folded[row('ring1'), 0], folded[row('ring2'), 0], folded[row('ring3'), 0] = 1.57, 2.6, 1.3      # into the palm
    assert lower[row('index1'), 1] > -0.45
    for angles in (crossed, through, folded):
        assert not space.possible(angles)
    assert space.possible(np.zeros((15, 3)))


def test_capsules_follow_the_skinned_hand(model, space):
    rng, hand = np.random.default_rng(5), JaxHand(model)
    poses = np.stack([sample_pose(rng, space) for _ in range(20)])
    _, keypoints = hand(poses, np.zeros(10), np.zeros(3))
    ours = space.capsules.keypoints(poses)
    tips = [4, 8, 12, 16, 20]
    joints = [k for k in range(21) if k not in tips]
    assert ours[:, joints] == pytest.approx(keypoints[:, joints], abs=1e-5)
    assert np.linalg.norm(ours[:, tips] - keypoints[:, tips], axis=-1).max() < 0.005
    larger = HandCapsules(model, np.eye(10)[0] * 2)
    assert larger.joints_m != pytest.approx(space.capsules.joints_m, abs=1e-3)


def test_distances_of_segments():
    a, b = np.zeros((4, 3)), np.tile([1.0, 0, 0], (4, 1))
    c = np.array([[0.5, 1, -1], [2, 0, 0], [0, 0, 2], [-1, 2, 0]], float)
    d = np.array([[0.5, 1, 1], [3, 0, 0], [1, 0, 2], [-1, 3, 0]], float)
    assert _segment_distances(a, b, c, d) == pytest.approx([1.0, 1.0, 2.0, np.sqrt(5)])


def test_wrists_stand_as_their_view_says_and_free_ones_anyhow():
    assert wrist_rotation(np.zeros(3)) @ [-1.0, 0, 0] == pytest.approx([0, -1, 0])      # fingers up in the image
    assert wrist_rotation(np.zeros(3)) @ [0, 1.0, 0] == pytest.approx([0, 0, 1])        # the back away: palm seen
    assert wrist_rotation(np.radians([30, 0, 0])) @ [-1.0, 0, 0] == pytest.approx([0.5, -np.cos(np.pi / 6), 0])
    rng = np.random.default_rng(6)
    for view in WRISTS:
        up = np.stack([sample_wrist(rng, view) @ [-1.0, 0, 0] for _ in range(50)])
        assert up[:, 1].max() < -0.3, view
    egocentric = np.stack([sample_wrist(rng, 'egocentric') for _ in range(200)])
    backs = (egocentric @ [0, 1.0, 0])[:, 2] < 0
    assert 0.6 < backs.mean() < 0.9                         # one mostly sees the backs of one's own hands
    free = np.stack([sample_wrist(rng) for _ in range(600)])
    assert np.linalg.det(free) == pytest.approx(np.ones(600))
    assert np.abs((free @ [-1.0, 0, 0]).mean(0)).max() < 0.1


def test_the_same_seed_draws_the_same_pose(space):
    one, other = (sample_pose(np.random.default_rng(7), space, 'facing') for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == (48,) and one.dtype == np.float32
    assert (sample_pose(np.random.default_rng(8), space, 'facing') != one).any()


def test_unknown_names_are_refused(space):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="source: 'guess'"):
        space.sample_angles(rng, 'guess')
    with pytest.raises(ValueError, match="wrist: 'above'"):
        sample_pose(rng, space, 'above')
