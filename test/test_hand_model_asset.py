"""The shipped hand: closed surface, weights, tips, volumes of the named poses, lengths against published figures."""
import numpy as np
import pytest

from hand_recon_ros.hand_model.assets import ASSETS, load_hand_model, load_named_poses

NAMES = ('open_hand', 'open_hand_long')
FILES = ('open_hand_right.npz', 'open_hand_long_right.npz', 'poses.npz')
CHAINS = {'thumb': (13, 14, 15), 'index': (1, 2, 3), 'middle': (4, 5, 6), 'ring': (10, 11, 12), 'pinky': (7, 8, 9)}
TIP_IDS = {'thumb': 744, 'index': 320, 'middle': 443, 'ring': 554, 'pinky': 671}

# Mean and standard deviation, mm. Hand length: ANSUR II, mean of men (193.28, 9.95) and women (181.08, 10.06).
HAND_LENGTH = (187.18, 10.0)
# Buryanov & Kotiuk 2010. Thumb: metacarpal, proximal, distal + soft tip; fingers: proximal, middle, distal + soft tip.
SEGMENTS = {
    'thumb': ((46.2, 3.9), (31.6, 3.1), (27.4, 1.6)),
    'index': ((39.8, 4.9), (22.4, 2.5), (19.6, 2.3)),
    'middle': ((44.6, 3.8), (26.3, 3.0), (21.4, 1.9)),
    'ring': ((41.4, 3.9), (25.7, 3.3), (21.3, 2.2)),
    'pinky': ((32.7, 2.8), (18.1, 2.5), (19.7, 2.5)),
}
# The same paper's metacarpals; with a carpal height of 0.54 third metacarpals (Youm et al. 1978), less 7 mm for the
# knuckle's centre inside the bone's head, they give the distance from wrist to knuckle.
METACARPALS = {'index': (68.1, 6.3), 'middle': (64.6, 5.4), 'ring': (58.0, 5.1), 'pinky': (53.7, 4.4)}
CARPAL_HEIGHT, HEAD_RADIUS = 0.54 * 64.6, 7.0


@pytest.fixture(scope='module', params=NAMES)
def model(request):
    return load_hand_model(request.param)


@pytest.fixture(scope='module')
def hand():
    return load_hand_model('open_hand')


def rest_joints(model) -> np.ndarray:
    return np.asarray(model.joint_regressor, float) @ model.template_m


