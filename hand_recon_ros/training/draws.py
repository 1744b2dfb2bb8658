"""Random numbers that depend on nothing but seed and step, so that a resumed run goes on exactly as an uninterrupted one."""
from __future__ import annotations

import numpy as np
import torch


def generator(*keys: int) -> torch.Generator:
    """A generator of its own for every combination of whole numbers, at least 0: seed, step, rank."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(keys).generate_state(1, np.uint64)[0]) >> 1)
