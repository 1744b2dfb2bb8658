"""Errors of whole recordings: frames go in one by one, parts are put together, one table comes out."""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from hand_recon_ros.evaluation.figures import figures
from hand_recon_ros.evaluation.judging import FrameJudge
from hand_recon_ros.evaluation.records import FrameRecord, MatchedHand, RecordingErrors, StereoErrors
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.types import HandEstimate, HandKeypoints


class Evaluation:
    """Gathers frames of estimates beside ground truth. Fingertips are the model's tip vertices, the wrist its joint.

    One object takes the frames of one recording, in their order; `merged` puts recordings together. It may be pickled.
    Figures depend on the frames and their order alone, not on who gathered them.
    """

    def __init__(self, name: str = '', faces: Mapping[str, np.ndarray] | None = None, sequence: bool = True):
        """name: of the recording. faces: model name -> (F, 3) triangles of its right hand, for masks and surfaces.

        sequence: False where neighbouring frames are not neighbours in time: then nothing is said about motion.
        """
        self.name, self.sequence = name, sequence
        self._judge = FrameJudge(faces)
        self._frames: list[FrameRecord] = []
        self._parts: tuple[RecordingErrors, ...] | None = None

    def add(self, stamp_ns: int, estimates: list[HandEstimate], truths: list[HandEstimate],
            latency_s: float | None = None, keypoints: list[HandKeypoints] | None = None,
            camera: Camera | None = None, true_mask: np.ndarray | None = None,
            stereo: StereoErrors | None = None) -> FrameRecord:
        """One frame with ground truth, whatever was found in it (nothing at all: empty lists); returns its record.

        camera: of the image, in whose frame all hands are given; with it, true hands without a keypoint in the image
        are not counted. latency_s: None where nothing was measured. keypoints: the detector's hands, [] where none was
        found, None where nothing is known of them (not judged); need `camera`. true_mask: (H, W) uint8, 0 elsewhere,
        1 right, 2 left hand, the visible surface; needs `camera`.
        stereo: what two views gave without a model, see stereo_reference.
        Vertices are compared where truth and estimate are of one model, surfaces where they are not.
        """
        if self._parts is not None:
            raise ValueError('add: this evaluation was put together from others, expected one of a single recording')
        record = self._judge(stamp_ns, estimates, truths, latency_s, keypoints, camera, true_mask)
        record = record if stereo is None else replace(record, stereo=stereo)
        self._frames.append(record)
        return record

    @classmethod
    def merged(cls, parts: Iterable[Evaluation], name: str = '') -> Evaluation:
        """All recordings of the parts, in the order given. Every hand counts alike, whatever its recording."""
        whole = cls(name)
        whole._parts = tuple(recording for part in parts for recording in part.recordings)
        return whole

    @property
    def recordings(self) -> tuple[RecordingErrors, ...]:
        """What was gathered, recording by recording."""
        if self._parts is not None:
            return self._parts
        return (RecordingErrors(self.name, self.sequence, tuple(self._frames), tuple(self._judge.notes)),)

    @property
    def frames(self) -> int:
        """Frames with ground truth."""
        return sum(len(recording.frames) for recording in self.recordings)

    @property
    def true_hands(self) -> int:
        """Hands there were to be found."""
        return sum(frame.true_hands for recording in self.recordings for frame in recording.frames)

    @property
    def hands(self) -> list[MatchedHand]:
        """All matched hands in their order."""
        return [hand for recording in self.recordings for frame in recording.frames for hand in frame.matched]

    def metrics(self) -> dict:
        """Named figures with their units in a fixed order; one that cannot be computed is absent, see `notes`."""
        return figures(self.recordings)[0]

    def notes(self) -> list[str]:
        """Why figures are absent or speak of a part of the hands only, one sentence each."""
        notes = [note for recording in self.recordings for note in recording.notes]
        return list(dict.fromkeys([*notes, *figures(self.recordings)[1]]))


def table(metrics: dict, title: str = '') -> str:
    """Metrics as aligned text, one line each."""
    width = max([26, *(len(name) + 2 for name in metrics)])
    return '\n'.join(([title] if title else []) + [f'  {name:<{width}}{value_text(name, value):>10}'
                                                   for name, value in metrics.items()])


def value_text(name: str, value) -> str:
    """One figure as text: lengths, times and percentages with two digits, shares with three, counts with none."""
    if isinstance(value, dict):
        return '  '.join(f'{key} {number:.1f}' for key, number in value.items())
    if isinstance(value, float):
        return f'{value:.2f}' if name.endswith(('_mm', '_percent', '_deg')) else f'{value:.3f}'
    return str(value)
