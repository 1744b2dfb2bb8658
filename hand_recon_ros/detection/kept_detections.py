"""A detector of both views asked once: what it found is given again to whatever asks for the same instant."""
from __future__ import annotations

from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import Frame, HandKeypoints


class KeptDetections:
    """In place of `detector` (registry.build_stereo_detector) where several fusions work on one recording.

    rig: the detector's. The first time a stamp is asked for, instants must come in order and with images; later neither
    matters.
    """

    def __init__(self, detector, rig: StereoRig):
        self.name, self._detector, self._rig = detector.name, detector, rig
        self._kept: dict[int, tuple[list[HandKeypoints], list[HandKeypoints]]] = {}

    def detect(self, left: Frame, right: Frame) -> tuple[list[HandKeypoints], list[HandKeypoints]]:
        """Hands of both images, as the detector found them at the left one's stamp."""
        if left.stamp_ns not in self._kept:
            self._kept[left.stamp_ns] = self._detector.detect(left, right)
        return self._kept[left.stamp_ns]

    def use(self, rig: StereoRig) -> None:
        """The rig from now on; the instants of another one are new ones."""
        if rig is not self._rig:
            self._detector.use(rig)
            self._rig, self._kept = rig, {}

    def restart(self) -> None:
        """Another run over the same recording: nothing changes here."""

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()
