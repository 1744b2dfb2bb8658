"""Child processes that cannot outlive their parent."""
from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time

_PR_SET_PDEATHSIG = 1
_PARENT_VARIABLE = 'HAND_RECON_PARENT_PID'


def start(command: list[str], environment: dict, **streams) -> subprocess.Popen:
    """Start a command in a process group of its own, to be ended with its group.

    Call from the main thread when the command calls follow_parent(): the kernel's rule is about the starting thread.
    """
    # Not in a preexec_fn, which can deadlock in a process with threads: the child sees to it itself.
    environment = {**environment, _PARENT_VARIABLE: str(os.getpid())}
    return subprocess.Popen(command, env=environment, start_new_session=True, **streams)


def follow_parent() -> None:
    """Have the kernel kill this process when the one that started it by start() dies. Does nothing for other starts."""
    parent = os.environ.pop(_PARENT_VARIABLE, '')
    if not parent:
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        os._exit(1)     # it died before the line above took hold


def end(processes: list[subprocess.Popen], patience_s: float = 8.0) -> list[int]:
    """SIGINT, then SIGTERM, then SIGKILL to whole groups, sharing `patience_s`; returns the pids it had to kill."""
    for number, share in ((signal.SIGINT, 0.6), (signal.SIGTERM, 0.4)):
        for process in processes:
            if process.poll() is None:
                _signal_group(process, number)
        deadline = time.monotonic() + patience_s * share
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            time.sleep(0.02)
    killed = [process.pid for process in processes if process.poll() is None]
    for process in processes:
        # Also where the leader has ended: what it started may not have.
        _signal_group(process, signal.SIGKILL)
        process.wait()
    return killed


def _signal_group(process: subprocess.Popen, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass
