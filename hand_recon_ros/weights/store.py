"""Weight files and PyTorch: a network written in half precision with its card, a file's network built and filled."""
from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save
from torch import nn

from hand_recon_ros.networks.registry import build_network
from hand_recon_ros.weights.files import FORMAT, WeightCard, digest, read_weights, weight_file


def save_weights(network: nn.Module, card: WeightCard, path: Path | str) -> None:
    """Write a network's weights in half precision, and its card beside them; either appears only when it is whole."""
    path = Path(path)
    arrays = {name: np.array(value.detach().cpu().numpy(), order='C') for name, value in network.state_dict().items()}
    with np.errstate(over='ignore'):            # named below
        arrays = {name: array.astype(np.float16) if array.dtype.kind == 'f' else array for name, array in arrays.items()}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f'{name}: not finite in half precision, expected numbers up to 65504')
    header = {'format': FORMAT, 'sha256': digest(arrays), 'card': json.dumps(dataclasses.asdict(card))}
    part = path.with_name(path.name + '.part')
    part.write_bytes(save(arrays, header))
    os.replace(part, path)
    page = path.with_suffix('.md.part')
    page.write_text(card.markdown(path.stem, path.stat().st_size), encoding='utf-8')
    os.replace(page, path.with_suffix('.md'))


def load_weights(name_or_path: str | Path, network: str | None = None,
                 model: str | None = None) -> tuple[nn.Module, WeightCard]:
    """The network of a weight file, in float32 and eval mode, and its card.

    network, model: the kind and the hand model's name that are expected. ValueError names the file and what is wrong: as
    files.read_weights, or a tensor that is missing, unexpected or of another shape than the network's.
    """
    path = weight_file(name_or_path)
    arrays, card = read_weights(name_or_path, network, model)
    built = build_network(card.network, card.settings)
    own = built.state_dict()
    for name in sorted(set(own) ^ set(arrays)):
        raise ValueError(f'{path}: {name} is {"missing" if name in own else "not of this network"}, expected the tensors '
                         f'of {card.network} with {card.settings}')
    for name, value in own.items():
        if arrays[name].shape != value.shape:
            raise ValueError(f'{path}: {name} is {arrays[name].shape}, expected {tuple(value.shape)}')
    built.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return built.eval(), card
