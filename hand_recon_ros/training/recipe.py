"""What a run is made of, read from YAML: which data, which network, how long. recipes/ has the paper's and small ones."""
from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from hand_recon_ros.networks.residual import PLANS
from hand_recon_ros.training.bounds import check_at_least
from hand_recon_ros.training.hand_batches import Augmentation
from hand_recon_ros.training.hand_losses import ManoWeights
from hand_recon_ros.training.ik_losses import IkWeights
from hand_recon_ros.training.motion_capture import MotionCaptureSettings
from hand_recon_ros.training.schedule import Schedule
from hand_recon_ros.types import checked_choice

RECIPES = Path(__file__).parent / 'recipes'


@dataclass(frozen=True)
class SetRecipe:
    """A synthetic set, as `hand-recon synthesize --format shards` would make it."""
    samples: int
    seed: int
    crop: int = 128
    views: int = 2
    skins: int = 48
    rooms: int = 60

    def __post_init__(self):
        check_at_least(self, samples=1, seed=0, crop=32, views=1, skins=1, rooms=1)


@dataclass(frozen=True)
class DataRecipe:
    """Sets that a run makes where it is given none of its own. The validation set's people, rooms and poses are others."""
    training: SetRecipe
    validation: SetRecipe


@dataclass(frozen=True)
class IkRecipe:
    """IKNet: see training.ik_task for the meaning of each. detnet: weights of a DetNet whose points are learned from
    in place of the detector's, '' for the detector's."""
    schedule: Schedule
    data: DataRecipe
    width: int = 1024
    hands: MotionCaptureSettings = field(default_factory=MotionCaptureSettings)
    weights: IkWeights = field(default_factory=IkWeights)
    seen_share: float = 0.5
    mean_rest: float = 0.5
    seen_rotations: bool = True
    detnet: str = ''
    seed: int = 0

    def __post_init__(self):
        check_at_least(self, width=1, seen_share=0, mean_rest=0, seed=0)
        if not self.seen_share < 1:
            raise ValueError(f'seen_share: {self.seen_share!r}, expected below 1')
        if not self.mean_rest <= 1:
            raise ValueError(f'mean_rest: {self.mean_rest!r}, expected at most 1')


@dataclass(frozen=True)
class HandRecipe:
    """HandNet: see training.hand_task. schedules: of each stage that is to be trained, by name; stereo's own too."""
    schedules: dict[str, Schedule]
    data: DataRecipe
    backbone: str = 'resnet50'
    crop: int = 224
    sigma_px: float = 14.0
    weights: ManoWeights = field(default_factory=ManoWeights)
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self):
        check_at_least(self, crop=32, seed=0)
        checked_choice('backbone', self.backbone, tuple(PLANS))
        if self.crop % 32:
            raise ValueError(f'crop: {self.crop}, expected a multiple of 32')
        if not self.sigma_px > 0:
            raise ValueError(f'sigma_px: {self.sigma_px!r}, expected above 0')


@dataclass(frozen=True)
class DetRecipe:
    """DetNet: see training.det_task. features: channels of the volume F."""
    schedule: Schedule
    data: DataRecipe
    backbone: str = 'resnet50'
    features: int = 256
    crop: int = 128
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def __post_init__(self):
        check_at_least(self, features=1, crop=32, seed=0)
        checked_choice('backbone', self.backbone, tuple(PLANS))
        if self.crop % 32:
            raise ValueError(f'crop: {self.crop}, expected a multiple of 32')


def recipe_path(system: str, name_or_path: str) -> Path:
    """File of one of our recipes ('small', 'paper') for a system, or the path itself where it names a .yaml file."""
    if str(name_or_path).endswith(('.yaml', '.yml')):
        return Path(name_or_path).expanduser()
    path = RECIPES / f'{system}_{name_or_path}.yaml'
    if not path.is_file():
        known = sorted(file.stem.removeprefix(f'{system}_') for file in RECIPES.glob(f'{system}_*.yaml'))
        raise ValueError(f'config {name_or_path!r}: unknown for {system}, expected {", ".join(known)} or a .yaml file')
    return path


def load_recipe(kind: type, path: Path, overrides: Sequence[str] = ()):
    """The file's recipe as a `kind` of recipe. overrides: 'field.field=value' in its place.

    ValueError names the file, the field, its value and what was expected.
    """
    try:
        stored = yaml.safe_load(path.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'{path}: {str(error).splitlines()[0]}, expected a recipe in YAML') from error
    for override in overrides:
        _override(stored, override)
    return from_mapping(kind, stored, f'{path} with {" ".join(overrides)}' if overrides else str(path))


def _override(stored, override: str) -> None:
    """Put the value into the nested mappings; fields that are not there are made, for from_mapping to judge."""
    field_path, equals, text = override.partition('=')
    *outer, last = field_path.split('.')
    try:
        value = yaml.safe_load(text) if text else ''
    except yaml.YAMLError:
        equals = ''
    if not equals or not all((*outer, last)) or not isinstance(stored, dict):
        raise ValueError(f'--override: {override!r}, expected FIELD.FIELD=VALUE')
    for name in outer:
        stored = stored.setdefault(name, {})
        if not isinstance(stored, dict):
            raise ValueError(f'--override: {override!r}, but {name} has no fields')
    stored[last] = value


def from_mapping(kind: type, stored, where: str):
    """A dataclass of nested mappings; ValueError for what is missing, unknown or of another type."""
    if not isinstance(stored, dict):
        raise ValueError(f'{where}: {stored!r}, expected the fields of {kind.__name__}')
    types, fields = typing.get_type_hints(kind), {entry.name: entry for entry in dataclasses.fields(kind)}
    for name in stored:
        if name not in fields:
            raise ValueError(f'{where}: unknown field {name!r}, expected some of {", ".join(fields)}')
    given = {name: _converted(types[name], value, f'{where}: {name}') for name, value in stored.items()}
    for name, entry in fields.items():
        if name not in given and entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise ValueError(f'{where}: no {name}, expected {types[name].__name__}')
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f'{where}: {error}') from error


def _converted(kind, value, where: str):
    if dataclasses.is_dataclass(kind):
        return from_mapping(kind, value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is float and isinstance(value, str):
        # YAML 1.1 takes 1e-3 for a text: it wants 1.0e-3.
        with contextlib.suppress(ValueError):
            return float(value)
    if typing.get_origin(kind) is dict and isinstance(value, dict):
        return {name: _converted(typing.get_args(kind)[1], entry, f'{where}: {name}') for name, entry in value.items()}
    if typing.get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_converted(typing.get_args(kind)[0], entry, where) for entry in value)
    if isinstance(kind, type) and (not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)):
        raise ValueError(f'{where}: {value!r}, expected {kind.__name__}')
    return value
