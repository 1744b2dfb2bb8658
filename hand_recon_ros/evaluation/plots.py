"""Pictures of an evaluation: PCK, error per joint, error over depth and other properties, coverage, latency."""
from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from hand_recon_ros.evaluation.error_analysis import SPACES, Breakdown, breakdowns, joint_errors
from hand_recon_ros.evaluation.metrics import auc, pck
from hand_recon_ros.evaluation.records import FrameRecord
from hand_recon_ros.evaluation.uncertainty import coverage, standardised
from hand_recon_ros.hand_model.skeleton import FINGERS, KEYPOINT_NAMES

# Colours that stay apart for the colour-blind (Okabe & Ito 2008), one for each space everywhere.
COLOURS = {'aligned': '#0072B2', 'root_relative': '#E69F00', 'camera_space': '#D55E00'}
LABELS = {'aligned': 'aligned (Procrustes)', 'root_relative': 'root-relative', 'camera_space': 'camera space'}
INK, GRID, NEUTRAL = '#26323d', '#dfe4e8', '#5b8e7d'
STYLE = {'font.family': 'DejaVu Sans', 'font.size': 10, 'axes.titlesize': 11, 'axes.titleweight': 'bold',
         'axes.titlelocation': 'left', 'axes.edgecolor': '#8a959e', 'axes.labelcolor': INK, 'text.color': INK,
         'xtick.color': INK, 'ytick.color': INK, 'axes.spines.top': False, 'axes.spines.right': False,
         'axes.grid': True,
         'grid.color': GRID, 'grid.linewidth': 0.8, 'axes.axisbelow': True, 'legend.frameon': False,
         'lines.linewidth': 2.0, 'figure.facecolor': 'white'}
DPI, SINGLE = 110, (6.4, 4.7)          # width and height of a plot that shares its row, inches
PCK_MM = np.linspace(0.0, 50.0, 251)
LEVELS = np.linspace(0.0, 0.995, 200)


def draw_plots(frames: list[FrameRecord], folder: Path) -> dict[str, Path]:
    """Writes the PNGs the frames have data for into `folder` (made if absent): name -> file, in reading order."""
    hands = [hand for frame in frames for hand in frame.matched]
    drawings: dict[str, Callable[[], Figure]] = {}
    if hands:
        parts = breakdowns(frames)
        drawings['pck'] = lambda: pck_figure(hands)
        ratios = np.concatenate([standardised(hand.camera_space_mm, hand.joint_std_m) for hand in hands])
        if len(ratios):
            drawings['coverage'] = lambda: coverage_figure(ratios)
        drawings |= {'joints': lambda: joint_figure(hands), 'conditions': lambda: condition_figure(parts[1:]),
                     'depth': lambda: depth_figure(parts[0])}
    latencies_ms = np.array([frame.latency_s for frame in frames if frame.latency_s is not None]) * 1e3
    if len(latencies_ms):
        drawings['latency'] = lambda: latency_figure(latencies_ms)
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, draw in drawings.items():
        with matplotlib.rc_context(STYLE):
            files[name] = save_figure(draw(), folder / f'{name}.png')
    return files


def pck_figure(hands) -> Figure:
    """Share of joints within a distance, for the three spaces, with the area from 0 to 50 mm."""
    with _figure() as (figure, axes):
        for space in SPACES:
            errors = np.stack([getattr(hand, f'{space}_mm') for hand in hands])
            axes.plot(PCK_MM, 100 * pck(errors, PCK_MM), color=COLOURS[space],
                      label=f'{LABELS[space]}, AUC {auc(errors, 0, 50):.3f}')
        axes.set(xlim=(0, 50), ylim=(0, 101), xlabel='distance from the true joint, mm', ylabel='joints within, %',
                 title=f'Correct keypoints ({len(hands)} matched hands)')
        axes.legend(loc='lower right')
    return figure


def draw_joint_curves(errors_mm: dict[str, np.ndarray], title: str, path: Path | str) -> None:
    """Share of joints within a distance, a line for each name's errors (any shape, mm), with the area from 0 to 50 mm."""
    with matplotlib.rc_context(STYLE), _figure() as (figure, axes):
        for name, errors in sorted(errors_mm.items(), key=lambda item: item[1].mean()):
            axes.plot(PCK_MM, 100 * pck(errors, PCK_MM), label=f'{name}, AUC {auc(errors, 0, 50):.3f}')
        axes.set(xlim=(0, 50), ylim=(0, 101), xlabel='distance from the true joint, mm', ylabel='joints within, %',
                 title=title)
        axes.legend(loc='lower right', fontsize=8)
        save_figure(figure, Path(path))


def joint_figure(hands) -> Figure:
    """Mean error of each joint, its 95th percentile as a line, two scales: aligned and root-relative, camera space."""
    figure = canvas(10.5, 4.6)
    left, right = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(KEYPOINT_NAMES))
    for axes, spaces in ((left, SPACES[:2]), (right, SPACES[2:])):
        for k, space in enumerate(spaces):
            errors = joint_errors(hands, space)
            height = 0.8 / len(spaces)
            at = rows + (k - (len(spaces) - 1) / 2) * height
            axes.barh(at, errors.mean_mm, 0.9 * height, color=COLOURS[space], label=LABELS[space])
            axes.hlines(at, errors.mean_mm, errors.p95_mm, color=COLOURS[space], linewidth=1.0, alpha=0.7)
        for finger in range(len(FINGERS)):
            axes.axhline(4 * finger + 0.5, color='#b7c0c7', linewidth=0.8)
        axes.grid(axis='y', visible=False)
        axes.set(xlim=(0, None), xlabel='error, mm (bar: mean, line to the 95th percentile)')
        axes.legend(loc='upper center', bbox_to_anchor=(0.5, 1.1), ncols=2)
    left.set_yticks(rows, KEYPOINT_NAMES, fontsize=8)
    left.set_ylim(len(rows) - 0.4, -0.6)
    figure.suptitle('Error per joint', x=0.01, ha='left', fontsize=11, fontweight='bold')
    return figure


