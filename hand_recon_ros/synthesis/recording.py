"""A synthetic scene as a rosbag2 recording: JPEG images, camera_info, exact hands, masks and depth of every frame."""
from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from hand_recon_ros.bags.writer import STORAGES, BagWriter, is_bag, serialized
from hand_recon_ros.geometry.rigs import rig_text
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.hands import estimates_to_msg
from hand_recon_ros.messages.images import rgb_to_compressed
from hand_recon_ros.messages.labels import depth_to_compressed, mask_to_compressed
from hand_recon_ros.messages.stamps import NS_PER_S
from hand_recon_ros.messages.transforms import transforms_to_msg
from hand_recon_ros.synthesis.rigs import CameraRig
from hand_recon_ros.synthesis.scene import Scene, SceneConfig, SceneFrame
from hand_recon_ros.synthesis.workers import Workers
from hand_recon_ros.synthesis.workspace import Workspace
from hand_recon_ros.types import checked_choice

GROUND_TRUTH_TOPIC, METHOD = '/ground_truth/hands/mesh', 'ground_truth'
TF_TOPIC, RIG_FILE = '/tf_static', 'rig.yaml'
START_NS = 1_700_000_000 * NS_PER_S     # a fixed date: the same seed writes the same bytes
FRAMES_A_UNIT = 8


@dataclass(frozen=True)
class CameraTopics:
    """Where one camera's images and labels go. rectified: by ROS's convention, image_rect beside camera_info."""
    image: str
    info: str
    mask: str
    depth: str
    frame_id: str


def _topics(camera: str, image: str, frame: str) -> CameraTopics:
    truth = f'/ground_truth/{camera}'
    return CameraTopics(f'/{camera}/{image}/compressed', f'/{camera}/camera_info', f'{truth}/mask', f'{truth}/depth',
                        f'{frame}_optical_frame')


MONO = (_topics('camera', 'image_raw', 'camera'),)
# Both images of a rectified pair are in the left optical frame's geometry, as image_proc publishes them.
RECTIFIED = (_topics('left', 'image_rect', 'left'), _topics('right', 'image_rect', 'left'))
UNRECTIFIED = (_topics('left', 'image_raw', 'left'), _topics('right', 'image_raw', 'right'))


def rig_topics(rig: CameraRig) -> tuple[CameraTopics, ...]:
    """Topics of a rig's cameras, in their order."""
    return MONO if len(rig.cameras) == 1 else RECTIFIED if rig.is_rectified else UNRECTIFIED


@dataclass(frozen=True)
class RecordingOptions:
    """What goes into a recording. jpeg_quality: 1 to 100.

    vertices: ground truth with its meshes; without, its parameters and joints only, which are a thirtieth of the size
    and from which the model makes the meshes again. masks: 0 elsewhere, 1 right hand, 2 left hand. depth: REP-118, of
    hands and whatever is drawn with them.
    """
    jpeg_quality: int = 90
    vertices: bool = True
    masks: bool = False
    depth: bool = False
    storage: str = 'mcap'

    def __post_init__(self):
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f'jpeg_quality: {self.jpeg_quality}, expected 1 to 100')
        checked_choice('storage', self.storage, tuple(STORAGES))


@dataclass(frozen=True)
class Record:
    """One message as it lies in a bag. data: CDR bytes of `type_name`."""
    topic: str
    stamp_ns: int
    latched: bool
    type_name: str
    data: bytes


def write_recording(scene: Scene, path: Path, options: RecordingOptions = RecordingOptions(), overwrite: bool = False,
                    progress: bool = True) -> None:
    """Write every frame of a scene in this process; `path` appears only when it is whole."""
    indexes = tqdm(range(scene.config.frames), unit='frame', disable=not progress)
    _assemble(path, options, overwrite, _scene_records(scene, indexes, options), _rig_file(scene.rig))


def synthesize_recording(config: SceneConfig, path: Path, options: RecordingOptions = RecordingOptions(),
                         workers: int = 1, overwrite: bool = False, progress: bool = True) -> int:
    """As write_recording, over processes and resumable: the same bytes whatever their number and whatever came between.

    Returns how many frames were rendered, fewer than the scene's when an earlier run was resumed. ValueError when
    `path` exists (unless overwrite), or for settings that do not fit.
    """
    path = Path(path)
    if path.exists() and overwrite and not is_bag(path):
        raise ValueError(f'{path}: exists and is no recording, expected a recording to overwrite')
    task = RecordingTask(config, options)
    with Workspace(path, task.settings, overwrite) as work:
        if work.finished:
            work.clear()
            return 0
        with Workers(workers, progress) as processes:
            made = processes.run(task, work)
        units = [work.folder / task.unit_name(unit) for unit in range(task.unit_count)]
        rig_file = _unpacked(units[0].read_bytes())[0]
        records = (record for unit in units for record in _unpacked(unit.read_bytes())[1])
        # rosbag2 names a recording's file after its folder, which therefore has its final name already here.
        _assemble(work.folder / 'assembled' / path.name, options, True, records, rig_file)
        work.publish(f'assembled/{path.name}')
    return made


