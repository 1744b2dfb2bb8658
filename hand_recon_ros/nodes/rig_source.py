"""The stereo rig at hand: from both camera_infos, with /tf_static where they are not rectified, or from a rig file."""
from __future__ import annotations

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from tf2_msgs.msg import TFMessage

from hand_recon_ros.fusion.rig_faults import CameraFacts, calibration_faults
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, load_rig
from hand_recon_ros.geometry.transform_trees import TransformTree
from hand_recon_ros.messages.cameras import camera_from_msg
from hand_recon_ros.messages.transforms import msg_to_transforms
from hand_recon_ros.nodes.camera_source import info_key
from hand_recon_ros.nodes.parameters import ParameterSpec

SIDES = ('left', 'right')
RIG_SPECS = (
    ParameterSpec('rectified', True, 'Images are rectified: both camera_infos\' P hold. False: K and D hold, and '
                  '/tf_static tells how the cameras stand.'),
    ParameterSpec('rig_file', '', 'A rig.yaml to use in place of camera_info and tf; its images are not rectified '
                  'unless it says so itself.'),
)
# Static transforms come from several publishers, one message each.
STATIC_TF = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)


class RigSource:
    """Keeps what was told about the rig and converts it only when it changed. node: a HandNode with RIG_SPECS."""

    def __init__(self, node):
        self._faults = node.faults
        self._rectified = node.setting('rectified')
        file = node.setting('rig_file')
        self._fixed = load_rig(file) if file else None
        self._infos: dict[str, CameraInfo] = {}
        self._keys: dict[str, tuple] = {}
        self._frames = TransformTree()
        self._rig, self._refusal = self._fixed, ''
        self._names = {side: node.resolve_topic_name(f'{side}/camera_info') for side in SIDES}

    def add_inputs(self, node) -> None:
        """Subscribe to what the rig is made of; nothing for a rig file."""
        if self._fixed is not None:
            return
        for side in SIDES:
            node.add_input(CameraInfo, f'{side}/camera_info', lambda message, side=side: self._on_info(side, message),
                           streams=False)
        if not self._rectified:
            node.add_input(TFMessage, '/tf_static', self._on_tf, STATIC_TF, streams=False)

    def rig(self, left_size: tuple[int, int], right_size: tuple[int, int]) -> StereoRig:
        """Rig of images of these sizes (width, height); ValueError saying what is missing, refused or of other size."""
        if self._rig is None:
            missing = [self._names[side] for side in SIDES if side not in self._infos] or ['/tf_static']
            raise ValueError(self._refusal or f'{" and ".join(missing)}: none received, expected it of each camera '
                                              '(or parameter rig_file)')
        for side, size, camera in zip(SIDES, (left_size, right_size), (self._rig.left, self._rig.right)):
            if (camera.width, camera.height) != tuple(size):
                source = self._names[side] if self._fixed is None else f'rig_file: cameras.{side}'
                raise ValueError(f'{source}: {camera.width} x {camera.height}, expected the {side} image\'s '
                                 f'{size[0]} x {size[1]}')
        return self._rig

    def facts(self, left_size: tuple[int, int], right_size: tuple[int, int]) -> tuple[CameraFacts, CameraFacts] | None:
        """What both camera_infos say, for images of these sizes; None for a rig file and before both came."""
        if self._fixed is not None or len(self._infos) < len(SIDES):
            return None
        infos = [self._infos[side] for side in SIDES]
        left, right = (self._facts_of(info, size) for info, size in zip(infos, (left_size, right_size)))
        return left, right

    def _facts_of(self, info: CameraInfo, size: tuple[int, int] | None) -> CameraFacts:
        return CameraFacts(int(info.width), int(info.height), info.k, info.d, info.p, self._rectified, size)

    def _on_info(self, side: str, message: CameraInfo) -> None:
        self._infos[side] = message
        key = info_key(message)
        if key != self._keys.get(side):
            self._keys[side] = key
            self._build()

    def _on_tf(self, message: TFMessage) -> None:
        for (parent, child), T in msg_to_transforms(message).items():
            self._frames.add(parent, child, T)
        self._build()

    def _build(self) -> None:
        """Take up what changed, and report at once what is wrong with it, images or not."""
        if len(self._infos) < len(SIDES) or not (self._rectified or self._frames):
            return
        try:
            self._rig, self._refusal = self._made(), ''
            self._faults.clear('rig')
        except ValueError as error:
            self._rig, self._refusal = None, f'rig: {error}'
            self._faults.put('rig', self._refusal)

    def _made(self) -> StereoRig:
        left, right = (self._camera(side) for side in SIDES)
        if not self._rectified:
            frames = [self._infos[side].header.frame_id for side in SIDES]
            if frames[0] == frames[1]:
                raise ValueError(f'{self._names["right"]}: frame_id {frames[1]!r}, expected another than the left '
                                 'camera\'s (parameter rectified: false)')
            return StereoRig(left, right, self._frames.between(frames[1], frames[0]))
        projections = []
        for side in SIDES:
            info = self._infos[side]
            projections += [(int(info.width), int(info.height)), np.asarray(info.p, np.float64).reshape(3, 4)]
        try:
            T_right_left = StereoRig.from_rectified(*projections).T_right_left
        except ValueError:
            # What is wrong may have a name that says more.
            faults = calibration_faults(*(self._facts_of(self._infos[side], None) for side in SIDES))
            if faults:
                raise ValueError('; '.join(f'{fault.name}: {fault.text}' for fault in faults)) from None
            raise
        # Binning and regions of interest change the cameras' pixels, not how they stand.
        return StereoRig(left, right, T_right_left)

    def _camera(self, side: str) -> Camera:
        try:
            return camera_from_msg(self._infos[side], self._rectified)
        except ValueError as error:
            raise ValueError(f'{self._names[side]}: {error}') from None


def rehearsal_rig(camera: Camera, baseline_m: float = 0.1) -> StereoRig:
    """Two like cameras side by side: something to compile for before the real rig is known."""
    T = np.eye(4)
    T[0, 3] = -baseline_m
    return StereoRig(camera, camera, T)
