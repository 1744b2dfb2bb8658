"""A recorded stereo pair as a live source whose faults can be switched on and off while it plays."""
from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.bags.camera_topics import CameraTopics, camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.messages.stamps import NS_PER_S, to_ns, to_time

STATIC_TF = '/tf_static'


@dataclass(frozen=True, eq=False)
class Footage:
    """The images of a recording's first two cameras. jpegs: (left, right) of every instant. infos: their
    CameraInfo messages. tf: TFMessage, None for a rectified pair. frame_ids: of the images. period_s: between them.
    """
    path: Path
    cameras: tuple[CameraTopics, CameraTopics]
    jpegs: tuple[tuple[bytes, bytes], ...]
    infos: tuple
    tf: object
    frame_ids: tuple[str, str]
    period_s: float

    @classmethod
    def read(cls, path: Path) -> Footage:
        """ValueError when the recording has no two cameras of compressed images with camera_info, of equal stamps."""
        with BagReader(path) as bag:
            cameras = tuple(camera_topics(bag)[:2])
            if len(cameras) < 2 or any(camera.transport != 'compressed' or camera.info is None for camera in cameras):
                raise ValueError(f'{path}: {[camera.image for camera in cameras]}, expected two cameras of compressed '
                                 'images with camera_info')
            images = [[message for _, _, message in bag.messages(camera.image)] for camera in cameras]
            infos = tuple(next(message for _, _, message in bag.messages(camera.info)) for camera in cameras)
            tf = next((message for _, _, message in bag.messages(STATIC_TF)), None) if STATIC_TF in bag.topics else None
        stamps = [to_ns(message.header.stamp) for message in images[0]]
        if len(stamps) < 10 or stamps != [to_ns(message.header.stamp) for message in images[1]]:
            raise ValueError(f'{path}: {len(stamps)} images, expected at least 10 pairs of equal stamps')
        jpegs = tuple((bytes(left.data), bytes(right.data)) for left, right in zip(*images))
        return cls(Path(path), cameras, jpegs, infos, tf, tuple(of[0].header.frame_id for of in images),
                   float(np.median(np.diff(stamps))) / NS_PER_S)

    def index(self, number: int) -> int:
        """Which pair is played as the number-th: there and back again, so that the hands never jump."""
        number %= 2 * (len(self.jpegs) - 1)
        return number if number < len(self.jpegs) else 2 * (len(self.jpegs) - 1) - number

    @functools.lru_cache(maxsize=512)
    def turned_right(self, index: int, degrees: tuple[float, float, float]) -> bytes:
        """The right image as its camera sees it once it is turned by `degrees` about its x, y and z axes."""
        info = self.infos[1]
        K = np.asarray(info.p if self.cameras[1].rectified else info.k, np.float64).reshape(3, -1)[:, :3]
        homography = K @ axis_angle_to_matrix(np.radians(degrees)) @ np.linalg.inv(K)
        image = cv2.imdecode(np.frombuffer(self.jpegs[index][1], np.uint8), cv2.IMREAD_COLOR)
        turned = cv2.warpPerspective(image, homography, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        return cv2.imencode('.jpg', turned, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes()


@dataclass(frozen=True)
class Instant:
    """What both cameras send at once: stamps, JPEGs and CameraInfo messages of left and right, None for nothing."""
    stamps_ns: tuple[int, int]
    jpegs: tuple[bytes | None, bytes | None]
    infos: tuple

    def with_right(self, **parts) -> Instant:
        """The same but for the right camera's stamp_ns, jpeg or info."""
        names = {'stamp_ns': 'stamps_ns', 'jpeg': 'jpegs', 'info': 'infos'}
        return replace(self, **{names[part]: (getattr(self, names[part])[0], value) for part, value in parts.items()})


class FaultFeed:
    """Plays footage to topics at `rate` instants a second, through `change`, which makes of an instant's number the
    instants that are sent. Stamps are the wall clock's, and go with the recording's own time.
    """

    def __init__(self, node, footage: Footage, rate: float):
        from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import CameraInfo, CompressedImage
        from tf2_msgs.msg import TFMessage
        self.node, self.footage = node, footage
        self.step = max(1, round(1 / (footage.period_s * rate)))
        self.period_ns = round(self.step * footage.period_s * NS_PER_S)
        self._number, self._began_ns, self._due_s = 0, time.time_ns(), 0.0
        reliable = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self.best_effort = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        latched = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                             durability=DurabilityPolicy.TRANSIENT_LOCAL)
        left, right = footage.cameras
        self._offers = {'left image': (CompressedImage, left.image, reliable),
                        'right image': (CompressedImage, right.image, reliable),
                        'left info': (CameraInfo, left.info, reliable),
                        'right info': (CameraInfo, right.info, reliable), 'tf': (TFMessage, STATIC_TF, latched)}
        self._publishers: dict[str, object] = {}

    def offer(self, *names: str, qos=None) -> None:
        """Have publishers of these streams ('left image', 'right info', 'tf' ...), anew where there are some."""
        for name in names:
            self.withdraw(name)
            kind, topic, own = self._offers[name]
            self._publishers[name] = self.node.create_publisher(kind, topic, qos or own)

    def offer_all(self, but: tuple[str, ...] = ()) -> None:
        """Have publishers of all streams, but for some; how the cameras stand is told at once."""
        streams = [name for name in self._offers if name not in but and (name != 'tf' or self.footage.tf is not None)]
        self.offer(*streams)
        if 'tf' in streams:
            self.tell_frames(self.footage.tf)

    def withdraw(self, *names: str) -> None:
        """Take publishers away, as when a driver ends."""
        for name in names:
            if name in self._publishers:
                self.node.destroy_publisher(self._publishers.pop(name))

    @property
    def offered(self) -> bool:
        """Whether there are publishers."""
        return bool(self._publishers)

    def tell_frames(self, message) -> None:
        """A TFMessage on /tf_static."""
        self._publishers['tf'].publish(message)

    def instant(self, number: int) -> Instant:
        """The number-th instant as it should be."""
        stamp_ns = self._began_ns + number * self.period_ns
        return Instant((stamp_ns, stamp_ns), self.footage.jpegs[self.index(number)], self.footage.infos)

    def index(self, number: int) -> int:
        """Which of the footage's pairs the number-th instant shows."""
        return self.footage.index(number * self.step)

    @property
    def stamp_ns(self) -> int:
        """Of the next instant."""
        return self._began_ns + self._number * self.period_ns

    def play(self, seconds: float, change: Callable[[FaultFeed, int], list[Instant]] | None = None,
             until: Callable[[], bool] = lambda: False, between: Callable[[], None] = lambda: None,
             right_delay_s: float = 0.0) -> float:
        """Play on for `seconds`, or until until() holds; returns the seconds that took."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < seconds and not until():
            self._wait(self._due_s, between)
            # What the machine was too slow for is not caught up with.
            self._due_s = max(self._due_s, time.monotonic() - 0.5) + self.period_ns / NS_PER_S
            for instant in [self.instant(self._number)] if change is None else change(self, self._number):
                self._send(instant, right_delay_s)
            self._number += 1
        return time.monotonic() - began_s

    def _send(self, instant: Instant, right_delay_s: float) -> None:
        for side, camera in enumerate(('left', 'right')):
            if side and right_delay_s:
                time.sleep(right_delay_s)
            self._publish(f'{camera} info', instant.infos[side], instant.stamps_ns[side])
            jpeg = instant.jpegs[side]
            if jpeg is not None:
                self._publish(f'{camera} image', self._picture(jpeg, side), instant.stamps_ns[side])

    def _picture(self, jpeg: bytes, side: int):
        from sensor_msgs.msg import CompressedImage
        message = CompressedImage(format='rgb8; jpeg compressed bgr8', data=jpeg)
        message.header.frame_id = self.footage.frame_ids[side]
        return message

    def _publish(self, name: str, message, stamp_ns: int) -> None:
        if message is not None and name in self._publishers:
            message.header.stamp = to_time(stamp_ns)
            self._publishers[name].publish(message)

    @staticmethod
    def _wait(due_s: float, between: Callable[[], None]) -> None:
        between()
        while (left_s := due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, 0.05))
            between()
