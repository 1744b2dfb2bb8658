"""Learning curves as pictures."""
from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use('Agg')
from matplotlib import pyplot  # noqa: E402  the backend has to be chosen first


def draw_curves(history: list[dict[str, float]], title: str, path: Path | str) -> None:
    """Losses of the training steps at the left, figures of the validations at the right, over steps."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout='constrained')
    names = [name for name in history[-1] if name != 'step'] if history else []
    for name in names:
        at = [(line['step'], line[name]) for line in history if name in line]
        axis = left if name.startswith('loss_') else right
        axis.plot(*zip(*at), label=name.removeprefix('loss_'))
    for axis, what in ((left, 'loss terms, as weighted'), (right, 'on held-out hands')):
        axis.set_yscale('log')
        axis.set_xlabel('step')
        axis.set_title(f'{title}: {what}')
        axis.grid(True, which='both', alpha=0.3)
        if axis.lines:
            axis.legend(fontsize=8)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)
