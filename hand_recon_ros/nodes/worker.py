"""One thread beside the executor that does a node's heavy work, on the newest input there is."""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Worker:
    """Runs calls and processes items, all in one thread that lives as long as the node.

    One thread for everything, because an OpenGL context and MediaPipe's graph belong to the thread that made them.
    depth: items kept waiting; when one more comes the oldest is dropped and counted, so a slow stage works on new data
    and never holds up a callback.
    """

    def __init__(self, name: str, process: Callable, depth: int):
        if depth < 1:
            raise ValueError(f'depth: {depth}, expected at least 1')
        self._process, self._depth = process, depth
        self._items: deque = deque()
        self._calls: deque = deque()
        self._wake = threading.Condition()
        self._open = self._ended = False
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def call(self, function: Callable, give_up: Callable[[], bool] = lambda: False):
        """Result of function() run in the worker's thread; its exception is raised here.

        give_up: asked ten times a second; when true, InterruptedError is raised while the call still runs on.
        """
        done, outcome = threading.Event(), {}
        with self._wake:
            self._calls.append((function, outcome, done))
            self._wake.notify()
        while not done.wait(0.1):
            if give_up():
                raise InterruptedError('asked to stop')
        if 'error' in outcome:
            raise outcome['error']
        return outcome['result']

    def submit(self, item) -> None:
        """Queue an item for process(item); ignored while closed."""
        with self._wake:
            if not self._open:
                return
            if len(self._items) >= self._depth:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._wake.notify()

    def open(self) -> None:
        """Accept items from now on."""
        with self._wake:
            self._open = True

    def close(self) -> None:
        """Accept no more items and forget the waiting ones; the one in progress is finished first."""
        with self._wake:
            self._open = False
            self._items.clear()

    def end(self, timeout_s: float = 5.0) -> bool:
        """End the thread; False when it is still busy after `timeout_s`."""
        with self._wake:
            self._ended = True
            self._items.clear()
            self._wake.notify()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._ended or self._calls or self._items)
                if self._calls:
                    function, outcome, done = self._calls.popleft()
                elif self._ended:
                    return
                else:
                    function, item = None, self._items.popleft()
            if function is None:
                self._process(item)
                item = None     # the image must not stay in memory until the next one comes
                continue
            try:
                outcome['result'] = function()
            except Exception as error:
                outcome['error'] = error
            done.set()
            function = outcome = None
