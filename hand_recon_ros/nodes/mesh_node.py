"""mesh_node: keypoints and the camera in, an initial mesh of every hand out."""
from __future__ import annotations

import sys
import time

from sensor_msgs.msg import CameraInfo, Image

from hand_recon_ros.estimation.names import AUTO, CHOICES, FROM_IMAGE, WITH_FEATURES, WITH_MASKS
from hand_recon_ros.estimation.painting import painted_masks
from hand_recon_ros.messages.features import features_to_msg
from hand_recon_ros.messages.hands import estimates_to_msg, msg_to_keypoints
from hand_recon_ros.messages.images import mask_to_image
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandFeatures, HandKeypointsArray, HandMeshArray
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.nodes.camera_source import RECTIFIED, CameraSource
from hand_recon_ros.nodes.identity_source import IdentitySource
from hand_recon_ros.nodes.keypoint_node import TRANSPORTS, rgb_of
from hand_recon_ros.nodes.matching import MatchingNode
from hand_recon_ros.nodes.model_settings import (
    LATCHED, MODEL_SPECS, WEIGHTS_DIR, check_detector, load_model_and_offsets)
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.nodes.synchronisation import StampMatcher
from hand_recon_ros.types import Frame


class MeshNode(MatchingNode):
    """One estimator, chosen by name, on each set of keypoints, and on the image they come from where it needs that."""
    specs = MODEL_SPECS + (
        ParameterSpec('estimator', AUTO, 'Estimator by name; auto: iknet where there are weights of it for the model, else '
                      'closed_form_ik; minimal_hand and handnet subscribe to the image.', choices=CHOICES),
        WEIGHTS_DIR,
        ParameterSpec('mask', False, 'Publish the hands\' pixels on hands/mask; estimator handnet.'),
        ParameterSpec('image_transport', 'raw', 'How images come, for estimators that need them: `image`, or '
                      '`image/compressed`.', choices=tuple(TRANSPORTS)),
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
        estimator = self.setting('estimator')
        if self.setting('mask') and estimator not in WITH_MASKS:
            raise ValueError(f'parameter mask: estimator {estimator!r} makes none, expected {" or ".join(WITH_MASKS)}')
        self._output = self.add_output(HandMeshArray, 'hands/mesh_initial')
        self._masks = self.add_output(Image, 'hands/mask', 5) if self.setting('mask') else None
        self._features = self.add_output(HandFeatures, 'hands/features') if estimator in WITH_FEATURES else None
        names = ('keypoints', 'image') if estimator in FROM_IMAGE else ('keypoints',)
        self._matcher = StampMatcher(names)
        self.add_input(HandKeypointsArray, 'hands/keypoints', lambda m: self._on_part('keypoints', m), 10)
        if 'image' in names:
            suffix, message_type, self._to_rgb = TRANSPORTS[self.setting('image_transport')]
            self.add_input(message_type, self.resolve_topic_name('image') + suffix, lambda m: self._on_part('image', m))
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
        self._estimator = build_estimator(self.setting('estimator'), self._model, offsets.offsets_m, self.setting('mask'),
                                          self.setting('weights_dir'))
        rehearse(self._estimator, self._model, self._detector)

    def release(self) -> None:
        self._estimator = self._model = self._identity = None

    def process(self, parts) -> None:
        started, message = time.monotonic(), parts['keypoints']
        keypoints = msg_to_keypoints(message)
        check_detector(keypoints, self._detector)
        stamp_ns, frame_id = to_ns(message.header.stamp), message.header.frame_id
        camera = self._camera_of(message.image_width, message.image_height, frame_id)
        image = rgb_of(message, parts['image'], self._to_rgb) if 'image' in parts and keypoints else None
        frame = Frame(message.image_width, message.image_height, image, camera, stamp_ns, frame_id)
        estimates = [self._estimator.estimate(frame, hand, self._identity.identity) for hand in keypoints]
        took_s = time.monotonic() - started
        self._output.publish(estimates_to_msg(estimates, stamp_ns, frame_id, self._estimator.name, took_s,
                                              took_s + message.processing_latency_s))
        if self._features is not None:
            self._features.publish(features_to_msg(estimates, self._estimator.name, stamp_ns, frame_id))
        if self._masks is not None:
            self._masks.publish(mask_to_image(painted_masks(estimates, frame.width, frame.height), stamp_ns, frame_id))
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
