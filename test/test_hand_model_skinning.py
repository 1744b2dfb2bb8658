"""Skinning: against a plain loop, torch against JAX, batches, gradients at rest, mirror symmetry, smplx."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.experimental import enable_x64

from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.hand_model import mirroring, skinning, topology
from hand_recon_ros.hand_model.assets import load_hand_model, load_named_poses
from hand_recon_ros.hand_model.skeleton import (FINGERS, JOINT_NAMES, JOINT_PARENTS, KEYPOINT_JOINTS, KEYPOINT_NAMES,
                                                KEYPOINT_PARENTS, KEYPOINT_ROWS, joint_index)
from hand_recon_ros.hand_model.skinning_jax import JaxHand, jax_constants
from hand_recon_ros.hand_model.skinning_torch import TorchHand

MODEL = load_hand_model()
BATCHES = ((), (3,), (2, 4))


@pytest.fixture(scope='module')
def jax_hand():
    return JaxHand(MODEL)


def parameters(batch, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 0.6, (*batch, 48)), rng.normal(size=(*batch, MODEL.shape_size)),
            rng.normal(0, 0.3, (*batch, 3)))


def plain_skin(pose, shape, translation):
    """MANO's equations joint by joint and vertex by vertex, as the paper writes them."""
    shaped = MODEL.template_m + MODEL.shape_dirs @ shape
    joints = MODEL.joint_regressor @ shaped
    local = axis_angle_to_matrix(pose.reshape(16, 3))
    posed = shaped + MODEL.pose_dirs @ (local[1:] - np.eye(3)).ravel()
    world = np.zeros((16, 4, 4))
    for j, parent in enumerate(JOINT_PARENTS):
        step = np.eye(4)
        step[:3, :3] = local[j]
        step[:3, 3] = joints[j] - (joints[parent] if j else 0)
        world[j] = world[parent] @ step if j else step
    vertices = np.zeros_like(posed)
    for j in range(16):
        moved = (posed - joints[j]) @ world[j, :3, :3].T + world[j, :3, 3]
        vertices += MODEL.weights[:, j:j + 1] * moved
    stacked = np.concatenate([world[:, :3, 3], vertices[MODEL.tip_vertices]])
    return vertices + translation, stacked[list(KEYPOINT_ROWS)] + translation, world[:, :3, :3]


def test_orders_agree():
    assert len(JOINT_NAMES) == len(JOINT_PARENTS) == 16 and len(KEYPOINT_NAMES) == len(KEYPOINT_PARENTS) == 21
    assert JOINT_NAMES[:7] == ('wrist', 'index1', 'index2', 'index3', 'middle1', 'middle2', 'middle3')
    for k, name in enumerate(KEYPOINT_NAMES):
        if name == 'wrist' or not name.endswith('4'):
            assert JOINT_NAMES[KEYPOINT_ROWS[k]] == name == JOINT_NAMES[KEYPOINT_JOINTS[k]]
        else:
            assert KEYPOINT_ROWS[k] == 16 + FINGERS.index(name[:-1])
            assert JOINT_NAMES[KEYPOINT_JOINTS[k]] == name[:-1] + '3'
        parent = KEYPOINT_PARENTS[k]
        assert parent == -1 if k == 0 else KEYPOINT_NAMES[parent] in ('wrist', name[:-1] + str(int(name[-1]) - 1))
    assert joint_index('ring2') == 11
    with pytest.raises(ValueError, match="joint: 'toe'"):
        joint_index('toe')


@pytest.mark.parametrize('seed', range(5))
def test_numpy_skinning_is_the_paper(seed):
    pose, shape, translation = parameters((), seed)
    constants = skinning.constants(MODEL, np.float64)
    vertices, keypoints = skinning.skin(constants, pose, shape, translation)
    expected_vertices, expected_keypoints, expected_world = plain_skin(pose, shape, translation)
    # the asset's float32 weights sum to 1 within 1e-7 only; skinning normalises them
    assert np.abs(vertices - expected_vertices).max() < 1e-7
    assert np.abs(keypoints - expected_keypoints).max() < 1e-7
    world, joints = skinning.joint_frames(constants, axis_angle_to_matrix(pose.reshape(16, 3)), shape)
    assert np.abs(world - expected_world).max() < 1e-13
    assert np.abs(joints[list(KEYPOINT_ROWS[:4])] + translation - expected_keypoints[:4]).max() < 1e-13


def test_rest_is_the_template(jax_hand):
    vertices, keypoints = jax_hand(np.zeros(48), np.zeros(MODEL.shape_size), np.zeros(3))
    assert np.abs(vertices - MODEL.template_m).max() < 1e-7 and np.abs(keypoints - MODEL.rest_keypoints_m).max() < 1e-7


