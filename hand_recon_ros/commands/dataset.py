"""`hand-recon dataset`: what a data set on disk holds, what of it is missing or damaged, and a look at it."""
from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

import numpy as np

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'look into a data set on disk: counts, labels, missing or damaged files, a contact sheet'
LOOKED_AT = 64          # samples, spread over the split, whose labels are counted
SHEET_CELLS = 64
PRINTED_PROBLEMS = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    from hand_recon_ros.datasets.registry import DATASETS
    parser.add_argument('name', metavar='NAME', help=', '.join(DATASETS))
    parser.add_argument('root', metavar='ROOT', help="the set's folder, as published")
    parser.add_argument('--split', help="the set's own name of it (default: its first)")
    parser.add_argument('--check', action='store_true', help='read every label and look for every file')
    parser.add_argument('--pixels', action='store_true', help='with --check: also open every image')
    parser.add_argument('--sheet', metavar='FILE', help='write crops of samples with their joints drawn, .png or .jpg')
    parser.add_argument('--json', metavar='FILE', help='write counts and problems for machines')


def run(args: argparse.Namespace) -> int:
    """0 when what was asked for is in order, 1 when the check found problems; ValueError for an unusable root."""
    from hand_recon_ros.datasets.registry import open_dataset
    if args.pixels and not args.check:
        raise ValueError('--pixels: given without --check')
    if args.sheet and Path(args.sheet).suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise ValueError(f'--sheet: {args.sheet}, expected a .png or .jpg file')
    dataset = open_dataset(args.name, args.root, args.split)
    if not len(dataset):
        raise ValueError(f'{dataset.NAME} {dataset.split}: no samples in {dataset.root}')
    # what the check finds is reported there; without it the first damaged sample is the error
    chosen, found = _spread(dataset, LOOKED_AT, tolerant=args.check), {}
    figures = {'name': dataset.NAME, 'split': dataset.split, 'samples': len(dataset)}
    if chosen:
        found = _found(chosen)
    print(f'{dataset.NAME} {dataset.split}: {len(dataset)} samples, splits {", ".join(dataset.SPLITS)}')
    for label, text in found.items():
        print(f'{label:16} {text}')
    problems = _problems(dataset, args.pixels) if args.check else []
    if args.check:
        print(f'{"problems":16} {len(problems)}')
    if args.sheet:
        _write_sheet(chosen, args.sheet)
    if args.json:
        figures |= {'labels': found, **({'problems': problems} if args.check else {})}
        write_figures(args.json, figures)
    return 1 if problems else 0


def _spread(dataset, count: int, tolerant: bool) -> list:
    """Samples evenly spread over a split; damaged ones are left out when tolerant, else ValueError."""
    samples = []
    for index in np.unique(np.linspace(0, len(dataset) - 1, count).astype(int)):
        try:
            samples.append(dataset[int(index)])
        except ValueError:
            if not tolerant:
                raise
    return samples


def _found(samples: list) -> dict[str, str]:
    """What labels the samples have, as lines of text."""
    def share(name, has) -> tuple[str, str]:
        return name, f'{sum(map(has, samples))} of {len(samples)} looked at'

    first = samples[0]
    views = Counter(len(sample.views) for sample in samples)
    sizes = Counter(f'{view.width} x {view.height}' for sample in samples for view in sample.views)
    sides = Counter(sample.handedness or 'unknown' for sample in samples)
    definition = Counter(sample.joint_definition or 'unknown' for sample in samples)
    models = Counter(f'{sample.model} {sample.pose_space}, {len(sample.pose)} numbers' for sample in samples
                     if sample.pose is not None)
    return dict((
        ('views', ', '.join(f'{count} ({times} x)' for count, times in sorted(views.items()))),
        ('images', ', '.join(sizes)), ('hands', ', '.join(f'{side} {n}' for side, n in sides.items())),
        ('joint definition', ', '.join(definition)),
        share('joints in space', lambda s: s.joints_m is not None),
        share('all 21 of them', lambda s: bool(s.joint_valid.all())),
        share('joints in image', lambda s: any(v.joints_px is not None for v in s.views)),
        share('vertices', lambda s: s.vertices_m is not None), share('pose and shape', lambda s: s.pose is not None),
        ('model', ', '.join(models) or 'none'), share('cameras', lambda s: all(v.camera is not None for v in s.views)),
        share('masks', lambda s: any(v.mask_reader is not None for v in s.views)),
        share('depth', lambda s: any(v.depth_reader is not None for v in s.views)),
        ('metric', 'yes' if first.metric else 'no: the scale is assumed or not known')))


def _problems(dataset, pixels: bool) -> list[str]:
    """Every problem of the check; the first ones are printed as they are found."""
    from tqdm import tqdm
    problems = []
    for problem in tqdm(dataset.check(pixels), unit='problem', disable=not sys.stderr.isatty()):
        problems.append(problem)
        if len(problems) <= PRINTED_PROBLEMS:
            tqdm.write(problem, file=sys.stderr)
    # what is missing as a whole comes last and must not drown in damaged labels
    for problem in problems[PRINTED_PROBLEMS:]:
        if problem.startswith('missing '):
            print(problem, file=sys.stderr)
    if len(problems) > PRINTED_PROBLEMS:
        print(f'... {len(problems)} problems in all (--json lists them)', file=sys.stderr)
    return problems


def _write_sheet(samples: list, path: str) -> None:
    from hand_recon_ros.datasets.preview import preview
    from hand_recon_ros.media.images import write_image
    views = [view for sample in samples for view in sample.views[:2] if view.image_reader is not None]
    if not views:
        raise ValueError(f'--sheet: {path}, but no sample that was looked at has an image')
    write_image(path, preview(views[:SHEET_CELLS]))
