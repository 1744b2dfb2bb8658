"""The latest image messages of some streams, kept undecoded until what was made of them comes back."""
from __future__ import annotations

from collections import OrderedDict
from threading import Lock


class RecentImages:
    """Messages by stream and stamp. names: of the streams. depth: kept of each; the oldest goes first. Thread-safe."""

    def __init__(self, names: tuple[str, ...], depth: int = 12):
        if depth < 1:
            raise ValueError(f'depth: {depth}, expected at least 1')
        self._depth, self._lock = depth, Lock()
        self._messages = {name: OrderedDict() for name in names}

    def add(self, name: str, stamp_ns: int, message) -> None:
        """Keep a message of a stream."""
        with self._lock:
            kept = self._messages[name]
            kept[stamp_ns] = message
            kept.move_to_end(stamp_ns)
            while len(kept) > self._depth:
                kept.popitem(last=False)

    def take(self, name: str, stamp_ns: int):
        """The message of that very stamp, or None where it is not there; it and all before it are let go."""
        with self._lock:
            kept = self._messages[name]
            if stamp_ns not in kept:
                return None
            while True:
                stamp, message = kept.popitem(last=False)
                if stamp == stamp_ns:
                    return message

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            for kept in self._messages.values():
                kept.clear()
