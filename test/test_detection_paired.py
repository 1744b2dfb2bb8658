"""One detector for each camera: track ids by camera, and nothing left of a recording after restart()."""
import numpy as np
import pytest

from hand_recon_ros.detection.paired_detectors import PairedDetectors
from hand_recon_ros.types import Frame, HandKeypoints

FRAME_NS = 33_333_333


class Scripted:
    """A detector that finds what the image's stamp says: one hand where `places` has a place."""

    def __init__(self, places, name='mediapipe'):
        self.name, self._places, self.restarts = name, places, 0

    def detect(self, frame):
        place = self._places[frame.stamp_ns // FRAME_NS]
        if place is None:
            return []
        points = np.random.default_rng(5).uniform(-50, 50, (21, 2)) + [place, 200]
        return [HandKeypoints('right', 0.97, 0.9, [place - 50, 150, place + 50, 250], points, np.ones(21))]

    def restart(self):
        self.restarts += 1

    def close(self):
        pass


def ids(pair, frame):
    found = pair.detect(*[Frame(640, 480, stamp_ns=frame * FRAME_NS)] * 2)
    return [[hand.track_id for hand in hands] for hands in found]


def test_a_recording_whose_stamps_follow_closely_gets_new_tracks_after_restart():
    detectors = Scripted([100] * 8), Scripted([None, 300, 500] + [300] * 5)
    pair = PairedDetectors(*detectors)
    assert [ids(pair, frame) for frame in range(3)] == [[[0], []], [[0], [0]], [[0], [1]]]
    assert ids(pair, 3) == [[0], [0]]                   # the right hand's first track, remembered over a frame
    pair.restart()
    assert [detector.restarts for detector in detectors] == [1, 1]
    # As a new pair would: without restart the right one's hand would be its track 0 or 1 of before.
    fresh = PairedDetectors(*detectors)
    assert [ids(pair, frame) for frame in (4, 5)] == [ids(fresh, frame) for frame in (4, 5)] == [[[0], [0]]] * 2


def test_a_velocity_of_the_last_recording_does_not_carry_on():
    places = [100 + 40 * frame for frame in range(5)] + [260, 300, 340]
    pair = PairedDetectors(Scripted(places), Scripted(places))
    before = [ids(pair, frame)[0] for frame in range(5)]
    assert before == [[0]] * 5
    pair.restart()
    assert pair._trackers[0]._tracks == [] and pair._trackers[1]._last_stamp_ns is None
    assert ids(pair, 5) == [[0], [0]]


def test_detectors_of_different_landmarks_are_no_pair():
    with pytest.raises(ValueError, match="right: landmarks of 'other', expected 'mediapipe'"):
        PairedDetectors(Scripted([]), Scripted([], 'other'))
