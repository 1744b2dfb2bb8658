"""A detector's 3D points beside the true hand they belong to: "3DPosData" of Zhou et al. 2020, sec. 3.3."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_FIELDS = ('points', 'truth', 'shape', 'rest')


@dataclass(frozen=True)
class DetectorPoints:
    """Right hands (left ones mirrored), camera axes.

    points: (N, 21, 3) m as the detector sees them, lifted (estimation.viewing.lifted_points). truth: (N, 21, 3) m true
    landmarks by the detector's definition. rest: (N, 21, 3) the same at rest. shape: (N, B).
    """
    points: np.ndarray
    truth: np.ndarray
    rest: np.ndarray
    shape: np.ndarray

    def __post_init__(self):
        count = len(self.points)
        for name in _FIELDS:
            value = np.asarray(getattr(self, name), np.float32)
            expected = (count, 21, 3) if name != 'shape' else (count, value.shape[-1])
            if value.shape != expected:
                raise ValueError(f'{name}: shape {value.shape}, expected {expected}')
            if not np.isfinite(value).all():
                raise ValueError(f'{name}: not finite, expected metres')
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.points)

    def part(self, rows) -> DetectorPoints:
        """Only these rows."""
        return DetectorPoints(*(getattr(self, name)[rows] for name in _FIELDS))

    @classmethod
    def load(cls, path: Path | str) -> DetectorPoints:
        """From save's file; ValueError names the file and what is wrong."""
        try:
            with np.load(path) as stored:
                return cls(**{name: stored[name] for name in ('points', 'truth', 'rest', 'shape')})
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f'{path}: {error}, expected an .npz of detector points') from error

    def save(self, path: Path | str) -> None:
        """To an .npz that appears only when it is whole."""
        path = Path(path)
        part = path.with_name(path.name + '.part')
        with open(part, 'wb') as file:
            np.savez_compressed(file, **{name: getattr(self, name) for name in _FIELDS})
        os.replace(part, path)
