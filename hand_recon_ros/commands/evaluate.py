"""`hand-recon evaluate`: recordings with ground truth, or a benchmark set, to a table of errors, JSON and a report."""
from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hand_recon_ros.commands.estimator_arguments import add_estimator_arguments
from hand_recon_ros.commands.figures_file import write_figures
from hand_recon_ros.estimation.names import FROM_IMAGE

HELP = 'errors of the hands found in recordings with ground truth, or in a benchmark set'
ALL_SETS = 'all'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the sub-command."""
    parser.add_argument('bag', nargs='*', type=Path, metavar='BAG', help='recordings with images and ground truth')
    parser.add_argument('--set', metavar='NAME', dest='set_name',
                        help='a benchmark set (stereo_desk, stereo_wide, egocentric, mono_wild and others), generated '
                             "on demand; 'all' for these four; or the path of your own .yaml")
    parser.add_argument('--frames', type=int, metavar='N', help='only the first N images (of each set)')
    add_estimator_arguments(parser)
    parser.add_argument('--detector', default='mediapipe', choices=('mediapipe', 'openvino', 'truth', 'truth+noise'),
                        help="openvino runs MediaPipe's networks faster; the truth's projections judge the stages "
                             'behind the detector apart (default %(default)s)')
    parser.add_argument('--fusion', default='mono', choices=('mono', 'joint', 'triangulation', 'weights'),
                        help='of recordings with two cameras: how the views are fused; mono: the first camera alone '
                             '(default %(default)s)')
    parser.add_argument('--disparity', action='store_true',
                        help='with --fusion joint: the skin is matched between the two images, too')
    parser.add_argument('--disparity-budget-ms', type=float, default=1000.0, metavar='MS',
                        help='hands of an instant whose turn comes later than this go without it; live 40 (default '
                             '%(default)s)')
    parser.add_argument('--noise-px', type=float, default=1.0, metavar='PX',
                        help='standard deviation of truth+noise, pixels (default %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='of truth+noise (default %(default)s)')
    parser.add_argument('--offsets', metavar='TABLE',
                        help="detector's landmark table: real, synthetic, none or a file (default: a set's own, real "
                             'for other recordings, none for the truth)')
    parser.add_argument('--workers', type=int, default=1, metavar='N',
                        help='processes at a time, for generating too (default %(default)s)')
    parser.add_argument('--ray', metavar='ADDRESS',
                        help="spread recordings over a Ray cluster: its address, 'auto', or 'local' for one here with "
                             '--workers processors (extra `ray`). Bags must have the same path on all machines; sets '
                             'are generated where they are needed')
    parser.add_argument('--through-nodes', action='store_true',
                        help='play the recordings into the real nodes and judge what they publish')
    parser.add_argument('--rate', type=float, default=1.0, metavar='R',
                        help='playing speed of --through-nodes (default %(default)s: real time)')
    parser.add_argument('--out', type=Path, metavar='DIR', help='plots, report.html and what the nodes published')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures for machines')
    parser.add_argument('--verbose', action='store_true', help='show every line of the nodes')


def run(args: argparse.Namespace) -> int:
    """0 when everything was judged; 1 when a node died on the way."""
    _check(args)
    if args.through_nodes:
        # Domain and profile must be set before anything of ROS is loaded.
        from hand_recon_ros.nodes.session import choose_private_domain
        choose_private_domain()
    groups = _groups(args)
    results = {}
    for group in groups:
        results[group.name] = _through_nodes(group, args) if args.through_nodes else _in_process(group, args)
    _print_side_by_side(results)
    if args.json:
        write_figures(args.json, _for_machines(results, groups, args))
    return 1 if any(result.live and result.live['restarts'] for result in results.values()) else 0


@dataclass(frozen=True)
class Job:
    """One recording to evaluate, here or in another process. source: its path, or where in a set it belongs.

    most: images wanted, None for all.
    """
    name: str
    source: object
    most: int | None
    settings: object


@dataclass(frozen=True)
class Group:
    """Recordings whose figures go into one table. settings: evaluation.runs.RunSettings."""
    name: str
    jobs: tuple[Job, ...]
    settings: object


@dataclass(frozen=True)
class Result:
    """One group's Evaluation, and what --through-nodes has to say about images and messages."""
    evaluation: object
    metrics: dict
    notes: list
    live: dict | None = None


