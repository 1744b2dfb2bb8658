"""detection.ray_meeting: geometry.rigs.triangulate's answers, for every kind of rig, and where there is none."""
import numpy as np
import pytest

from hand_recon_ros.detection.ray_meeting import meet
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, triangulate
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix

K = np.array([[520.0, 0.7, 318.0], [0, 515.0, 242.0], [0, 0, 1]])
LENSES = {'none': (), 'plumb_bob': (-0.31, 0.12, 0.001, -0.002, -0.02), 'equidistant': (0.01, -0.02, 0.004, 0.001)}


def rig_of(lens, turn=(0.02, -0.35, 0.05), baseline=(-0.2, 0.01, 0.03)):
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = axis_angle_to_matrix(np.array(turn)), baseline
    return StereoRig(*(Camera(640, 480, K + np.diag([more, more, 0]), lens, LENSES[lens]) for more in (0.0, 7.0)), T)


@pytest.mark.parametrize('lens', LENSES)
def test_the_answers_are_triangulations(lens):
    rig, rng = rig_of(lens), np.random.default_rng(1)
    points = rng.uniform((-0.15, -0.15, 0.3), (0.15, 0.15, 1.5), (4, 21, 3))
    seen = [pixels + rng.normal(0, 2, pixels.shape) for pixels in rig.project(points)]
    stds = rng.uniform(0.5, 4, (2, 4, 21))
    for options in ((), stds):
        expected, spread = triangulate(rig, *seen, *options)
        got, covariances = meet(rig, *seen, *options)
        assert got.shape == (4, 21, 3) and covariances.shape == (4, 21, 3, 3)
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(got, expected, atol=1e-8, rtol=1e-8)
        np.testing.assert_allclose(covariances, spread, rtol=1e-4, atol=1e-7 * spread.max())


def test_one_point_needs_no_batch():
    rig = rig_of('none')
    point = np.array([0.03, -0.05, 0.6])
    got, covariance = meet(rig, *rig.project(point))
    np.testing.assert_allclose(got, point, atol=1e-12)
    assert covariance.shape == (3, 3)


def test_nan_where_the_rays_do_not_meet_ahead():
    rig = rig_of('none', turn=(0, 0, 0), baseline=(-0.1, 0, 0))
    left = np.array([[300.0, 240], [300, 240], [300, 240], [np.nan, 240], [300, 240]])
    # Meeting; diverging (behind the cameras); parallel; unknown; far away.
    shift = rig.right.normalise(left)
    right = np.array([[250.0, 240], [400, 240], [0, 0], [250, 240], [295.5, 240]])
    right[2] = rig.right.project(np.append(rig.left.normalise(left[2]), 1.0))
    assert shift.shape == (5, 2)
    expected, got = triangulate(rig, left, right)[0], meet(rig, left, right)[0]
    assert np.isfinite(expected).all(1).tolist() == [True, False, False, False, True]
    assert np.isfinite(got).all(1).tolist() == np.isfinite(expected).all(1).tolist()


def test_a_deviation_of_nothing_is_refused():
    rig = rig_of('none')
    with pytest.raises(ValueError, match='right_std_px: least 0, expected positive pixels'):
        meet(rig, [300.0, 240], [250.0, 240], 1.0, 0.0)
