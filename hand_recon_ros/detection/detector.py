"""What every detector is: image in, HandKeypoints out."""
from __future__ import annotations

from typing import Protocol

import numpy as np

from hand_recon_ros.types import Frame, HandKeypoints


class Detector(Protocol):
    """Finds the hands of one camera's frames, given in the order of their stamps. `name`: its landmark definition."""
    name: str

    def detect(self, frame: Frame) -> list[HandKeypoints]:
        """The hands of a frame, without track ids; ValueError when the frame lacks what the detector needs."""

    def restart(self) -> None:
        """Forget the frames seen so far: what comes next is another recording."""

    def close(self) -> None:
        """Release what it holds."""


def checked_max_hands(max_hands) -> int:
    """A whole number of at least 1, or ValueError."""
    if isinstance(max_hands, bool) or not isinstance(max_hands, (int, np.integer)) or max_hands < 1:
        raise ValueError(f'max_hands: {max_hands!r}, expected a whole number of at least 1')
    return int(max_hands)