@dataclass(frozen=True)
class RecordingTask:
    """A scene's frames in contiguous units of FRAMES_A_UNIT."""
    config: SceneConfig
    options: RecordingOptions
    step = 'frame'

    @property
    def settings(self) -> dict:
        """Everything the bytes follow from, as JSON."""
        scene = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self.config).items()}
        return {'format': 'rosbag2', 'scene': scene, 'options': asdict(self.options)}

    @property
    def unit_count(self) -> int:
        return -(-self.config.frames // FRAMES_A_UNIT)

    def unit_name(self, unit: int) -> str:
        return f'units/frames-{unit * FRAMES_A_UNIT:06d}'

    def unit_steps(self, unit: int) -> int:
        return min(FRAMES_A_UNIT, self.config.frames - unit * FRAMES_A_UNIT)

    def open(self, _) -> Callable[[int, Callable[[], None]], bytes]:
        scene = Scene(self.config)

        def make(unit: int, tick: Callable[[], None]) -> bytes:
            first, records = unit * FRAMES_A_UNIT, []
            for index in range(first, first + self.unit_steps(unit)):
                records += _scene_records(scene, [index], self.options)
                tick()
            return _packed(_rig_file(scene.rig), records)
        return make


def _scene_records(scene: Scene, indexes: Iterable[int], options: RecordingOptions) -> Iterator[Record]:
    for index in indexes:
        stamp_ns = START_NS + round(index * NS_PER_S / scene.config.fps)
        if index == 0:
            for topic, message in _static_messages(scene.rig, stamp_ns):
                yield Record(topic, stamp_ns, True, *serialized(message))
        for topic, message in _messages(scene.rig, scene.frame(index), stamp_ns, options):
            yield Record(topic, stamp_ns, False, *serialized(message))


def _messages(rig: CameraRig, frame: SceneFrame, stamp_ns: int, options: RecordingOptions) -> Iterator[tuple]:
    """(topic, message) of one frame."""
    topics = rig_topics(rig)
    for k, (names, camera) in enumerate(zip(topics, rig.cameras)):
        baseline_m = float(-rig.T_camera_first[k, 0, 3]) if rig.is_rectified else 0.0
        yield names.info, camera_to_msg(camera, stamp_ns, names.frame_id, baseline_m)
        yield names.image, rgb_to_compressed(frame.images[k], stamp_ns, names.frame_id, options.jpeg_quality)
        if options.masks:
            yield names.mask, mask_to_compressed(frame.masks[k], stamp_ns, names.frame_id)
        if options.depth:
            yield names.depth, depth_to_compressed(frame.depths_m[k], stamp_ns, names.frame_id)
    estimates = frame.estimates if options.vertices else [
        replace(estimate, vertices_m=np.zeros((0, 3), np.float32)) for estimate in frame.estimates]
    yield GROUND_TRUTH_TOPIC, estimates_to_msg(estimates, stamp_ns, topics[0].frame_id, METHOD)


def _static_messages(rig: CameraRig, stamp_ns: int) -> Iterator[tuple]:
    """Where the cameras of an unrectified rig stand, which their camera_info cannot say."""
    if not rig.is_rectified:
        left, right = (names.frame_id for names in rig_topics(rig))
        yield TF_TOPIC, transforms_to_msg({(left, right): np.linalg.inv(rig.T_camera_first[1])}, stamp_ns)


def _rig_file(rig: CameraRig) -> str:
    """Text of the rig.yaml that goes with an unrectified rig's recording, '' for other rigs."""
    return '' if rig.is_rectified else rig_text(rig.stereo_rig())


def _assemble(path: Path, options: RecordingOptions, overwrite: bool, records: Iterable[Record], rig_file: str) -> None:
    with BagWriter(path, options.storage, overwrite) as bag:
        for record in records:
            bag.write_serialized(record.topic, record.type_name, record.data, record.stamp_ns, record.latched)
        if rig_file:
            bag.add_file(RIG_FILE, rig_file)


def _packed(rig_file: str, records: list[Record]) -> bytes:
    """A unit's bytes: the length of a JSON header, the header, the messages one after the other."""
    header = json.dumps({'rig_file': rig_file, 'records': [
        (record.topic, record.stamp_ns, record.latched, record.type_name, len(record.data)) for record in records]})
    return b''.join([struct.pack('<I', len(header)), header.encode(), *(record.data for record in records)])


def _unpacked(unit: bytes) -> tuple[str, list[Record]]:
    start = 4 + struct.unpack_from('<I', unit)[0]
    header, records = json.loads(unit[4:start]), []
    for topic, stamp_ns, latched, type_name, size in header['records']:
        records.append(Record(topic, stamp_ns, latched, type_name, unit[start:start + size]))
        start += size
    return header['rig_file'], records
