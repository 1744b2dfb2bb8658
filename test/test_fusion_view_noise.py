"""What the detector's errors in two views share, by the angle between the views, and how wide intervals are stated."""
import numpy as np
import pytest

from hand_recon_ros.fusion.view_noise import ViewNoise
from hand_recon_ros.geometry.rigs import StereoRig

POINT = np.array([0.0, 0.0, 0.6])


def rig_seeing_under(degrees: float) -> StereoRig:
    """Two parallel cameras whose rays to POINT meet under an angle."""
    baseline_m = 0.6 * np.tan(np.radians(degrees))
    P = np.array([[600.0, 0, 320, 0], [0, 600, 240, 0], [0, 0, 1, 0]])
    right = P.copy()
    right[0, 3] = -600 * baseline_m
    return StereoRig.from_rectified((640, 480), P, (640, 480), right)


@pytest.mark.parametrize('degrees, measured, within', [(8, (0.82, 0.85), 0.12), (12, (0.79, 0.79), 0.12),
                                                       (30, (0.11, 0.16), 0.05), (80, (-0.05, 0.12), 0.12)])
def test_the_law_meets_the_correlations_measured_on_rendered_hands(degrees, measured, within):
    assert ViewNoise().correlation(rig_seeing_under(degrees), POINT) == pytest.approx(measured, abs=within)


def test_a_narrow_pair_stays_correlated_where_a_wide_one_is_independent():
    noise = ViewNoise(correlation_x=0.9, correlation_y=0.8, angle_rad=float(np.radians(25)))
    assert noise.correlation(rig_seeing_under(12.5), POINT) == pytest.approx(np.exp(-1 / 16) * np.array([0.9, 0.8]))
    assert noise.correlation(rig_seeing_under(25), POINT) == pytest.approx(np.exp(-1) * np.array([0.9, 0.8]))
    assert noise.correlation(rig_seeing_under(60), POINT).max() < 1e-12


def test_intervals_are_stated_wider_for_two_views_than_for_one():
    noise = ViewNoise()
    assert (noise.inflation(True), noise.inflation(False)) == (2.0, 1.6)
    with pytest.raises(ValueError, match='inflation_pair: 0.0, expected 0.1 to 100.0'):
        ViewNoise(inflation_pair=0.0)
