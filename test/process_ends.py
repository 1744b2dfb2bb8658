"""Whether processes that are nobody's children any more have ended."""
import time

import psutil


def ended(processes, within_s: float) -> bool:
    """True once none of the processes runs any more; a dead one that its new parent has yet to bury counts as ended."""
    deadline = time.monotonic() + within_s
    while True:
        if not any(map(_runs, processes)):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
