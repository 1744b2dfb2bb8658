"""keypoint_node: images in, detected and tracked hands out."""
from __future__ import annotations

import sys
import time

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hand_recon_ros.messages.hands import keypoints_to_msg
from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandKeypointsArray
from hand_recon_ros.nodes.lifecycle import HandNode
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.types import Frame

TRANSPORTS = {'raw': ('', Image, image_to_rgb), 'compressed': ('/compressed', CompressedImage, compressed_to_rgb)}
DETECTORS = ('mediapipe',)
BACKEND = ParameterSpec('backend', 'mediapipe', 'Who runs the detector\'s networks: openvino (fast), mediapipe (reference), '
                        'or auto: openvino where it is installed.', choices=('auto', 'openvino', 'mediapipe'))


def rgb_of(seen: HandKeypointsArray, message, to_rgb, at: str = '') -> np.ndarray:
    """(H, W, 3) RGB of the image that a message of keypoints was found in; ValueError where it is of another size.

    to_rgb: of TRANSPORTS. at: what stands before both topics' names.
    """
    image = to_rgb(message)
    if image.shape[:2] != (seen.image_height, seen.image_width):
        raise ValueError(f'{at}image: {image.shape[1]} x {image.shape[0]}, expected {seen.image_width} x '
                         f'{seen.image_height} as {at}hands/keypoints says')
    return image


class KeypointNode(HandNode):
    """Works on the newest image, so that a camera faster than the detector costs images and not latency."""
    depth = 1
    specs = (
        ParameterSpec('image_transport', 'raw', 'How images come: `image`, or `image/compressed`.',
                      choices=tuple(TRANSPORTS)),
        ParameterSpec('detector', 'mediapipe', 'Landmark definition, by the name of who made it.', choices=DETECTORS),
        BACKEND,
        ParameterSpec('mode', 'video', 'video follows hands from image to image; image looks at each one anew.',
                      choices=('video', 'image')),
        ParameterSpec('max_hands', 2, 'Hands looked for.', minimum=1, maximum=8),
        ParameterSpec('min_detection_score', 0.5, 'A new hand needs at least this score.', minimum=0.0, maximum=1.0),
        ParameterSpec('min_tracking_score', 0.5, 'A followed hand is lost below this score.', minimum=0.0, maximum=1.0),
        ParameterSpec('track_gap_s', 0.5, 'A hand unseen for longer gets a new track id.', 's', 0.0, 10.0),
    )

    def __init__(self):
        super().__init__('keypoint_node')
        self._detector = self._tracker = None

    def endpoints(self) -> None:
        suffix, message_type, self._to_rgb = TRANSPORTS[self.setting('image_transport')]
        self._output = self.add_output(HandKeypointsArray, 'hands/keypoints')
        # image_transport: the remapped base name, then the transport's.
        self.add_input(message_type, self.resolve_topic_name('image') + suffix, self._on_image)

    def build(self) -> None:
        from hand_recon_ros.detection.registry import build_detector, chosen_backend
        from hand_recon_ros.detection.tracking import HandTracker
        self._detector = build_detector(
            chosen_backend(self.setting('backend')), self.setting('mode'), max_hands=self.setting('max_hands'),
            min_detection_score=self.setting('min_detection_score'),
            min_tracking_score=self.setting('min_tracking_score'), retry=False)
        if self._tracker is None:
            # Kept over a cleanup: ids are never reused while the node lives.
            self._tracker = HandTracker()
        self._tracker.max_gap_s = self.setting('track_gap_s')

    def release(self) -> None:
        self._detector.close()
        self._detector = None

    def _on_image(self, message) -> None:
        self.worker.submit(message)

    def process(self, message) -> None:
        started = time.monotonic()
        image, stamp_ns = self._to_rgb(message), to_ns(message.header.stamp)
        frame = Frame.from_image(image, stamp_ns=stamp_ns, frame_id=message.header.frame_id)
        hands = self._tracker.update(self._detector.detect(frame), stamp_ns)
        self._output.publish(keypoints_to_msg(hands, stamp_ns, frame.frame_id, frame.width, frame.height,
                                              time.monotonic() - started))
        self.published(started, stamp_ns)


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(KeypointNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
