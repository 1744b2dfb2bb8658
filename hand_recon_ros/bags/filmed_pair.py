"""Videos or images of a calibrated pair as a rosbag2 recording: what a live rig would have published."""
from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

import numpy as np

from hand_recon_ros.bags.stereo_recording import RIG_FILE
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.geometry.rigs import StereoRig, rig_text
from hand_recon_ros.media.sources import Source
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.images import rgb_to_compressed
from hand_recon_ros.messages.stamps import NS_PER_S
from hand_recon_ros.messages.transforms import transforms_to_msg
from hand_recon_ros.types import Frame

SIDES = ('left', 'right')
# A fixed date, because nodes take a stamp of 0 for none: the same videos give the same bytes.
START_NS = 1_700_000_000 * NS_PER_S


def write_filmed_pair(left: Source, right: Source, rig: StereoRig, path: str | Path, jpeg_quality: int = 95,
                      overwrite: bool = False, progress: Callable[[int], None] = lambda _: None) -> int:
    """Write compressed images, camera_info and, of an unrectified rig, /tf_static and rig.yaml; the number of pairs.

    Images are paired by position and have the left one's time. progress(index): called after each pair. ValueError when
    an image is missing, damaged or not its camera's size; the recording then does not appear.
    """
    if not 1 <= jpeg_quality <= 100:
        raise ValueError(f'jpeg_quality: {jpeg_quality}, expected 1 to 100')
    rectified = rig.is_rectified
    # Both images of a rectified pair are in the left optical frame's geometry, as image_proc publishes them.
    frame_ids = [f'{"left" if rectified else side}_optical_frame' for side in SIDES]
    names = [f'/{side}/{"image_rect" if rectified else "image_raw"}/compressed' for side in SIDES]
    baselines_m = (0.0, rig.baseline_m if rectified else 0.0)
    count = 0
    with BagWriter(path, overwrite=overwrite) as bag:
        if not rectified:
            bag.add_file(RIG_FILE, rig_text(rig))
            bag.write('/tf_static', transforms_to_msg({tuple(frame_ids): np.linalg.inv(rig.T_right_left)}, START_NS),
                      START_NS, latched=True)
        for index, pair in enumerate(zip_longest(left, right)):
            if None in pair:
                shorter = SIDES[pair.index(None)]
                raise ValueError(f'--{shorter}: ends after {index} images, expected as many as on the other side')
            stamp_ns = START_NS + pair[0].stamp_ns
            for side, item, camera, frame_id, topic, baseline_m in zip(SIDES, pair, (rig.left, rig.right), frame_ids,
                                                                       names, baselines_m):
                if item.image is None:
                    raise ValueError(f'{side} {item.name}: {item.error}')
                try:
                    Frame.from_image(item.image, camera)
                except ValueError as error:
                    raise ValueError(f'{side} {item.name}: {error}') from None
                bag.write(f'/{side}/camera_info', camera_to_msg(camera, stamp_ns, frame_id, baseline_m), stamp_ns)
                bag.write(topic, rgb_to_compressed(item.image, stamp_ns, frame_id, jpeg_quality), stamp_ns)
            count += 1
            progress(index)
    return count
