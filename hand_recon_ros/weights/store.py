"""Weight files: safetensors in half precision, with what made them in the header and a checksum over the numbers."""
from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from hand_recon_ros.networks.registry import build_network

FOLDER, SUFFIX, FORMAT = Path(__file__).parent, '.safetensors', '1'
LICENCE = 'Apache-2.0'


@dataclass(frozen=True)
class WeightCard:
    """Where a weight file comes from. network, settings: of networks.registry. model: the hand model it was trained for.

    inputs: what it takes, in words. data: the sets it was trained on and their seeds. command: that made it. hardware,
    hours: on what and how long. figures: {name with unit: value} on the validation set.
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
    licence: str = LICENCE
    limits: list[str] = field(default_factory=list)

    def markdown(self, name: str, size: int) -> str:
        """The card for a person: a page beside the file."""
        rows = [('network', f'`{self.network}` with {self.settings}'), ('hand model', self.model), ('takes', self.inputs),
                ('trained on', self.data), ('by', f'`{self.command}`'),
                ('hardware, hours', f'{self.hardware}, {self.hours:.2g}'), ('licence', self.licence),
                ('size', f'{size / 1e6:.1f} MB')]
        lines = [f'# {name}', '', '| | |', '|---|---|', *(f'| {key} | {value} |' for key, value in rows), '',
                 '| on its validation set | |', '|---|---|', *(f'| {key} | {value:.4g} |' for key, value in self.figures.items())]
        return '\n'.join(lines + ([''] + [f'- {limit}' for limit in self.limits] if self.limits else [])) + '\n'


def weight_file(name_or_path: str | Path) -> Path:
    """File of shipped weights by name, or the path itself where it names a .safetensors file."""
    path = Path(name_or_path)
    return path.expanduser() if path.suffix == SUFFIX else FOLDER / f'{name_or_path}{SUFFIX}'


def save_weights(network: nn.Module, card: WeightCard, path: Path | str) -> None:
    """Write a network's weights in half precision, and its card beside them; either appears only when it is whole."""
    path = Path(path)
    tensors = {name: value.detach().cpu().to(torch.float16 if value.is_floating_point() else value.dtype).contiguous()
               for name, value in network.state_dict().items()}
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise ValueError(f'{name}: not finite in half precision, expected numbers up to 65504')
    header = {'format': FORMAT, 'sha256': _digest(tensors), 'card': json.dumps(dataclasses.asdict(card))}
    part = path.with_name(path.name + '.part')
    part.write_bytes(save(tensors, header))
    os.replace(part, path)
    page = path.with_suffix('.md.part')
    page.write_text(card.markdown(path.stem, path.stat().st_size), encoding='utf-8')
    os.replace(page, path.with_suffix('.md'))


def read_card(name_or_path: str | Path) -> WeightCard:
    """What a weight file says of itself, without its numbers. ValueError names the file and what is wrong."""
    path = weight_file(name_or_path)
    header = _header(path)
    return _card(path, header)


def load_weights(name_or_path: str | Path, network: str | None = None) -> tuple[nn.Module, WeightCard]:
    """The network of a weight file, in float32 and eval mode, and its card.

    network: the kind that is expected. ValueError names the file and what is wrong: missing, damaged (its checksum), of
    another kind, or with a tensor that is missing, unexpected or of another shape than the network's.
    """
    path = weight_file(name_or_path)
    header = _header(path)
    card = _card(path, header)
    if network is not None and card.network != network:
        raise ValueError(f'{path}: weights of {card.network!r}, expected {network!r}')
    try:
        with safe_open(path, 'pt') as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise ValueError(f'{path}: {error}, expected a weight file') from error
    if _digest(tensors) != header['sha256']:
        raise ValueError(f'{path}: damaged, its numbers do not have the checksum {header["sha256"][:12]}... it states')
    built = build_network(card.network, card.settings)
    own = built.state_dict()
    for name in sorted(set(own) ^ set(tensors)):
        raise ValueError(f'{path}: {name} is {"missing" if name in own else "not of this network"}, expected the tensors '
                         f'of {card.network} with {card.settings}')
    for name, value in own.items():
        if tensors[name].shape != value.shape:
            raise ValueError(f'{path}: {name} is {tuple(tensors[name].shape)}, expected {tuple(value.shape)}')
    built.load_state_dict(tensors)
    return built.eval(), card


def _header(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise ValueError(f'{path}: missing, expected a weight file')
    try:
        with safe_open(path, 'pt') as file:
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


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + str(tensors[name].dtype).encode() + str(tuple(tensors[name].shape)).encode())
        digest.update(tensors[name].contiguous().view(torch.uint8).numpy().tobytes() if tensors[name].ndim
                      else tensors[name].numpy().tobytes())
    return digest.hexdigest()
