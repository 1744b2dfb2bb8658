"""What a node knows of its own health: rates, latencies, drops, and what is wrong with each input. No ROS in here."""
from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np

WINDOW_S = 5.0


class Throughput:
    """Rate and latency of a node's outputs over the last seconds. Thread-safe."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: deque[tuple[float, float, float]] = deque(maxlen=2000)
        self.count = 0

    def add(self, latency_s: float, age_s: float) -> None:
        """One output: seconds it took, and seconds since its image's stamp."""
        with self._lock:
            self._entries.append((self._clock(), latency_s, age_s))
            self.count += 1

    def summary(self) -> dict[str, str]:
        """Rate and percentiles as text, for a diagnostics entry."""
        now = self._clock()
        with self._lock:
            recent = np.array([entry for entry in self._entries if now - entry[0] <= WINDOW_S])
        values = {'published': str(self.count), 'rate_hz': '0.0'}
        if len(recent) > 1:
            values['rate_hz'] = f'{(len(recent) - 1) / max(now - recent[0, 0], 1e-3):.1f}'
        if len(recent):
            for name, column in (('latency', 1), ('age', 2)):
                p50, p95 = np.percentile(recent[:, column], (50, 95)) * 1000
                values[f'{name}_p50_ms'], values[f'{name}_p95_ms'] = f'{p50:.2f}', f'{p95:.2f}'
        return values


class InputMonitor:
    """Whether one input arrives as it should.

    topic: full name. required: whether its absence is a fault. stale_after_s: seconds without a message that are too
    many; a latched or rarely sent topic is never stale once it came (streams False).
    """

    def __init__(self, topic: str, required: bool, stale_after_s: float, streams: bool = True, clock=time.monotonic):
        self.topic, self.required, self.streams = topic, required, streams
        self._stale_after_s, self._clock = stale_after_s, clock
        self._opened_s: float | None = None
        self._arrivals: deque[float] = deque(maxlen=200)
        self._mismatch = ''
        self.count = 0

    def opened(self) -> None:
        """The subscription was made."""
        self._opened_s = self._clock()
        self._arrivals.clear()
        self._mismatch = ''

    def closed(self) -> None:
        """The subscription was given up: nothing is expected any more."""
        self._opened_s = None

    def arrived(self) -> None:
        """A message came."""
        self._arrivals.append(self._clock())
        self.count += 1

    def mismatched(self, what: str) -> None:
        """A publisher was found from which nothing can be received."""
        self._mismatch = what

    def problem(self, publishers: int) -> tuple[str, str] | None:
        """(kind, text) of what is wrong, or None. publishers: how many are known for the topic."""
        now = self._clock()
        if self._opened_s is None or not (self.required or self._mismatch):
            return None
        silent_s = now - (self._arrivals[-1] if self._arrivals else self._opened_s)
        if silent_s <= self._stale_after_s or (self._arrivals and not self.streams):
            return None
        if self._mismatch and publishers:
            return 'mismatch', f'{self.topic}: nothing can be received, {self._mismatch}'
        if not publishers:
            return 'missing', f'{self.topic}: no publisher'
        came = f'last message {silent_s:.1f} s ago' if self._arrivals else f'no message in {silent_s:.1f} s'
        source = 'is a publisher' if publishers == 1 else 'are publishers'
        return 'stale', f'{self.topic}: {came}, though there {source}'

    def summary(self) -> str:
        """One line for a diagnostics entry."""
        if self._opened_s is None:
            return 'not subscribed'
        now = self._clock()
        recent = [arrival for arrival in self._arrivals if now - arrival <= WINDOW_S]
        rate = (len(recent) - 1) / max(now - recent[0], 1e-3) if len(recent) > 1 else 0.0
        return f'{rate:.1f} Hz, {self.count} messages'


class Faults:
    """What inputs or processing were refused for, by kind; a kind is cleared by its next success. Thread-safe.

    hold_s: a fault stays visible this long, or a single damaged image would come and go between two reports.
    """

    def __init__(self, hold_s: float = 2.0, clock=time.monotonic):
        self._hold_s, self._clock = hold_s, clock
        self._lock = threading.Lock()
        self._faults: dict[str, tuple[str, bool, float]] = {}
        self._cleared: set[str] = set()
        self.counts: dict[str, int] = {}

    def put(self, kind: str, text: str, warning: bool = False) -> None:
        """Something of this kind is wrong. warning: the node goes on publishing all the same."""
        with self._lock:
            self._faults[kind] = (text, warning, self._clock())
            self._cleared.discard(kind)
            self.counts[kind] = self.counts.get(kind, 0) + 1

    def clear(self, kind: str) -> None:
        """This kind is well again."""
        with self._lock:
            if kind in self._faults:
                self._cleared.add(kind)

    def current(self) -> list[tuple[str, str, bool]]:
        """(kind, text, warning) of all that is wrong now."""
        now = self._clock()
        with self._lock:
            for kind in [k for k in self._cleared if now - self._faults[k][2] > self._hold_s]:
                self._cleared.discard(kind)
                del self._faults[kind]
            return [(kind, text, warning) for kind, (text, warning, _) in self._faults.items()]
