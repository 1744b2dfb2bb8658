"""The sets that runs learn from: given ones, or the recipe's synthetic set made once, each with the detector's view of it."""
from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.datasets.joined import JoinedDataset
from hand_recon_ros.datasets.registry import DATASETS, open_dataset
from hand_recon_ros.installation import cache_folder
from hand_recon_ros.synthesis.shards import INDEX, synthesize_shards
from hand_recon_ros.synthesis.studio import StudioConfig
from hand_recon_ros.synthesis.workspace import PACKAGE
from hand_recon_ros.training.detected_hands import DetectedHands, detect_hands
from hand_recon_ros.training.recipe import SetRecipe


@dataclass(frozen=True)
class TrainingSet:
    """A data set, or several as one, and what the detector sees in it. told: in words, for the record."""
    dataset: Dataset | JoinedDataset
    detected: DetectedHands
    told: str


def given_sets(texts: Sequence[str], threads: int, progress: bool = True) -> TrainingSet:
    """The sets that these texts say, see given_set, as one."""
    parts = [given_set(text, threads, progress) for text in texts]
    if len(parts) == 1:
        return parts[0]
    return TrainingSet(JoinedDataset([part.dataset for part in parts]),
                       DetectedHands.joined([part.detected for part in parts]), '; '.join(part.told for part in parts))


def given_set(text: str, threads: int, progress: bool = True) -> TrainingSet:
    """The set that '[NAME:]ROOT[:SPLIT]' says, NAME a registered data set ('shards' when left out)."""
    name, _, rest = text.partition(':')
    if name not in DATASETS:
        if rest and not Path(name).expanduser().exists():
            raise ValueError(f'{text}: no data set {name!r} and no such path, expected [NAME:]ROOT[:SPLIT] with a NAME of '
                             f'{", ".join(DATASETS)}')
        name, rest = 'shards', text
    root, _, split = rest.partition(':')
    dataset = open_dataset(name, Path(root).expanduser(), split or None)
    if not len(dataset):
        raise ValueError(f'{text}: no samples, expected some')
    return TrainingSet(dataset, _detected(dataset, threads, progress), f'{name} {dataset.split} of {dataset.root.name}, {len(dataset)} samples')


def synthetic_set(recipe: SetRecipe, workers: int, progress: bool = True) -> TrainingSet:
    """The recipe's set, made into the user's cache folder where it is not there yet; an interrupted making goes on.

    A set once made serves until the package's version changes; its index tells which sources made it.
    """
    config = StudioConfig(**dataclasses.asdict(recipe))
    text = json.dumps([dataclasses.asdict(recipe), version(PACKAGE)])
    folder = cache_folder() / 'shards' / f'{recipe.seed}-{hashlib.sha256(text.encode()).hexdigest()[:16]}'
    with made_by_one(folder):
        if not (folder / INDEX).is_file():
            synthesize_shards(config, folder, workers=workers, progress=progress)
    dataset = open_dataset('shards', folder)
    return TrainingSet(dataset, _detected(dataset, workers, progress),
                       f'{recipe.samples} synthetic samples of {recipe.views} views, seed {recipe.seed}')


def set_name(dataset: Dataset | JoinedDataset) -> str:
    """What is kept of a set is kept under this name: of its place, its size and when it was made."""
    if isinstance(dataset, JoinedDataset):
        return hashlib.sha256(' '.join(set_name(part) for part in dataset.parts).encode()).hexdigest()[:16]
    text = f'{dataset.NAME} {dataset.root.resolve()} {dataset.split} {len(dataset)} {os.stat(dataset.root).st_mtime_ns}'
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _detected(dataset: Dataset, threads: int, progress: bool) -> DetectedHands:
    """The detector's view, kept in the user's cache folder."""
    file = cache_folder() / 'detected' / f'{set_name(dataset)}.npz'
    with made_by_one(file):
        if not file.is_file():
            detect_hands(dataset, threads, progress).save(file)
    return DetectedHands.load(file)


@contextlib.contextmanager
def made_by_one(path: Path):
    """While one process makes what belongs at `path`, others wait: torchrun's all want the same set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(path.name + '.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
