"""What all settings of a training must be."""
from __future__ import annotations


def check_at_least(settings, **least) -> None:
    """ValueError naming the first of these fields that is smaller, or NaN."""
    for name, bound in least.items():
        value = getattr(settings, name)
        if not value >= bound:
            raise ValueError(f'{name}: {value!r}, expected at least {bound}')


def check_not_negative(settings) -> None:
    """ValueError naming the first field of a dataclass of numbers that is negative or NaN."""
    check_at_least(settings, **dict.fromkeys(vars(settings), 0))
