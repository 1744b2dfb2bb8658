"""Batches made ahead of their steps in other processes; which batch belongs to a step never depends on them."""
from __future__ import annotations

from collections.abc import Callable

from torch.utils.data import DataLoader, Dataset

FAR = 2 ** 40       # more steps than any run has


class StepLoader:
    """make(step, size, rank) of the steps asked for, which are best asked for in order. workers: processes; 0 for none."""

    def __init__(self, make: Callable, workers: int = 0):
        self._make, self._workers = make, workers
        self._ahead, self._next = None, None

    def get(self, step: int, rank: int, size: int):
        """The batch of a step."""
        if self._workers == 0:
            return self._make(step, size, rank)
        if self._next != (step, rank, size):
            steps = _Steps(self._make, step, rank, size)
            self._ahead = iter(DataLoader(steps, batch_size=None, num_workers=self._workers, prefetch_factor=4))
        self._next = (step + 1, rank, size)
        return next(self._ahead)


class _Steps(Dataset):
    def __init__(self, make: Callable, first: int, rank: int, size: int):
        self._make, self._first, self._rank, self._size = make, first, rank, size

    def __len__(self) -> int:
        return FAR

    def __getitem__(self, index: int):
        return self._make(self._first + index, self._size, self._rank)
