"""The nodes of one camera under load: images from this process, and which of them came back as a mesh how soon."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.images import rgb_to_image
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandMeshArray
from hand_recon_ros.nodes.session import Session
from hand_recon_ros.nodes.stereo_trial import PATIENCE_S, Load
from hand_recon_ros.nodes.supervisor import mono_nodes

FRAME_ID = 'camera_optical_frame'
WARM_UP_S = 3.0


@dataclass(frozen=True)
class MonoTrial:
    """latencies_ms: from an image's publishing to its mesh, of all that came. sent: images. hands: in a mesh, on average.
    loads: by node. took_s: the time over which they hold."""
    latencies_ms: list[float]
    sent: int
    hands: float
    loads: dict[str, Load]
    took_s: float

    @property
    def dropped(self) -> int:
        """Images sent of which no mesh came."""
        return self.sent - len(self.latencies_ms)


def run_mono_trial(images: list[np.ndarray], camera: Camera, rectified: bool, rate_hz: float, seconds: float,
                   params_file: Path | None, report: Callable[[str], None],
                   progress: Callable[[range, str], object]) -> MonoTrial:
    """Send images, over and over, at a rate for a time, after WARM_UP_S of the same.

    images: (H, W, 3) uint8 RGB. report: called with every line of the nodes. progress: wraps a range, told what for.
    ValueError when no mesh comes.
    """
    own = {'rectified': str(rectified).lower()}
    nodes = mono_nodes(parameters={'mesh_node': own, 'tailor_node': own})
    sent: dict[int, float] = {}
    arrived: dict[int, tuple[float, int]] = {}
    messages = [rgb_to_image(image, 0, FRAME_ID) for image in images]
    info = camera_to_msg(camera, 0, FRAME_ID)
    with Session(nodes, params_file, report=report, name='latency') as session:
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
        _paced(session, send, progress(range(round(WARM_UP_S * rate_hz)), 'warming up'), rate_hz)
        sent.clear()
        processes = {node.spec.name: psutil.Process(node.process.pid) for node in session.supervisor.nodes}
        before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
        began_s = time.monotonic()
        last = _paced(session, send, progress(range(round(seconds * rate_hz)), 'measuring'), rate_hz)
        took_s = time.monotonic() - began_s
        used = {name: sum(process.cpu_times()[:2]) - before[name] for name, process in processes.items()}
        memory = {name: process.memory_info().rss for name, process in processes.items()}
        deadline = time.monotonic() + PATIENCE_S
        while last not in arrived and time.monotonic() < deadline:
            time.sleep(0.01)
        loads = {node.spec.name: Load(100 * used[node.spec.name] / took_s, memory[node.spec.name] / 1e6, node.restarts)
                 for node in session.supervisor.nodes}
    both = [stamp for stamp in sent if stamp in arrived]
    if not both:
        raise ValueError('hands/mesh: nothing was received')
    return MonoTrial([1000 * (arrived[stamp][0] - sent[stamp]) for stamp in both], len(sent),
                     float(np.mean([arrived[stamp][1] for stamp in both])), loads, took_s)


def _paced(session: Session, send: Callable[[int], int], indices, rate_hz: float) -> int:
    """Call send(index) at a rate; returns what the last call returned."""
    began_s, last = time.monotonic(), 0
    for index in indices:
        if (left_s := began_s + index / rate_hz - time.monotonic()) > 0:
            time.sleep(left_s)
        last = send(index)
        if index % 30 == 0:
            session.supervisor.poll()
    return last
