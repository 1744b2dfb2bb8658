"""Bringing together what belongs to the same image, by its stamp."""
from __future__ import annotations

import time
from collections import OrderedDict, deque

import numpy as np

from hand_recon_ros.nodes.monitoring import Faults

# A stamp this much older than its stream's newest means that a recording starts over, not that a message came late.
BACKWARD_JUMP_NS = 500_000_000


class StampMatcher:
    """Collects one value per name for every stamp and hands them out together.

    names: streams that must all be there. tolerance_ns: 0 pairs equal stamps only; more pairs the nearest stamps of
    different streams. depth: incomplete sets kept; the oldest goes first and is counted in `unmatched`.
    A stream whose stamps jump backward is counted in `resets` and what it left waiting is forgotten, so that a looping
    recording goes on. Each stream by itself: a slow one still delivers the recording's end when a fast one starts over.
    """

    def __init__(self, names: tuple[str, ...], tolerance_ns: int = 0, depth: int = 30):
        if tolerance_ns < 0 or depth < 1:
            raise ValueError(f'tolerance_ns: {tolerance_ns}, depth: {depth}, expected at least 0 and 1')
        self._names, self._tolerance_ns, self._depth = names, tolerance_ns, depth
        self._sets: OrderedDict[int, dict] = OrderedDict()
        self._newest_ns: dict[str, int] = {}
        self.unmatched = 0
        self.resets = 0

    def add(self, name: str, stamp_ns: int, value) -> dict | None:
        """The complete set of values by name if this one completes it, else None. Older sets are then given up."""
        if name not in self._names:
            raise ValueError(f'name: {name!r}, expected one of {", ".join(self._names)}')
        if stamp_ns < self._newest_ns.get(name, stamp_ns) - BACKWARD_JUMP_NS:
            self._sets = OrderedDict((key, values) for key, values in self._sets.items() if name not in values)
            del self._newest_ns[name]
            self.resets += 1
        self._newest_ns[name] = max(stamp_ns, self._newest_ns.get(name, stamp_ns))
        key = self._set_of(name, stamp_ns)
        values = self._sets.setdefault(key, {})
        values[name] = value
        if len(values) == len(self._names):
            for older in [other for other in self._sets if other <= key]:
                self.unmatched += older != key
                del self._sets[older]
            return values
        while len(self._sets) > self._depth:
            self._sets.popitem(last=False)
            self.unmatched += 1
        return None

    def clear(self) -> None:
        """Forget everything."""
        self._sets.clear()
        self._newest_ns.clear()

    def _set_of(self, name: str, stamp_ns: int) -> int:
        if self._tolerance_ns == 0:
            return stamp_ns
        near = [key for key, values in self._sets.items()
                if name not in values and abs(key - stamp_ns) <= self._tolerance_ns]
        return min(near, key=lambda key: abs(key - stamp_ns), default=stamp_ns)


class StampOrder:
    """Sees to it that what is worked on goes forward in time, but for a recording that starts over.

    late: stamps that came too late. jump_ns: by how much the latest one went back to a new beginning, else 0.
    """

    def __init__(self):
        self._newest_ns: int | None = None
        self.late = self.jump_ns = 0

    def refusal(self, topic: str, stamp_ns: int, faults: Faults) -> bool:
        """True when what has this stamp comes too late to be used. `faults` are told of that, and of a jump back."""
        behind_ns = self.behind_ns(stamp_ns)
        if behind_ns:
            faults.put('order', f'{topic}: stamps not in order, one {behind_ns / 1e6:.1f} ms older than the one '
                       'before; what comes late is not used', warning=True)
            return True
        faults.clear('order')
        if self.jump_ns:
            # One jump is over at once: it stays to be read for as long as a cleared fault does.
            faults.put('jump', f'{topic}: stamps jumped back by {self.jump_ns / 1e9:.1f} s (a recording that starts '
                       'over, or a clock that was set); all hands are followed anew', warning=True)
            faults.clear('jump')
        return False

    def behind_ns(self, stamp_ns: int) -> int:
        """0 when this stamp may follow those before; else by how much it is late, and it is counted in `late`."""
        behind_ns = 0 if self._newest_ns is None else self._newest_ns - stamp_ns
        if 0 < behind_ns <= BACKWARD_JUMP_NS:
            self.late += 1
            return behind_ns
        self.jump_ns = max(behind_ns, 0)
        self._newest_ns = stamp_ns
        return 0


class PairingWatch:
    """Notices that two streams both come and none of their stamps belong together.

    tolerance_ns: as of the matcher. patience_s: seconds without a pair before it is said.
    """

    def __init__(self, names: tuple[str, str], tolerance_ns: int, patience_s: float = 1.0, clock=time.monotonic):
        self._names, self._tolerance_ns, self._patience_s, self._clock = names, tolerance_ns, patience_s, clock
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._arrivals = {name: deque(maxlen=30) for name in self._names}
        self._since_s: float | None = None

    def arrived(self, name: str, stamp_ns: int) -> None:
        """A message of a stream came."""
        now = self._clock()
        self._arrivals[name].append((now, stamp_ns))
        if self._since_s is None:
            self._since_s = now

    def paired(self) -> None:
        """Two of them made a pair."""
        self._since_s = None

    @property
    def skew_ns(self) -> float:
        """Median distance of the latest stamps of the first stream from the nearest of the second; NaN before any."""
        first, second = ([stamp for _, stamp in self._arrivals[name]] for name in self._names)
        if not first or not second:
            return float('nan')
        return float(np.median(np.abs(np.subtract.outer(first, second)).min(1)))

    def problem(self) -> str:
        """What is wrong, or an empty string."""
        now = self._clock()
        alive = all(arrivals and now - arrivals[-1][0] < self._patience_s for arrivals in self._arrivals.values())
        if not alive or self._since_s is None or now - self._since_s < self._patience_s:
            return ''
        return (f'{self._names[0]} and {self._names[1]}: nothing pairs, stamps differ by {self.skew_ns / 1e6:.1f} ms, '
                f'expected at most {self._tolerance_ns / 1e6:g} ms (parameter tolerance_s)')


class LoneStream:
    """Notices that one of two streams has fallen silent after having made pairs, so that the other goes on alone.

    patience_s: silence that is too long; 0: the other never goes on alone. last: the latest pair, by name.
    """

    def __init__(self, names: tuple[str, str], patience_s: float, clock=time.monotonic):
        self._names, self._patience_s, self._clock = names, patience_s, clock
        self.count = 0
        self.clear()

    def clear(self) -> None:
        """Forget everything but the count."""
        self.last: dict = {}
        self._name, self._since_s, self._latest_s = '', 0.0, 0.0

    def paired(self, pair: dict) -> None:
        """Messages of both streams that belong together."""
        self.last, self._name = pair, ''

    def alone(self, name: str) -> bool:
        """A message of this stream came without a partner: whether it goes on alone."""
        now = self._clock()
        if name != self._name or now - self._latest_s > self._patience_s:
            # The other one was heard since, or this one was silent as well.
            self._name, self._since_s = name, now
        self._latest_s = now
        if not (self.last and self._patience_s) or now - self._since_s <= self._patience_s:
            return False
        self.count += 1
        return True
