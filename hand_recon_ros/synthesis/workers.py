"""Numbered units of work over processes: each makes whole units on its own and leaves them in a workspace."""
from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from hand_recon_ros.synthesis.workspace import Workspace, store_unit

# A worker's share of the machine is one core: software rendering and BLAS would each take all of them.
_ONE_THREAD = {name: '1' for name in ('LP_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS')}
_STOPPING_S = 5.0
_PR_SET_PDEATHSIG = 1


class Task(Protocol):
    """A job cut into numbered units; picklable. A unit's bytes follow from the task and the number alone.

    unit_count: how many. step: what a unit has several of, for the progress bar ('frame').
    """
    unit_count: int
    step: str

    def unit_name(self, unit: int) -> str:
        """Where the unit lies below the workspace's folder."""

    def unit_steps(self, unit: int) -> int:
        """How many steps the unit has."""

    def open(self, folder: Path) -> Callable[[int, Callable[[], None]], bytes]:
        """In a worker: make(unit, tick) -> bytes, calling tick() after every step. folder: the workspace's."""


class WorkFailed(RuntimeError):
    """A unit could not be made. The message names it; `trace` is the worker's traceback, '' where there is none."""

    def __init__(self, message: str, trace: str = ''):
        super().__init__(message)
        self.trace = trace


class Workers:
    """`with Workers(2) as workers: workers.run(task, workspace)`. The processes are started when first needed.

    Workers end with the process that started them, whatever ends it, and leave Ctrl-C to it.
    """

    def __init__(self, count: int, progress: bool = True):
        if not 1 <= count <= 1024:
            raise ValueError(f'workers: {count}, expected 1 to 1024')
        self.count, self._progress = count, progress
        self._context = multiprocessing.get_context('spawn')    # a forked OpenGL or JAX is a broken one
        self._processes: list[tuple] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind, *_) -> None:
        processes, self._processes = self._processes, []
        for process, connection in processes:
            connection.close()
            if kind is not None:
                process.terminate()
        for process, _ in processes:
            process.join(_STOPPING_S)
            if process.is_alive():
                process.kill()
                process.join()

    def run(self, task: Task, workspace: Workspace) -> int:
        """Make every unit that the workspace lacks; returns how many steps that took.

        ValueError when the task cannot be opened with its settings, WorkFailed when a unit cannot be made.
        """
        missing = [unit for unit in range(task.unit_count) if not workspace.is_whole(task.unit_name(unit))]
        steps = [task.unit_steps(unit) for unit in range(task.unit_count)]
        to_do = sum(steps[unit] for unit in missing)
        if not missing:
            return 0
        with tqdm(total=sum(steps), initial=sum(steps) - to_do, unit=task.step, disable=not self._progress,
                  dynamic_ncols=True) as bar:
            self._start(min(self.count, len(missing)))
            self._share_out(task, workspace.folder, missing, bar)
        return to_do

    def _start(self, count: int) -> None:
        while len(self._processes) < count:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
            with _environment(_ONE_THREAD):
                process.start()
            theirs.close()
            self._processes.append((process, ours))

    def _share_out(self, task: Task, folder: Path, units: list[int], bar) -> None:
        waiting, busy = list(reversed(units)), {}
        for process, connection in self._processes[:len(units)]:
            busy[connection] = (process, waiting.pop())
            self._send(task, busy[connection], connection, (task, folder))
            self._send(task, busy[connection], connection, busy[connection][1])
        while busy:
            for connection in wait(list(busy)):
                process, unit = busy[connection]
                try:
                    kind, *content = connection.recv()
                except (EOFError, ConnectionResetError):
                    raise _ended(task, process, unit) from None
                if kind == 'ticks':
                    bar.update(content[0])
                elif kind == 'refused':
                    raise ValueError(content[0])
                elif kind == 'failed':
                    raise WorkFailed(f'{task.unit_name(unit)}: {content[0]}', content[1])
                elif waiting:
                    busy[connection] = (process, waiting.pop())
                    self._send(task, busy[connection], connection, busy[connection][1])
                else:
                    del busy[connection]

    @staticmethod
    def _send(task: Task, job: tuple, connection: Connection, content) -> None:
        try:
            connection.send(content)
        except (BrokenPipeError, ConnectionResetError):
            raise _ended(task, *job) from None


def _ended(task: Task, process, unit: int) -> WorkFailed:
    process.join(_STOPPING_S)
    code = process.exitcode
    how = f'by signal {signal.Signals(-code).name}' if code is not None and code < 0 else f'with status {code}'
    return WorkFailed(f'{task.unit_name(unit)}: its worker ended {how}')


@contextmanager
def _environment(values: dict[str, str]):
    """What a started process is to find in its environment, before it imports anything."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _serve(connection: Connection) -> None:
    """A worker's life: tasks and units in, ticks and 'made' out, until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    import cv2

    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    cv2.setNumThreads(1)
    prepare_jax()
    task = make = folder = None
    while True:
        try:
            message = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        if not isinstance(message, int):
            task, folder = message
            make = None
            continue
        try:
            if make is None:
                make = task.open(folder)
        except ValueError as error:
            connection.send(('refused', str(error)))
            continue
        except Exception as error:
            connection.send(('failed', _line(error), traceback.format_exc()))
            continue
        try:
            store_unit(folder, task.unit_name(message), make(message, lambda: connection.send(('ticks', 1))))
        except Exception as error:
            connection.send(('failed', _line(error), traceback.format_exc()))
        else:
            connection.send(('made',))


def _line(error: Exception) -> str:
    return f'{type(error).__name__}: {str(error) or "no message"}'.splitlines()[0]


def _end_with_parent() -> None:
    """Nothing of an ended run goes on, however it ended.

    Linux kills this process with the other, at once and even inside a driver that never returns. What ended before that
    was asked for, or elsewhere, is seen by a thread.
    """
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_watch_parent, daemon=True).start()


def _watch_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
