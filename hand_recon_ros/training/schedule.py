"""How long and how fast a stage is trained."""
from __future__ import annotations

import math
from dataclasses import dataclass

from hand_recon_ros.types import checked_choice

DECAYS = ('constant', 'linear', 'cosine')
PRECISIONS = ('float32', 'bfloat16')


@dataclass(frozen=True)
class Schedule:
    """steps of batch_size samples, over all processes together. warmup_steps: the rate grows from 0.

    decay: of the learning rate over the last decay_steps: none, linearly to 0, or as a half cosine to 0.
    clip_norm: longest gradient, 0 for no limit. precision: bfloat16 runs the networks under autocast, weights stay
    float32. validate_every, save_every: steps.
    """
    steps: int
    batch_size: int
    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    warmup_steps: int = 0
    decay: str = 'constant'
    decay_steps: int = 0
    clip_norm: float = 0.0
    precision: str = 'float32'
    validate_every: int = 500
    save_every: int = 500

    def __post_init__(self):
        for name in ('steps', 'batch_size', 'validate_every', 'save_every'):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) >= 1):
                raise ValueError(f'{name}: {getattr(self, name)!r}, expected a whole number of at least 1')
        if not self.learning_rate > 0:
            raise ValueError(f'learning_rate: {self.learning_rate!r}, expected above 0')
        for name in ('weight_decay', 'warmup_steps', 'decay_steps', 'clip_norm'):
            if not getattr(self, name) >= 0:
                raise ValueError(f'{name}: {getattr(self, name)!r}, expected at least 0')
        for name in ('beta1', 'beta2'):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f'{name}: {getattr(self, name)!r}, expected 0 to below 1')
        checked_choice('decay', self.decay, DECAYS)
        checked_choice('precision', self.precision, PRECISIONS)

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        rate = self.learning_rate * min(1.0, (step + 1) / max(self.warmup_steps, 1))
        left = (self.steps - step) / max(self.decay_steps, 1)
        if self.decay == 'constant' or left >= 1:
            return rate
        return rate * (left if self.decay == 'linear' else 0.5 - 0.5 * math.cos(math.pi * left))
