"""Files of a data set, read with errors that name them: what is missing, damaged, or not of the expected shape."""
from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from hand_recon_ros.media.images import IMAGE_SUFFIXES, read_image
from hand_recon_ros.types import checked


class MissingFile(ValueError):
    """A file that the set's layout promises is not there. path: which; kind: what it holds."""

    def __init__(self, path: Path, kind: str, expected: str = ''):
        super().__init__(f'{kind} {path}: no such file' + (f', expected {expected}' if expected else ''))
        self.path, self.kind = Path(path), kind

    def __reduce__(self):
        return MissingFile, (self.path, self.kind)


def require(path: Path, kind: str, expected: str = '') -> Path:
    """The path, if a file is there; else MissingFile."""
    if not path.is_file():
        raise MissingFile(path, kind, expected)
    return path


def require_folder(path: Path, expected: str) -> Path:
    """The path, if a folder is there; else ValueError saying what was expected in it."""
    if not path.is_dir():
        raise ValueError(f'folder {path}: no such folder, expected {expected}')
    return path


def numbers(name: str, value, shape: tuple, finite: bool = True) -> np.ndarray:
    """float64 array of `shape` (None = any length) of nested lists or arrays; ValueError names the label."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f'{name}: {_short(value)}, expected numbers of shape '
                         f'{" x ".join("any" if n is None else str(n) for n in shape)}') from None
    return checked(name, array, shape, np.float64, finite)


def field(stored, name: str, where: str):
    """stored[name]; ValueError naming the field when it is not a mapping or lacks it."""
    if not isinstance(stored, dict) or name not in stored:
        have = f'fields {", ".join(map(str, list(stored)[:8]))}' if isinstance(stored, dict) else _short(stored)
        raise ValueError(f'{where}: {name} is missing ({have}), expected it')
    return stored[name]


def read_json(path: Path, kind: str):
    """Contents of a JSON file; ValueError says where a damaged or truncated one stops making sense."""
    try:
        return json.loads(require(path, kind).read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f'{kind} {path}: not whole JSON ({error}; {path.stat().st_size} bytes)') from None


class _TupleLoader(getattr(yaml, 'CSafeLoader', yaml.SafeLoader)):
    """A safe loader that also knows the tuples which PyYAML writes into calibrations."""


_TupleLoader.add_constructor('tag:yaml.org,2002:python/tuple', lambda loader, node: loader.construct_sequence(node))


def read_yaml(path: Path, kind: str) -> dict:
    """Mapping of a YAML file, nothing in it run; ValueError when it is damaged or none."""
    try:
        with require(path, kind).open(encoding='utf-8') as file:
            stored = yaml.load(file, _TupleLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'{kind} {path}: not YAML ({" ".join(str(error).split())})') from None
    if not isinstance(stored, dict):
        raise ValueError(f'{kind} {path}: {_short(stored)}, expected a mapping')
    return stored


def read_table(path: Path, kind: str, shape: tuple) -> np.ndarray:
    """Numbers of a text file, one row a line, blanks or commas between; ValueError when they are not of `shape`."""
    try:
        rows = [line.replace(',', ' ').split() for line in require(path, kind).read_text(encoding='utf-8').splitlines()]
        values = [[float(word) for word in row] for row in rows if row]
    except (ValueError, UnicodeDecodeError) as error:
        if isinstance(error, MissingFile):
            raise
        raise ValueError(f'{kind} {path}: not a table of numbers ({error})') from None
    return numbers(f'{kind} {path}', values, shape)


def read_lines(path: Path, kind: str) -> list[str]:
    """Lines of a text file that are not empty."""
    try:
        lines = require(path, kind).read_text(encoding='utf-8').splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f'{kind} {path}: not text ({error})') from None
    return [line.strip() for line in lines if line.strip()]


@dataclass(frozen=True)
class ImageFile:
    """Reads an image file as RGB (H, W, 3) uint8 when called."""
    path: Path

    def __call__(self) -> np.ndarray:
        return read_image(self.path)


@dataclass(frozen=True)
class PixelFile(ABC):
    """Reads what a set keeps in an image file (a mask, a depth) when called; a subclass knows the encoding."""
    path: Path

    @abstractmethod
    def decode(self, stored: np.ndarray) -> np.ndarray:
        """The array of a View of what is stored: (H, W) or (H, W, 3 or 4) in red, green, blue order, 8 or 16 bit."""

    def __call__(self) -> np.ndarray:
        path = self.path
        if not path.is_file():
            raise MissingFile(path, 'image')
        data = np.frombuffer(path.read_bytes(), np.uint8)
        stored = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        if stored is None:
            raise ValueError(f'image {path}: not readable as an image ({data.size} bytes), expected '
                             f'{", ".join(IMAGE_SUFFIXES)}')
        if stored.ndim == 3 and stored.shape[2] >= 3:
            stored = stored[..., [2, 1, 0, *range(3, stored.shape[2])]]
        try:
            return self.decode(stored)
        except ValueError as error:
            raise ValueError(f'image {path}: {error}') from None


def coded_pixels(stored: np.ndarray, channels: int) -> np.ndarray:
    """(H, W, 3 or 4) pixels whose red and green are halves of one number; ValueError when there are fewer channels."""
    if stored.ndim != 3 or stored.shape[2] < channels or stored.dtype != np.uint8:
        raise ValueError(f'{stored.dtype} {stored.shape}, expected uint8 with {channels} channels')
    return stored.astype(np.uint16)


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{type(value).__name__} {text[:50]}...'