def depth_figure(depth: Breakdown) -> Figure:
    """Errors of hands over the depth of the wrist, and below the recall there."""
    figure = canvas(*SINGLE)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(5, 2))
    _draw_breakdown(upper, depth, SPACES, dots=True)
    upper.set(title='Error over depth', ylabel='mean error of a hand, mm')
    upper.set_yscale('log')
    upper.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    upper.yaxis.set_major_formatter(FormatStrFormatter('%g'))
    upper.yaxis.set_minor_formatter(NullFormatter())
    figure.legend(*upper.get_legend_handles_labels(), loc='outside lower center', ncols=3)
    share = np.divide(depth.matched, depth.true, out=np.full(len(depth.true), np.nan), where=depth.true > 0)
    widths = np.diff(depth.edges)
    lower.bar(depth.centres, 100 * share, 0.92 * widths, color=NEUTRAL)
    for x, percent, true in zip(depth.centres, 100 * share, depth.true):
        if true:
            lower.text(x, 6, f'{percent:.0f} %\nof {true}', ha='center', va='bottom', fontsize=7,
                       color='white' if percent > 60 else INK)
    lower.set(ylim=(0, 105), ylabel='recall, %', xlabel=f'{depth.name}, {depth.unit}')
    lower.grid(axis='x', visible=False)
    return figure


def condition_figure(parts: list[Breakdown]) -> Figure:
    """Aligned and root-relative errors over view angle, hand length and score."""
    figure = canvas(3.7 * len(parts), 3.5)
    for axes, part in zip(figure.subplots(1, len(parts), sharey=True), parts):
        _draw_breakdown(axes, part, SPACES[:2], dots=False)
        axes.ticklabel_format(axis='x', useOffset=False)
        axes.set(xlabel=f'{part.name}, {part.unit}' if part.unit else part.name, ylim=(0, None))
        for x, count in zip(part.centres, part.matched):
            axes.text(x, 0.02, count or '', ha='center', va='bottom', fontsize=7, transform=axes.get_xaxis_transform())
    figure.axes[0].set(ylabel='mean error of a hand, mm', title='Error over conditions')
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc='outside upper right', ncols=2)
    return figure


def coverage_figure(ratios: np.ndarray) -> Figure:
    """Stated against observed: share of joints inside the ball that should hold a given share."""
    with _figure() as (figure, axes):
        axes.plot((0, 100), (0, 100), color='#8a959e', linewidth=1.2, linestyle=(0, (4, 3)), label='honest')
        axes.plot(100 * LEVELS, 100 * coverage(ratios, LEVELS), color=COLOURS['camera_space'], label='observed')
        at_95 = 100 * float(coverage(ratios))
        axes.plot(95, at_95, 'o', color=COLOURS['camera_space'], label=f'{at_95:.1f} % within the stated 95 % ball')
        axes.set(xlim=(0, 100), ylim=(0, 101), xlabel='stated share of joints, %', ylabel='joints within, %',
                 title='Coverage of the stated uncertainty')
        axes.legend(loc='upper left')
    return figure


def latency_figure(latencies_ms: np.ndarray) -> Figure:
    """Histogram of frames over latency, with p50, p95 and p99."""
    with _figure() as (figure, axes):
        marks = np.percentile(latencies_ms, (50, 95, 99))
        # A start-up frame of seconds would squeeze all others into one bar; the legend still names its percentile.
        shown = max(2.5 * marks[1], 1e-3)
        late = int((latencies_ms > shown).sum())
        axes.hist(latencies_ms[latencies_ms <= shown], bins=60, range=(0, shown), color=NEUTRAL)
        for name, value, style in zip(('p50', 'p95', 'p99'), marks, ('-', '--', ':')):
            axes.axvline(value, color=INK, linewidth=1.4, linestyle=style, label=f'{name}  {value:.1f} ms')
        beyond = f', {late} beyond' if late else ''
        axes.set(xlim=(0, shown), xlabel='latency, ms', ylabel='frames',
                 title=f'Latency ({len(latencies_ms)} frames{beyond})')
        axes.grid(axis='x', visible=False)
        axes.legend(loc='upper right')
    return figure


def _draw_breakdown(axes, part: Breakdown, spaces, dots: bool) -> None:
    for space in spaces:
        mean, high = part.means_mm(space), part.p95_mm(space)
        if dots:
            axes.plot(part.values, part.errors_mm[space], '.', color=COLOURS[space], markersize=3, alpha=0.4,
                      markeredgewidth=0)
        axes.fill_between(part.centres, mean, high, color=COLOURS[space], alpha=0.13, linewidth=0)
        axes.plot(part.centres, mean, 'o-', color=COLOURS[space], markersize=4, label=LABELS[space])


def canvas(width: float, height: float) -> Figure:
    """An empty figure of this size, inches, that no window belongs to."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout='constrained')
    FigureCanvasAgg(figure)
    return figure


@contextmanager
def _figure():
    figure = canvas(*SINGLE)
    yield figure, figure.subplots()


def save_figure(figure: Figure, file: Path) -> Path:
    """Write a .png that appears only when it is whole, and its folder; its path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix('.part.png')
    figure.savefig(part)
    part.replace(file)
    return file
