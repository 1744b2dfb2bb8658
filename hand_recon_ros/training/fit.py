"""The one training loop: steps, autocast, gradients of several processes, validation, saved states, progress."""
from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import torch
from torch import nn
from tqdm import tqdm

from hand_recon_ros.training.checkpoint import Progress, RunFolder
from hand_recon_ros.training.schedule import Schedule


class Task(Protocol):
    """What is trained on what. `figures`: of validation, lower is better; the first that there are labels for chooses the
    best weights."""
    name: str
    figures: tuple[str, ...]
    network: nn.Module

    def to(self, device: torch.device) -> None:
        """Move the network and all constants."""

    def losses(self, network: nn.Module, step: int, rank: int, size: int) -> dict[str, torch.Tensor]:
        """Weighted terms of one batch of `size` samples, which depends on step and rank alone; their sum is descended."""

    def validate(self) -> dict[str, float]:
        """Figures on held-out samples that there are labels for, the network in eval mode, no gradients."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """How a run ended: its progress, the last validation's figures, its history (a dict of figures per validation).

    leads: whether this process is the one that validated and saved.
    """
    progress: Progress
    figures: dict[str, float]
    history: list[dict[str, float]]
    leads: bool = True


def fit(task: Task, schedule: Schedule, folder: Path | str, settings: Mapping = MappingProxyType({}), device: str = 'cpu',
        progress: bool = True) -> Fitted:
    """Train `task` to the schedule's end, going on with what the folder holds of an earlier, interrupted run.

    settings: all that the outcome depends on beside the schedule; a folder begun with others is refused.

    Under torchrun every process takes its share of the batch. ValueError where a loss is not finite, naming it, and
    where the folder belongs to other settings.
    """
    with _processes(device) as (rank, processes, place):
        if schedule.batch_size % processes:
            raise ValueError(f'batch_size: {schedule.batch_size}, expected a multiple of {processes} processes')
        task.to(place)
        trained = [p for p in task.network.parameters() if p.requires_grad]
        optimizer = torch.optim.Adam(trained, schedule.learning_rate, (schedule.beta1, schedule.beta2),
                                     weight_decay=schedule.weight_decay)
        run = RunFolder(folder, {'task': task.name, 'processes': processes, **settings, **dataclasses.asdict(schedule)},
                        leads=rank == 0)
        state = run.load(task.network, optimizer)
        network = task.network
        if processes > 1:
            network = nn.parallel.DistributedDataParallel(network, broadcast_buffers=True)
        figures: dict[str, float] = {}
        before_s, started = state.seconds, time.monotonic()
        with tqdm(total=schedule.steps, initial=state.step, desc=task.name, disable=not progress or rank > 0) as bar:
            for step in range(state.step, schedule.steps):
                terms = _step(task, network, optimizer, trained, schedule, step, rank, processes, place)
                bar.update()
                done = step + 1
                validates = done % schedule.validate_every == 0 or done == schedule.steps
                if validates and rank == 0:
                    figures, decisive = _validated(task)
                    run.note(done, {**{f'loss_{name}': value for name, value in terms.items()}, **figures})
                    if state.best is None or figures[decisive] < state.best:
                        state = dataclasses.replace(state, best=figures[decisive], best_step=done)
                        run.keep_best(task.network)
                    bar.set_postfix({decisive: f'{figures[decisive]:.4g}'})
                state = dataclasses.replace(state, step=done, seconds=before_s + time.monotonic() - started)
                # After a validation at once: the best weights and what is said of them belong together.
                if (validates or done % schedule.save_every == 0) and rank == 0:
                    run.save(task.network, optimizer, state)
        return Fitted(state, figures, run.history(), rank == 0)


def _step(task, network, optimizer, trained, schedule, step, rank, processes, place) -> dict[str, float]:
    network.train()
    for group in optimizer.param_groups:
        group['lr'] = schedule.rate(step)
    with torch.autocast(place.type, torch.bfloat16, enabled=schedule.precision == 'bfloat16'):
        terms = task.losses(network, step, rank, schedule.batch_size // processes)
    values = {name: float(term.detach()) for name, term in terms.items()}
    for name, value in values.items():
        if not abs(value) < float('inf'):
            raise ValueError(f'{task.name}: step {step}: loss {name} is {value}, expected a finite number')
    optimizer.zero_grad(set_to_none=True)
    sum(terms.values()).backward()
    if schedule.clip_norm > 0:
        nn.utils.clip_grad_norm_(trained, schedule.clip_norm)
    optimizer.step()
    return values


def _validated(task: Task) -> tuple[dict[str, float], str]:
    """All figures, and the name of the decisive one."""
    task.network.eval()
    with torch.no_grad():
        figures = task.validate()
    decisive = next((name for name in task.figures if name in figures), None)
    if decisive is None:
        raise ValueError(f'{task.name}: nothing in the validation set is labelled for {" or ".join(task.figures)}, expected '
                         'hands that are')
    if not math.isfinite(figures[decisive]):
        raise ValueError(f'{task.name}: {decisive} is {figures[decisive]} on the validation set, expected a finite number')
    return figures, decisive


@contextlib.contextmanager
def _processes(device: str):
    """Rank, number and device of this process; torchrun tells them by the environment."""
    count, rank = int(os.environ.get('WORLD_SIZE', 1)), int(os.environ.get('RANK', 0))
    if count == 1:
        yield 0, 1, torch.device(device)
        return
    cuda = device.startswith('cuda')
    torch.distributed.init_process_group('nccl' if cuda else 'gloo')
    try:
        yield rank, count, torch.device(f'cuda:{os.environ["LOCAL_RANK"]}' if cuda else device)
    finally:
        torch.distributed.destroy_process_group()
