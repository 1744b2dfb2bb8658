"""A recording's images, their cameras, and the exact hands and masks where it holds them."""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from hand_recon_ros.bags.camera_topics import CameraTopics, camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.messages.cameras import camera_from_msg
from hand_recon_ros.messages.hands import msg_to_estimates
from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
from hand_recon_ros.messages.labels import compressed_to_mask
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.types import Frame, HandEstimate

_TO_RGB = {'compressed': compressed_to_rgb, 'raw': image_to_rgb}
_HANDS = 'hand_recon_ros/msg/HandMeshArray'


@dataclass(frozen=True)
class LabelledRecording:
    """A recording, opened and checked by read().

    cameras: topics of all its cameras. image_count: images of the first one. truths: the exact hands by the image's
    stamp, in the first camera's optical frame; empty where the recording holds none. masks: the first camera's, as
    messages.
    """
    path: Path
    cameras: tuple[CameraTopics, ...]
    image_count: int
    truths: dict[int, list[HandEstimate]]
    masks: dict[int, object]

    @classmethod
    def read(cls, path, labelled: bool = False, calibrated: bool = False) -> LabelledRecording:
        """Recording at `path`; ValueError when it is missing, damaged or has no images.

        labelled, calibrated: refuse one without ground truth, or without the first camera's camera_info.
        """
        path = Path(path)
        with BagReader(path) as bag:
            cameras = tuple(camera_topics(bag))
            image_count = bag.topics[cameras[0].image].message_count
            if image_count == 0:
                raise ValueError(f'{path}: no images on {cameras[0].image}, expected at least one')
            if calibrated and cameras[0].info is None:
                raise ValueError(f'{path}: no camera_info beside {cameras[0].image}, expected its camera')
            topics = [name for name, topic in bag.topics.items()
                      if topic.type_name == _HANDS and 'ground_truth' in name and topic.message_count]
            if labelled and not topics:
                raise ValueError(f'{path}: no ground truth, expected a topic of {_HANDS} below /ground_truth')
            truths = {to_ns(message.header.stamp): msg_to_estimates(message)
                      for _, _, message in (bag.messages(topics[:1]) if topics else ())}
            mask = f'/ground_truth{cameras[0].base.rpartition("/")[0]}/mask'
            masks = {to_ns(message.header.stamp): message
                     for _, _, message in (bag.messages(mask) if mask in bag.topics else ())}
        return cls(path, cameras, image_count, truths, masks)

    def mask(self, stamp_ns: int) -> np.ndarray | None:
        """(H, W) uint8, 0 elsewhere, 1 right hand, 2 left hand, of the first camera; None where there is none."""
        message = self.masks.get(stamp_ns)
        return None if message is None else compressed_to_mask(message)

    def frames(self, camera: int = 0, most: int | None = None, only_ns: int | None = None) -> Iterator[Frame]:
        """Frame after Frame of one camera with image and intrinsics (None without camera_info), at most `most`.

        only_ns: none but the frame of this stamp; the others are not decoded.
        """
        topics = self.cameras[camera]
        with BagReader(self.path) as bag:
            intrinsics = None
            if topics.info:
                info = next((message for _, _, message in bag.messages(topics.info)), None)
                if info is None:
                    raise ValueError(f'{self.path}: no message on {topics.info}, expected at least one')
                intrinsics = camera_from_msg(info, topics.rectified)
            to_rgb = _TO_RGB[topics.transport]
            for index, (_, _, message) in enumerate(islice(bag.messages(topics.image), most)):
                stamp_ns = to_ns(message.header.stamp)
                if only_ns in (None, stamp_ns):
                    yield Frame.from_image(to_rgb(message), intrinsics, stamp_ns, message.header.frame_id, index)
