"""Learning curves as pictures."""
from __future__ import annotations

from pathlib import Path

import matplotlib

from hand_recon_ros.evaluation.plots import STYLE, canvas, save_figure

LOSS = 'loss_'
# A run of a single validation is a point, not a line.
MARKS = {'marker': 'o', 'markersize': 3}


def draw_curves(history: list[dict[str, float]], title: str, path: Path | str) -> None:
    """Losses of the training steps at the left; at the right each figure of the validations in its own unit; over steps.

    history: of at least one validation.
    """
    names = [name for name in history[-1] if name != 'step']
    figures = [name for name in names if not name.startswith(LOSS)]
    with matplotlib.rc_context(STYLE):
        figure = canvas(12.0, 4.2)
        figure.get_layout_engine().set(h_pad=0.1)      # subfigures clip their titles else
        left, right = figure.subfigures(1, 2, width_ratios=(2, 3))
        axis = left.subplots()
        axis.set_yscale('log')
        axis.set_xlabel('step')
        axis.set_title(f'{title}: loss terms as weighted')
        for name in names:
            if name.startswith(LOSS):
                axis.plot(*_line(history, name), label=name.removeprefix(LOSS), **MARKS)
        if axis.lines:
            axis.legend(fontsize='small')
        rows = 1 if len(figures) < 3 else 2
        for axis, name in zip(right.subplots(rows, -(-len(figures) // rows), squeeze=False, sharex=True).flat, figures):
            axis.plot(*_line(history, name), **MARKS)
            axis.set_title(f'held out: {name}', fontsize='medium')
            axis.ticklabel_format(useOffset=False)
        for axis in right.axes:
            axis.set_visible(bool(axis.lines))
        save_figure(figure, Path(path))


def _line(history: list[dict[str, float]], name: str) -> tuple[list[float], list[float]]:
    known = [line for line in history if name in line]
    return [line['step'] for line in known], [line[name] for line in known]
