"""Where the package's own files lie, and where it may keep what it can make again."""
from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

PACKAGE = 'hand_recon_ros'


def share_folder() -> Path:
    """Folder with config/, launch/ and bench/sets/: of the source tree where it is used in place, else installed."""
    source = Path(__file__).resolve().parents[1]
    if (source / 'package.xml').is_file() and (source / 'config').is_dir():
        return source
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        folder = Path(prefix) / 'share' / PACKAGE
        if (folder / 'config').is_dir():
            return folder
    raise ValueError(f'share/{PACKAGE}/config: not found below {" or ".join(filter(None, prefixes))}')


def cache_folder() -> Path:
    """The package's folder in $XDG_CACHE_HOME, else in ~/.cache, else in the system's temporary folder."""
    if os.environ.get('XDG_CACHE_HOME'):
        cache = Path(os.environ['XDG_CACHE_HOME'])
    elif os.environ.get('HOME'):
        cache = Path(os.environ['HOME']) / '.cache'
    else:
        cache = Path(tempfile.gettempdir()) / f'cache-{os.getuid()}'
    return cache / PACKAGE
