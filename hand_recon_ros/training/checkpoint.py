"""A training run on disk: where it stands, so that a killed run goes on exactly where it was."""
from __future__ import annotations

import json
import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

STATE, BEST, HISTORY, SETTINGS = 'state.pt', 'best.pt', 'history.jsonl', 'settings.json'


@dataclass(frozen=True)
class Progress:
    """step: how many are done. best: the lowest validation figure, None before any. best_step: where. seconds: that it
    took so far, over all sessions."""
    step: int = 0
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0


class RunFolder:
    """state.pt (network, optimiser, progress), best.pt (network alone), history.jsonl (a line per validation),
    settings.json."""

    def __init__(self, path: Path | str, description: Mapping, leads: bool = True):
        """description: all settings of the run. A folder begun with others is refused with ValueError. leads: False in a
        process that only helps, and writes nothing."""
        self.path, self._description, self._leads = Path(path), json.loads(json.dumps(description, default=str)), leads
        self.path.mkdir(parents=True, exist_ok=True)
        begun = _settings(self.path)
        for key in [] if begun is None else dict.fromkeys([*self._description, *begun]):
            if begun.get(key) != self._description.get(key):
                raise ValueError(f'{self.path}: begun with {key} = {begun.get(key)!r}, now {self._description.get(key)!r}; '
                                 'expected the same settings, or another --out')
        if begun is None and leads:
            _write(self.path / SETTINGS, json.dumps(self._description, indent=1).encode())

    def load(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
        """Fill both from the last saved state; Progress() where there is none. ValueError for a damaged file."""
        file = self.path / STATE
        if not file.exists():
            return Progress()
        state = _loaded(file, 'the state of this run')
        try:
            network.load_state_dict(state['network'])
            optimizer.load_state_dict(state['optimizer'])
            progress = Progress(**state['progress'])
        except (RuntimeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f'{file}: {str(error).splitlines()[0]}, expected the state of this run') from error
        if self._leads:
            self._cut_history(progress.step)
        return progress

    def save(self, network: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
        """Keep the run as it stands; the former state stays until the new one is whole."""
        self._store(STATE, {'network': network.state_dict(), 'optimizer': optimizer.state_dict(),
                            'progress': vars(progress)})

    def keep_best(self, network: torch.nn.Module) -> None:
        """Keep the network's weights as the best so far."""
        self._store(BEST, network.state_dict())

    def note(self, step: int, figures: dict[str, float]) -> None:
        """Add a line of figures to the history."""
        with open(self.path / HISTORY, 'a', encoding='utf-8') as file:
            file.write(json.dumps({'step': step, **figures}) + '\n')

    def history(self) -> list[dict[str, float]]:
        """All lines noted so far."""
        return _history(self.path)

    def _cut_history(self, step: int) -> None:
        """Drop what an interrupted run noted after its last saved state: it will be noted again."""
        kept = [line for line in self.history() if line['step'] <= step]
        _write(self.path / HISTORY, ''.join(json.dumps(line) + '\n' for line in kept).encode())

    def _store(self, name: str, content) -> None:
        part = self.path / (name + '.part')
        torch.save(content, part)
        os.replace(part, self.path / name)


def finished_weights(folder: Path | str) -> dict[str, torch.Tensor]:
    """best_weights of a run that came to its end; ValueError for one that did not."""
    folder = Path(folder)
    weights, history = best_weights(folder), _history(folder)
    steps = (_settings(folder) or {}).get('steps')
    done = history[-1]['step'] if history else 0
    if done != steps:
        raise ValueError(f'{folder}: stands at step {done} of {steps or "an unknown number"}, expected a run that came to '
                         'its end')
    return weights


def best_weights(folder: Path | str) -> dict[str, torch.Tensor]:
    """Weights of the best validation of a run's folder; ValueError where there is none or it is damaged."""
    return _loaded(Path(folder) / BEST, 'a run with at least one validation')


def check_task(folder: Path | str, task: str) -> None:
    """ValueError where the folder was begun with another task: before the work that a run's whole settings take."""
    begun = _settings(Path(folder))
    if begun is not None and begun.get('task') != task:
        raise ValueError(f'{folder}: begun with task = {begun.get("task")!r}, now {task!r}; expected another --out')


def _settings(folder: Path) -> dict | None:
    file = folder / SETTINGS
    try:
        return json.loads(file.read_text()) if file.exists() else None
    except (OSError, ValueError) as error:
        raise ValueError(f'{file}: {error}, expected the settings of a run') from error


def _history(folder: Path) -> list[dict[str, float]]:
    file = folder / HISTORY
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def _loaded(file: Path, expected: str):
    if not file.is_file():
        raise ValueError(f'{file}: missing, expected {expected}')
    try:
        return torch.load(file, map_location='cpu', weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f'{file}: {str(error).splitlines()[0]}, expected {expected}') from error


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(path.name + '.part')
    part.write_bytes(content)
    os.replace(part, path)
