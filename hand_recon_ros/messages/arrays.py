"""Flat message arrays <-> NumPy, shape-checked both ways.

The generated classes do not check what they are given: ten floats in a longer fixed array serialise past the buffer,
and a NumPy array in an unbounded field is copied value by value (240 us for a mesh). Everything goes through here
instead.
"""
from __future__ import annotations

import array

import numpy as np

from hand_recon_ros.types import checked


def floats(name: str, value, shape: tuple, finite: bool = True) -> array.array:
    """float32[] of `value`, which must have `shape` (None = any length); ValueError names the field."""
    return array.array('f', checked(name, value, shape, np.float32, finite).tobytes())


def integers(name: str, value, shape: tuple, typecode: str) -> array.array:
    """int32[] ('i') or uint32[] ('I') of `value`; ValueError when it has another shape or does not fit."""
    raw = np.asarray(value)
    limits = np.iinfo(typecode)
    if raw.size and (raw.min() < limits.min or raw.max() > limits.max):
        raise ValueError(f'{name}: values {raw.min()} to {raw.max()}, expected {limits.min} to {limits.max}')
    return array.array(typecode, checked(name, raw, shape, np.dtype(typecode)).tobytes())


def matrix(name: str, value, columns: int, rows: int | None = None, dtype=np.float32,
           finite: bool = True) -> np.ndarray:
    """(rows, columns) array of a flat message field; ValueError names the field and the length it should have had."""
    flat = np.asarray(value, dtype=dtype)
    wanted = f'a multiple of {columns}' if rows is None else f'{rows * columns} ({rows} x {columns})'
    if flat.ndim != 1 or (flat.size % columns if rows is None else flat.size != rows * columns):
        raise ValueError(f'{name}: {flat.size} values, expected {wanted}')
    return checked(name, flat.reshape(-1, columns), (None, columns), dtype, finite)


def vector(name: str, value, length: int | None = None, finite: bool = True) -> np.ndarray:
    """(length,) float32 array of a flat message field; ValueError names the field."""
    return checked(name, np.asarray(value, dtype=np.float32), (length,), np.float32, finite)


def probability(name: str, value: float) -> float:
    """`value` when it lies in 0..1, else ValueError. Rounding of float32 is let through."""
    number = float(value)
    if not -1e-6 <= number <= 1 + 1e-6:
        raise ValueError(f'{name}: {number}, expected 0 to 1')
    return number


def unsigned(name: str, value: int) -> int:
    """`value` when a uint32 holds it, else ValueError."""
    number = int(value)
    if not 0 <= number < 2 ** 32:
        raise ValueError(f'{name}: {number}, expected 0 to {2 ** 32 - 1}')
    return number
