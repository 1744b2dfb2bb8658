"""What all settings of a training must be."""
from __future__ import annotations


def check_not_negative(settings) -> None:
    """ValueError naming the first field of a dataclass of numbers that is negative or NaN."""
    for name, value in vars(settings).items():
        if not value >= 0:
            raise ValueError(f'{name}: {value!r}, expected at least 0')
