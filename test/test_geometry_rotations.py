"""Rotations: round trips, batch shapes, the hard angles, one answer in three array libraries, gradients at zero."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax.experimental import enable_x64
from scipy.spatial.transform import Rotation

from hand_recon_ros.geometry import rotations as R

BATCHES = ((), (3,), (2, 4))


def axis_angles(batch, largest=3.1, seed=0):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=(*batch, 3))
    return axis / np.linalg.norm(axis, axis=-1, keepdims=True) * rng.uniform(0.01, largest, (*batch, 1))


@pytest.mark.parametrize('batch', BATCHES)
def test_matrix_is_scipys_and_comes_back(batch):
    a = axis_angles(batch)
    matrix = R.axis_angle_to_matrix(a)
    assert matrix.shape == (*batch, 3, 3)
    assert np.allclose(matrix.reshape(-1, 3, 3), Rotation.from_rotvec(a.reshape(-1, 3)).as_matrix(), atol=1e-14)
    assert np.allclose(R.matrix_to_axis_angle(matrix), a, atol=1e-12)
    assert np.allclose(R.quaternion_to_axis_angle(R.axis_angle_to_quaternion(a)), a, atol=1e-13)
    assert np.allclose(R.quaternion_to_matrix(R.axis_angle_to_quaternion(a)), matrix, atol=1e-14)
    assert np.allclose(R.quaternion_to_matrix(-3 * R.matrix_to_quaternion(matrix)), matrix, atol=1e-14)
    assert np.allclose(R.six_d_to_matrix(2 * R.matrix_to_six_d(matrix)), matrix, atol=1e-14)


@pytest.mark.parametrize('angle', [0.0, 1e-12, 1e-8, 1e-4, 9.99e-4, 1.001e-3, 1e-2])
def test_small_angles(angle):
    a = axis_angles((5,)) * 0 + angle * np.array([0.6, 0, -0.8])
    exact = Rotation.from_rotvec(a).as_matrix()
    assert np.abs(R.axis_angle_to_matrix(a) - exact).max() < 1e-15
    assert np.abs(R.matrix_to_axis_angle(exact) - a).max() < 1e-15
    assert np.abs(R.quaternion_to_axis_angle(R.axis_angle_to_quaternion(a)) - a).max() < 1e-15


@pytest.mark.parametrize('below', [1e-3, 1e-6, 1e-9, 1e-13, 0.0])
def test_near_half_a_turn(below):
    axes = np.concatenate([np.eye(3), axis_angles((20,), seed=3)])
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    back = R.matrix_to_axis_angle(Rotation.from_rotvec(axes * (np.pi - below)).as_matrix())
    assert np.abs(np.linalg.norm(back, axis=-1) - (np.pi - below)).max() < 1e-9
    # at pi both axes are right
    assert np.abs(np.abs((back * axes).sum(-1)) - (np.pi - below)).max() < 1e-9


def test_float32_stays_float32_and_true():
    a = axis_angles((50,)).astype(np.float32)
    matrix = R.axis_angle_to_matrix(a)
    assert matrix.dtype == np.float32 and R.matrix_to_axis_angle(matrix).dtype == np.float32
    assert np.abs(matrix - Rotation.from_rotvec(a).as_matrix()).max() < 5e-7


ALL = (R.axis_angle_to_matrix, R.axis_angle_to_quaternion,
       lambda a: R.matrix_to_axis_angle(R.axis_angle_to_matrix(a)),
       lambda a: R.quaternion_to_axis_angle(R.axis_angle_to_quaternion(a)),
       lambda a: R.six_d_to_matrix(R.matrix_to_six_d(R.axis_angle_to_matrix(a))))


@pytest.mark.parametrize('function', ALL)
def test_three_libraries_agree(function):
    a = axis_angles((2, 4))
    expected = function(a)
    assert np.allclose(function(torch.from_numpy(a)).numpy(), expected, atol=1e-14)
    with enable_x64():
        assert np.allclose(np.asarray(jax.jit(function)(a)), expected, atol=1e-14)


@pytest.mark.parametrize('function', ALL)
@pytest.mark.parametrize('size', [0.0, 1e-9, 1e-3, 1.0])
def test_gradients_finite_and_equal(function, size):
    a = np.array([0.6, 0, -0.8]) * size
    with enable_x64():
        weights = np.random.default_rng(0).normal(size=np.shape(function(a)))
        gradient = np.asarray(jax.grad(lambda x: jnp.sum(weights * function(x)))(jnp.asarray(a)))
    tensor = torch.tensor(a, requires_grad=True)
    (torch.from_numpy(weights) * function(tensor)).sum().backward()
    numeric = [(np.sum(weights * (function(a + e) - function(a - e)))) / 2e-6 for e in 1e-6 * np.eye(3)]
    assert np.allclose(gradient, numeric, atol=1e-7)
    assert np.allclose(tensor.grad.numpy(), gradient, atol=1e-12)


def test_gradient_at_identity_matrix_is_finite():
    assert np.isfinite(np.asarray(jax.jacobian(R.matrix_to_axis_angle)(jnp.eye(3)))).all()


def test_quaternion_product_is_matrix_product():
    a, b = axis_angles((6,), seed=1), axis_angles((6,), seed=2)
    product = R.quaternion_multiply(R.axis_angle_to_quaternion(a), R.axis_angle_to_quaternion(b))
    assert np.allclose(R.quaternion_to_matrix(product), R.axis_angle_to_matrix(a) @ R.axis_angle_to_matrix(b))


def test_rotation_between_directions():
    a, b = axis_angles((30,), seed=4), axis_angles((30,), seed=5)
    b[0], b[1], b[2] = a[0] * 2, -a[1], [-3, 0, 0]
    a[2] = [1, 0, 0]
    turn = R.rotation_between(a, b)
    unit = lambda v: v / np.linalg.norm(v, axis=-1, keepdims=True)
    assert np.allclose(R.rotate(turn, unit(a)), unit(b), atol=1e-7)
    assert np.allclose(turn @ np.swapaxes(turn, -1, -2), np.eye(3), atol=1e-12) and np.allclose(np.linalg.det(turn), 1)
    assert np.allclose(turn[0], np.eye(3))
    assert np.allclose(np.linalg.norm(R.matrix_to_axis_angle(turn), axis=-1),
                       np.arccos(np.clip((unit(a) * unit(b)).sum(-1), -1, 1)), atol=1e-7)
