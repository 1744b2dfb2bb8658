"""Message definitions of this package as rosbags knows them, read from the installed .msg files."""
from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

PACKAGE = 'hand_recon_ros'


def message_folder() -> Path:
    """Where the package's .msg files are installed; ValueError when they are not."""
    try:
        share = Path(get_package_share_directory(PACKAGE))
    except (PackageNotFoundError, OSError, ValueError):
        # A virtual environment is an ament prefix without setup.bash: nothing has set AMENT_PREFIX_PATH.
        share = Path(sys.prefix) / 'share' / PACKAGE
    folder = share / 'msg'
    if not any(folder.glob('*.msg')):
        raise ValueError(f'{folder}: no .msg files, expected the installed package {PACKAGE}')
    return folder


@functools.cache
def typestore() -> Typestore:
    """ROS 2 Kilted's messages and this package's."""
    store = get_typestore(Stores.ROS2_KILTED)
    types = {}
    for path in sorted(message_folder().glob('*.msg')):
        types.update(get_types_from_msg(path.read_text(encoding='utf-8'), f'{PACKAGE}/msg/{path.stem}'))
    store.register(types)
    return store


def type_name(message) -> str:
    """'package/msg/Name' of a generated ROS message, or of its class."""
    cls = message if isinstance(message, type) else type(message)
    if not hasattr(cls, 'get_fields_and_field_types'):
        raise ValueError(f'message: {cls.__module__}.{cls.__name__}, expected a ROS message')
    return f'{cls.__module__.split(".")[0]}/msg/{cls.__name__}'


@functools.cache
def message_class(name: str) -> type:
    """The generated class of 'package/msg/Name'; ValueError when it is not installed."""
    parts = name.split('/')
    if len(parts) == 3 and parts[1] == 'msg':
        try:
            return getattr(importlib.import_module(f'{parts[0]}.msg'), parts[2])
        except (ImportError, AttributeError):
            pass
    raise ValueError(f'message type: {name!r} is not installed here')
