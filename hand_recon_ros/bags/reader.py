"""Reading rosbag2 recordings (mcap or sqlite3) as generated ROS messages."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rclpy.serialization import deserialize_message
from rosbags.rosbag2 import Reader

from hand_recon_ros.bags.definitions import message_class, typestore


@dataclass(frozen=True)
class TopicInfo:
    """One topic of a recording. type_name: 'package/msg/Name'. latched: offered as transient local."""
    name: str
    type_name: str
    message_count: int
    latched: bool


@contextmanager
def _one_clear_error(path: Path):
    """Whatever a damaged file makes the storage raise becomes one ValueError that names the recording."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, ValueError):
        raise
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f'{path}: damaged or unreadable recording ({reason})') from error


class BagReader:
    """A recording, opened and checked: `with BagReader(path) as bag: for topic, stamp_ns, message in bag.messages()`.

    path: the recording's folder, or one .mcap or .db3 file. ValueError when it is missing, damaged or empty.
    """

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.exists():
            raise ValueError(f'{self.path}: no such recording')
        if self.path.is_dir() and not (self.path / 'metadata.yaml').is_file():
            raise ValueError(f'{self.path}: no metadata.yaml, expected the folder of a rosbag2 recording')
        try:
            with _one_clear_error(self.path):
                self._reader = Reader(self.path)
                self._reader.open()
        except ValueError as error:
            text = str(error)
            raise (error if text.startswith(f'{self.path}:') else
                   ValueError(f'{self.path}: damaged or unreadable recording ({text})')) from error
        if self._reader.message_count == 0:
            self._reader.close()
            raise ValueError(f'{self.path}: the recording holds no messages')

    def __enter__(self) -> BagReader:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        if self._reader.is_open:
            self._reader.close()

    @property
    def topics(self) -> dict[str, TopicInfo]:
        """Topics by name, in the order of the recording."""
        found: dict[str, TopicInfo] = {}
        for connection in self._reader.connections:
            count = connection.msgcount + (found[connection.topic].message_count if connection.topic in found else 0)
            latched = any(profile.durability.name == 'TRANSIENT_LOCAL'
                          for profile in connection.ext.offered_qos_profiles)
            found[connection.topic] = TopicInfo(connection.topic, connection.msgtype, count, latched)
        return found

    @property
    def start_ns(self) -> int:
        """Stamp of the first message, nanoseconds."""
        return self._reader.start_time

    @property
    def duration_ns(self) -> int:
        """From the first message to the last, nanoseconds."""
        return self._reader.end_time - 1 - self._reader.start_time

    def messages(self, topics=None) -> Iterator[tuple[str, int, object]]:
        """(topic, stamp_ns, message) in order of time, of all topics or those named; ValueError for an unknown one."""
        for topic, stamp_ns, data, cls in self._selected(topics):
            with _one_clear_error(self.path):
                message = deserialize_message(data, cls)
            yield topic, stamp_ns, message

    def raw_messages(self, topics=None) -> Iterator[tuple[str, int, bytes, str]]:
        """(topic, stamp_ns, CDR bytes, type name): for replay, which need not look inside."""
        for topic, stamp_ns, data, cls in self._selected(topics):
            yield topic, stamp_ns, bytes(data), f'{cls.__module__.split(".")[0]}/msg/{cls.__name__}'

    def _selected(self, topics) -> Iterator[tuple[str, int, bytes, type]]:
        known = self.topics
        if topics is not None:
            topics = [topics] if isinstance(topics, str) else list(topics)
            missing = [topic for topic in topics if topic not in known]
            if missing:
                raise ValueError(f'{self.path}: no topic {missing[0]!r}, expected one of {", ".join(sorted(known))}')
        connections = [c for c in self._reader.connections if topics is None or c.topic in topics]
        classes = {connection.topic: self._class_of(connection) for connection in connections}
        count = 0
        with _one_clear_error(self.path):
            # mcap gives time order within a file; sqlite3 too; several files follow each other in time.
            for connection, stamp_ns, data in self._reader.messages(connections):
                count += 1
                yield connection.topic, stamp_ns, data, classes[connection.topic]
        expected = sum(connection.msgcount for connection in connections)
        if count != expected:
            raise ValueError(f'{self.path}: damaged recording, {count} messages found, expected {expected}')

    def _class_of(self, connection) -> type:
        name = connection.msgtype
        cls = message_class(name)
        # Bytes of another version of a message would be read as nonsense, not refused.
        if connection.digest and name in typestore().types and connection.digest != typestore().hash_rihs01(name):
            raise ValueError(f'{self.path}: {connection.topic} was recorded with another version of {name}')
        return cls
