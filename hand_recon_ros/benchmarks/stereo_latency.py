"""Both cameras' images published to mesh received, through the stereo nodes; beside it the pipeline in one process."""
from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

SET = 'stereo_desk'
WARM_UP_S = 4.0
# Frames for the reference, at most: enough for its percentiles.
REFERENCE_FRAMES, REFERENCE_WARM_UP = 150, 10
STEP_HZ = 2.5               # of the search for the highest rate
HIGHEST_HZ = 120.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the stereo half of `bench latency`."""
    stereo = parser.add_argument_group('two cameras')
    stereo.add_argument('--stereo', action='store_true', help='the stereo nodes, fed with two cameras')
    stereo.add_argument('--find-highest', action='store_true',
                        help=f'also search for the highest rate without a drop, in steps of {STEP_HZ:g} Hz')
    stereo.add_argument('--trial-seconds', type=float, default=15.0, metavar='S',
                        help='length of one try of that search (default %(default)s)')
    stereo.add_argument('--out', type=Path, metavar='FOLDER', help='draw latency over time and its histogram into it')


def run(args: argparse.Namespace) -> dict:
    """Rows: percentiles of latency against the in-process pipeline's, then topics and stages, processes, the highest
    rate. The player and the measuring subscriber run on the same cores and are listed with the nodes."""
    from hand_recon_ros.nodes.session import choose_private_domain
    from hand_recon_ros.nodes.stereo_trial import StereoTrials
    choose_private_domain()
    recording = args.recording or _recorded_set()
    tries = []
    with StereoTrials(recording, args.params_file, report=_report) as trials:
        _run(trials, args.rate, WARM_UP_S, 'warming up')
        load_before = os.getloadavg()[0]
        trial = _run(trials, args.rate, args.seconds, 'measuring')
        if not trial.latencies_ms():
            raise ValueError('hands/mesh: nothing was received')
        highest_hz = _highest(trials, args, tries) if args.find_highest else None
    reference = _in_process(recording, min(REFERENCE_FRAMES, len(trial.sent.stamps_ns)))
    rows = _latency_rows(trial, reference, highest_hz) + _stage_rows(trial) + _process_rows(trial)
    if args.out is not None:
        draw(trial, args.rate, args.out)
    return {'name': 'latency --stereo', 'rows': rows, 'seconds': args.seconds, 'rate_hz': args.rate,
            'recording': Path(recording).name, 'highest_hz': highest_hz, 'tries': tries, 'cores': os.cpu_count(),
            'load_before': load_before, 'reference': 'StereoPipeline in one process'}


def _recorded_set() -> Path:
    """First recording of the set, generated where it is not yet."""
    from hand_recon_ros.evaluation.sets import generate, load_set
    return generate(load_set(SET).recordings[0], progress=sys.stderr.isatty())


def _run(trials, rate_hz: float, seconds: float, what: str):
    with tqdm(total=round(seconds, 1), desc=f'{what} at {rate_hz:g} Hz', unit='s', disable=not sys.stderr.isatty(),
              bar_format='{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s') as bar:
        return trials.run(rate_hz, seconds, bar.update)


def _highest(trials, args, tries: list[dict]) -> float | None:
    """Highest multiple of STEP_HZ without a drop, by bisection; None when none is. tries: gets a row for each try."""
    low, high = 0, round(HIGHEST_HZ / STEP_HZ) + 1
    count = max(round(args.rate / STEP_HZ), 1)
    while high - low > 1:
        trial = _run(trials, count * STEP_HZ, args.trial_seconds, 'trying')
        latencies = trial.latencies_ms()
        tries.append({'rate_hz': count * STEP_HZ, 'sent': len(trial.sent.stamps_ns), 'dropped': trial.dropped,
                      'p95_ms': float(np.percentile(latencies, 95)) if latencies else None})
        if trial.dropped:
            high = count
        else:
            low = count
        count = min(2 * low, (low + high) // 2) if low else (low + high) // 2
        count = max(count, low + 1)
    return low * STEP_HZ if low else None


def _latency_rows(trial, reference, highest_hz) -> list[dict]:
    rows = []
    latencies = trial.latencies_ms()
    for percentile in (50, 95, 99):
        ours, theirs = np.percentile(latencies, percentile), np.percentile(reference, percentile)
        rows.append({'case': f'mesh p{percentile}', 'ours_ms': float(ours), 'reference_ms': float(theirs),
                     'ratio': float(theirs / ours)})
    sent = len(trial.sent.stamps_ns)
    rows[0] |= {'sent': sent, 'received': len(latencies), 'dropped': trial.dropped, 'rate_hz': sent / trial.took_s,
                'hands_per_mesh': float(np.mean(list(trial.hands.values())))}
    if highest_hz is not None:
        rows[0] |= {'highest_hz': highest_hz}
    return rows


def _stage_rows(trial) -> list[dict]:
    """Of every topic: messages, how long after the images it came, and what its node worked on it."""
    rows = []
    for topic, working in trial.working_ms.items():
        latencies = trial.latencies_ms(topic)
        row = {'case': topic, 'received': len(latencies), 'dropped': len(trial.sent.stamps_ns) - len(latencies)}
        if latencies:
            row |= {f'after_p{percentile}_ms': float(np.percentile(latencies, percentile)) for percentile in (50, 95)}
            row |= {f'work_p{p}_ms': float(np.percentile(list(working.values()), p)) for p in (50, 95)}
        rows.append(row)
    return rows


def _process_rows(trial) -> list[dict]:
    """Of every process, the player and this one included: CPU over all, per pair, memory."""
    pairs = len(trial.sent.stamps_ns)
    rows = [{'case': name, 'cpu_percent': load.cpu_percent, 'memory_mb': load.memory_mb, 'restarts': load.restarts,
             'cpu_ms_per_pair': 10 * load.cpu_percent * trial.took_s / pairs} for name, load in trial.loads.items()]
    return rows + [{'case': 'all', **{key: sum(row[key] for row in rows) for key in list(rows[0])[1:]}}]


def _in_process(recording, frames: int) -> list[float]:
    """Milliseconds per pair of the same stages without ROS, after the first frames."""
    from hand_recon_ros.bags.stereo_recording import StereoRecording
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    from hand_recon_ros.pipeline import StereoPipeline
    prepare_jax()
    read = StereoRecording.read(recording)
    pairs = list(read.pairs())
    pairs += pairs[-2:0:-1]
    pipeline = StereoPipeline(read.rig)
    milliseconds = []
    try:
        for index in range(frames + REFERENCE_WARM_UP):
            pair = [replace(frame, stamp_ns=index * 33_333_333) for frame in pairs[index % len(pairs)]]
            began_s = time.perf_counter()
            pipeline.process(*pair)
            milliseconds.append(1000 * (time.perf_counter() - began_s))
    finally:
        pipeline.close()
    return milliseconds[REFERENCE_WARM_UP:]


def draw(trial, rate_hz: float, folder: Path) -> Path:
    """Writes latency_stereo.png: latency over the trial, drops marked, and its histogram."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(11, 4.2), dpi=110, layout='constrained')
    over_time, histogram = figure.subplots(1, 2, width_ratios=(2, 1))
    began_ns = trial.sent.stamps_ns[0]
    for topic, colour in (('left/hands/keypoints', '#0072B2'), ('hands/fused', '#E69F00'), ('hands/mesh', '#26323d')):
        arrived = trial.arrived_ns[topic]
        kept = [stamp for stamp in trial.sent.stamps_ns if stamp in arrived]
        over_time.plot([(stamp - began_ns) / 1e9 for stamp in kept], [(arrived[stamp] - stamp) / 1e6 for stamp in kept],
                       '.', markersize=2.5, color=colour, label=topic)
    lost = [(stamp - began_ns) / 1e9 for stamp in trial.sent.stamps_ns if stamp not in trial.arrived_ns['hands/mesh']]
    over_time.plot(lost, [0] * len(lost), 'x', color='#D55E00', label=f'dropped: {len(lost)}')
    latencies = trial.latencies_ms()
    p50, p95 = np.percentile(latencies, (50, 95))
    over_time.set(xlabel='time (s)', ylabel='after the images were sent (ms)', ylim=(0, None),
                  title=f'{len(latencies)} of {len(trial.sent.stamps_ns)} pairs at {rate_hz:g} Hz')
    over_time.legend(loc='upper right', markerscale=3, fontsize=8)
    histogram.hist(latencies, bins=60, color='#5b8e7d')
    for value, name in ((p50, 'p50'), (p95, 'p95')):
        histogram.axvline(value, color='#26323d', linewidth=1)
        histogram.annotate(f'{name} {value:.1f} ms', (value, 1), xycoords=('data', 'axes fraction'), rotation=90,
                           ha='right', va='top', fontsize=8)
    histogram.set(xlabel='images to hands/mesh (ms)', ylabel='pairs', title='latency')
    path = folder / 'latency_stereo.png'
    FigureCanvasAgg(figure).print_png(str(path))
    return path


def _report(line: str) -> None:
    if '[ERROR]' in line or '[up]' in line:
        tqdm.write(line)
