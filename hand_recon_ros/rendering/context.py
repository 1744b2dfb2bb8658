"""The one OpenGL context of a process: headless, on EGL, so it needs neither a display nor a GPU."""
from __future__ import annotations

import os
import threading

import moderngl

GL_VERSION = 330
_current: tuple[int, int, moderngl.Context] | None = None   # process id, thread id, context


def gl_context() -> moderngl.Context:
    """The process's context, made on first use, and current from here on, whatever other library drew in between.

    ValueError when the machine has no EGL (naming the Debian packages), or when called from a second thread: an OpenGL
    context belongs to the thread that made it, and sharing it would draw nothing without saying so.
    """
    global _current
    here = (os.getpid(), threading.get_ident())
    if _current is not None and _current[0] == here[0]:
        if _current[1] != here[1]:
            raise ValueError('OpenGL: this process renders in another thread already; render from that thread')
        _current[2].__enter__()
        return _current[2]
    try:
        context = moderngl.create_context(standalone=True, backend='egl', require=GL_VERSION)
    except Exception as error:   # glcontext raises bare Exceptions
        raise ValueError(f'OpenGL: no headless EGL context of version 3.3 ({error}); '
                         'on Debian: apt-get install libegl1 libgl1-mesa-dri') from error
    _current = (*here, context)
    return context
