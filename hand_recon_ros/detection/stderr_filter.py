"""Keeps MediaPipe's start-up chatter off the terminal: every line that is not known chatter still comes out."""
from __future__ import annotations

import os
import sys
import tempfile
import threading
from contextlib import contextmanager

# Written by C++ straight to file descriptor 2 on every start; no environment variable of this version stops it.
CHATTER = (
    b'Created TensorFlow Lite XNNPACK delegate for CPU',
    b'All log messages before absl::InitializeLog() is called are written to STDERR',
    b'Feedback manager requires a model with a single signature inference',
    b'Using NORM_RECT without IMAGE_DIMENSIONS is only supported for the square ROI',   # the hand ROI is square
)
_lock = threading.Lock()    # file descriptor 2 belongs to the whole process


@contextmanager
def without_chatter():
    """While active, stderr is held back; on leaving, all of it but the known chatter is written out."""
    with _lock:
        sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:     # started without a stderr: nothing to keep quiet
            yield
            return
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                yield
            finally:
                sys.stderr.flush()
                os.dup2(kept, 2)
                held.seek(0)
                for line in held:
                    if not any(known in line for known in CHATTER):
                        os.write(kept, line)
                os.close(kept)
