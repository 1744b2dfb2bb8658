"""How a detector's landmarks sit on one person's hand: the table, moved by the shape, and the person's own rest.

    offset_person = table + directions @ shape + rest,   rest ~ N(0, rest_sigma^2)

A detector draws hands nearer to the mean than they are, and its knuckles lie on the skin, not at the joints: both move
with the shape. Without this a calibration from many frames takes the detector's habits for the person's bones.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES
from hand_recon_ros.types import checked

RESPONSES = Path(__file__).parent / 'response_tables'
# Of a detector nobody measured: the spread of a person's mean offsets on renders.
REST_SIGMA_M = 0.0015
LARGEST_M = 0.02


@dataclass(frozen=True)
class LandmarkResponse:
    """offsets_m: (21, 3) of the mean shape, frame of each keypoint's joint, right hand. directions_m: (21, 3, S) metres
    per unit of the first S shape numbers. rest_sigma_m: (21,) standard deviation per axis between people.
    """
    offsets_m: np.ndarray
    directions_m: np.ndarray
    rest_sigma_m: np.ndarray
    provenance: dict = field(default_factory=dict)

    def __post_init__(self):
        for name, shape in (('offsets_m', (21, 3)), ('directions_m', (21, 3, None)), ('rest_sigma_m', (21,))):
            value = checked(name, getattr(self, name), shape)
            if np.abs(value).max(initial=0.0) > LARGEST_M:
                raise ValueError(f'{name}: {np.abs(value).max():g} m, expected at most {LARGEST_M} m')
            object.__setattr__(self, name, value)
        if (self.rest_sigma_m <= 0).any():
            raise ValueError(f'rest_sigma_m: least {self.rest_sigma_m.min():g}, expected more than 0')

    @classmethod
    def unmeasured(cls, offsets_m) -> LandmarkResponse:
        """Of a table of offsets (21, 3) alone: no response known, and so much the less trusted."""
        return cls(offsets_m, np.zeros((21, 3, 0)), np.full(21, REST_SIGMA_M))


def response_path(detector: str, table: str) -> Path:
    """File of a bundled response beside the detector's table of offsets."""
    return RESPONSES / f'{detector}_{table}.yaml'


def load_response(path: str | Path) -> LandmarkResponse:
    """Response of a file of save_response; ValueError naming it when it is missing or damaged."""
    path = Path(path)
    try:
        stored = yaml.safe_load(path.read_text(encoding='utf-8'))
        rows = [stored['landmarks_mm'][name] for name in KEYPOINT_NAMES]
        return LandmarkResponse(*(np.array([row[key] for row in rows], np.float64) / 1000.0
                                  for key in ('offset', 'by_shape', 'rest_sigma')), stored.get('provenance') or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f'landmark response {path}: {str(error).splitlines()[0]}, '
                         'expected the YAML file of a landmark response') from error


def save_response(response: LandmarkResponse, path: str | Path) -> None:
    """Writes a file that load_response reads back to a micrometre."""
    rows = [f'  {name + ":":9} {{offset: {_row(offset)}, by_shape: [{", ".join(_row(axis) for axis in directions)}], '
            f'rest_sigma: {1000 * sigma:.3f}}}'
            for name, offset, directions, sigma in zip(KEYPOINT_NAMES, response.offsets_m, response.directions_m,
                                                       response.rest_sigma_m)]
    Path(path).write_text(
        '# Landmark minus keypoint in the frame of the keypoint\'s joint, right hand, mm: for the mean shape,\n'
        '# per unit of the first shape numbers (rows x, y, z), and what is left, from person to person.\n'
        + yaml.safe_dump({'provenance': response.provenance}, sort_keys=False, default_flow_style=None, width=120)
        + 'landmarks_mm:\n' + '\n'.join(rows) + '\n', encoding='utf-8')


def _row(values) -> str:
    return '[' + ', '.join(f'{1000 * value:.3f}' for value in values) + ']'
