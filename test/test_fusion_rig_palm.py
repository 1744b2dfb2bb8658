"""The palm of a known person as the yardstick of a rig: lengths by shape and landmarks, and whose is believed."""
from types import SimpleNamespace

import numpy as np
import pytest

from hand_recon_ros.fusion.rig_faults import CameraFacts, calibration_faults
from hand_recon_ros.fusion.rig_palm import PalmLengths
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.landmarks import build_skeleton, rest_landmarks
from hand_recon_ros.types import HandIdentity


@pytest.fixture(scope='module')
def palms():
    return PalmLengths(load_hand_model('open_hand'))


def identity(name, first=0.0, std=0.1, metric=True):
    shape = np.zeros(10)
    shape[0] = first
    return HandIdentity(name, 'open_hand', shape, np.full(10, std), metric)


def hand(track_id, handedness):
    return SimpleNamespace(track_id=track_id, handedness=handedness)


def test_the_palm_is_that_of_the_resting_hand_and_grows_with_the_shape(palms):
    points = rest_landmarks(build_skeleton(load_hand_model('open_hand')))
    mean = np.mean([np.linalg.norm(points[0] - points[k]) for k in (5, 9, 13, 17)])
    assert palms.of_shape(np.zeros(10)) == pytest.approx(mean, abs=1e-6) and 0.083 < mean < 0.092
    assert palms.of_shape(identity('', 2.0).shape) / mean == pytest.approx(1.109, abs=0.002)
    with pytest.raises(ValueError, match='shape'):
        palms.of_shape(np.zeros(3))


def test_only_people_measured_well_and_told_apart_are_believed(palms):
    ann, bob = identity('ann', 1.0), identity('bob', -1.0)
    both = [hand(3, 'left'), hand(4, 'right')]
    found = palms.by_handedness(both, {3: ann}, bob)
    assert found == {'left': palms.of_shape(ann.shape), 'right': palms.of_shape(bob.shape)}
    assert found['left'] > 1.08 * found['right']
    assert palms.by_handedness(both, {3: ann}, None) == {'left': found['left']}
    assert palms.by_handedness([hand(3, 'left'), hand(5, 'left')], {3: ann}, bob) == {}
    for doubtful in (identity('x', metric=False), identity('x', std=1.0), identity('x', std=np.nan)):
        assert palms.by_handedness(both, {}, doubtful) == {}
    assert palms.spread(identity('x', std=0.1)) == pytest.approx(0.1 * palms.spread(identity('x', std=1.0)), rel=1e-6)


@pytest.mark.parametrize('width, focal', [(0, 600.0), (640, 0.0), (640, float('nan'))])
def test_cameras_that_nobody_calibrated_are_no_fault_of_the_rig_and_no_crash(width, focal):
    K = np.array([[focal, 0, 320], [0, focal, 240], [0, 0, 1]])
    odd = CameraFacts(width, 480, K, (), np.concatenate([K, np.zeros((3, 1))], 1), True, (640, 480))
    good = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    fine = CameraFacts(640, 480, good, (), np.concatenate([good, np.zeros((3, 1))], 1), True)
    assert calibration_faults(odd, fine) == calibration_faults(fine, odd) == []
