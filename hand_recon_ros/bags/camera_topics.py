"""Which topics of a recording are a camera's: its images, and the camera_info beside them."""
from __future__ import annotations

from dataclasses import dataclass

from hand_recon_ros.bags.reader import BagReader

_IMAGES = {'sensor_msgs/msg/Image': 'raw', 'sensor_msgs/msg/CompressedImage': 'compressed'}
_SUFFIX = '/compressed'
_LABELS = '/ground_truth/'      # masks and depth of a labelled recording are images of no camera


@dataclass(frozen=True)
class CameraTopics:
    """One camera of a recording.

    image: the topic as recorded. base: image_transport's base topic, without the transport. transport: raw or
    compressed. info: camera_info in the same namespace, or None. rectified: by ROS's convention of calling it image_rect.
    """
    image: str
    base: str
    transport: str
    info: str | None
    rectified: bool


def camera_topics(bag: BagReader) -> list[CameraTopics]:
    """All cameras of a recording in its order; ValueError when it holds no images."""
    known = bag.topics
    cameras = []
    for topic in known.values():
        transport = _IMAGES.get(topic.type_name)
        if transport is None or topic.name.startswith(_LABELS):
            continue
        base = topic.name.removesuffix(_SUFFIX) if transport == 'compressed' else topic.name
        info = base.rpartition('/')[0] + '/camera_info'
        found = info in known and known[info].type_name == 'sensor_msgs/msg/CameraInfo'
        cameras.append(CameraTopics(topic.name, base, transport, info if found else None, '/image_rect' in base))
    if not cameras:
        raise ValueError(f'{bag.path}: no images, expected a topic of {" or ".join(_IMAGES)}')
    return cameras
