"""Nodes whose items are made of messages of several topics that belong to the same image."""
from __future__ import annotations

from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.nodes.lifecycle import HandNode
from hand_recon_ros.nodes.synchronisation import StampMatcher


class MatchingNode(HandNode):
    """endpoints() sets `_matcher`; a complete set of messages, by name, is an item for process()."""
    _matcher: StampMatcher

    def on_deactivate(self, state):
        """As HandNode; parts that wait for the others belong to images long past when it is activated again."""
        self._matcher.clear()
        return super().on_deactivate(state)

    def _on_part(self, name: str, message) -> None:
        parts = self._matcher.add(name, to_ns(message.header.stamp), message)
        if parts is not None:
            self.worker.submit(parts)
