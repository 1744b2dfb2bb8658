"""The camera of the images at hand, from the newest camera_info; what is wrong with it becomes a named fault."""
from __future__ import annotations

from sensor_msgs.msg import CameraInfo

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.messages.cameras import camera_from_msg
from hand_recon_ros.nodes.monitoring import Faults
from hand_recon_ros.nodes.parameters import ParameterSpec

RECTIFIED = ParameterSpec('rectified', False, 'Images are rectified: camera_info\'s P holds; false: its K and D hold.')


def info_key(message: CameraInfo) -> tuple:
    """What a camera is made of: equal for messages that tell the same camera."""
    roi = message.roi
    return (message.header.frame_id, message.width, message.height, message.distortion_model, message.k.tobytes(),
            bytes(message.d), message.p.tobytes(), message.binning_x, message.binning_y, roi.x_offset, roi.y_offset,
            roi.width, roi.height)


class CameraSource:
    """Keeps the newest camera_info and converts it only when it changed."""

    def __init__(self, rectified: bool):
        self._rectified = rectified
        self._key = self._camera = self._message = None
        self._refusal = ''

    def update(self, message: CameraInfo) -> None:
        """Take up a camera_info. What is wrong with it is kept for camera()."""
        key = info_key(message)
        self._message = message
        if key == self._key:
            return
        self._key, self._camera, self._refusal = key, None, ''
        try:
            self._camera = camera_from_msg(message, self._rectified)
        except ValueError as error:
            self._refusal = f'camera_info: {error}'

    @property
    def received(self) -> bool:
        """True once a camera_info came."""
        return self._message is not None

    @property
    def uncalibrated(self) -> bool:
        """True for camera_info's own way of saying so: K[0] (for rectified images P[0]) is zero."""
        return self.received and (self._message.p if self._rectified else self._message.k)[0] == 0

    def watcher(self, faults: Faults, tolerates_uncalibrated: bool):
        """Callback for camera_info that also reports what is wrong with it at once, images or not."""
        def on_camera_info(message: CameraInfo) -> None:
            self.update(message)
            if self._refusal and not (tolerates_uncalibrated and self.uncalibrated):
                faults.put('camera_info', self._refusal)
            else:
                faults.clear('camera_info')
        return on_camera_info

    def frame_mismatch(self, frame_id: str) -> str:
        """Text when the camera_info is in another frame than the image, else an empty string."""
        if not self.received or self._message.header.frame_id == frame_id:
            return ''
        return f'camera_info: frame_id {self._message.header.frame_id!r}, expected the image\'s {frame_id!r}'

    def camera(self, width: int, height: int) -> Camera:
        """Camera of an image of `width` x `height`; ValueError when it is missing, refused or of another size."""
        if not self.received:
            raise ValueError('camera_info: none received, expected one with every image '
                             '(or projection: weak_perspective, which needs none)')
        if self._refusal:
            raise ValueError(self._refusal)
        if (self._camera.width, self._camera.height) != (width, height):
            raise ValueError(f'camera_info: {self._camera.width} x {self._camera.height}, '
                             f'expected the image\'s {width} x {height}')
        return self._camera
