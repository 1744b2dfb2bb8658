"""A training run on disk: where it stands, so that a killed run goes on exactly where it was."""
from __future__ import annotations

import json
import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch

STATE, BEST, HISTORY = 'state.pt', 'best.pt', 'history.jsonl'


@dataclass(frozen=True)
class Progress:
    """step: how many are done. best: the lowest validation figure, None before any. best_step: where. seconds: that it
    took so far, over all sessions."""
    step: int = 0
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0


class RunFolder:
    """state.pt (network, optimiser, progress), best.pt (network alone), history.jsonl (a line per validation)."""

    def __init__(self, path: Path | str, description: dict):
        """description: all settings of the run. A folder begun with others is refused with ValueError."""
        self.path, self._description = Path(path), json.loads(json.dumps(description, default=str))
        self.path.mkdir(parents=True, exist_ok=True)
        settings = self.path / 'settings.json'
        if settings.exists():
            begun = json.loads(settings.read_text())
            for key in sorted(set(begun) | set(self._description)):
                if begun.get(key) != self._description.get(key):
                    raise ValueError(f'{self.path}: begun with {key} = {begun.get(key)!r}, expected '
                                     f'{self._description.get(key)!r}; another --out, or the same settings')
        else:
            _write(settings, json.dumps(self._description, indent=1).encode())

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
        file = self.path / HISTORY
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _cut_history(self, step: int) -> None:
        """Drop what an interrupted run noted after its last saved state: it will be noted again."""
        kept = [line for line in self.history() if line['step'] <= step]
        _write(self.path / HISTORY, ''.join(json.dumps(line) + '\n' for line in kept).encode())

    def _store(self, name: str, content) -> None:
        part = self.path / (name + '.part')
        torch.save(content, part)
        os.replace(part, self.path / name)


def best_weights(folder: Path | str) -> dict[str, torch.Tensor]:
    """Weights of the best validation of a run's folder; ValueError where there is none or it is damaged."""
    return _loaded(Path(folder) / BEST, 'a run with at least one validation')


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
