"""Rigs: files, rectified pairs, triangulation and its covariance, epipolar residuals."""
import numpy as np
import pytest

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, epipolar_residual_px, load_rig, save_rig, triangulate
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix

K = np.array([[600.0, 0, 319.5], [0, 605.0, 239.5], [0, 0, 1]])


def wide_rig():
    T = np.eye(4)
    T[:3, :3] = axis_angle_to_matrix(np.array([0.05, -0.7, 0.02]))
    T[:3, 3] = (0.05, 0.01, 0.25) - T[:3, :3] @ (0.4, 0, 0)
    return StereoRig(Camera(640, 480, K, 'plumb_bob', [-0.1, 0.02, 0.001, -0.001, 0]),
                     Camera(640, 480, K, 'equidistant', [0.01, 0.002, 0, 0]), T)


def rectified_rig():
    P = np.hstack([K, np.zeros((3, 1))])
    P_right = P.copy()
    P_right[0, 3] = -600 * 0.12
    return StereoRig.from_rectified((640, 480), P, (640, 480), P_right)


RIGS = (wide_rig(), rectified_rig())


def points(count=30, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3)) * 0.05 + (0.05, 0, 0.6)


def test_rectified_pair():
    rig = rectified_rig()
    assert rig.is_rectified and not wide_rig().is_rectified
    assert rig.baseline_m == pytest.approx(0.12) and np.allclose(rig.T_right_left[:3, 3], (-0.12, 0, 0))
    left, right = rig.project(points())
    assert np.allclose(left[:, 1], right[:, 1])
    assert np.allclose(left[:, 0] - right[:, 0], 600 * 0.12 / points()[:, 2])
    assert np.allclose(rig.to_left(rig.to_right(points())), points())


@pytest.mark.parametrize('rig', RIGS)
@pytest.mark.parametrize('batch', [(), (3,), (2, 4)])
def test_triangulation_returns_the_point(rig, batch):
    X = points(8).reshape(2, 4, 3)[(0,) * (2 - len(batch))][tuple(slice(n) for n in batch)]
    found, covariance = triangulate(rig, *rig.project(X))
    assert found.shape == (*batch, 3) and covariance.shape == (*batch, 3, 3)
    assert np.abs(found - X).max() < 1e-9


@pytest.mark.parametrize('rig', RIGS)
def test_covariance_is_the_scatter_of_noisy_points(rig):
    rng, X = np.random.default_rng(1), points(1)[0]
    left, right = rig.project(X)
    found, _ = triangulate(rig, left + rng.normal(0, 0.5, (4000, 2)), right + rng.normal(0, 1.0, (4000, 2)), 0.5, 1.0)
    _, covariance = triangulate(rig, left, right, 0.5, 1.0)
    whitened = np.linalg.inv(np.linalg.cholesky(covariance)) @ (found - X).T
    assert np.abs(np.cov(whitened) - np.eye(3)).max() < 0.1
    assert np.linalg.norm(found.mean(0) - X) < 5e-4


def test_rectified_depth_deviation_is_the_textbooks():
    rig, X = rectified_rig(), np.array([0.06, 0.0, 0.6])
    _, covariance = triangulate(rig, *rig.project(X), 1.0, 1.0)
    # sigma_z = z^2 / (f b) * sigma of the disparity
    assert np.sqrt(covariance[2, 2]) == pytest.approx(0.36 / (600 * 0.12) * np.sqrt(2), rel=1e-6)


def test_no_point_where_rays_do_not_meet_ahead():
    rig = rectified_rig()
    left = np.array([[300.0, 200], [300, 200], [np.nan, 200], [300, 200]])
    right = np.array([[300.0, 200], [310, 200], [290, 200], [290, 200]])
    found, covariance = triangulate(rig, left, right)
    assert np.isnan(found[:3]).all() and np.isnan(covariance[:3]).all()
    assert found[3, 2] == pytest.approx(7.2)


@pytest.mark.parametrize('rig', RIGS)
def test_epipolar_residual(rig):
    left, right = rig.project(points())
    assert np.abs(epipolar_residual_px(rig, left, right)).max() < 1e-9


def test_epipolar_residual_is_in_pixels():
    rig = rectified_rig()
    left, right = rig.project(points())
    # both images share a difference of 2 rows: each is 1 / sqrt(2) of it from the nearest consistent pair
    assert np.abs(epipolar_residual_px(rig, left, right + (0, 2.0))) == pytest.approx(np.sqrt(2), rel=1e-6)


@pytest.mark.parametrize('rig', RIGS)
def test_files_keep_every_digit(rig, tmp_path):
    save_rig(rig, tmp_path / 'rig.yaml')
    back = load_rig(tmp_path / 'rig.yaml')
    assert (back.T_right_left == rig.T_right_left).all()
    for ours, theirs in ((rig.left, back.left), (rig.right, back.right)):
        assert (ours.K == theirs.K).all() and (ours.D == theirs.D).all()
        assert (ours.width, ours.height, ours.distortion_model) == \
            (theirs.width, theirs.height, theirs.distortion_model)


def test_scaled_rig_sees_the_same():
    left, right = wide_rig().scaled(0.5).project(points())
    full_left, full_right = wide_rig().project(points())
    assert np.allclose(left, (full_left + 0.5) / 2 - 0.5) and np.allclose(right, (full_right + 0.5) / 2 - 0.5)


@pytest.mark.parametrize('change, said', [
    (lambda T: T[:3], r'T_right_left: shape \(3, 4\)'), (lambda T: T * np.nan, 'T_right_left: .*finite'),
    (lambda T: np.diag([-1.0, 1, 1, 1]) @ T, 'is no rotation'), (lambda T: np.eye(4), 'no distance between'),
    (lambda T: T + np.eye(4)[[3] * 4] * [[0], [0], [0], [1]], 'last row')])
def test_bad_poses_are_named(change, said):
    with pytest.raises(ValueError, match=said):
        StereoRig(wide_rig().left, wide_rig().right, change(wide_rig().T_right_left))


def test_swapped_rectified_pair_is_named():
    P = np.hstack([K, np.zeros((3, 1))])
    P_other = P.copy()
    P_other[0, 3] = -72
    with pytest.raises(ValueError, match='swapped'):
        StereoRig.from_rectified((640, 480), P_other, (640, 480), P)


@pytest.mark.parametrize('find, put, said', [
    ('width: 640', 'wide: 640', r'rig.yaml: cameras.left.width: missing'),
    ('640', 'many', 'cameras.left: width and height'),
    ('plumb_bob', 'fish', "cameras.left: distortion_model: 'fish'"), ('600.0', '0.0', 'cameras.left: K: fx is 0'),
    ('600.0', 'abc', 'cameras.left.K'), ('T_right_left', 'T', 'T_right_left: missing'),
    ('cameras:', '- [', 'not a readable YAML'), ('cameras:', 'cameras: 3\nother:', 'cameras.left: missing')])
def test_bad_files_are_named(tmp_path, find, put, said):
    path = tmp_path / 'rig.yaml'
    save_rig(wide_rig(), path)
    head, text = path.read_text().split('\n', 1)
    assert find in text
    path.write_text(text.replace(find, put, 1))
    with pytest.raises(ValueError, match=said):
        load_rig(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match='nothere.yaml'):
        load_rig(tmp_path / 'nothere.yaml')
