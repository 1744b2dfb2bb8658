"""Whether a frame can follow the one before: detectors that follow hands from frame to frame start afresh where not."""
from __future__ import annotations

import math

from hand_recon_ros.types import Frame


class Succession:
    """Remembers the last frame's size and stamp. longest_gap_s: a later frame is no successor."""

    def __init__(self, longest_gap_s: float = math.inf):
        self._longest_gap_s = longest_gap_s
        self.restart()

    @property
    def begun(self) -> bool:
        """Whether any frame has come since the start."""
        return self._last is not None

    def broken_by(self, frame: Frame) -> bool:
        """True for a frame of another size, an earlier stamp or one beyond the gap; it is remembered in any case."""
        last, self._last = self._last, (frame.width, frame.height, frame.stamp_ns)
        if last is None:
            return False
        return last[:2] != self._last[:2] or not 0 <= frame.stamp_ns - last[2] <= self._longest_gap_s * 1e9

    def restart(self) -> None:
        """Forget the last frame."""
        self._last: tuple[int, int, int] | None = None
