"""Closed forms of the papers (minimal-hand eq. 5, HandTailor eq. 12, 14-17) and Procrustes."""
import jax
import numpy as np
import pytest
import torch
from jax.experimental import enable_x64

from hand_recon_ros.geometry import weak_perspective as W
from hand_recon_ros.geometry.alignment import aligned, procrustes
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix

RNG = np.random.default_rng
BATCHES = ((), (3,), (2, 4))


@pytest.mark.parametrize('batch', BATCHES)
def test_equation_5_finds_the_root(batch):
    rng = RNG(0)
    root = rng.normal(size=(*batch, 3)) * 0.1 + (0, 0, 0.6)
    bone = rng.normal(size=(*batch, 3)) * (1, 1, 0.3)
    length = 0.09
    bone *= length / np.linalg.norm(bone, axis=-1, keepdims=True)
    wrist = root + bone
    flat = lambda p: p[..., :2] / p[..., 2:]
    found = W.root_depth(flat(root), flat(wrist), bone[..., 2] / length, np.full(batch, length))
    assert found.shape == batch and np.allclose(found, root[..., 2], atol=1e-12)
    assert np.allclose(W.root_depth(*map(torch.from_numpy, (flat(root), flat(wrist))),
                                    torch.as_tensor(bone[..., 2] / length), torch.tensor(length)).numpy(), root[..., 2])


def test_equation_5_without_an_answer():
    same = np.array([0.1, 0.2])
    assert np.isnan(W.root_depth(same, same, np.array(0.5), np.array(0.1)))
    # twice as deep as it is long cannot be
    assert np.isnan(W.root_depth(same, same + (0.3, 0), np.array(2.0), np.array(0.1)))


def test_equation_12_finds_the_scale():
    rng, camera = RNG(1), Camera(640, 480, [[600.0, 0, 320], [0, 620, 240], [0, 0, 1]])
    points = rng.normal(size=(4, 21, 3)) * (0.05, 0.05, 0)
    points[:, 0] = 0
    root = np.array([0.05, -0.02, 0.5])
    grown = np.array([0.8, 1.0, 1.3, 2.0])
    px = camera.project(grown[:, None, None] * points + root)
    found = W.scale_compensation(points, px, px[:, 0], np.full(4, 0.5), np.array([600.0, 620.0]))
    assert np.allclose(found, grown, atol=1e-12)
    weights = np.ones((4, 21))
    px[:, 5] += 40
    weights[:, 5] = 0
    found = W.scale_compensation(points, px, px[:, 0], np.full(4, 0.5), np.array([600.0, 620.0]), weights)
    assert np.allclose(found, grown)


@pytest.mark.parametrize('batch', BATCHES)
def test_equations_14_to_17_undo_one_another(batch):
    rng = RNG(2)
    points = rng.normal(size=(*batch, 21, 3))
    points -= points[..., :1, :]
    scale, centre = rng.uniform(50, 200, batch), rng.normal(size=(*batch, 2)) * 100
    camera = np.concatenate([np.asarray(scale)[..., None], centre], axis=-1)
    px = W.project(points, camera)
    assert px.shape == (*batch, 21, 2)
    assert np.allclose(W.lift(px - centre[..., None, :], points[..., 2], np.asarray(scale)), points)
    assert np.allclose(W.scale_about(points, px, centre), scale)
    assert np.allclose(W.fit(points, px), camera)
    bone = points[..., 9, :] / np.linalg.norm(points[..., 9, :], axis=-1, keepdims=True)
    assert np.allclose(W.scale_from_bone(bone[..., :2] * np.asarray(scale)[..., None], bone[..., 2]), scale)


def test_weak_fit_is_least_squares():
    rng = RNG(3)
    points, px, weights = rng.normal(size=(21, 3)), rng.normal(size=(21, 2)) * 50, rng.uniform(0.1, 1, 21)
    rows = np.zeros((21, 2, 3))
    rows[:, :, 0], rows[:, 0, 1], rows[:, 1, 2] = points[:, :2], 1, 1
    root = np.sqrt(weights)[:, None]
    exact = np.linalg.lstsq((rows * root[..., None]).reshape(-1, 3), (px * root).ravel(), rcond=None)[0]
    assert np.allclose(W.fit(points, px, weights), exact)
    with enable_x64():
        assert np.allclose(np.asarray(jax.jit(W.fit)(points, px, weights)), exact)


def test_bone_along_the_ray_shows_no_scale():
    assert np.isnan(W.scale_from_bone(np.array([3.0, 4.0]), np.array(1.0)))


@pytest.mark.parametrize('batch', BATCHES)
@pytest.mark.parametrize('with_scale', [True, False])
def test_procrustes_finds_the_motion(batch, with_scale):
    rng = RNG(4)
    source = rng.normal(size=(*batch, 21, 3))
    rotation = axis_angle_to_matrix(rng.normal(size=(*batch, 3)) * 1.5)
    scale = rng.uniform(0.5, 2, batch) if with_scale else np.ones(batch)
    shift = rng.normal(size=(*batch, 3))
    target = np.asarray(scale)[..., None, None] * source @ np.swapaxes(rotation, -1, -2) + shift[..., None, :]
    found = procrustes(source, target, with_scale=with_scale)
    assert np.allclose(found.rotation, rotation) and np.allclose(found.scale, scale)
    assert np.allclose(found.translation, shift)
    assert np.allclose(found.apply(source), target)


def test_procrustes_reflects_only_when_told():
    source = RNG(5).normal(size=(21, 3))
    mirrored = source * (-1, 1, 1)
    assert np.allclose(aligned(source, mirrored, with_reflection=True), mirrored)
    proper = procrustes(source, mirrored)
    assert np.linalg.det(proper.rotation) == pytest.approx(1)
    assert np.abs(proper.apply(source) - mirrored).max() > 0.1


def test_procrustes_is_the_least_of_near_ones():
    rng = RNG(6)
    source, target, weights = rng.normal(size=(21, 3)), rng.normal(size=(21, 3)), rng.uniform(0, 1, 21)
    best = procrustes(source, target, weights)
    cost = lambda points: (weights[:, None] * (points - target) ** 2).sum()
    least = cost(best.apply(source))
    for _ in range(50):
        turn = axis_angle_to_matrix(rng.normal(size=3) * 0.02)
        moved = best.scale * (1 + rng.normal() * 0.02) * source @ (turn @ best.rotation).T + best.translation \
            + rng.normal(size=3) * 0.01
        assert cost(moved) > least


def test_planar_points_keep_a_proper_rotation():
    flat = RNG(7).normal(size=(21, 3)) * (1, 1, 0)
    rotation = axis_angle_to_matrix(np.array([0.4, 1.0, -0.3]))
    assert np.allclose(procrustes(flat, flat @ rotation.T).rotation, rotation)


@pytest.mark.parametrize('source, target, weights, said', [
    (np.ones((21, 3)), RNG(0).normal(size=(21, 3)), None, 'all points in one place'),
    (np.full((21, 3), np.nan), np.ones((21, 3)), None, 'source: 63 values are not finite'),
    (np.ones((21, 3)), np.ones((20, 3)), None, r'target: shape \(20, 3\)'),
    (np.ones((21, 2)), np.ones((21, 2)), None, r'source: shape \(21, 2\)'),
    (np.eye(3), np.eye(3), -np.ones(3), 'weights: .*not negative')])
def test_bad_sets_are_named(source, target, weights, said):
    with pytest.raises(ValueError, match=said):
        procrustes(source, target, weights)
