"""Replaying a recording into topics, with /clock."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from hand_recon_ros.bags.definitions import message_class
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.messages.stamps import to_time


class BagPlayer:
    """Publishes a recording's topics at `rate` times its own speed. Messages go out as the bytes that were recorded.

    topics: those to play, default all. most: messages of a topic to play at most; playing ends when one more would be
    due. Publishers are reliable, which suits best-effort subscribers too; close() withdraws them.
    """

    def __init__(self, node: Node, bag: BagReader, topics: Iterable[str] | None = None, rate: float = 1.0,
                 most: Mapping[str, int] | None = None):
        if not 0 < rate <= 100:
            raise ValueError(f'rate: {rate}, expected above 0 and at most 100')
        self._node, self._bag, self._rate, self._most = node, bag, rate, dict(most or {})
        known = bag.topics
        self.topics = list(known if topics is None else topics)
        missing = [topic for topic in self.topics if topic not in known]
        if missing:
            raise ValueError(f'topics: {missing[0]!r} is not in the recording, '
                             f'expected one of {", ".join(sorted(known))}')
        self._clock = node.create_publisher(Clock, '/clock', 10)
        self._publishers = {topic: node.create_publisher(message_class(known[topic].type_name), topic,
                                                         _qos(known[topic].latched)) for topic in self.topics}

    def close(self) -> None:
        """Withdraw the publishers."""
        for publisher in (self._clock, *self._publishers.values()):
            self._node.destroy_publisher(publisher)

    def subscribers(self, topic: str) -> int:
        """How many subscribe to a played topic."""
        return self._publishers[topic].get_subscription_count()

    def announce(self, topic: str) -> None:
        """Publish the first message of a topic, ahead of playing."""
        _, _, data, _ = next(self._bag.raw_messages(topic))
        self._publishers[topic].publish(data)

    def play(self, between: Callable[[], None] = lambda: None,
             before: Callable[[str, int], None] = lambda *_: None) -> int:
        """Play once, from the calling thread; returns the number of messages. Another thread may spin the node.

        between(): called while waiting, at least every 50 ms. before(topic, stamp_ns): called before each message.
        """
        first_ns = began_s = None
        count, left = 0, dict(self._most)
        for topic, stamp_ns, data, _ in self._bag.raw_messages(self.topics):
            if left.get(topic) == 0:
                break
            if topic in left:
                left[topic] -= 1
            if first_ns is None:
                first_ns, began_s = stamp_ns, time.monotonic()
            due_s = began_s + (stamp_ns - first_ns) / 1e9 / self._rate
            while (left_s := due_s - time.monotonic()) > 0:
                between()
                time.sleep(min(left_s, 0.05))
            self._clock.publish(Clock(clock=to_time(stamp_ns)))
            before(topic, stamp_ns)
            self._publishers[topic].publish(data)
            count += 1
        return count


def _qos(latched: bool) -> QoSProfile:
    durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
    return QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE, durability=durability)
