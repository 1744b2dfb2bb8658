"""Two cameras played from a recording at any rate, for measurements: a process of its own, told by its standard input.

python -m hand_recon_ros.nodes.pair_player RECORDING [--frames N]

Each line of the input, `RATE SECONDS`, is played at once, from where the last one ended, and answered by one line of
JSON: see PlayedPairs. The end of the input ends it.
"""
from __future__ import annotations

import argparse
import json
import struct
import sys
import time
from dataclasses import asdict, dataclass

import rclpy
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image

from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.images import rgb_to_image
from hand_recon_ros.nodes.process_group import follow_parent
from hand_recon_ros.nodes.rig_source import SIDES

READY = 'ready'
# Of a serialised message that begins with a header: the encapsulation's four bytes come first, then the stamp.
STAMP = struct.Struct('<iI')
STAMP_AT = 4
NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class PlayedPairs:
    """stamps_ns: of the pairs, the system's clock when both were about to go out. late_ms: behind its time, each."""
    stamps_ns: list[int]
    late_ms: list[float]


class PairPlayer:
    """Publishes SIDE/image_rect and SIDE/camera_info of both cameras, there and back again so that no hand ever jumps.

    frames: of the recording at most. ValueError when its pair is not rectified: then camera_info alone says no rig.
    Messages are serialised once, so that the player takes little of the machine that is measured.
    """

    def __init__(self, node: Node, path, frames: int | None = None):
        recording = StereoRecording.read(path)
        if not recording.rig.is_rectified:
            raise ValueError(f'{path}: not rectified, expected a rectified pair')
        pairs = [tuple(frame.image for frame in pair) for pair in recording.pairs(frames)]
        if not pairs:
            raise ValueError(f'{path}: no pair of images, expected at least one')
        rig = recording.rig
        # ROS's convention of a rectified pair: the right camera's P says the baseline.
        infos = [camera_to_msg(camera, 0, f'{side}_optical_frame', baseline_m)
                 for side, camera, baseline_m in zip(SIDES, (rig.left, rig.right), (0.0, -rig.T_right_left[0, 3]))]
        self._infos = [bytearray(serialize_message(info)) for info in infos]
        pairs += pairs[-2:0:-1]
        self._pairs = [[bytearray(serialize_message(rgb_to_image(image, 0, f'{side}_optical_frame')))
                        for side, image in zip(SIDES, pair)] for pair in pairs]
        self._out = [[node.create_publisher(kind, f'{side}/{name}', qos) for side in SIDES]
                     for kind, name, qos in ((CameraInfo, 'camera_info', 10),
                                             (Image, 'image_rect', qos_profile_sensor_data))]
        self._next = 0

    def play(self, rate_hz: float, seconds: float) -> PlayedPairs:
        """Pairs at a rate for a time, each with the time of its sending as stamp."""
        began_s, stamps_ns, late_ms = time.monotonic(), [], []
        for index in range(round(rate_hz * seconds)):
            due_s = began_s + index / rate_hz
            if (left_s := due_s - time.monotonic()) > 0:
                time.sleep(left_s)
            late_ms.append(max(1000 * (time.monotonic() - due_s), 0.0))
            stamps_ns.append(self._send())
        return PlayedPairs(stamps_ns, late_ms)

    def _send(self) -> int:
        stamp_ns = time.time_ns()
        stamp = divmod(stamp_ns, NS_PER_S)
        for messages, publishers in zip((self._infos, self._pairs[self._next]), self._out):
            for message, publisher in zip(messages, publishers):
                STAMP.pack_into(message, STAMP_AT, *stamp)
                publisher.publish(bytes(message))
        self._next = (self._next + 1) % len(self._pairs)
        return stamp_ns


def main() -> int:
    follow_parent()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('recording')
    parser.add_argument('--frames', type=int)
    args = parser.parse_args()
    rclpy.init()
    node = Node('pair_player', use_global_arguments=False)
    try:
        player = PairPlayer(node, args.recording, args.frames)
        print(READY, flush=True)
        for line in sys.stdin:
            print(json.dumps(asdict(player.play(*map(float, line.split())))), flush=True)
    except ValueError as error:
        print(error, flush=True)
        return 2
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
