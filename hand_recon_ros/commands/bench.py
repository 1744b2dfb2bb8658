"""Run a named benchmark, each against its reference in the same process, and print the ratio."""
from __future__ import annotations

import argparse
import importlib

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'named benchmarks, each beside its reference in the same run'
BENCHMARKS = ('detector', 'faults', 'identity', 'known_hands', 'latency', 'live_identity', 'papers', 'recognition',
              'renderer', 'skinning', 'smoothing', 'stereo', 'tailor')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command, one sub-parser per benchmark."""
    names = parser.add_subparsers(dest='benchmark', required=True, metavar='NAME')
    for name in BENCHMARKS:
        module = _module(name)
        benchmark = names.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(benchmark)
        benchmark.add_argument('--json', metavar='FILE', help='write the rows for machines')


def run(args: argparse.Namespace) -> int:
    """Print the benchmark's rows as a table and write them. Its own exit_status where it has one to fail with."""
    result = _module(args.benchmark).run(args)
    sections = dict.fromkeys(row.get('section') for row in result['rows'])
    print('\n\n'.join(table([row for row in result['rows'] if row.get('section') == section]) for section in sections))
    if args.json:
        write_figures(args.json, result)
    return result.get('exit_status', 0)


def table(rows: list[dict]) -> str:
    """Rows with equal keys as aligned text; numbers with three significant digits."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    text = [[_cell(row.get(key)) for key in keys] for row in rows]
    widths = [max(len(key), *(len(line[i]) for line in text)) for i, key in enumerate(keys)]
    lines = ['  '.join(k.ljust(w) for k, w in zip(keys, widths))]
    lines += ['  '.join(c.ljust(w) if not i else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))) for line in text]
    return '\n'.join(line.rstrip() for line in lines)


def _cell(value) -> str:
    if value is None:
        return '-'
    if isinstance(value, float):
        return f'{value:.3g}' if abs(value) < 1000 else f'{value:.0f}'
    return str(value)


def _module(name: str):
    return importlib.import_module(f'hand_recon_ros.benchmarks.{name}')