def evaluated(job: Job):
    """One recording, Judged; runs in whatever process has room for it."""
    from hand_recon_ros.evaluation.runs import evaluate_frames, evaluate_pairs
    from hand_recon_ros.pipeline import StereoSettings
    recording = _recording(job)
    if isinstance(job.settings.pipeline, StereoSettings):
        from hand_recon_ros.bags.stereo_recording import StereoRecording
        stereo = StereoRecording.read(recording.path)
        return evaluate_pairs(job.name, stereo.rig, stereo.pairs(job.most), recording.truths, job.settings,
                              recording.mask)
    return evaluate_frames(job.name, recording.frames(most=job.most), recording.truths, job.settings, recording.mask)


def _recording(job: Job, workers: int = 1, progress: bool = False):
    from hand_recon_ros.bags.labelled_recording import LabelledRecording
    from hand_recon_ros.evaluation.sets import SetRecording, generate
    path = generate(job.source, workers, progress) if isinstance(job.source, SetRecording) else job.source
    return LabelledRecording.read(path, labelled=True, calibrated=True)


def _check(args: argparse.Namespace) -> None:
    if bool(args.bag) == bool(args.set_name):
        raise ValueError('give either recordings, or --set NAME')
    if args.frames is not None and args.frames < 1:
        raise ValueError(f'--frames: {args.frames}, expected at least 1')
    if args.workers < 1:
        raise ValueError(f'--workers: {args.workers}, expected at least 1')
    if args.noise_px < 0:
        raise ValueError(f'--noise-px: {args.noise_px}, expected at least 0')
    if not 0 < args.rate <= 100:
        raise ValueError(f'--rate: {args.rate}, expected above 0 and at most 100')
    if args.disparity and args.fusion != 'joint':
        raise ValueError(f'--disparity: with --fusion {args.fusion}, expected joint')
    if args.disparity and args.through_nodes and args.detector.startswith('truth'):
        raise ValueError(f'--disparity: with --detector {args.detector} --through-nodes, where no images are played')
    if args.disparity_budget_ms <= 0 or args.disparity_budget_ms > 1000:
        raise ValueError(f'--disparity-budget-ms: {args.disparity_budget_ms}, expected above 0 and at most 1000')
    if args.through_nodes and args.ray:
        raise ValueError('--ray: not with --through-nodes, whose nodes run on this machine')


def _groups(args: argparse.Namespace) -> list[Group]:
    """What to evaluate; ValueError before anything has run when part of it is not there or not usable."""
    from hand_recon_ros.evaluation.sets import ACCURACY_SETS, load_set
    if not args.set_name:
        settings = _settings(args, 'real')
        return [Group(_group_name(args.bag), tuple(_bag_jobs(args, settings)), settings)]
    groups = []
    for name in ACCURACY_SETS if args.set_name == ALL_SETS else [args.set_name]:
        chosen = load_set(name)
        settings = _settings(args, chosen.offsets)
        jobs = tuple(Job(f'{chosen.name}/{recording.index:02d}', recording, recording.frames, settings)
                     for recording in chosen.first(args.frames))
        groups.append(Group(chosen.name, jobs, settings))
    return groups


def _bag_jobs(args: argparse.Namespace, settings):
    from hand_recon_ros.bags.labelled_recording import LabelledRecording
    from hand_recon_ros.bags.stereo_recording import StereoRecording
    left = args.frames
    for path in args.bag:
        # Looked at here, so that the last of many bags is not refused after an hour.
        count = LabelledRecording.read(path, labelled=True, calibrated=True).image_count
        if args.fusion != 'mono':
            StereoRecording.read(path)
        if left is None or left > 0:
            yield Job(str(path), path.resolve(), left if left is None else min(left, count), settings)
        left = left if left is None else left - count


