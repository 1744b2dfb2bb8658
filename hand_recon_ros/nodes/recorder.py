"""Recording topics into a bag, each message under its own stamp."""
from __future__ import annotations

import threading

from rclpy.node import Node

from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.messages.stamps import to_ns


class BagRecorder:
    """Writes what arrives on topics of stamped messages; subscribes reliably. Subscribing makes the nodes work."""

    def __init__(self, node: Node, writer: BagWriter, topics: dict[str, type]):
        self._writer, self._lock = writer, threading.Lock()
        self.counts = dict.fromkeys(topics, 0)
        self.last_ns = dict.fromkeys(topics, 0)
        for topic, message_type in topics.items():
            node.create_subscription(message_type, topic, lambda message, topic=topic: self._on_message(topic, message),
                                     100)

    def _on_message(self, topic: str, message) -> None:
        stamp_ns = to_ns(message.header.stamp)
        with self._lock:
            self._writer.write(topic, message, stamp_ns)
            self.counts[topic] += 1
            self.last_ns[topic] = stamp_ns
