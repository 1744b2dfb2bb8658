"""Where a detector's landmarks sit on the model: one constant offset per landmark in the frame of its joint.

    landmark = keypoint + R_joint_world @ offset        (right hand; a left hand is its mirror image)

A table belongs to one detector, one kind of images (real or rendered) and one hand model, and is calibrated by
`hand-recon calibrate-detector`.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES
from hand_recon_ros.types import checked

TABLES = Path(__file__).parent / 'offset_tables'
NO_TABLE = 'none'       # keypoints that are the model's own
FARTHEST_M = 0.05       # no landmark of any detector is farther than this from its joint: larger numbers are not metres


@dataclass(frozen=True)
class LandmarkOffsets:
    """detector, table, model: names. offsets_m: (21, 3) metres in the local frame of each keypoint's joint
    (skeleton.KEYPOINT_JOINTS), right hand. provenance: how it was calibrated, residuals before and
    after, plain YAML values.
    """
    detector: str
    table: str
    model: str
    offsets_m: np.ndarray
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        offsets = checked('offsets_m', self.offsets_m, (21, 3))
        farthest = float(np.abs(offsets).max())
        if farthest > FARTHEST_M:
            raise ValueError(f'offsets_m: {farthest:g} m from a joint, expected at most {FARTHEST_M} m')
        offsets.flags.writeable = False
        object.__setattr__(self, 'offsets_m', offsets)

    @property
    def lengths_m(self) -> np.ndarray:
        """(21,) metres."""
        return np.linalg.norm(self.offsets_m, axis=-1)


def table_path(detector: str, table: str | Path) -> Path:
    """File of a bundled table ('real', 'synthetic'), or the path itself when it names a .yaml file."""
    if str(table).endswith(('.yaml', '.yml')):
        return Path(table).expanduser()
    return TABLES / f'{detector}_{table}.yaml'


def load_offsets(detector: str = 'mediapipe', table: str | Path = 'real') -> LandmarkOffsets:
    """Table of a detector by name ('real': photographs and cameras; 'synthetic': our renders) or from a YAML file.

    'none' is no table but zeros: for keypoints that are the model's own.
    Raises ValueError when it is not there, damaged, or made for another detector.
    """
    if table == NO_TABLE:
        return LandmarkOffsets(detector, NO_TABLE, 'any', np.zeros((21, 3)))
    path = table_path(detector, table)
    if not path.is_file():
        bundled = sorted(TABLES.glob(f'{detector}_*.yaml'))
        known = ', '.join(found.stem.removeprefix(f'{detector}_') for found in bundled)
        raise ValueError(f'offset table: no file {path}, expected {known or "none known"} or the path of a .yaml file')
    try:
        stored = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'offset table {path}: not a readable YAML file ({str(error).splitlines()[0]})') from error
    if not isinstance(stored, dict):
        raise ValueError(f'offset table {path}: {type(stored).__name__}, expected a mapping')
    missing = [key for key in ('detector', 'model', 'offsets_mm') if key not in stored]
    if missing:
        raise ValueError(f'offset table {path}: {missing[0]} missing, expected detector, model and offsets_mm')
    if stored['detector'] != detector:
        raise ValueError(f'offset table {path}: for detector {stored["detector"]!r}, expected {detector!r}')
    try:
        return LandmarkOffsets(detector, path.stem.removeprefix(f'{detector}_'), str(stored['model']),
                               _rows(stored['offsets_mm']) / 1000.0, stored.get('provenance') or {})
    except (ValueError, TypeError) as error:
        raise ValueError(f'offset table {path}: {error}') from error


def save_offsets(offsets: LandmarkOffsets, path: str | Path) -> None:
    """Writes a table that load_offsets reads back to a micrometre. Raises OSError as open does."""
    head = {'detector': offsets.detector, 'model': offsets.model, 'provenance': offsets.provenance}
    lines = [f'  {name + ":":9} [{", ".join(f"{1000 * value:8.3f}" for value in row)}]'
             for name, row in zip(KEYPOINT_NAMES, offsets.offsets_m)]
    Path(path).write_text(
        '# Landmark minus keypoint in the frame of the keypoint\'s joint, right hand, millimetres.\n'
        + yaml.safe_dump(head, sort_keys=False, default_flow_style=None, width=120)
        + 'offsets_mm:\n' + '\n'.join(lines) + '\n', encoding='utf-8')


def _rows(stored) -> np.ndarray:
    """(21, 3) from a mapping of landmark names."""
    if not isinstance(stored, dict) or set(stored) != set(KEYPOINT_NAMES):
        odd = sorted(set(KEYPOINT_NAMES) ^ set(stored)) if isinstance(stored, dict) else type(stored).__name__
        raise ValueError(f'offsets_mm: {odd} missing or unknown, expected one row for each of '
                         + ', '.join(KEYPOINT_NAMES))
    return np.stack([checked(f'offsets_mm.{name}', stored[name], (3,), np.float64) for name in KEYPOINT_NAMES])
