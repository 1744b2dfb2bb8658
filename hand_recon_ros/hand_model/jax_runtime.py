"""How a process that tracks hands runs JAX: compilations kept on disk, one thread, no hand-over between threads."""
from __future__ import annotations

import hashlib
import os
from pathlib import Path

import jax

from hand_recon_ros.installation import cache_folder


def prepare_jax() -> Path:
    """Set JAX up for small, frequent programs; to be called before JAX computes anything. Returns the cache's folder.

    The tailor starts in 2 s instead of 12 from the cache. One thread: the programs take under a millisecond, and handing
    them to a thread pool costs more than it gains (measured on 2 cores: 12 ms of processor time for two hands, 6 ms so).
    """
    folder = _remember_compilations()
    jax.config.update('jax_cpu_enable_async_dispatch', False)
    # XLA sizes its pool by the processors it may use when it starts.
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        jax.devices()
    finally:
        for thread in os.listdir('/proc/self/task'):
            _allow(int(thread), allowed)
    return folder


def _allow(thread: int, processors: set[int]) -> None:
    try:
        os.sched_setaffinity(thread, processors)
    except ProcessLookupError:
        # The thread has ended since the folder was listed.
        return


def _remember_compilations() -> Path:
    """Keep compilations below the user's cache folder; returns the folder. Harmless when repeated.

    One folder per processor type: machine code of another one must not be loaded where home folders are shared.
    A folder that the user has chosen through JAX_COMPILATION_CACHE_DIR stays.
    """
    chosen = os.environ.get('JAX_COMPILATION_CACHE_DIR')
    folder = Path(chosen) if chosen else cache_folder() / f'jax-{_processor()}'
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
    return folder


def _processor() -> str:
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace').split('\n\n')[0]
    except OSError:
        text = ' '.join(os.uname())
    # Lines like "cpu MHz" differ from one start to the next.
    kept = [line for line in text.splitlines() if line.split(':')[0].strip() in ('model name', 'flags', 'Features')]
    return hashlib.sha256('\n'.join(kept).encode()).hexdigest()[:12]
