"""Plots of the stereo benchmark: the methods side by side, error over baseline, a covered camera."""
from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np

from hand_recon_ros.benchmarks.covered_camera import PHASES, Sight
from hand_recon_ros.evaluation.plots import COLOURS, INK, STYLE, canvas, save_figure

LINES = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')     # Okabe & Ito 2008


def draw_methods(rows: list[dict], title: str, path: Path) -> None:
    """Bars of mean and 95th percentile of the camera-space error of each case."""
    with matplotlib.rc_context(STYLE):
        figure = canvas(7.2, 0.6 + 0.5 * len(rows))
        axes = figure.add_subplot()
        places = np.arange(len(rows))[::-1]
        means, highs = ([row[key] for row in rows] for key in ('cs_mpjpe_mm', 'cs_mpjpe_p95_mm'))
        axes.barh(places, highs, 0.62, color='#dfe4e8', label='95th percentile of hands')
        axes.barh(places, means, 0.62, color=COLOURS['camera_space'], label='mean')
        for place, mean, high in zip(places, means, highs):
            axes.text(high, place, f'  {mean:.1f} / {high:.1f}', va='center', color=INK)
        axes.set_yticks(places, [row['method'] for row in rows])
        axes.set_xlim(0, 1.18 * max(highs))
        axes.grid(axis='y', visible=False)
        axes.set_xlabel('camera-space error, mm')
        axes.set_title(title)
        axes.legend(loc='lower right')
        save_figure(figure, path)


def draw_baselines(baselines_mm: list[float], errors_mm: dict[str, list[float]], title: str, path: Path) -> None:
    """Error over the distance of the cameras, one line a method."""
    with matplotlib.rc_context(STYLE):
        figure = canvas(7.2, 4.8)
        axes = figure.add_subplot()
        for (name, errors), colour in zip(errors_mm.items(), LINES):
            axes.plot(baselines_mm, errors, 'o-', color=colour, label=name)
        axes.set_xticks(baselines_mm)
        axes.set_ylim(0)
        axes.set_xlabel('baseline, mm')
        axes.set_ylabel('camera-space error, mm')
        axes.set_title(title)
        axes.legend()
        save_figure(figure, path)


def draw_covered(found: list[Sight], title: str, path: Path) -> None:
    """Error and stated deviation of every hand over time; a track's id beside its first point and each change."""
    with matplotlib.rc_context(STYLE):
        figure = canvas(10.0, 4.6)
        axes = figure.add_subplot()
        top = 1.15 * max(max(sight.error_mm, sight.std_mm) for sight in found)
        start = 0.0
        for number, (name, length, hidden) in enumerate(PHASES):
            end = start + length if number < len(PHASES) - 1 else max(sight.seconds for sight in found) + 0.05
            if hidden:
                axes.axvspan(start, end, color='#c9d1d6' if len(hidden) < 2 else '#8a959e', lw=0)
                axes.text((start + end) / 2, 0.97 * top, name, ha='center', va='top')
            start = end
        for row, (true_id, colour) in enumerate(zip(sorted({sight.true_id for sight in found}), LINES)):
            mine = [sight for sight in found if sight.true_id == true_id]
            times = np.array([sight.seconds for sight in mine])
            breaks = np.flatnonzero(np.diff(times) > 0.1) + 1
            for part, values, style in (('error', [s.error_mm for s in mine], '-'),
                                        ('stated deviation', [s.std_mm for s in mine], ':')):
                axes.plot(np.insert(times, breaks, np.nan), np.insert(np.array(values), breaks, np.nan), style,
                          color=colour, label=f'{true_id}: {part}')
            last = None
            for sight in mine:
                if sight.track_id != last:
                    axes.text(sight.seconds, (0.02 + 0.05 * row) * top, f'track {sight.track_id}', color=colour,
                              fontsize=9)
                    last = sight.track_id
        axes.set_ylim(0, top)
        axes.set_xlabel('seconds')
        axes.set_ylabel('mm (deviation: of a joint along one axis)')
        axes.set_title(title)
        axes.legend(loc='upper center', bbox_to_anchor=(0.5, -0.12), ncols=4)
        save_figure(figure, path)
