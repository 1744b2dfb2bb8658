"""What JAX compiled once, kept on disk for the next start: the tailor then starts in 2 s instead of 12."""
from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import jax


def remember_compilations() -> Path:
    """Keep compilations below the user's cache folder; returns the folder. Harmless when repeated.

    One folder per processor type: machine code of another one must not be loaded where home folders are shared.
    A folder that the user has chosen through JAX_COMPILATION_CACHE_DIR stays.
    """
    chosen = os.environ.get('JAX_COMPILATION_CACHE_DIR')
    folder = Path(chosen) if chosen else _cache_home() / 'hand_recon_ros' / f'jax-{_processor()}'
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)
    jax.config.update('jax_persistent_cache_min_entry_size_bytes', -1)
    return folder


def _cache_home() -> Path:
    if os.environ.get('XDG_CACHE_HOME'):
        return Path(os.environ['XDG_CACHE_HOME'])
    if os.environ.get('HOME'):
        return Path(os.environ['HOME']) / '.cache'
    return Path(tempfile.gettempdir()) / f'cache-{os.getuid()}'


def _processor() -> str:
    try:
        text = Path('/proc/cpuinfo').read_text(encoding='utf-8', errors='replace').split('\n\n')[0]
    except OSError:
        text = ' '.join(os.uname())
    # Lines like "cpu MHz" differ from one start to the next.
    kept = [line for line in text.splitlines() if line.split(':')[0].strip() in ('model name', 'flags', 'Features')]
    return hashlib.sha256('\n'.join(kept).encode()).hexdigest()[:12]
