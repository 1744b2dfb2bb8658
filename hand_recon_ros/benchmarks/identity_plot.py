"""Errors of calibrated hands over the number of sights, as a picture."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class CurvePoint:
    """line: what belongs together. errors_mm: (people, 2) absolute errors of width and length."""
    line: str
    count: int
    errors_mm: np.ndarray


def plot(points: list[CurvePoint], path: Path, title: str, paper_mm: dict[str, tuple], paper_count: int) -> None:
    """Mean errors with a band of one standard error over people, and the paper's; written as PNG, whole or not."""
    import matplotlib
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    for column, (axis, measure) in enumerate(zip(axes, ('width', 'length'))):
        for line in dict.fromkeys(point.line for point in points):
            own = [point for point in points if point.line == line]
            counts = [point.count for point in own]
            mean = np.array([point.errors_mm[:, column].mean() for point in own])
            error = np.array([point.errors_mm[:, column].std() / np.sqrt(len(point.errors_mm)) for point in own])
            drawn, = axis.plot(counts, mean, 'o-', markersize=3, label=line)
            axis.fill_between(counts, mean - error, mean + error, alpha=0.15, color=drawn.get_color())
        for (name, values), marker in zip(paper_mm.items(), ('*', 'x')):
            axis.plot([paper_count], [values[column]], marker, color='black', markersize=9, label=f'paper 5, {name}')
        axis.set(xlabel='sights K', ylabel=f'mean |{measure} error| (mm)', ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[1].legend(fontsize=8)
    figure.suptitle(title)
    partial = path.with_name(f'.{path.name}.partial')
    figure.savefig(partial, format='png', dpi=110)
    pyplot.close(figure)
    partial.replace(path)
