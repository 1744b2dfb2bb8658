"""overlay_node: images with their meshes drawn over them, only while somebody watches."""
from __future__ import annotations

import sys
import time

from sensor_msgs.msg import CameraInfo, Image

from hand_recon_ros.messages.hands import msg_to_estimates, msg_to_keypoints
from hand_recon_ros.messages.images import rgb_to_image
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.nodes.camera_source import RECTIFIED, CameraSource
from hand_recon_ros.nodes.keypoint_node import TRANSPORTS
from hand_recon_ros.nodes.matching import MatchingNode
from hand_recon_ros.nodes.parameters import ParameterSpec
from hand_recon_ros.nodes.synchronisation import StampMatcher
from hand_recon_ros.types import PERSPECTIVE, Frame


class OverlayNode(MatchingNode):
    """Draws the newest complete set of image, meshes and keypoints. Images wait undecoded until their meshes come."""
    depth = 1
    specs = (
        ParameterSpec('image_transport', 'raw', 'How images come: `image`, or `image/compressed`.',
                      choices=tuple(TRANSPORTS)),
        ParameterSpec('model', 'open_hand', 'Hand model of the meshes: open_hand, or the path of a MANO-form file.'),
        RECTIFIED,
        ParameterSpec('draw_keypoints', True, 'Draw the detected keypoints too.'),
        ParameterSpec('tolerance_s', 0.0, 'Images and meshes belong together when their stamps differ by at most this.',
                      's', 0.0, 0.5),
    )

    def __init__(self):
        super().__init__('overlay_node')
        self._renderer = None

    def endpoints(self) -> None:
        suffix, message_type, self._to_rgb = TRANSPORTS[self.setting('image_transport')]
        self._camera = CameraSource(self.setting('rectified'))
        names = ('image', 'meshes', 'keypoints') if self.setting('draw_keypoints') else ('image', 'meshes')
        self._matcher = StampMatcher(names, round(self.setting('tolerance_s') * 1e9))
        self._output = self.add_output(Image, 'hands/overlay', 5)
        self.add_input(message_type, self.resolve_topic_name('image') + suffix, lambda m: self._on_part('image', m))
        self.add_input(HandMeshArray, 'hands/mesh', lambda m: self._on_part('meshes', m), 10)
        if 'keypoints' in names:
            self.add_input(HandKeypointsArray, 'hands/keypoints', lambda m: self._on_part('keypoints', m), 10)
        self.add_input(CameraInfo, 'camera_info', self._camera.update, required=False)

    def build(self) -> None:
        from hand_recon_ros.hand_model.assets import load_hand_model
        from hand_recon_ros.rendering.overlay import OverlayRenderer
        self._renderer = OverlayRenderer(load_hand_model(self.setting('model')))

    def release(self) -> None:
        self._renderer = None

    def process(self, parts) -> None:
        started = time.monotonic()
        header = parts['image'].header
        image, stamp_ns = self._to_rgb(parts['image']), to_ns(header.stamp)
        estimates = msg_to_estimates(parts['meshes'])
        keypoints = msg_to_keypoints(parts['keypoints']) if 'keypoints' in parts else []
        height, width = image.shape[:2]
        metric = any(estimate.projection == PERSPECTIVE for estimate in estimates)
        camera = self._camera.camera(width, height) if metric else None
        frame = Frame.from_image(image, camera, stamp_ns, header.frame_id)
        self._output.publish(rgb_to_image(self._renderer.draw(frame, estimates, keypoints), stamp_ns, header.frame_id))
        self.published(started, stamp_ns)

    def extra_values(self) -> dict[str, str]:
        if not self.configured:
            return {}
        return {'unmatched': str(self._matcher.unmatched), 'backward_jumps': str(self._matcher.resets)}


def main(arguments=None) -> int:
    from hand_recon_ros.nodes.running import run
    return run(OverlayNode, arguments)


if __name__ == '__main__':
    sys.exit(main())
