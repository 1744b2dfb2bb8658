"""Image published to mesh received, through the real nodes; beside it the same stages in one process without ROS."""
from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from tqdm import tqdm

from hand_recon_ros.benchmarks import stereo_latency
from hand_recon_ros.commands.demo import RECORDING

HELP = 'image published to mesh received through the nodes, with drops, CPU and memory per node'
WARM_UP_S = 3.0
# A mesh that has not come this long after the last image was sent does not come any more.
PATIENCE_S = 2.0
# Frames for the reference: enough for its percentiles.
REFERENCE_FRAMES = 150


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--seconds', type=float, default=60.0, help='measured time (default %(default)s)')
    parser.add_argument('--rate', type=float, default=30.0, help='images a second (default %(default)s)')
    parser.add_argument('--recording', type=Path, metavar='BAG', help='where the images come from (default: the '
                        f'bundled recording; of two cameras the first of {stereo_latency.SET}, generated once)')
    parser.add_argument('--params-file', type=Path, metavar='FILE',
                        help='parameters (default: config/mono.yaml or config/stereo.yaml)')
    stereo_latency.add_arguments(parser)


def run(args: argparse.Namespace) -> dict:
    """Rows: percentiles of latency against the in-process pipeline's, then one row per node."""
    if not 1 <= args.seconds <= 3600 or not 1 <= args.rate <= 240:
        raise ValueError(f'--seconds {args.seconds}, --rate {args.rate}: expected 1 to 3600 s and 1 to 240 Hz')
    if args.stereo:
        return stereo_latency.run(args)
    from hand_recon_ros.nodes.session import choose_private_domain
    choose_private_domain()
    images, camera, rectified = _load(args.recording or RECORDING)
    measured = _through_nodes(args, images, camera, rectified)
    reference = _in_process(images, camera)
    rows = []
    for percentile in (50, 95, 99):
        ours, theirs = np.percentile(measured['latencies_ms'], percentile), np.percentile(reference, percentile)
        rows.append({'case': f'mesh p{percentile}', 'ours_ms': float(ours), 'reference_ms': float(theirs),
                     'ratio': float(theirs / ours)})
    rows[0] |= {'sent': measured['sent'], 'received': len(measured['latencies_ms']), 'dropped': measured['dropped'],
                'hands_per_mesh': measured['hands'], 'rate_hz': measured['rate_hz']}
    return {'name': 'latency', 'rows': rows + measured['nodes'], 'seconds': args.seconds,
            'image': f'{camera.width}x{camera.height} rgb8 at {args.rate:g} Hz',
            'reference': 'MonoPipeline in one process'}


def _load(recording: Path):
    from hand_recon_ros.bags.camera_topics import camera_topics
    from hand_recon_ros.bags.reader import BagReader
    from hand_recon_ros.messages.cameras import camera_from_msg
    from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
    with BagReader(recording) as bag:
        topics = camera_topics(bag)[0]
        if topics.info is None:
            raise ValueError(f'{recording}: no camera_info beside {topics.image}')
        camera = camera_from_msg(next(message for _, _, message in bag.messages(topics.info)), topics.rectified)
        to_rgb = compressed_to_rgb if topics.transport == 'compressed' else image_to_rgb
        images = [to_rgb(message) for _, _, message in bag.messages(topics.image)]
    # There and back again, so that the hands never jump.
    return images + images[-2:0:-1], camera, topics.rectified


