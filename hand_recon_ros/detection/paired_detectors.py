"""One detector for each camera of a pair: what StereoHandDetector does, for detectors that know nothing of rigs."""
from __future__ import annotations

from hand_recon_ros.detection.detector import Detector
from hand_recon_ros.detection.tracking import HandTracker
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import Frame, HandKeypoints


class PairedDetectors:
    """Two detectors and their trackers; a hand's track ids of the two views have nothing to do with each other."""

    def __init__(self, left: Detector, right: Detector, max_gap_s: float = 0.5):
        if left.name != right.name:
            raise ValueError(f'right: landmarks of {right.name!r}, expected {left.name!r} as of the left detector')
        self.name, self._detectors = left.name, (left, right)
        self._max_gap_s = max_gap_s
        self._trackers = self._fresh_trackers()

    def detect(self, left: Frame, right: Frame) -> tuple[list[HandKeypoints], list[HandKeypoints]]:
        """Hands of both images, in pixels of each, with track ids."""
        found = tuple(tracker.update(detector.detect(frame), frame.stamp_ns)
                      for detector, tracker, frame in zip(self._detectors, self._trackers, (left, right)))
        return found[0], found[1]

    def use(self, rig: StereoRig) -> None:
        """Another rig: nothing changes here."""

    def restart(self) -> None:
        """Forget the frames seen so far: what comes next is another recording, and gets what new detectors would give,
        also where its stamps follow closely on the last one's."""
        for detector in self._detectors:
            detector.restart()
        self._trackers = self._fresh_trackers()

    def close(self) -> None:
        """Release what the detectors hold."""
        for detector in self._detectors:
            detector.close()

    def _fresh_trackers(self) -> tuple[HandTracker, HandTracker]:
        return HandTracker(self._max_gap_s), HandTracker(self._max_gap_s)
