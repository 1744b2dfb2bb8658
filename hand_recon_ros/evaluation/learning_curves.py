"""Learning curves as pictures."""
from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hand_recon_ros.evaluation.plots import DPI, STYLE


def draw_curves(history: list[dict[str, float]], title: str, path: Path | str) -> None:
    """Losses of the training steps at the left, figures of the validations at the right, over steps."""
    with matplotlib.rc_context(STYLE):
        figure = Figure((11.0, 4.0), layout='constrained')
        FigureCanvasAgg(figure)
        left, right = figure.subplots(1, 2)
        for name in [name for name in history[-1] if name != 'step'] if history else []:
            at = [(line['step'], line[name]) for line in history if name in line]
            (left if name.startswith('loss_') else right).plot(*zip(*at), label=name.removeprefix('loss_'))
        for axis, what in ((left, 'loss terms as weighted'), (right, 'on held-out hands')):
            axis.set_yscale('log')
            axis.set_xlabel('step')
            axis.set_title(f'{title}: {what}')
            if axis.lines:
                axis.legend()
        figure.savefig(path, dpi=DPI)