@pytest.mark.parametrize('precision, tolerance', [('float64', 1e-12), ('float32', 1e-6)])
def test_torch_and_jax_agree(precision, tolerance):
    arrays = parameters((40,), 7)
    vertices, keypoints = TorchHand(MODEL, getattr(torch, precision))(
        *(torch.tensor(a, dtype=getattr(torch, precision)) for a in arrays))
    jax_vertices, jax_keypoints = JaxHand(MODEL, np.dtype(precision))(*arrays)
    assert vertices.dtype == getattr(torch, precision) and jax_vertices.dtype == precision and vertices.is_contiguous()
    assert np.abs(vertices.numpy() - jax_vertices).max() < tolerance
    assert np.abs(keypoints.numpy() - jax_keypoints).max() < tolerance


@pytest.mark.parametrize('batch', BATCHES)
def test_batches(jax_hand, batch):
    pose, shape, translation = parameters(batch, 3)
    vertices, keypoints = jax_hand(pose, shape, translation)
    assert vertices.shape == (*batch, MODEL.vertex_count, 3) and keypoints.shape == (*batch, 21, 3)
    torch_vertices, _ = TorchHand(MODEL)(*(torch.tensor(a, dtype=torch.float32) for a in (pose, shape, translation)))
    assert np.abs(torch_vertices.numpy() - vertices).max() < 1e-6
    one = (0,) * len(batch)
    assert np.abs(vertices[one] - plain_skin(pose[one], shape[one], translation[one])[0]).max() < 1e-6


def test_batches_broadcast(jax_hand):
    pose, shape, translation = parameters((5,), 4)
    vertices, _ = jax_hand(pose, shape[0], translation[0])
    assert np.abs(vertices - jax_hand(pose, np.tile(shape[0], (5, 1)), np.tile(translation[0], (5, 1)))[0]).max() < 1e-7
    constants = skinning.constants(MODEL, np.float64)
    vertices, keypoints = skinning.skin(constants, pose[0], shape, translation[0])
    assert np.abs(vertices[3] - plain_skin(pose[0], shape[3], translation[0])[0]).max() < 1e-7
    assert keypoints.shape == (5, 21, 3)


def test_keypoints_need_only_the_tips():
    arrays = parameters((3,), 5)
    whole = skinning.skin(skinning.constants(MODEL, np.float64), *arrays)[1]
    assert np.abs(skinning.skin(skinning.tip_constants(MODEL, np.float64), *arrays)[1] - whole).max() < 1e-13
    with pytest.raises(ValueError, match='without all tips'):
        skinning.constants(MODEL, vertices=np.arange(10))


@pytest.mark.parametrize('size', [0.0, 0.4])
def test_gradients_finite_and_alike(size):
    arrays = [size * a for a in parameters((), 6)]
    weights = np.random.default_rng(0).normal(size=(MODEL.vertex_count, 3))
    with enable_x64():
        constants = jax_constants(MODEL, np.float64)
        total = jax.jit(lambda *a: jnp.sum(weights * skinning.skin(constants, *a)[0]))
        gradients = [np.asarray(g) for g in jax.grad(total, (0, 1, 2))(*map(jnp.asarray, arrays))]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    (torch.from_numpy(weights) * TorchHand(MODEL, torch.float64)(*tensors)[0]).sum().backward()
    host = skinning.constants(MODEL, np.float64)
    for k, (tensor, gradient) in enumerate(zip(tensors, gradients)):
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
        assert np.abs(tensor.grad.numpy() - gradient).max() < 1e-9
        moved = [a.copy() for a in arrays]
        moved[k][1] += 1e-6
        ahead = (weights * skinning.skin(host, *moved)[0]).sum()
        moved[k][1] -= 2e-6
        assert (ahead - (weights * skinning.skin(host, *moved)[0]).sum()) / 2e-6 == pytest.approx(gradient[1], abs=1e-5)


def test_wrong_sizes_are_named(jax_hand):
    with pytest.raises(ValueError, match=r'pose: shape \(45,\), expected ... x 48'):
        jax_hand(np.zeros(45), np.zeros(MODEL.shape_size), np.zeros(3))
    with pytest.raises(ValueError, match=r'shape: shape \(1, 3\)'):
        TorchHand(MODEL)(torch.zeros(1, 48), torch.zeros(1, 3), torch.zeros(1, 3))
    for build in (lambda: JaxHand(MODEL, np.float16), lambda: TorchHand(MODEL, torch.float16)):
        with pytest.raises(ValueError, match='dtype: .*float16'):
            build()


