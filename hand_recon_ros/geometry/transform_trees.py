"""Frames that stand in known relation to each other, as tf tells them one edge at a time."""
from __future__ import annotations

from collections import deque

import numpy as np


class TransformTree:
    """Edges parent -> child, and the transform between any two frames that they connect."""

    def __init__(self):
        self._edges: dict[str, dict[str, np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self._edges)

    def add(self, parent: str, child: str, T_parent_child: np.ndarray) -> None:
        """An edge (4, 4), which takes the place of a former one of these two frames."""
        T = np.asarray(T_parent_child, np.float64)
        self._edges.setdefault(parent, {})[child] = T
        self._edges.setdefault(child, {})[parent] = np.linalg.inv(T)

    def between(self, a: str, b: str) -> np.ndarray:
        """T_a_b (4, 4), which maps points of b to points of a; ValueError when nothing connects them."""
        if a == b:
            return np.eye(4)
        found, waiting = {a: np.eye(4)}, deque([a])
        while waiting:
            at = waiting.popleft()
            for following, T_at_following in self._edges.get(at, {}).items():
                if following not in found:
                    found[following] = found[at] @ T_at_following
                    waiting.append(following)
        if b not in found:
            raise ValueError(f'tf: nothing connects {a!r} and {b!r}, expected static transforms between them; '
                             f'known frames: {", ".join(sorted(self._edges)) or "none"}')
        return found[b]