def enclosed_volume(vertices, faces) -> float:
    corners = np.asarray(vertices, float)[faces]
    return float(np.einsum('ij,ij->i', corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def finger_segments_mm(model, finger) -> np.ndarray:
    points = np.concatenate([rest_joints(model)[list(CHAINS[finger])], model.template_m[[TIP_IDS[finger]]]])
    return 1e3 * np.linalg.norm(np.diff(points, axis=0), axis=1)


def rotation(vector) -> np.ndarray:
    angle = np.linalg.norm(vector)
    if angle < 1e-9:
        return np.eye(3)
    x, y, z = vector / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew


def posed(model, pose) -> np.ndarray:
    """Plain float64 skinning, written out here so that the asset is judged without the package's own."""
    parents = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
    joints, local = rest_joints(model), [rotation(v) for v in np.asarray(pose, float).reshape(16, 3)]
    turns, places = [], []
    for joint, parent in enumerate(parents):
        if parent < 0:
            turns.append(local[joint])
            places.append(joints[joint])
        else:
            turns.append(turns[parent] @ local[joint])
            places.append(places[parent] + turns[parent] @ (joints[joint] - joints[parent]))
    feature = (np.array(local[1:]) - np.eye(3)).ravel()
    vertices = model.template_m + np.asarray(model.pose_dirs, float) @ feature
    each = np.stack([(vertices - joints[j]) @ turns[j].T + places[j] for j in range(16)], axis=1)
    return np.einsum('vj,vjc->vc', np.asarray(model.weights, float), each)


def test_files_load_without_pickles():
    for name in FILES:
        with np.load(ASSETS / name, allow_pickle=False) as stored:
            assert all(stored[key].dtype != object and np.size(stored[key]) for key in stored.files)


def test_surface_is_closed_with_consistent_outward_faces(model):
    faces = np.asarray(model.faces)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = set(map(tuple, directed.tolist()))
    assert len(pairs) == len(directed)                                   # no edge runs twice the same way
    assert all((end, start) in pairs for start, end in pairs)            # and each one is met by its opposite
    assert len(model.template_m) - len(pairs) // 2 + len(faces) == 2     # Euler: one piece without handles
    assert np.array_equal(np.unique(faces), np.arange(len(model.template_m)))
    assert enclosed_volume(model.template_m, faces) > 0


def test_volume_of_the_mean_hand(hand):
    # displaced volumes of adult hands, cut at the wrist, are 300 to 450 ml
    assert 300 < 1e6 * enclosed_volume(hand.template_m, hand.faces) < 450


def test_weights(model):
    weights = np.asarray(model.weights)
    assert weights.min() >= 0
    assert np.allclose(weights.sum(1), 1, atol=1e-5)
    assert (weights > 0).sum(1).max() <= 4
    assert (weights > .5).any(0).all()                                   # every joint moves something of its own
    regressor = np.asarray(model.joint_regressor)
    assert regressor.min() >= 0 and np.allclose(regressor.sum(1), 1, atol=1e-5)


def test_outer_phalanges_belong_to_one_finger(model):
    weights = np.asarray(model.weights)
    for finger, chain in CHAINS.items():
        others = [joint for other, joints in CHAINS.items() if other != finger for joint in joints]
        assert weights[weights[:, chain[2]] > .5][:, others].max() < 1e-3


def test_tips_are_at_the_fingers_ends(model):
    assert list(model.tip_vertices) == list(TIP_IDS.values())
    joints, template = rest_joints(model), np.asarray(model.template_m, float)
    for finger, chain in CHAINS.items():
        bone = template[TIP_IDS[finger]] - joints[chain[2]]
        along = (template - joints[chain[2]]) @ (bone / np.linalg.norm(bone))
        own = np.asarray(model.weights)[:, chain[2]] > .5
        assert along[own].max() - np.linalg.norm(bone) < 5e-4


def test_frame(model):
    joints = rest_joints(model)
    assert np.abs(joints[0]).max() < 1e-5                                # wrist pivot at the origin
    assert (joints[[1, 4, 7, 10], 0] < -.07).all()                       # fingers towards -x
    assert joints[1, 2] > joints[4, 2] > joints[10, 2] > joints[7, 2]    # index to pinky from +z to -z
    assert joints[13, 2] > .01                                           # the thumb on the radial side, +z


def test_uvs_lie_in_the_unit_square(model):
    assert model.uvs.min() >= 0 and model.uvs.max() <= 1
    assert model.uv_faces.shape == model.faces.shape and model.uv_faces.max() == len(model.uvs) - 1


def test_hand_length_is_within_one_deviation(hand):
    length = -1e3 * hand.template_m[:, 0].min()
    assert abs(length - HAND_LENGTH[0]) < HAND_LENGTH[1]
    assert length == pytest.approx(HAND_LENGTH[0], abs=0.5)              # it is built to the mean


@pytest.mark.parametrize('finger', SEGMENTS)
def test_segments_are_within_one_deviation(hand, finger):
    for ours, (mean, deviation) in zip(finger_segments_mm(hand, finger), SEGMENTS[finger], strict=True):
        assert abs(ours - mean) < deviation


@pytest.mark.parametrize('finger', METACARPALS)
def test_palm_is_within_one_deviation(hand, finger):
    ours = 1e3 * np.linalg.norm(rest_joints(hand)[CHAINS[finger][0]])
    mean, deviation = METACARPALS[finger]
    assert abs(ours - (mean + CARPAL_HEIGHT - HEAD_RADIUS)) < deviation  # the carpus' own spread not even counted


def test_first_component_is_size_and_components_are_standard_deviations(hand):
    length = [-(hand.template_m + hand.shape_dirs[:, :, 0] * b)[:, 0].min() for b in (-1, 0, 1)]
    assert 0.006 < length[2] - length[1] < 0.016                         # about one s.d. of hand length in adults
    size = np.linalg.norm(np.asarray(hand.shape_dirs, float), axis=(0, 1))
    assert (np.diff(size) < 0).all()                                     # ordered by variance


def test_both_hands_share_joints_and_shape_numbers(hand):
    long = load_hand_model('open_hand_long')
    assert long.template_m[:, 0].max() > hand.template_m[:, 0].max() + .08           # a forearm longer
    for betas in (np.zeros(10), np.eye(10)[0] * 2, np.eye(10)[1] * -2):
        pair = [np.asarray(m.joint_regressor, float) @ (m.template_m + m.shape_dirs @ betas) for m in (hand, long)]
        assert np.abs(pair[0] - pair[1]).max() < 1e-3


def test_named_poses_keep_the_hands_volume(hand):
    poses, rest = load_named_poses(), enclosed_volume(hand.template_m, hand.faces)
    assert set(poses) == {'flat', 'fist', 'pinch', 'spread', 'thumbs_up', 'point', 'relaxed', 'cup', 'victory'}
    for name, pose in poses.items():
        assert pose.shape == (48,) and np.abs(pose[:3]).max() == 0
        assert .95 < enclosed_volume(posed(hand, pose), hand.faces) / rest < 1.06, name
    fist = posed(hand, poses['fist'])
    assert np.linalg.norm(fist[TIP_IDS['middle']]) < 0.11                # folded into the palm: 187 mm when flat
    pinch = posed(hand, poses['pinch'])
    assert np.linalg.norm(pinch[TIP_IDS['thumb']] - pinch[TIP_IDS['index']]) < 0.012
