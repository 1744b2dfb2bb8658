"""One function over many items: here, in processes of this machine, or on a Ray cluster. The results are the same."""
from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from hand_recon_ros.blas_threads import limit_blas_threads

ANSWER_S = 5.0
HERE = 'local'      # in place of a cluster's address: one of this machine's own, for the time of the work


def spread(function: Callable, items: Sequence, workers: int = 1, ray_address: str | None = None) -> Iterator:
    """Yield function(item) of every item, in the items' order.

    workers: processes at a time. ray_address: of a Ray cluster ('host:port', 'auto'), 'local' for one of this machine
    with `workers` processors, None for no Ray. function: of a module, so that other processes can import it; items and
    results must pickle. What a call raises is raised here. ValueError when workers < 1, Ray is missing or not reached.
    """
    if workers < 1:
        raise ValueError(f'workers: {workers}, expected at least 1')
    if ray_address is not None:
        return _on_ray(function, items, workers, ray_address)
    if workers == 1 or len(items) < 2:
        return map(function, items)
    return _in_processes(function, items, workers)


def _in_processes(function, items, workers) -> Iterator:
    # Spawned, because a forked child would share OpenGL contexts and the threads of JAX.
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(min(workers, len(items)), context, initializer=limit_blas_threads) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        except BrokenProcessPool as error:
            raise ValueError('workers: one of the processes ended before its work, expected enough memory for all; '
                             'fewer workers need less') from error
        finally:
            for future in futures:
                future.cancel()


def _on_ray(function, items, workers, address) -> Iterator:
    try:
        import ray
    except ImportError as error:
        raise ValueError('ray: not installed, expected the extra `ray` (pip install "hand_recon_ros[ray]")') from error
    _check_reachable(address)
    own = {'num_cpus': workers} if address == HERE else {'address': address}
    try:
        ray.init(**own, include_dashboard=False, log_to_driver=False, logging_level='ERROR', configure_logging=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(f'ray: no cluster at {address!r} ({str(error).splitlines()[0]})') from error
    try:
        task = ray.remote(num_cpus=1)(function)
        references = [task.remote(item) for item in items]
        for reference in references:
            try:
                yield ray.get(reference)
            except ray.exceptions.RayTaskError as error:
                # The error as the function raised it, without Ray's frames around it.
                raise error.cause if isinstance(error.cause, Exception) else error from None
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """ValueError when nobody listens at a 'host:port': Ray itself tries for minutes."""
    host, colon, port = address.removeprefix('ray://').rpartition(':')
    if not colon:
        return
    try:
        socket.create_connection((host.strip('[]'), int(port)), ANSWER_S).close()
    except (OSError, ValueError) as error:
        raise ValueError(f'ray: nobody answers at {address!r} ({error}), expected a cluster there') from error