def _settings(args: argparse.Namespace, offsets: str):
    from hand_recon_ros.detection.offsets import load_offsets
    from hand_recon_ros.evaluation.runs import TRUE_DETECTORS, RunSettings
    from hand_recon_ros.pipeline import MonoSettings, StereoSettings
    known = args.detector not in TRUE_DETECTORS
    offsets = args.offsets or (offsets if known else 'none')
    load_offsets('mediapipe' if known else 'truth', offsets)
    common = {'model': args.model, 'offsets': offsets, 'estimator': args.estimator, 'weights_dir': args.weights_dir}
    if args.fusion == 'mono':
        pipeline = MonoSettings(tailor=args.tailor or 'gauss_newton', **common)
    else:
        pipeline = StereoSettings(fusion=args.fusion, tailor=args.tailor or 'none', disparity=args.disparity,
                                  disparity_budget_ms=args.disparity_budget_ms, **common)
    if pipeline.chosen_estimator in FROM_IMAGE and args.through_nodes and not known:
        raise ValueError(f'--estimator {pipeline.chosen_estimator}: with --detector {args.detector} --through-nodes, where no '
                         'images are played')
    return RunSettings(pipeline, args.detector, args.noise_px, args.seed)


def _group_name(paths: list[Path]) -> str:
    return paths[0].resolve().name if len(paths) == 1 else f'{len(paths)} recordings'


def _in_process(group: Group, args: argparse.Namespace) -> Result:
    from hand_recon_ros.evaluation.spreading import spread
    if not args.ray:
        _generate(group, args.workers)
    parts = list(tqdm(spread(evaluated, group.jobs, args.workers, args.ray), total=len(group.jobs), unit='recording',
                      desc=group.name, disable=not sys.stderr.isatty()))
    return _finished(group, parts, args)


def _through_nodes(group: Group, args: argparse.Namespace) -> Result:
    from hand_recon_ros.nodes.live_runs import LiveRuns
    _generate(group, args.workers)
    parts, live = [], {'images': 0, 'lost': {}, 'restarts': 0, 'rate': args.rate}
    with _folder(args, group) as folder, LiveRuns(group.settings, args.rate, _reporter(args.verbose)) as runs:
        for number, job in enumerate(tqdm(group.jobs, unit='recording', desc=f'{group.name} through the nodes',
                                          disable=not sys.stderr.isatty())):
            played = runs.evaluate(job.name, _recording(job), Path(folder) / 'recorded' / f'{number:02d}', job.most)
            parts.append(played.judged)
            live['images'] += played.replay.images
            live['restarts'] += played.replay.restarts
            for topic, count in played.replay.lost.items():
                live['lost'][topic] = live['lost'].get(topic, 0) + count
    return _finished(group, parts, args, live)


def _folder(args: argparse.Namespace, group: Group):
    """Where the nodes' topics go: kept with the report, or for as long as they are needed."""
    import contextlib
    import tempfile
    if args.out is None:
        return tempfile.TemporaryDirectory(prefix='hand_recon_')
    folder = _report_folder(args, group)
    folder.mkdir(parents=True, exist_ok=True)
    return contextlib.nullcontext(folder)


def _report_folder(args: argparse.Namespace, group: Group) -> Path:
    return args.out / group.name if args.set_name == ALL_SETS else args.out


def _generate(group: Group, workers: int) -> None:
    """All recordings of a set, frame by frame over the workers."""
    from hand_recon_ros.evaluation.sets import SetRecording, generate
    missing = [job.source for job in group.jobs
               if isinstance(job.source, SetRecording) and not job.source.path.exists()]
    for number, recording in enumerate(missing, 1):
        print(f'{group.name}: generating recording {number} of {len(missing)}', file=sys.stderr, flush=True)
        generate(recording, workers, progress=sys.stderr.isatty())


def _reporter(verbose: bool):
    def report(line: str) -> None:
        # Between two recordings nobody publishes, which is no news.
        if verbose or '[up]' in line or '[ERROR]' in line and not line.endswith('no publisher'):
            tqdm.write(line, file=sys.stderr)
    return report


