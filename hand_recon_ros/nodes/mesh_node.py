"""mesh_node: keypoints and the camera in, an initial mesh of every hand out."""
from __future__ import annotations

import sys
import time

from sensor_msgs.msg import CameraInfo

from hand_recon_ros.messages.hands import estimates_to_msg, msg_to_keypoints
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.camera_source import RECTIFIED, CameraSource
from hand_recon_ros.nodes.identity_source import IdentitySource
from hand_recon_ros.nodes.lifecycle import HandNode
from hand_recon_ros.nodes.model_settings import (
    LATCHED, MODEL_SPECS, check_detector, load_model_and_offsets)
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.types import Frame


class MeshNode(HandNode):
    """One estimator, chosen by name, on each set of keypoints."""
    specs = MODEL_SPECS + (
        ParameterSpec('estimator', 'closed_form_ik', 'Estimator by name.'),
        RECTIFIED,
        ParameterSpec('projection', 'auto', 'perspective needs camera_info; weak_perspective ignores it; auto is '
                      'perspective unless there is no camera_info, or it says that the camera is uncalibrated.',
                      choices=('auto', 'perspective', 'weak_perspective')),
    )

    def __init__(self):
        super().__init__('mesh_node')
        self._estimator = self._identity = self._model = None

    def endpoints(self) -> None:
        self._projection = self.setting('projection')
        self._camera = CameraSource(self.setting('rectified'))
        self._detector = self.setting('detector')
        self._output = self.add_output(HandMeshArray, 'hands/mesh_initial')
        self.add_input(HandKeypointsArray, 'hands/keypoints', self.worker.submit, 10)
        if self._projection != 'weak_perspective':
            watch = self._camera.watcher(self.faults, tolerates_uncalibrated=self._projection == 'auto')
            self.add_input(CameraInfo, 'camera_info', watch, streams=False,
                           required=self._projection == 'perspective')
        self.add_input(HandIdentityMsg, 'hands/identity', lambda m: self._identity.update(m), LATCHED, required=False)

    def build(self) -> None:
        from hand_recon_ros.hand_model.jax_runtime import prepare_jax
        prepare_jax()
        from hand_recon_ros.estimation.registry import build_estimator
        from hand_recon_ros.estimation.rehearsal import rehearse
        self._model, offsets = load_model_and_offsets(self)
        self._identity = IdentitySource(self.faults, self._model.name)
        self._estimator = build_estimator(self.setting('estimator'), self._model, offsets.offsets_m)
        if self._estimator.needs_image:
            raise ValueError(f'parameter estimator: {self._estimator.name!r} needs the image, '
                             'expected one that does not')
        rehearse(self._estimator, self._model, self._detector)

    def release(self) -> None:
        self._estimator = self._model = self._identity = None

    def process(self, message) -> None:
        started = time.monotonic()
        keypoints = msg_to_keypoints(message)
        check_detector(keypoints, self._detector)
        stamp_ns, frame_id = to_ns(message.header.stamp), message.header.frame_id
        camera = self._camera_of(message.image_width, message.image_height, frame_id)
        frame = Frame(message.image_width, message.image_height, None, camera, stamp_ns, frame_id)
        estimates = [self._estimator.estimate(frame, hand, self._identity.identity) for hand in keypoints]
        took_s = time.monotonic() - started
        self._output.publish(estimates_to_msg(estimates, stamp_ns, frame_id, self._estimator.name, took_s,
                                              took_s + message.processing_latency_s))
        self.published(started, stamp_ns)

    def _camera_of(self, width: int, height: int, frame_id: str):
        """Camera of the image, or None for weak perspective; ValueError where a camera is needed and not usable."""
        if self._projection == 'weak_perspective':
            return None
        if self._projection == 'auto' and (not self._camera.received or self._camera.uncalibrated):
            what = 'says that the camera is uncalibrated' if self._camera.received else 'has not come'
            self.faults.put('projection', f'camera_info {what}: using weak_perspective', warning=True)
            return None
        self.faults.clear('projection')
        mismatch = self._camera.frame_mismatch(frame_id)
        if mismatch:
            self.faults.put('frame', mismatch, warning=True)
        else:
            self.faults.clear('frame')
        return self._camera.camera(width, height)


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(MeshNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
