"""A recording of two cameras: which rig, and the images of one instant together."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hand_recon_ros.bags.labelled_recording import LabelledRecording
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.geometry.rigs import StereoRig, load_rig
from hand_recon_ros.types import Frame

RIG_FILE = 'rig.yaml'
TOLERANCE_NS = 5_000_000


@dataclass(frozen=True)
class StereoRecording:
    """A recording with at least two cameras; the first is the left one. labels: its images, and the truth."""
    labels: LabelledRecording
    rig: StereoRig

    @classmethod
    def read(cls, path) -> StereoRecording:
        """Recording at `path`. Its rig: rig.yaml in its folder where there is one, else the P matrices of a rectified
        pair. ValueError when there are not two cameras, or neither tells how they stand."""
        labels = LabelledRecording.read(path, calibrated=True)
        if len(labels.cameras) < 2:
            raise ValueError(f'{path}: one camera, expected a left and a right one')
        file = Path(path) / RIG_FILE
        if file.is_file():
            return cls(labels, load_rig(file))
        if not all(camera.rectified and camera.info for camera in labels.cameras[:2]):
            raise ValueError(f'{path}: no {RIG_FILE} in it and no rectified pair with camera_info, expected either')
        projections = []
        with BagReader(path) as bag:
            for camera in labels.cameras[:2]:
                info = next((message for _, _, message in bag.messages(camera.info)), None)
                if info is None:
                    raise ValueError(f'{path}: no message on {camera.info}, expected at least one')
                projections += [(int(info.width), int(info.height)), info.p.reshape(3, 4)]
        return cls(labels, StereoRig.from_rectified(*projections))

    def pairs(self, most: int | None = None) -> Iterator[tuple[Frame, Frame]]:
        """Left and right frames of one instant, in order; images without a partner are passed over."""
        right = self.labels.frames(1)
        waiting, count = next(right, None), 0
        for left in self.labels.frames(0):
            while waiting is not None and waiting.stamp_ns < left.stamp_ns - TOLERANCE_NS:
                waiting = next(right, None)
            if waiting is None or count == most:
                return
            if waiting.stamp_ns <= left.stamp_ns + TOLERANCE_NS:
                count += 1
                yield left, waiting
