"""Reading weight files without PyTorch: safetensors, with what made them in the header and a checksum over the numbers."""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

FOLDER, SUFFIX, FORMAT = Path(__file__).parent, '.safetensors', '1'
LICENCE = 'Apache-2.0'
DETNET_KINEMATICS = 'iknet_detnet'      # the IKNet that learned DetNet's points, for the estimator minimal_hand


@dataclass(frozen=True)
class WeightCard:
    """Where a weight file comes from. network, settings: of networks.registry. model: the hand model it was trained for.

    inputs: what it takes, in words. data: the sets it was trained on and their seeds. command: that made it. hardware,
    hours: on what and how long, with the stages before it. figures: {name with unit: value} on the validation set.
    crop_px, sigma_px: of its crop and of heat maps in it, 0 where it takes none. upon: checksum of the weights that it was trained upon, '' for none.
    """
    network: str
    settings: dict
    model: str
    inputs: str
    data: str
    command: str
    hardware: str
    hours: float
    figures: dict[str, float]
    crop_px: int = 0
    sigma_px: float = 0.0
    upon: str = ''
    licence: str = LICENCE
    limits: list[str] = field(default_factory=list)

    def markdown(self, name: str, size: int) -> str:
        """The card for a person: a page beside the file."""
        rows = [('network', f'`{self.network}` with {self.settings}'), ('hand model', self.model), ('takes', self.inputs),
                ('trained on', self.data), *([('upon', f'weights {self.upon[:12]}')] if self.upon else []),
                ('by', f'`{self.command}`'),
                ('hardware, hours', f'{self.hardware}, {self.hours:.2g}'), ('licence', self.licence),
                ('size', f'{size / 1e6:.1f} MB')]
        lines = [f'# {name}', '', '| | |', '|---|---|', *(f'| {key} | {value} |' for key, value in rows), '',
                 '| on its validation set | |', '|---|---|', *(f'| {key} | {value:.4g} |' for key, value in self.figures.items())]
        return '\n'.join(lines + ([''] + [f'- {limit}' for limit in self.limits] if self.limits else [])) + '\n'


def weight_file(name_or_path: str | Path) -> Path:
    """File of shipped weights by name, or the path itself where it names a .safetensors file."""
    path = Path(name_or_path)
    return path.expanduser() if path.suffix == SUFFIX else FOLDER / f'{name_or_path}{SUFFIX}'


def own_or_shipped(name: str, folder: str | Path = '') -> Path:
    """NAME.safetensors in a folder of one's own weights where it is there, else the shipped one; '' for no such folder.

    ValueError as check_folder.
    """
    check_folder(folder)
    own = Path(folder).expanduser() / f'{name}{SUFFIX}'
    return own if str(folder) and own.is_file() else weight_file(name)


def check_folder(folder: str | Path) -> None:
    """ValueError unless it is '' or a folder of one's own weights: .safetensors files of the shipped ones' names alone."""
    if not str(folder):
        return
    folder, known = Path(folder).expanduser(), sorted(file.name for file in FOLDER.glob(f'*{SUFFIX}'))
    if not folder.is_dir():
        raise ValueError(f'weights_dir: {folder} is no folder, expected one of .safetensors files')
    found = sorted(file.name for file in folder.glob(f'*{SUFFIX}'))
    strange = [name for name in found if name not in known]
    if strange or not found:
        raise ValueError(f'weights_dir: {folder} has {strange[0] if strange else "no .safetensors file"}, expected some of '
                         f'{", ".join(known)}')


def read_card(name_or_path: str | Path) -> WeightCard:
    """What a weight file says of itself, without its numbers. ValueError names the file and what is wrong."""
    path = weight_file(name_or_path)
    return _card(path, _header(path))


def checksum(name_or_path: str | Path) -> str:
    """Of the numbers of a weight file, as its header states it. ValueError names the file and what is wrong."""
    return _header(weight_file(name_or_path))['sha256']


def read_weights(name_or_path: str | Path, network: str | None = None,
                 model: str | None = None) -> tuple[dict[str, np.ndarray], WeightCard]:
    """Numbers of a weight file by name, as stored, and its card.

    network, model: the kind and the hand model's name that are expected. ValueError names the file and what is wrong:
    missing, damaged (its checksum), of another kind, for another model.
    """
    path = weight_file(name_or_path)
    header = _header(path)
    card = _card(path, header)
    if network is not None and card.network != network:
        raise ValueError(f'{path}: weights of {card.network!r}, expected {network!r}')
    if model is not None and card.model != model:
        raise ValueError(f'weights {name_or_path}: for model {card.model!r}, expected {model!r}')
    try:
        with safe_open(path, 'np') as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ValueError(f'{path}: {error}, expected a weight file') from error
    if digest(arrays) != header['sha256']:
        raise ValueError(f'{path}: damaged, its numbers do not have the checksum {header["sha256"][:12]}... it states')
    return arrays, card


def digest(arrays: dict[str, np.ndarray]) -> str:
    """Checksum over names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f'{name}{array.dtype}{array.shape}'.encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _header(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise ValueError(f'{path}: missing, expected a weight file')
    try:
        with safe_open(path, 'np') as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ValueError(f'{path}: {error}, expected a weight file') from error
    for key in ('format', 'sha256', 'card'):
        if key not in header:
            raise ValueError(f'{path}: no {key} in its header, expected a weight file of this package')
    if header['format'] != FORMAT:
        raise ValueError(f'{path}: format {header["format"]!r}, expected {FORMAT!r}')
    return header


def _card(path: Path, header: dict[str, str]) -> WeightCard:
    try:
        return WeightCard(**json.loads(header['card']))
    except (json.JSONDecodeError, TypeError) as error:
        raise ValueError(f'{path}: its card cannot be read ({error})') from error
