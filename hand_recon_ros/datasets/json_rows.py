"""Rows of a huge JSON list of numbers, each parsed when asked for: FreiHAND's vertices are more than a gigabyte."""
from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.files import require

_BLOCK_BYTES = 1 << 24


class JsonRows:
    """Top-level elements of a JSON list of lists of numbers, by index. Opening it scans the brackets only.

    ValueError names the file when its brackets do not close (a truncated download) or it holds text.
    """

    def __init__(self, path: Path, kind: str):
        self.path, self.kind = require(path, kind), kind
        self._starts, self._ends = self._scan()

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int):
        with self.path.open('rb') as file:
            file.seek(int(self._starts[index]))
            text = file.read(int(self._ends[index] - self._starts[index]) + 1)
        try:
            return json.loads(text)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f'{self.kind} {self.path}: row {index} is not JSON ({error})') from None

    def name(self, index: int) -> str:
        """The row's name in error messages."""
        return f'{self.kind} {self.path} row {index}'

    def _scan(self) -> tuple[np.ndarray, np.ndarray]:
        """Offsets of the brackets that open and close the elements."""
        size = self.path.stat().st_size
        starts, ends, depth = [], [], 0
        with self.path.open('rb') as file:
            for offset in range(0, size, _BLOCK_BYTES):
                block = np.frombuffer(file.read(_BLOCK_BYTES), np.uint8)
                if (block == ord('"')).any() or (block == ord('{')).any():
                    raise ValueError(f'{self.kind} {self.path}: holds text or mappings, expected a list of numbers')
                opening = block == ord('[')
                where = np.flatnonzero(opening | (block == ord(']')))
                # depth after each bracket: elements open as it becomes 2 and close as it returns to 1
                after = depth + np.cumsum(np.where(opening[where], 1, -1))
                starts.append(offset + where[opening[where] & (after == 2)])
                ends.append(offset + where[~opening[where] & (after == 1)])
                depth = int(after[-1]) if len(after) else depth
        starts, ends = (np.concatenate(found) if found else np.zeros(0, np.int64) for found in (starts, ends))
        if depth != 0 or len(starts) != len(ends):
            raise ValueError(f'{self.kind} {self.path}: ends within row {len(ends)} after {size} bytes, '
                             'expected a closed list (truncated?)')
        if not len(starts):
            raise ValueError(f'{self.kind} {self.path}: no rows in {size} bytes, expected a list of lists')
        return starts, ends
