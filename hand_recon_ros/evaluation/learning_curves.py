"""Learning curves as pictures."""
from __future__ import annotations

from pathlib import Path

import matplotlib

from hand_recon_ros.evaluation.plots import STYLE, canvas, save_figure


def draw_curves(history: list[dict[str, float]], title: str, path: Path | str) -> None:
    """Losses of the training steps at the left, figures of the validations at the right, over steps."""
    with matplotlib.rc_context(STYLE):
        figure = canvas(11.0, 4.0)
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
        save_figure(figure, Path(path))
