"""Recording topics into a bag, each message under its own stamp."""
from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rclpy.node import Node

from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.messages.stamps import to_ns


class BagRecorder:
    """Subscribes, reliably, to topics of stamped messages, which makes the nodes work; into(writer) records them.

    Several recordings may follow each other: the subscriptions stay.
    """

    def __init__(self, node: Node, topics: dict[str, type]):
        self._lock = threading.Lock()
        self._writer: BagWriter | None = None
        self.stamps_ns: dict[str, set[int]] = {topic: set() for topic in topics}
        for topic, message_type in topics.items():
            node.create_subscription(message_type, topic, lambda message, topic=topic: self._on_message(topic, message),
                                     100)

    @contextmanager
    def into(self, writer: BagWriter) -> Iterator[None]:
        """While active, write what arrives; `stamps_ns` then tells what has arrived, by topic."""
        with self._lock:
            self._writer = writer
            self.stamps_ns = {topic: set() for topic in self.stamps_ns}
        try:
            yield
        finally:
            with self._lock:
                self._writer = None

    @property
    def counts(self) -> dict[str, int]:
        """Stamps that have arrived, by topic."""
        with self._lock:
            return {topic: len(stamps) for topic, stamps in self.stamps_ns.items()}

    def _on_message(self, topic: str, message) -> None:
        stamp_ns = to_ns(message.header.stamp)
        with self._lock:
            if self._writer is not None:
                self._writer.write(topic, message, stamp_ns)
                self.stamps_ns[topic].add(stamp_ns)
