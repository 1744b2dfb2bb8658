"""Cameras: parity with OpenCV, inverses, resampling, and every bad calibration refused by name."""
import cv2
import numpy as np
import pytest

from hand_recon_ros.geometry.cameras import Camera

K = np.array([[600.0, 0, 320.5], [0, 610.0, 238.0], [0, 0, 1]])
LENSES = {'none': [], 'plumb_bob': [-0.28, 0.09, 0.0008, -0.0012, 0.005],
          'rational_polynomial': [0.5, 0.1, 0.001, -0.002, 0.01, 0.4, 0.2, 0.03],
          'equidistant': [0.01, -0.02, 0.003, 0.001]}


def camera(model='none', **changes):
    return Camera(**{**dict(width=640, height=480, K=K, distortion_model=model, D=LENSES[model]), **changes})


def points(count=400, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3)) * (0.2, 0.15, 0.05) + (0, 0, 0.8)


def opencv_pixels(model, X):
    zero, D = np.zeros(3), np.array(LENSES[model] or [0.0] * 4)
    if model == 'equidistant':
        return cv2.fisheye.projectPoints(X[:, None], zero, zero, K, D)[0][:, 0]
    return cv2.projectPoints(X, zero, zero, K, D)[0][:, 0]


@pytest.mark.parametrize('model', LENSES)
def test_projection_is_opencvs_and_inverts(model):
    X = points()
    px = camera(model).project(X)
    assert np.abs(px - opencv_pixels(model, X)).max() < 1e-9
    assert np.abs(camera(model).normalise(px) - X[:, :2] / X[:, 2:]).max() < 1e-10
    rays = camera(model).rays(px)
    assert np.abs(rays - X / np.linalg.norm(X, axis=1, keepdims=True)).max() < 1e-10


@pytest.mark.parametrize('model', LENSES)
@pytest.mark.parametrize('batch', [(), (3,), (2, 4)])
def test_batch_shapes(model, batch):
    X = points(8).reshape(2, 4, 3)[(0,) * (2 - len(batch))][tuple(slice(n) for n in batch)]
    px = camera(model).project(X)
    assert px.shape == (*batch, 2)
    assert np.abs(camera(model).normalise(px) - X[..., :2] / X[..., 2:]).max() < 1e-10


def test_equidistant_sees_sideways():
    sideways = np.array([[1.0, 0, 0], [0.5, 0.5, -0.1]])
    lens = camera('equidistant')
    rays = lens.rays(lens.project(sideways))
    assert np.abs(rays - sideways / np.linalg.norm(sideways, axis=1, keepdims=True)).max() < 1e-9
    assert np.isnan(lens.normalise(lens.project(sideways))).all()


def test_no_pixel_behind_or_beyond_the_fold():
    assert np.isnan(camera().project([[0, 0, -1.0], [0, 0, 0]])).all()
    barrel = camera('plumb_bob', D=[-0.5, 0, 0, 0, 0])
    # x (1 - 0.5 x^2) turns back at x = sqrt(2 / 3)
    inside, outside = barrel.project([[0.81, 0, 1], [0.82, 0, 1]])
    assert np.allclose(inside[0], 600 * 0.81 * (1 - 0.5 * 0.81 ** 2) + 320.5)
    assert np.isnan(outside).all()
    assert np.isnan(barrel.normalise([320.5 + 600 * 0.56, 238.0])).all()


def test_rectified_ignores_raw_calibration():
    P = np.array([[500.0, 0, 300, -60], [0, 500, 200, 0], [0, 0, 1, 0]])
    rectified = Camera.from_calibration(640, 480, np.zeros(9), [np.nan] * 5, P.ravel(), 'plumb_bob', rectified=True)
    assert (rectified.K == P[:, :3]).all() and rectified.distortion_model == 'none' and len(rectified.D) == 0
    raw = Camera.from_calibration(640, 480, K.ravel(), LENSES['plumb_bob'], np.zeros(12), 'plumb_bob', rectified=False)
    assert (raw.K == K).all() and raw.distortion_model == 'plumb_bob'


def test_roi_and_binning_keep_rays():
    full = camera('plumb_bob')
    part = Camera.from_calibration(640, 480, K, LENSES['plumb_bob'], None, 'plumb_bob', False, (2, 2),
                                   (100, 50, 400, 300))
    assert (part.width, part.height) == (200, 150)
    px = np.array([[10.0, 20.0], [150.5, 99.0]])
    assert np.allclose(part.normalise(px), full.normalise((px + 0.5) * 2 - 0.5 + (100, 50)), atol=1e-12)


def test_scaling_keeps_pixel_centres():
    half = camera('plumb_bob').scaled(0.5)
    assert (half.width, half.height, half.K[0, 2], half.K[1, 2]) == (320, 240, 160.0, 118.75)
    X = points(20)
    assert np.allclose(half.project(X), (camera('plumb_bob').project(X) + 0.5) / 2 - 0.5)


def test_inside():
    assert camera().inside([[0, 0], [639.5, 479.5], [639.6, 0], [np.nan, 0], [-0.6, 0]]).tolist() == [
        True, True, False, False, False]
    assert camera().inside([-3.0, 0], margin_px=4)


def K_with(row, column, value):
    changed = K.copy()
    changed[row, column] = value
    return changed


@pytest.mark.parametrize('changes, said', [
    (dict(width=0), 'width: 0'), (dict(height=-4), 'height: -4'), (dict(width=6.5), 'width: 6.5'),
    (dict(K=K_with(0, 0, 0.0)), 'K: fx is 0'), (dict(K=K_with(1, 1, -5.0)), 'K: fy is -5'),
    (dict(K=K_with(0, 2, np.nan)), 'K: .*nan.*expected finite'), (dict(K=np.zeros(9)), 'K: fx is 0'),
    (dict(K=np.eye(4)), r'K: shape \(4, 4\), expected 3 x 3'), (dict(K=K_with(2, 2, 2.0)), 'K: rows 2 and 3'),
    (dict(distortion_model='fish'), "distortion_model: 'fish', expected one of"),
    (dict(distortion_model='plumb_bob', D=[0.1] * 4), 'D: 4 numbers, expected 5 for plumb_bob'),
    (dict(distortion_model='rational_polynomial', D=[0.1] * 5), 'D: 5 numbers, expected 8'),
    (dict(distortion_model='equidistant', D=[np.inf, 0, 0, 0]), 'D: .*inf.*expected finite'),
    (dict(D=[0.1]), 'D: 1 numbers, expected 0 for none')])
def test_bad_calibration_is_named(changes, said):
    with pytest.raises(ValueError, match=said):
        camera(**changes)


def test_bad_camera_info_is_named():
    with pytest.raises(ValueError, match='P: fx is 0'):
        Camera.from_calibration(640, 480, K, [], np.zeros(12), 'plumb_bob', rectified=True)
    with pytest.raises(ValueError, match=r'P: shape \(9,\), expected 3 x 4'):
        Camera.rectified_from_projection(640, 480, K.ravel())
    with pytest.raises(ValueError, match='roi: x 600'):
        Camera.from_calibration(640, 480, K, [], None, '', False, (1, 1), (600, 0, 100, 100))
    with pytest.raises(ValueError, match="distortion_model: ''"):
        Camera.from_calibration(640, 480, K, [0.1] * 5, None, '', False)
    with pytest.raises(ValueError, match='binning_x: -2'):
        Camera.from_calibration(640, 480, K, [], None, '', False, (-2, 1))
    with pytest.raises(ValueError, match='factor: 0'):
        camera().scaled(0)
