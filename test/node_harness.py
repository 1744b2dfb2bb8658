"""What the tests of the nodes share: frames of the bundled recording, and a session with publishers and collectors."""
import functools

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hand_recon_ros.bags.camera_topics import camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.commands.demo import RECORDING
from hand_recon_ros.messages.cameras import camera_from_msg, camera_to_msg
from hand_recon_ros.messages.hands import keypoints_to_msg
from hand_recon_ros.messages.images import compressed_to_rgb, rgb_to_compressed, rgb_to_image
from hand_recon_ros.msg import HandKeypointsArray
from hand_recon_ros.nodes.environment import config_file
from hand_recon_ros.nodes.session import Session, choose_private_domain
from hand_recon_ros.nodes.supervisor import mono_nodes, stereo_nodes

FRAME_ID = 'some_optical_frame'
DEPTH = 50


@functools.cache
def recorded():
    """(images, camera) of the bundled recording's first camera; ten images."""
    with BagReader(RECORDING) as bag:
        topics = camera_topics(bag)[0]
        camera = camera_from_msg(next(m for _, _, m in bag.messages(topics.info)), topics.rectified)
        images = [compressed_to_rgb(m) for (_, _, m), _ in zip(bag.messages(topics.image), range(10))]
    return images, camera


class Harness(Session):
    """Session with everything that arrives on the topics it was asked to collect."""

    def __init__(self, nodes, params_file=None):
        # One domain each: what a test says about missing topics must not depend on its neighbours.
        choose_private_domain()
        self.lines, self.arrived = [], {}
        super().__init__(nodes, params_file, report=self.lines.append)

    def __enter__(self):
        super().__enter__()
        self.publish()
        self.collect(DiagnosticArray, '/diagnostics')
        self.wait_until_active()
        return self

    def publish(self):
        """Make the publishers."""

    def collect(self, message_type, topic, qos: QoSProfile | int = DEPTH):
        self.arrived[topic] = []
        return self.node.create_subscription(message_type, topic, self.arrived[topic].append, qos)

    def send_until(self, condition, send, what, timeout_s=30.0):
        """Send again and again, because the first messages go to nobody, until condition() holds."""
        state = {'n': 0}

        def step():
            if condition():
                return True
            if state['n'] % 5 == 0:
                send(state['n'] // 5)
            state['n'] += 1
            return False
        self.wait_until(step, timeout_s, what)

    def diagnosed(self, node: str, text: str) -> bool:
        """True when the node's newest diagnostics entry has `text` in its message."""
        statuses = [s for array in list(self.arrived['/diagnostics']) for s in array.status if s.name == f'/{node}']
        return bool(statuses) and text in statuses[-1].message


class Graph(Harness):
    """The nodes of one camera and their image source."""

    def __init__(self, names, parameters, overlay=False):
        super().__init__([spec for spec in mono_nodes(overlay=overlay, parameters=parameters) if spec.name in names])

    def publish(self):
        self.image = self.node.create_publisher(Image, 'image', qos_profile_sensor_data)
        self.compressed = self.node.create_publisher(CompressedImage, 'image/compressed', qos_profile_sensor_data)
        self.info = self.node.create_publisher(CameraInfo, 'camera_info', 10)

    def send(self, image, stamp_ns, camera=None, compressed=False):
        if camera is not None:
            self.info.publish(camera_to_msg(camera, stamp_ns, FRAME_ID))
        if compressed:
            self.compressed.publish(rgb_to_compressed(image, stamp_ns, FRAME_ID))
        else:
            self.image.publish(rgb_to_image(image, stamp_ns, FRAME_ID))


class StereoGraph(Harness):
    """The nodes of two cameras, and a source of images, or of keypoints in their place, and of camera_infos."""
    FRAME_IDS = ('left_optical_frame', 'right_optical_frame')

    def __init__(self, names, parameters):
        specs = stereo_nodes('left/image', 'right/image', parameters=parameters)
        super().__init__([spec for spec in specs if spec.name in names], config_file('stereo.yaml'))

    def publish(self):
        def both(kind, topic, qos):
            return [self.node.create_publisher(kind, f'{side}/{topic}', qos) for side in ('left', 'right')]
        self.images = both(Image, 'image', 10)
        self.infos = both(CameraInfo, 'camera_info', 10)
        self.keypoints = both(HandKeypointsArray, 'hands/keypoints', 10)

    def send_rig(self, rig, stamp_ns, sign=1.0):
        for publisher, camera, frame_id, baseline_m in zip(self.infos, (rig.left, rig.right), self.FRAME_IDS,
                                                           (0.0, sign * rig.baseline_m)):
            publisher.publish(camera_to_msg(camera, stamp_ns, frame_id, baseline_m))

    def send_images(self, images, stamps_ns):
        for publisher, image, stamp_ns, frame_id in zip(self.images, images, stamps_ns, self.FRAME_IDS):
            if image is not None:
                publisher.publish(rgb_to_image(image, stamp_ns, frame_id))

    def send_keypoints(self, views, stamp_ns, size=(640, 480)):
        """views: the hands of the left and of the right image."""
        for publisher, hands, frame_id in zip(self.keypoints, views, self.FRAME_IDS):
            publisher.publish(keypoints_to_msg(hands, stamp_ns, frame_id, *size))
