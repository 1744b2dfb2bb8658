"""Data sets by name. A loader is imported when its set is opened."""
from __future__ import annotations

import importlib
from pathlib import Path

from hand_recon_ros.datasets.dataset import Dataset

_LOADERS = {
    'freihand': ('freihand', 'FreiHand'), 'rhd': ('rhd', 'Rhd'), 'stb': ('stb', 'Stb'), 'dexycb': ('dexycb', 'DexYcb'),
    'ho3d_v2': ('ho3d', 'Ho3dV2'), 'ho3d_v3': ('ho3d', 'Ho3dV3'), 'humbi': ('humbi', 'Humbi'),
    'interhand': ('interhand', 'InterHand'), 'curated': ('curated', 'Curated'),
    'shards': ('shards', 'Shards')}
DATASETS = tuple(_LOADERS)


def dataset_class(name: str) -> type[Dataset]:
    """Loader of a set; ValueError when there is none of that name."""
    if name not in _LOADERS:
        raise ValueError(f'data set {name!r}: unknown, expected one of {", ".join(DATASETS)}')
    module, loader = _LOADERS[name]
    return getattr(importlib.import_module(f'hand_recon_ros.datasets.{module}'), loader)


def open_dataset(name: str, root: str | Path, split: str | None = None) -> Dataset:
    """One split of a set in its published layout under `root`, listed, no image opened; None for its first split.

    ValueError for an unknown name or split, and for a root whose listing is missing or damaged.
    """
    loader = dataset_class(name)
    return loader(root, loader.SPLITS[0] if split is None else split)
