"""A synthetic scene written as a rosbag2 recording: JPEG images, camera_info and the exact hands of every frame."""
from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.hands import estimates_to_msg
from hand_recon_ros.messages.images import rgb_to_compressed
from hand_recon_ros.messages.stamps import NS_PER_S
from hand_recon_ros.synthesis.scene import Scene

GROUND_TRUTH_TOPIC, METHOD = '/ground_truth/hands/mesh', 'ground_truth'
START_NS = 1_700_000_000 * NS_PER_S     # a fixed date: the same seed writes the same bytes


@dataclass(frozen=True)
class CameraTopics:
    """Where one camera's images go. rectified: by ROS's convention, image_rect beside camera_info."""
    image: str
    info: str
    frame_id: str


MONO = (CameraTopics('/camera/image_raw/compressed', '/camera/camera_info', 'camera_optical_frame'),)
STEREO = (CameraTopics('/left/image_rect/compressed', '/left/camera_info', 'left_optical_frame'),
          CameraTopics('/right/image_rect/compressed', '/right/camera_info', 'left_optical_frame'))


def write_recording(scene: Scene, path: Path, jpeg_quality: int = 90, storage: str = 'mcap', vertices: bool = True,
                    overwrite: bool = False, progress: bool = True) -> None:
    """Write every frame of a scene; `path` appears only when it is whole.

    vertices: with the ground truth's meshes; without, its parameters and joints only, which are a thirtieth of the size
    and from which the model makes the meshes again. Both images of a pair are in the left optical frame's
    rectified geometry, as image_proc publishes them.
    """
    if not 1 <= jpeg_quality <= 100:
        raise ValueError(f'jpeg_quality: {jpeg_quality}, expected 1 to 100')
    topics = STEREO if len(scene.rig.cameras) == 2 else MONO
    period_ns = NS_PER_S / scene.config.fps
    with BagWriter(path, storage, overwrite) as bag:
        for frame in tqdm(scene.frames(), total=scene.config.frames, unit='frame', disable=not progress):
            stamp_ns = START_NS + round(frame.index * period_ns)
            for names, image, camera, T in zip(topics, frame.images, scene.rig.cameras, scene.rig.T_camera_first):
                bag.write(names.info, camera_to_msg(camera, stamp_ns, names.frame_id, float(-T[0, 3])), stamp_ns)
                bag.write(names.image, rgb_to_compressed(image, stamp_ns, names.frame_id, jpeg_quality), stamp_ns)
            estimates = frame.estimates if vertices else [
                replace(estimate, vertices_m=np.zeros((0, 3), np.float32)) for estimate in frame.estimates]
            bag.write(GROUND_TRUTH_TOPIC, estimates_to_msg(estimates, stamp_ns, topics[0].frame_id, METHOD), stamp_ns)
