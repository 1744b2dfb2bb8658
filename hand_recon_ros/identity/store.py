"""Identities on disk: one readable YAML file a person, written whole or not at all."""
from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import yaml

from hand_recon_ros.identity.measures import HandSize
from hand_recon_ros.types import HandIdentity

VERSION = 1
# A letter or digit first: no hidden files, no options, no way out of the folder.
NAME = re.compile(r'[^\W_][\w.-]{0,63}')
SUFFIX = '.yaml'
_NUMBERS = ('width_mm', 'width_std_mm', 'length_mm', 'length_std_mm')
_KEYS = {'version': int, 'name': str, 'model': str, 'metric': bool, 'scale': str, 'frames': int, 'date': str,
         'shape': list, 'shape_std': list} | {key: (int, float) for key in _NUMBERS}


@dataclass(frozen=True)
class StoredIdentity:
    """An identity with what a person wants to know of it. size: of the hand, millimetres. frames: sights it was
    calibrated from. date: as the caller writes it. scale: what the size rests on, 'measured by ...' or 'assumed ...'.
    """
    identity: HandIdentity
    size: HandSize
    frames: int
    date: str
    scale: str

    def named(self, name: str) -> StoredIdentity:
        """The same under another name."""
        return replace(self, identity=replace(self.identity, name=name))


def default_folder() -> Path:
    """$XDG_DATA_HOME/hand_recon_ros/identities, else below ~/.local/share."""
    data = os.environ.get('XDG_DATA_HOME')
    return (Path(data) if data else Path.home() / '.local' / 'share') / 'hand_recon_ros' / 'identities'


def checked_name(name: str) -> str:
    """`name` if it can name an identity, else ValueError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f'name: {name!r}, expected 1 to 64 letters, digits, "_", "-" or ".", a letter or digit first')
    return name


def write_identity(stored: StoredIdentity, path: str | Path) -> None:
    """One file, replaced as a whole or left as it was. Raises ValueError for a bad name, OSError as open does."""
    identity, size, path = stored.identity, stored.size, Path(path)
    document = {'version': VERSION, 'name': checked_name(identity.name), 'model': identity.model,
                'metric': bool(identity.metric), 'scale': stored.scale, 'frames': int(stored.frames),
                'date': str(stored.date)}
    document |= {key: _number(getattr(size, key), 2) for key in _NUMBERS}
    document |= {key: [_number(value, 6) for value in getattr(identity, key)] for key in ('shape', 'shape_std')}
    text = '# The shape of one person\'s hand; one unit of shape is one standard deviation of the model.\n' \
           + yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile('w', encoding='utf-8', dir=path.parent, prefix='.', suffix='.partial',
                            delete=False) as file:
        partial = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def read_identity(path: str | Path, model: str | None = None) -> StoredIdentity:
    """A file of write_identity; ValueError naming file and field when it is missing, damaged, of another version, or
    not of `model` when one is given."""
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise ValueError(f'identity {path}: no such file') from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f'identity {path}: not a readable YAML file ({str(error).splitlines()[0]})') from error
    if not isinstance(document, dict):
        raise ValueError(f'identity {path}: {type(document).__name__}, expected a mapping')
    if document.get('version') != VERSION:
        raise ValueError(f'identity {path}: version {document.get("version")!r}, expected {VERSION}')
    for key, kind in _KEYS.items():
        if key not in document:
            raise ValueError(f'identity {path}: {key} missing')
        if not isinstance(document[key], kind) or (kind is not bool and isinstance(document[key], bool)):
            names = ' or '.join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
            raise ValueError(f'identity {path}: {key} {document[key]!r}, expected {names}')
    if model is not None and document['model'] != model:
        raise ValueError(f'identity {path}: of model {document["model"]!r}, expected {model!r}')
    try:
        checked_name(document['name'])
        shape, std = (_floats(key, document[key]) for key in ('shape', 'shape_std'))
        identity = HandIdentity(document['name'], document['model'], shape, std, document['metric'])
    except (ValueError, TypeError) as error:
        raise ValueError(f'identity {path}: {error}') from error
    return StoredIdentity(identity, HandSize(**{key: float(document[key]) for key in _NUMBERS}), document['frames'],
                          document['date'], document['scale'])


class IdentityStore:
    """Identities of one folder by name. folder None: the user's data folder."""

    def __init__(self, folder: str | Path | None = None):
        self.folder = default_folder() if folder is None else Path(folder)

    def path(self, name: str) -> Path:
        """File of a name; ValueError for one that cannot be a name."""
        return self.folder / (checked_name(name) + SUFFIX)

    def names(self) -> list[str]:
        """Names of all stored identities, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(path.stem for path in self.folder.glob(f'*{SUFFIX}') if NAME.fullmatch(path.stem))

    def save(self, stored: StoredIdentity) -> Path:
        """Writes an identity under its name, in place of a former one."""
        path = self.path(stored.identity.name)
        write_identity(stored, path)
        return path

    def load(self, name: str, model: str | None = None) -> StoredIdentity:
        """Identity of a name; ValueError naming those there are when it is not stored, and as read_identity."""
        path = self.path(name)
        if not path.is_file():
            raise ValueError(f'identity {name!r}: not in {self.folder}, '
                             f'expected one of {", ".join(self.names()) or "none yet"}')
        stored = read_identity(path, model)
        if stored.identity.name != name:
            raise ValueError(f'identity {path}: name {stored.identity.name!r}, expected {name!r} as the file is called')
        return stored

    def delete(self, name: str) -> None:
        """Removes an identity; ValueError when it is not stored."""
        path = self.path(name)
        if not path.is_file():
            raise ValueError(f'identity {name!r}: not in {self.folder}, nothing to delete')
        path.unlink()


def _floats(key: str, values: list) -> np.ndarray:
    if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        raise ValueError(f'{key}: {values}, expected numbers')
    return np.array(values, np.float64)


def _number(value: float, digits: int) -> float:
    return round(float(value), digits)
