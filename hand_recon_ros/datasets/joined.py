"""Several data sets as one sequence of samples."""
from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.datasets.sample import Sample


class JoinedDataset(Sequence):
    """Samples of each set after those of the one before. root: the first one's, for messages."""

    def __init__(self, parts: Sequence[Dataset]):
        if not parts:
            raise ValueError('parts: none, expected at least one data set')
        self.parts, self.root = tuple(parts), parts[0].root
        self._ends = list(accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Sample:
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f'index: {index!r}, expected a whole number')
        if not -len(self) <= index < len(self):
            raise IndexError(f'sample {index}, expected 0 to {len(self) - 1}')
        index = int(index) % len(self)
        part = bisect_right(self._ends, index)
        return self.parts[part][index - (self._ends[part - 1] if part else 0)]
