"""`hand-recon demo`: the bundled recording through the real nodes, judged against its ground truth, and drawn."""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.commands.figures_file import write_figures

HELP = 'the whole system on the bundled recording: nodes, recording, error table, overlay video, meshes'
RECORDING = Path(__file__).resolve().parents[1] / 'bags' / 'recordings' / 'demo'
# A mesh file for every so many images.
MESH_EVERY = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--out', type=Path, default=Path('out/demo'), metavar='DIR',
                        help='results (default %(default)s)')
    parser.add_argument('--recording', type=Path, default=RECORDING, metavar='BAG',
                        help='another recording (default: the bundled one)')
    parser.add_argument('--rate', type=float, default=1.0, help='playing speed (default %(default)s: real time)')
    parser.add_argument('--offsets', default='synthetic',
                        help="detector's landmark table: synthetic, real or a file (default %(default)s)")
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the figures for machines')
    parser.add_argument('--verbose', action='store_true', help='show every line of the nodes')


def run(args: argparse.Namespace) -> int:
    """0 when meshes came, no node died, and everything was written."""
    # Domain and profile must be set before anything of ROS is loaded.
    from hand_recon_ros.nodes.session import choose_private_domain
    choose_private_domain()
    from hand_recon_ros.bags.labelled_recording import LabelledRecording
    from hand_recon_ros.bags.recorded_hands import RecordedHands
    from hand_recon_ros.nodes.replay import KEYPOINTS, MESH, MonoReplay
    began_s = time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    recorded = args.out / 'recorded'
    offsets = {'offsets': args.offsets}
    recording = LabelledRecording.read(args.recording)
    print(f'nodes: starting keypoint_node, mesh_node, tailor_node (domain of their own) for {args.recording}',
          flush=True)
    with tqdm(total=recording.image_count, unit='image', disable=not sys.stderr.isatty(), desc='playing') as bar, \
            MonoReplay(args.rate, parameters={'mesh_node': offsets, 'tailor_node': offsets},
                       report=_reporter(args.verbose)) as nodes:
        replay = nodes.play(args.recording, recorded, progress=lambda image, _: bar.update(image - bar.n))
    print(f'nodes: active after {replay.start_s:.1f} s; {replay.images} images played in {replay.play_s:.1f} s')
    for topic, count in replay.counts.items():
        print(f'  {topic:<22}{count:>5} messages, {replay.images - count} images skipped')
    hands = RecordedHands.read(recorded, MESH, KEYPOINTS)
    metrics = _evaluate(recording, hands)
    _draw(recording, hands, args.out)
    result = {'frames': replay.images, 'estimator': hands.method, 'metrics': metrics, 'messages': replay.counts,
              'restarts': replay.restarts, 'wall_s': round(time.monotonic() - began_s, 1)}
    json_file = args.json or args.out / 'demo.json'
    write_figures(json_file, result)
    print(f'recording: {recorded}\nvideo:     {args.out / "overlay.mp4"}\nmeshes:    {args.out / "meshes"}\n'
          f'figures:   {json_file}\ndone in {result["wall_s"]:.0f} s')
    return _verdict(replay, metrics, MESH)


def _verdict(replay, metrics: dict, mesh_topic: str) -> int:
    faults = []
    if not replay.counts[mesh_topic]:
        faults.append(f'no message came on {mesh_topic}')
    elif metrics and not metrics.get('recall'):
        faults.append('no true hand was found in any image')
    if replay.restarts:
        faults.append(f'{replay.restarts} times a node died and was started again')
    for fault in faults:
        print(f'hand-recon demo: {fault}', file=sys.stderr)
    return 1 if faults else 0


def _reporter(verbose: bool):
    def report(line: str) -> None:
        # What the nodes say about their inputs before the first image is no news here.
        if verbose or '[ERROR]' in line or '[up]' in line:
            tqdm.write(line)
    return report


def _evaluate(recording, hands) -> dict:
    from hand_recon_ros.evaluation.runs import FrameJudging
    from hand_recon_ros.evaluation.summary import table
    if not recording.truths:
        print('no ground truth in the recording: nothing to compare with')
        return {}
    judging = FrameJudging(recording.path.name, 'open_hand', recording.truths, recording.mask)
    for frame in recording.frames():
        stamp_ns = frame.stamp_ns
        keypoints = hands.keypoints.get(stamp_ns) if frame.camera else None
        judging.add(frame, hands.meshes.get(stamp_ns, []), keypoints, hands.latencies_s.get(stamp_ns))
    evaluation = judging.judged.evaluation
    print(table(evaluation.metrics(), f'{hands.method} on {evaluation.frames} frames with ground truth, '
                                      f'{evaluation.true_hands} hands'))
    return evaluation.metrics()


def _draw(recording, found, out: Path) -> None:
    from hand_recon_ros.hand_model.assets import load_hand_model
    from hand_recon_ros.hand_model.mirroring import handed_faces
    from hand_recon_ros.media.videos import VideoWriter
    from hand_recon_ros.rendering.overlay import OverlayRenderer
    from hand_recon_ros.rendering.ply import write_ply
    model = load_hand_model('open_hand')
    renderer = OverlayRenderer(model)
    folder = out / 'meshes'
    folder.mkdir(exist_ok=True)
    for old in folder.glob('*.ply'):
        old.unlink()
    stamps = sorted({*recording.truths, *found.meshes})
    gap_s = float(np.median(np.diff(stamps))) / 1e9 if len(stamps) > 1 else 1 / 30
    with VideoWriter(out / 'overlay.mp4', 1 / gap_s) as video:
        for frame in tqdm(recording.frames(), total=recording.image_count, unit='image', desc='drawing',
                          disable=not sys.stderr.isatty()):
            hands = found.meshes.get(frame.stamp_ns, [])
            video.write(renderer.draw(frame, hands, found.keypoints.get(frame.stamp_ns, [])))
            if frame.index % MESH_EVERY == 0:
                for hand in hands:
                    write_ply(folder / f'{frame.index:06d}_{hand.hand_id}.ply', hand.vertices_m,
                              handed_faces(model.faces, hand.handedness))