def test_left_hand_is_the_mirror_image(jax_hand):
    pose, shape, translation = parameters((2,), 8)
    right = jax_hand(pose, shape, translation)
    left = mirroring.posed_hand(jax_hand, mirroring.mirror_pose(pose), shape,
                                mirroring.mirror_points(translation), 'left')
    for a, b in zip(left, right):
        assert np.abs(a - b * (-1, 1, 1)).max() < 1e-6
    assert (mirroring.posed_hand(jax_hand, pose, shape, translation, 'right')[0] == right[0]).all()
    with pytest.raises(ValueError, match="handedness: 'both'"):
        mirroring.posed_hand(jax_hand, pose, shape, translation, 'both')


def test_left_hand_is_skinning_of_a_mirrored_model(jax_hand):
    """MANO's own way to a left hand: negate x in template and directions; the pose then needs no mirroring."""
    flip = np.array([-1, 1, 1])
    pose_signs = np.outer(flip, flip).ravel()
    mirrored = type(MODEL)('left', MODEL.template_m * flip, MODEL.shape_dirs * flip[:, None],
                           MODEL.pose_dirs * flip[:, None] * np.tile(pose_signs, 15), MODEL.joint_regressor,
                           MODEL.weights,
                           mirroring.mirror_faces(MODEL.faces), MODEL.tip_vertices)
    pose, shape, translation = parameters((), 9)
    expected = skinning.skin(skinning.constants(mirrored, np.float64), pose, shape, translation)[0]
    assert np.abs(mirroring.posed_hand(jax_hand, pose, shape, translation, 'left')[0] - expected).max() < 1e-6


def test_mirroring_undoes_itself():
    pose, _, points = parameters((4,), 10)
    matrices = axis_angle_to_matrix(pose.reshape(4, 16, 3))
    assert (mirroring.mirror_pose(mirroring.mirror_pose(pose)) == pose).all()
    assert (mirroring.mirror_points(mirroring.mirror_points(points)) == points).all()
    assert np.allclose(mirroring.mirror_rotations(matrices),
                       axis_angle_to_matrix(mirroring.mirror_pose(pose).reshape(4, 16, 3)))
    vertices = MODEL.template_m
    left = topology.vertex_normals(mirroring.mirror_points(vertices), mirroring.handed_faces(MODEL.faces, 'left'))
    assert np.allclose(left, mirroring.mirror_points(topology.vertex_normals(vertices, MODEL.faces)))


def test_topology_of_a_tetrahedron():
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0]])
    assert topology.edges(faces).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert len(topology.boundary_edges(faces)) == 0 and len(topology.boundary_edges(faces[:3])) == 3
    assert (topology.adjacency(faces, 4).toarray() == 1 - np.eye(4)).all()
    normals = topology.vertex_normals(np.stack([vertices, 2 * vertices]), faces)
    assert np.allclose(normals[:, 0], -np.ones(3) / np.sqrt(3)) and np.allclose(normals[0], normals[1])


def test_open_hand_is_watertight_and_faces_outward():
    assert len(topology.boundary_edges(MODEL.faces)) == 0
    assert len(MODEL.edges) == 3 * len(MODEL.faces) // 2
    a, b, c = (MODEL.template_m[MODEL.faces[:, k]] for k in range(3))
    volume = (a * np.cross(b, c)).sum() / 6
    assert 1e-4 < volume < 1e-3


def test_named_poses_bend_the_hand(jax_hand):
    poses = load_named_poses()
    keypoints = {name: jax_hand(pose, np.zeros(MODEL.shape_size), np.zeros(3))[1] for name, pose in poses.items()}
    reach = {name: np.linalg.norm(points[[8, 12, 16, 20]] - points[0], axis=1) for name, points in keypoints.items()}
    assert (reach['fist'] < 0.7 * reach['flat']).all()
    assert np.linalg.norm(keypoints['pinch'][4] - keypoints['pinch'][8]) < 0.02
    assert reach['point'][0] > 0.9 * reach['flat'][0] and (reach['point'][1:] < 0.8 * reach['flat'][1:]).all()


def test_smplx_poses_the_same_hand():
    pytest.importorskip('smplx', reason="smplx (non-commercial) is not installed; it comes with the extra 'mano'")
    from hand_recon_ros.benchmarks.skinning import smplx_layer
    arrays = parameters((6,), 11)
    pose, shape, translation = map(torch.from_numpy, arrays)
    with torch.no_grad():
        theirs = smplx_layer(MODEL, 6, torch.float64)(betas=shape, global_orient=pose[:, :3], hand_pose=pose[:, 3:],
                                                      transl=translation)
    vertices, keypoints = skinning.skin(skinning.constants(MODEL, np.float64), *arrays)
    # smplx adds 1e-8 to every angle, which costs about as much
    assert np.abs(theirs.vertices.numpy() - vertices).max() < 1e-6
    assert np.abs(theirs.joints.numpy()[:, list(KEYPOINT_ROWS[:4])] - keypoints[:, :4]).max() < 1e-6
