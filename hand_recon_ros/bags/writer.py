"""Writing rosbag2 recordings (mcap or sqlite3) of generated ROS messages, all or nothing."""
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from rclpy.serialization import serialize_message
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer

from hand_recon_ros.bags.definitions import type_name, typestore

STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}
BAG_VERSION = 9
_FOREVER = QosTime(9223372036, 854775807)


def recorded_qos(latched: bool = False, depth: int = 10) -> Qos:
    """Profile that `ros2 bag play` offers again: reliable, transient local where the topic is latched."""
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    return Qos(QosHistory.KEEP_LAST, depth, QosReliability.RELIABLE, durability, _FOREVER, _FOREVER,
               QosLiveliness.AUTOMATIC, _FOREVER, False)


class BagWriter:
    """`with BagWriter(path) as bag: bag.write(topic, message, stamp_ns)`.

    The recording is written beside `path` under a hidden name and appears there only when it is whole; an error or an
    interrupt leaves nothing. ValueError when `path` exists (unless overwrite) or the storage is unknown.
    """

    def __init__(self, path, storage: str = 'mcap', overwrite: bool = False):
        if storage not in STORAGES:
            raise ValueError(f'storage: {storage!r}, expected one of {", ".join(STORAGES)}')
        self.path, self.storage, self.overwrite = Path(path), storage, overwrite
        if self.path.exists() and not overwrite:
            raise ValueError(f'{self.path}: exists already')
        if self.path.exists() and not is_bag(self.path):
            raise ValueError(f'{self.path}: exists and is no recording, expected a recording to overwrite')
        self._connections: dict[str, tuple] = {}
        self._writer = self._parent = None

    def __enter__(self) -> BagWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # rosbags names the data file after its folder, so the folder has its final name inside a hidden one.
        self._parent = Path(tempfile.mkdtemp(prefix=f'.{self.path.name}.partial-', dir=self.path.parent))
        self._writer = Writer(self._parent / self.path.name, version=BAG_VERSION, storage_plugin=STORAGES[self.storage])
        self._writer.open()
        return self

    def write(self, topic: str, message, stamp_ns: int, latched: bool = False) -> None:
        """Append a message received at `stamp_ns`; ValueError when the topic carried another type before."""
        self.write_serialized(topic, *serialized(message), stamp_ns, latched)

    def write_serialized(self, topic: str, name: str, data: bytes, stamp_ns: int, latched: bool = False) -> None:
        """As write, of a message of type `name` ('package/msg/Name') that `serialized` has made bytes of."""
        if self._writer is None:
            raise ValueError(f'{self.path}: not open, expected use in a with statement')
        if topic not in self._connections:
            if name not in typestore().types:
                raise ValueError(f'{topic}: message type {name!r} is unknown, expected one of ROS 2 or of this package')
            self._connections[topic] = (name, self._writer.add_connection(
                topic, name, typestore=typestore(), offered_qos_profiles=[recorded_qos(latched)]))
        known, connection = self._connections[topic]
        if known != name:
            raise ValueError(f'{topic}: message of type {name!r}, expected {known!r} as before')
        if not 0 <= int(stamp_ns) < 2 ** 63:
            raise ValueError(f'stamp_ns: {stamp_ns}, expected 0 to 2^63 - 1')
        self._writer.write(connection, int(stamp_ns), data)

    def add_file(self, name: str, text: str) -> None:
        """A file beside the recording's own, in its folder; ValueError when the name is a path or taken."""
        if self._writer is None:
            raise ValueError(f'{self.path}: not open, expected use in a with statement')
        if Path(name).name != name or name in ('metadata.yaml', f'{self.path.name}.mcap', f'{self.path.name}.db3'):
            raise ValueError(f'name: {name!r}, expected a file name of its own')
        (self._parent / self.path.name / name).write_text(text, encoding='utf-8')

    def __exit__(self, kind, error, traceback) -> None:
        writer, self._writer = self._writer, None
        try:
            if kind is not None:
                writer.abort()
                return
            writer.close()
            if self.path.exists():
                # Renamed, not deleted first: at no moment is there less than one whole recording.
                self.path.replace(self._parent / 'replaced')
            (self._parent / self.path.name).replace(self.path)
        finally:
            shutil.rmtree(self._parent, ignore_errors=True)


def serialized(message) -> tuple[str, bytes]:
    """('package/msg/Name', CDR bytes) of a generated message; equal messages, equal bytes."""
    name, store = type_name(message), typestore()
    if name not in store.types:
        raise ValueError(f'message: type {name!r} is unknown, expected one of ROS 2 or of this package')
    # Fast CDR leaves padding bytes as they were in memory; rosbags writes zeros.
    return name, bytes(store.serialize_cdr(store.deserialize_cdr(serialize_message(message), name), name))


def is_bag(path) -> bool:
    """True for a folder that holds a rosbag2 recording."""
    return (Path(path) / 'metadata.yaml').is_file()