def _finished(group: Group, parts: list, args: argparse.Namespace, live: dict | None = None) -> Result:
    """All recordings of a group put together, printed, and reported where --out asks for it."""
    from hand_recon_ros.evaluation.summary import Evaluation, table
    evaluation = Evaluation.merged([part.evaluation for part in parts], group.name)
    metrics, settings = evaluation.metrics(), group.settings
    how = 'through the nodes' if live else 'in one process'
    print(table(metrics, f'{group.name}: {settings.pipeline.method}, detector {settings.detector}, {how}; '
                         f'{evaluation.frames} frames, {evaluation.true_hands} hands, {len(group.jobs)} recordings'))
    refused = [text for part in parts for text in part.refused]
    notes = evaluation.notes() + ([f'{len(refused)} frames were refused and count as empty, first {refused[0]}']
                                  if refused else [])
    counts = sum((part.disparity_counts for part in parts), Counter())
    if counts:
        notes.append('disparity: ' + ', '.join(f'{count} hands {outcome}' for outcome, count in counts.most_common()))
    for note in notes:
        print(f'  note: {note}')
    if live:
        lost = sum(live['lost'].values())
        where = ', '.join(f'{count} before {topic}' for topic, count in live['lost'].items() if count)
        print(f'  {live["images"]} images played at {live["rate"]:g} x real time, '
              + (f'{lost} lost: {where} (counted as images in which nothing was found)' if lost else 'none lost')
              + (f'; {live["restarts"]} times a node died' if live['restarts'] else ''))
    if args.out:
        page = _report(group, parts, evaluation, args, live)
        print(f'  report: {page}')
    return Result(evaluation, metrics, notes, live)


def _report(group: Group, parts: list, evaluation, args: argparse.Namespace, live: dict | None) -> Path:
    from hand_recon_ros.evaluation.report import write_report
    from hand_recon_ros.hand_model.assets import load_hand_model
    from hand_recon_ros.evaluation.pictures import FoundHandsPainter
    pipeline, painter = group.settings.pipeline, FoundHandsPainter(load_hand_model(group.settings.pipeline.model))

    def picture(worst):
        recording = _recording(group.jobs[worst.recording_index])
        frame = next(recording.frames(only_ns=worst.stamp_ns))
        return painter.paint(frame, *parts[worst.recording_index].found[worst.stamp_ns])

    settings = {'recordings': ', '.join(job.name for job in group.jobs), 'estimator': pipeline.method,
                'detector': group.settings.detector, 'landmark offsets': pipeline.offsets, 'hand model': pipeline.model,
                'run': f'through the nodes at {args.rate:g} x real time' if live else 'in one process'}
    if live:
        settings['images lost'] = ', '.join(f'{count} before {topic}' for topic, count in live['lost'].items())
    return write_report(_report_folder(args, group), evaluation, settings, f'Evaluation: {group.name}', picture)


def _print_side_by_side(results: dict[str, Result]) -> None:
    if len(results) < 2:
        return
    from hand_recon_ros.evaluation.summary import value_text
    names = list(dict.fromkeys(name for result in results.values() for name in result.metrics))
    width = max(14, *(len(name) + 2 for name in results))
    print(f'{"":<30}' + ''.join(f'{name:>{width}}' for name in results))
    for name in names:
        cells = [result.metrics.get(name, '-') for result in results.values()]
        if any(isinstance(cell, dict) for cell in cells):
            for key in dict.fromkeys(key for cell in cells if isinstance(cell, dict) for key in cell):
                row = [f'{cell[key]:.1f}' if isinstance(cell, dict) else '-' for cell in cells]
                print(f'  {name + " " + key:<28}' + ''.join(f'{text:>{width}}' for text in row))
        else:
            print(f'  {name:<28}' + ''.join(f'{value_text(name, cell):>{width}}' for cell in cells))


def _for_machines(results: dict[str, Result], groups: list[Group], args: argparse.Namespace) -> dict:
    from hand_recon_ros.evaluation.summary import Evaluation
    method = groups[0].settings.pipeline.method
    common = {'estimator': method, 'detector': args.detector, 'fusion': args.fusion}
    each = {name: {'frames': result.evaluation.frames, **common, 'offsets': group.settings.pipeline.offsets,
                   'metrics': result.metrics, 'notes': result.notes,
                   **({'through_nodes': result.live} if result.live else {})}
            for group, (name, result) in zip(groups, results.items())}
    if len(each) == 1:
        return next(iter(each.values()))
    whole = Evaluation.merged([result.evaluation for result in results.values()])
    return {'frames': whole.frames, **common, 'metrics': whole.metrics(), 'sets': each}
