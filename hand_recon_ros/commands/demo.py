"""`hand-recon demo`: the bundled recording through the real nodes, judged against its ground truth, and drawn."""
from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

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
    from hand_recon_ros.nodes.replay import MESH, replay_mono
    began_s = time.monotonic()
    args.out.mkdir(parents=True, exist_ok=True)
    recorded = args.out / 'recorded'
    offsets = {'offsets': args.offsets}
    print(f'nodes: starting keypoint_node, mesh_node, tailor_node (domain of their own) for {args.recording}',
          flush=True)
    with tqdm(unit='image', disable=not sys.stderr.isatty(), desc='playing') as bar:
        def progress(image: int, count: int) -> None:
            bar.total = count
            bar.update(image - bar.n)
        replay = replay_mono(args.recording, recorded, args.rate, progress=progress, report=_reporter(args.verbose),
                             parameters={'mesh_node': offsets, 'tailor_node': offsets})
    print(f'nodes: active after {replay.start_s:.1f} s; {replay.images} images played in {replay.play_s:.1f} s')
    for topic, count in replay.counts.items():
        print(f'  {topic:<22}{count:>5} messages, {replay.images - count} images skipped')
    frames = _Frames(args.recording, recorded)
    metrics, method = _evaluate(frames)
    _draw(frames, args.out)
    result = {'frames': replay.images, 'estimator': method, 'metrics': metrics, 'messages': replay.counts,
              'restarts': replay.restarts, 'wall_s': round(time.monotonic() - began_s, 1)}
    json_file = args.json or args.out / 'demo.json'
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(result, indent=1) + '\n')
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


class _Frames:
    """The recording's images beside what the nodes made of them, by stamp."""

    def __init__(self, recording: Path, recorded: Path):
        from hand_recon_ros.bags.camera_topics import camera_topics
        from hand_recon_ros.bags.reader import BagReader
        from hand_recon_ros.messages.hands import msg_to_estimates, msg_to_keypoints
        from hand_recon_ros.messages.stamps import to_ns
        from hand_recon_ros.nodes.replay import KEYPOINTS, MESH
        self.recording = recording
        self.meshes, self.keypoints, self.truths = {}, {}, {}
        with BagReader(recorded) as bag:
            known = [topic for topic in (MESH, KEYPOINTS) if topic in bag.topics]
            for topic, _, message in bag.messages(known):
                stamp_ns = to_ns(message.header.stamp)
                if topic == MESH:
                    self.meshes[stamp_ns] = (msg_to_estimates(message), message.total_latency_s, message.method)
                else:
                    self.keypoints[stamp_ns] = msg_to_keypoints(message)
        with BagReader(recording) as bag:
            self.camera = camera_topics(bag)[0]
            truth = [name for name, topic in bag.topics.items()
                     if topic.type_name == 'hand_recon_ros/msg/HandMeshArray' and 'ground_truth' in name]
            for _, _, message in bag.messages(truth[:1]) if truth else ():
                self.truths[to_ns(message.header.stamp)] = msg_to_estimates(message)

    def images(self):
        """Yield Frame after Frame with image and camera."""
        from hand_recon_ros.bags.reader import BagReader
        from hand_recon_ros.messages.cameras import camera_from_msg
        from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
        from hand_recon_ros.messages.stamps import to_ns
        from hand_recon_ros.types import Frame
        to_rgb = compressed_to_rgb if self.camera.transport == 'compressed' else image_to_rgb
        with BagReader(self.recording) as bag:
            camera = None
            if self.camera.info:
                info = next(message for _, _, message in bag.messages(self.camera.info))
                camera = camera_from_msg(info, self.camera.rectified)
            for index, (_, _, message) in enumerate(bag.messages(self.camera.image)):
                yield Frame.from_image(to_rgb(message), camera, to_ns(message.header.stamp),
                                       message.header.frame_id, index)


def _evaluate(frames: _Frames) -> tuple[dict, str]:
    from hand_recon_ros.evaluation.ground_truth import MeshCompletion
    from hand_recon_ros.evaluation.summary import Evaluation, table
    from hand_recon_ros.hand_model.assets import load_hand_model
    method = next((method for _, _, method in frames.meshes.values()), 'none')
    if not frames.truths:
        print('no ground truth in the recording: nothing to compare with')
        return {}, method
    evaluation, complete = Evaluation(), MeshCompletion(load_hand_model('open_hand'))
    for stamp_ns, truths in frames.truths.items():
        estimates, latency_s, _ = frames.meshes.get(stamp_ns, ([], None, ''))
        evaluation.add(stamp_ns, estimates, complete(truths), latency_s)
    metrics = evaluation.metrics()
    print(table(metrics, f'{method} on {evaluation.frames} frames with ground truth, {evaluation.true_hands} hands'))
    return metrics, method


def _draw(frames: _Frames, out: Path) -> None:
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
    stamps = sorted({*frames.truths, *frames.meshes})
    gap_s = float(np.median(np.diff(stamps))) / 1e9 if len(stamps) > 1 else 1 / 30
    with VideoWriter(out / 'overlay.mp4', 1 / gap_s) as video:
        for frame in tqdm(frames.images(), total=len(stamps), unit='image', desc='drawing',
                          disable=not sys.stderr.isatty()):
            hands = frames.meshes.get(frame.stamp_ns, ([], 0.0, ''))[0]
            video.write(renderer.draw(frame, hands, frames.keypoints.get(frame.stamp_ns, [])))
            if frame.index % MESH_EVERY == 0:
                for hand in hands:
                    write_ply(folder / f'{frame.index:06d}_{hand.hand_id}.ply', hand.vertices_m,
                              handed_faces(model.faces, hand.handedness))
