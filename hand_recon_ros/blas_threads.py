"""One thread for the small matrices of a hand: OpenBLAS otherwise wakes all cores to factorise 30 numbers squared."""
from __future__ import annotations

import os


def limit_blas_threads() -> None:
    """Ask the BLAS libraries for one thread, unless the user asked for something; before NumPy is imported."""
    for variable in ('OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ.setdefault(variable, '1')
