"""One page about an evaluation: figures, settings, notes, plots, worst frames, in one file that opens offline."""
from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.evaluation.definitions import DEFINITIONS
from hand_recon_ros.evaluation.error_analysis import as_json
from hand_recon_ros.evaluation.plots import draw_plots
from hand_recon_ros.evaluation.summary import Evaluation, value_text
from hand_recon_ros.evaluation.worst_frames import RULE, WorstFrame, worst_frames

# The figures at the top of the page, where there are such.
HEADLINE = {'pa_mpjpe_mm': 'aligned joints, mm', 'cs_mpjpe_mm': 'camera space, mm', 'f_5': 'F at 5 mm',
            'recall': 'recall', 'coverage_95': 'coverage of 95 %', 'latency_ms': 'latency p50, ms'}
CAPTIONS = {'pck': 'Share of joints within a distance of the truth.',
            'joints': 'Which joints err. Joint 1 is the base of a finger, 4 its tip.',
            'depth': 'Dots are hands, lines the means of bins, bands reach to the 95th percentile.',
            'conditions': 'View angle 0: the palm or back faces the camera; 90: seen edge on. '
                          'Numbers: hands in the bin; bands reach to the 95th percentile.',
            'coverage': 'Above the dashed line the stated uncertainty is too large, below it too small.',
            'latency': 'Every frame that has a measured latency.'}
JPEG_QUALITY = 88
STYLE = """
body { font: 15px/1.5 system-ui, 'DejaVu Sans', sans-serif; color: #26323d; background: #f4f6f7; margin: 0 }
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 60px }
h1 { font-size: 26px; margin: 0 0 4px } h2 { font-size: 18px; margin: 36px 0 10px }
.sub { color: #5d6b76; margin: 0 0 20px }
.tiles { display: flex; flex-wrap: wrap; gap: 12px }
.tile { background: #fff; border-radius: 8px; padding: 12px 18px; min-width: 118px; box-shadow: 0 1px 2px #0002 }
.tile b { display: block; font-size: 24px } .tile span { color: #5d6b76; font-size: 13px }
.card { background: #fff; border-radius: 8px; padding: 14px 18px; box-shadow: 0 1px 2px #0002; overflow-x: auto }
table { border-collapse: collapse; width: 100% }
td, th { padding: 3px 10px 3px 0; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-right: 22px }
td.k { font-family: ui-monospace, 'DejaVu Sans Mono', monospace; font-size: 13px; white-space: nowrap }
th { padding-top: 14px; border-bottom: 1px solid #dfe4e8 } tr:first-child th { padding-top: 0 }
td.m { color: #5d6b76 }
.plots, .frames { display: grid; grid-template-columns: repeat(auto-fit, minmax(460px, 1fr)); gap: 16px }
.wide { grid-column: 1 / -1 } figure { margin: 0 } figure img { width: 100%; height: auto; display: block }
figcaption { color: #5d6b76; font-size: 13px; padding-top: 6px }
"""


def write_report(folder: Path, evaluation: Evaluation, settings: Mapping[str, object], title: str = 'Evaluation',
                 picture: Callable[[WorstFrame], np.ndarray | None] | None = None, worst: int = 10) -> Path:
    """Writes report.html, plots/*.png and errors.json (error analysis) into `folder`; returns the page's path.

    settings: shown as a table (estimator, detector, recordings, ...). picture: draws a frame, (H, W, 3) uint8 RGB, or
    None where its image is not at hand; without it no frames are shown. worst: how many frames (rule: worst_frames).
    """
    folder.mkdir(parents=True, exist_ok=True)
    frames = [frame for recording in evaluation.recordings for frame in recording.frames]
    plots = draw_plots(frames, folder / 'plots')
    metrics = evaluation.metrics()
    sections = [
        f'<h1>{escape(title)}</h1><p class="sub">{evaluation.frames} frames with ground truth in '
        f'{_count(len(evaluation.recordings), "recording")}, {_count(evaluation.true_hands, "true hand")}, '
        f'{len(evaluation.hands)} matched</p>',
        _tiles(metrics), '<h2>Figures</h2>' + _metrics_table(metrics), '<h2>Settings</h2>' + _settings_table(settings)]
    if notes := evaluation.notes():
        sections.append('<h2>Notes</h2><div class="card"><ul>'
                        + ''.join(f'<li>{escape(note)}</li>' for note in notes) + '</ul></div>')
    if plots:
        sections.append('<h2>Plots</h2><div class="plots">' + ''.join(
            _figure(_data_uri(file.read_bytes(), 'png'), CAPTIONS[name], name in ('joints', 'conditions'))
            for name, file in plots.items()) + '</div>')
    if picture is not None:
        sections.append(_frames(worst_frames(evaluation.recordings, worst), picture))
    page = ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>\n'
            + '\n'.join(sections) + '\n</main></body></html>\n')
    _write(folder / 'errors.json', json.dumps(as_json(frames), indent=1) + '\n')
    return _write(folder / 'report.html', page)


def _tiles(metrics: dict) -> str:
    tiles = []
    for name, label in HEADLINE.items():
        if name in metrics:
            value = metrics[name]['p50'] if isinstance(value := metrics[name], dict) else value
            text = f'{value:.1f}' if name.endswith(('_mm', '_ms')) else f'{value:.3f}'
            tiles.append(f'<div class="tile"><b>{text}</b><span>{escape(label)}</span></div>')
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _metrics_table(metrics: dict) -> str:
    rows, heading = [], None
    for name, definition in DEFINITIONS.items():
        if name not in metrics:
            continue
        if definition.group != heading:
            heading = definition.group
            rows.append(f'<tr><th colspan="3">{escape(heading)}</th></tr>')
        rows.append(f'<tr><td class="k">{name}</td><td class="n">{value_text(name, metrics[name])}</td>'
                    f'<td class="m">{escape(definition.meaning)}</td></tr>')
    return f'<div class="card"><table>{"".join(rows)}</table></div>'


def _settings_table(settings: Mapping[str, object]) -> str:
    rows = (f'<tr><td class="k">{escape(str(name))}</td><td>{escape(str(value))}</td></tr>'
            for name, value in settings.items())
    return f'<div class="card"><table>{"".join(rows)}</table></div>'


def _frames(worst: list[WorstFrame], picture) -> str:
    shown = []
    for frame in worst:
        image = picture(frame)
        if image is None:
            shown.append(f'<figure class="card"><figcaption>{escape(frame.caption)} (no image)</figcaption></figure>')
            continue
        done, jpeg = cv2.imencode('.jpg', cv2.cvtColor(image, cv2.COLOR_RGB2BGR),
                                  [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise ValueError(f'picture: {image.dtype} {image.shape} of {frame.caption!r} could not be encoded')
        shown.append(_figure(_data_uri(jpeg.tobytes(), 'jpeg'), frame.caption))
    return (f'<h2>Worst frames</h2><p class="sub">Rule: {escape(RULE)}.</p>'
            f'<div class="frames">{"".join(shown) or "<p>None: no frame has a hand.</p>"}</div>')


def _figure(source: str, caption: str, wide: bool = False) -> str:
    return (f'<figure class="card{" wide" if wide else ""}"><img alt="{escape(caption)}" src="{source}">'
            f'<figcaption>{escape(caption)}</figcaption></figure>')


def _data_uri(data: bytes, kind: str) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'


def _count(number: int, what: str) -> str:
    return f'{number} {what}' + ('' if number == 1 else 's')


def _write(file: Path, text: str) -> Path:
    part = file.with_name(file.name + '.part')
    part.write_text(text)
    part.replace(file)
    return file
