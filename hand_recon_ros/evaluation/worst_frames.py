"""Which frames to look at first."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.evaluation.records import FrameRecord, RecordingErrors

# How many of the places go to frames in which a true hand was missed, where there are as many.
MISS_SHARE = 0.3
# Neighbouring frames look alike.
GAP = 5
RULE = ('three in ten places show frames in which a true hand was missed, spread evenly over all such frames; the '
        'others the frames without a miss of the largest aligned joint error (mean over the 21 joints of the worse '
        f'hand), at least {GAP} frames apart in a recording')


@dataclass(frozen=True, eq=False)
class WorstFrame:
    """recording_index, recording: its position and name. index: among its frames with truth. error_mm: None: a miss."""
    recording_index: int
    recording: str
    index: int
    stamp_ns: int
    error_mm: float | None
    record: FrameRecord

    @property
    def caption(self) -> str:
        """One line under the picture."""
        where = f'{self.recording}, frame {self.index}' if self.recording else f'frame {self.index}'
        if self.error_mm is None:
            missed = ', '.join(hand.true_id.split('_')[0] for hand in self.record.missed)
            return f'{where}: missed {missed} hand' + ('s' if len(self.record.missed) > 1 else '')
        camera_space = max(hand.camera_space_mm.mean() for hand in self.record.matched)
        return f'{where}: aligned {self.error_mm:.1f} mm, camera space {camera_space:.1f} mm'


def worst_frames(recordings: tuple[RecordingErrors, ...], count: int = 10) -> list[WorstFrame]:
    """The `count` frames to look at by RULE: largest errors first, then misses in their order."""
    if count < 1:
        raise ValueError(f'count: {count}, expected at least 1')
    errors, misses = [], []
    for number, recording in enumerate(recordings):
        for index, frame in enumerate(recording.frames):
            def entry(error_mm):
                return WorstFrame(number, recording.name, index, frame.stamp_ns, error_mm, frame)
            if frame.missed:
                misses.append(entry(None))
            elif frame.matched:
                errors.append(entry(max(float(hand.aligned_mm.mean()) for hand in frame.matched)))
    errors.sort(key=lambda frame: -frame.error_mm)
    apart: list[WorstFrame] = []
    for frame in errors:
        near = (other for other in apart if other.recording_index == frame.recording_index)
        if len(apart) < count and all(abs(frame.index - other.index) >= GAP for other in near):
            apart.append(frame)
    places = min(len(misses), max(round(MISS_SHARE * count), count - len(apart)))
    spread = np.linspace(0, len(misses) - 1, places).round().astype(int)
    return apart[:count - places] + [misses[k] for k in spread]
