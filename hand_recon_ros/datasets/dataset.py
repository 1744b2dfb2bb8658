"""What every loader is: a sequence of samples whose listing opens no image, and a check that names every problem."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.files import MissingFile, require_folder
from hand_recon_ros.datasets.sample import Sample, View
from hand_recon_ros.geometry.cameras import Camera

_KINDS = ('image', 'mask', 'depth')


class Dataset(Sequence, ABC):
    """One split of a data set on disk. A subclass lists it in its constructor and reads one sample's labels when asked.

    NAME: as registered. SPLITS: what `split` may be. LAYOUT: what the root must hold, for the error of a wrong root.
    """
    NAME: str
    SPLITS: tuple[str, ...]
    LAYOUT: str

    def __init__(self, root: str | Path, split: str):
        self.root, self.split = Path(root), split
        if split not in self.SPLITS:
            raise ValueError(f'{self.NAME}: split {split!r}, expected one of {", ".join(self.SPLITS)}')
        require_folder(self.root, self.LAYOUT)

    @abstractmethod
    def __len__(self) -> int:
        """How many samples the split has, by its listing, whether or not every file is there."""

    @abstractmethod
    def sample(self, index: int) -> Sample:
        """The sample at 0 <= index < len; ValueError naming the file or label that is damaged."""

    def __getitem__(self, index: int) -> Sample:
        count = len(self)
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f'index: {index!r}, expected a whole number')
        if not -count <= index < count:
            raise IndexError(f'{self.NAME} {self.split}: sample {index}, expected 0 to {count - 1}')
        return self.sample(int(index) % count)

    def check(self, pixels: bool = False) -> Iterator[str]:
        """One line for every damaged label, then one for each kind of file of which some are missing.

        pixels: also open every image, mask and depth that is there, and name the damaged ones.
        """
        files, unlabelled = _FileCount(), {}
        for index in range(len(self)):
            try:
                sample = self.sample(index)
            except MissingFile as error:
                unlabelled.setdefault(error.kind, []).append(error.path)
                continue
            except ValueError as error:
                yield f'sample {index}: {error}'
                continue
            for view in sample.views:
                yield from self._check_view(view, files, pixels)
        for kind, paths in unlabelled.items():
            yield f'missing {kind} files: of {len(paths)} of {len(self)} samples, first {paths[0]}'
        yield from files.missing()

    def _check_view(self, view: View, files: _FileCount, pixels: bool) -> Iterator[str]:
        for kind in _KINDS:
            path = getattr(getattr(view, f'{kind}_reader'), 'path', None)
            if path is None or files.known(kind, path):
                continue
            there = files.add(kind, path, path.is_file())
            if there and pixels:
                try:
                    getattr(view, kind)()
                except ValueError as error:
                    yield str(error)


class _FileCount:
    """Files seen so far by kind: how many, how many of them missing, and the first of those."""

    def __init__(self):
        self._seen: dict[str, set[Path]] = {}
        self._missing: dict[str, list[Path]] = {}

    def known(self, kind: str, path: Path) -> bool:
        return path in self._seen.get(kind, ())

    def add(self, kind: str, path: Path, there: bool) -> bool:
        if not self.known(kind, path):
            self._seen.setdefault(kind, set()).add(path)
            if not there:
                self._missing.setdefault(kind, []).append(path)
        return there

    def missing(self) -> Iterator[str]:
        for kind, paths in self._missing.items():
            yield f'missing {kind} files: {len(paths)} of {len(self._seen[kind])}, first {paths[0]}'


def projected(camera: Camera, joints_m: np.ndarray | None, T_view_first: np.ndarray = np.eye(4)) -> np.ndarray | None:
    """Pixels (21, 2) of joints (21, 3) of the first view's frame in a view; NaN where a joint is, or lies behind."""
    return None if joints_m is None else camera.project(transformed(T_view_first, joints_m))


def transformed(T: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) by a rigid transform (4, 4)."""
    return np.asarray(points, np.float64) @ T[:3, :3].T + T[:3, 3]


def rigid(R, t) -> np.ndarray:
    """(4, 4) of a rotation (3, 3) and a translation (3,)."""
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = R, t
    return T


def inverse(T: np.ndarray) -> np.ndarray:
    """Inverse of a rigid transform (4, 4)."""
    return rigid(T[:3, :3].T, -T[:3, :3].T @ T[:3, 3])
