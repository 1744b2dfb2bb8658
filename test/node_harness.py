"""What the tests of the nodes share: frames of the bundled recording, and a session with publishers and collectors."""
import functools

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from hand_recon_ros.bags.camera_topics import camera_topics
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.commands.demo import RECORDING
from hand_recon_ros.messages.cameras import camera_from_msg, camera_to_msg
from hand_recon_ros.messages.images import compressed_to_rgb, rgb_to_compressed, rgb_to_image
from hand_recon_ros.nodes.session import Session, choose_private_domain
from hand_recon_ros.nodes.supervisor import mono_nodes

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


class Graph(Session):
    """Session with an image source, and everything that arrives on the topics it was asked to collect."""

    def __init__(self, names, parameters, overlay=False):
        # One domain each: what a test says about missing topics must not depend on its neighbours.
        choose_private_domain()
        nodes = [spec for spec in mono_nodes(overlay=overlay, parameters=parameters) if spec.name in names]
        self.lines, self.arrived = [], {}
        super().__init__(nodes, report=self.lines.append)

    def __enter__(self):
        super().__enter__()
        self.image = self.node.create_publisher(Image, 'image', qos_profile_sensor_data)
        self.compressed = self.node.create_publisher(CompressedImage, 'image/compressed', qos_profile_sensor_data)
        self.info = self.node.create_publisher(CameraInfo, 'camera_info', 10)
        self.collect(DiagnosticArray, '/diagnostics')
        self.wait_until_active()
        return self

    def collect(self, message_type, topic, qos: QoSProfile | int = DEPTH):
        self.arrived[topic] = []
        return self.node.create_subscription(message_type, topic, self.arrived[topic].append, qos)

    def send(self, image, stamp_ns, camera=None, compressed=False):
        if camera is not None:
            self.info.publish(camera_to_msg(camera, stamp_ns, FRAME_ID))
        if compressed:
            self.compressed.publish(rgb_to_compressed(image, stamp_ns, FRAME_ID))
        else:
            self.image.publish(rgb_to_image(image, stamp_ns, FRAME_ID))

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