def _through_nodes(args, images, camera, rectified) -> dict:
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, Image

    from hand_recon_ros.messages.cameras import camera_to_msg
    from hand_recon_ros.messages.images import rgb_to_image
    from hand_recon_ros.messages.stamps import to_ns
    from hand_recon_ros.msg import HandMeshArray
    from hand_recon_ros.nodes.session import Session
    from hand_recon_ros.nodes.supervisor import mono_nodes
    own = {'rectified': str(rectified).lower()}
    nodes = mono_nodes(parameters={'mesh_node': own, 'tailor_node': own})
    sent: dict[int, float] = {}
    arrived: dict[int, tuple[float, int]] = {}
    messages = [rgb_to_image(image, 0, 'camera_optical_frame') for image in images]
    info = camera_to_msg(camera, 0, 'camera_optical_frame')
    with Session(nodes, args.params_file, report=_report, name='latency') as session:
        session.wait_until_active()
        image_out = session.node.create_publisher(Image, 'image', qos_profile_sensor_data)
        info_out = session.node.create_publisher(CameraInfo, 'camera_info', 10)
        session.node.create_subscription(
            HandMeshArray, 'hands/mesh',
            lambda message: arrived.setdefault(to_ns(message.header.stamp), (time.monotonic(), len(message.hands))), 10)
        session.wait_until(lambda: image_out.get_subscription_count() and info_out.get_subscription_count() >= 2, 20.0,
                           'the nodes to subscribe')

        def send(index: int) -> int:
            message = messages[index % len(messages)]
            stamp = session.node.get_clock().now().to_msg()
            message.header.stamp = info.header.stamp = stamp
            info_out.publish(info)
            sent[to_ns(stamp)] = time.monotonic()
            image_out.publish(message)
            return to_ns(stamp)
        _paced(session, send, WARM_UP_S, args.rate, 'warming up')
        sent.clear()
        processes = {node.spec.name: psutil.Process(node.process.pid) for node in session.supervisor.nodes}
        before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
        began_s = time.monotonic()
        last = _paced(session, send, args.seconds, args.rate, 'measuring')
        took_s = time.monotonic() - began_s
        used = {name: sum(process.cpu_times()[:2]) - before[name] for name, process in processes.items()}
        memory = {name: process.memory_info().rss for name, process in processes.items()}
        deadline = time.monotonic() + PATIENCE_S
        while last not in arrived and time.monotonic() < deadline:
            time.sleep(0.01)
        restarts = {node.spec.name: node.restarts for node in session.supervisor.nodes}
    both = [stamp for stamp in sent if stamp in arrived]
    if not both:
        raise ValueError('hands/mesh: nothing was received')
    return {'latencies_ms': [1000 * (arrived[stamp][0] - sent[stamp]) for stamp in both], 'sent': len(sent),
            'dropped': len(sent) - len(both), 'hands': float(np.mean([arrived[stamp][1] for stamp in both])),
            'rate_hz': len(both) / took_s,
            'nodes': [{'case': name, 'cpu_percent': 100 * used[name] / took_s, 'memory_mb': memory[name] / 1e6,
                       'restarts': restarts[name]} for name in processes]}


def _paced(session, send, seconds: float, rate: float, what: str) -> int:
    """Call send(index) at `rate` for `seconds`; returns what the last call returned."""
    began_s, last = time.monotonic(), 0
    for index in tqdm(range(round(seconds * rate)), desc=what, unit='image', disable=not sys.stderr.isatty()):
        if (left_s := began_s + index / rate - time.monotonic()) > 0:
            time.sleep(left_s)
        last = send(index)
        if index % 30 == 0:
            session.supervisor.poll()
    return last


def _in_process(images, camera) -> list[float]:
    """Milliseconds per frame of the same stages without ROS, after the first frames."""
    from hand_recon_ros.hand_model.jax_runtime import prepare_jax
    from hand_recon_ros.pipeline import MonoPipeline
    from hand_recon_ros.types import Frame
    prepare_jax()
    pipeline = MonoPipeline()
    milliseconds = []
    try:
        for index in range(REFERENCE_FRAMES + 10):
            frame = Frame.from_image(images[index % len(images)], camera, index * 33_333_333)
            began_s = time.perf_counter()
            pipeline.process(frame)
            milliseconds.append(1000 * (time.perf_counter() - began_s))
    finally:
        pipeline.close()
    return milliseconds[10:]


def _report(line: str) -> None:
    if '[ERROR]' in line or '[up]' in line:
        tqdm.write(line)
