"""Bad input at the keypoint node: named in diagnostics, the node alive and working afterwards."""
import pytest
from node_harness import Graph, recorded
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CompressedImage

from hand_recon_ros.messages.images import rgb_to_compressed
from hand_recon_ros.msg import HandKeypointsArray


@pytest.fixture(scope='module')
def compressed():
    with Graph(('keypoint_node',), {'keypoint_node': {'image_transport': 'compressed', 'mode': 'image'}}) as graph:
        graph.collect(HandKeypointsArray, 'hands/keypoints')
        yield graph


def process_of(graph):
    return graph.supervisor.nodes[0].process.pid


def works(graph):
    before = len(graph.arrived['hands/keypoints'])
    images, _ = recorded()
    graph.send_until(lambda: len(graph.arrived['hands/keypoints']) > before,
                     lambda n: graph.send(images[0], 10 ** 9 + n, compressed=True), 'keypoints')
    return len(graph.arrived['hands/keypoints'][-1].hands)


@pytest.mark.parametrize('data, form, named', [
    (b'', 'jpeg', 'data: 0 bytes'), (b'\xff\xd8 no picture', 'jpeg', 'no whole JPEG'), ('cut', 'jpeg', 'no whole JPEG'),
    ('whole', 'h264', "format: 'h264', expected jpeg or png"), ('whole', 'png', 'no whole PNG')])
def test_damaged_images(compressed, data, form, named):
    images, _ = recorded()
    whole = rgb_to_compressed(images[0], 5, 'c').data.tobytes()
    data = {'cut': whole[:len(whole) // 2], 'whole': whole}.get(data, data)
    pid = process_of(compressed)
    assert works(compressed) >= 1
    compressed.send_until(lambda: compressed.diagnosed('keypoint_node', named),
                          lambda n: compressed.compressed.publish(CompressedImage(format=form, data=data)), named)
    assert works(compressed) >= 1 and process_of(compressed) == pid


def test_an_image_of_one_pixel_has_no_hands(compressed):
    images, _ = recorded()
    before = len(compressed.arrived['hands/keypoints'])
    compressed.send_until(lambda: len(compressed.arrived['hands/keypoints']) > before,
                          lambda n: compressed.send(images[0][:1, :1], 5 + n, compressed=True), 'an answer')
    message = compressed.arrived['hands/keypoints'][-1]
    assert (message.image_width, message.image_height, len(message.hands)) == (1, 1, 0)


def test_silence_is_named(compressed):
    compressed.wait_until(lambda: compressed.diagnosed('keypoint_node', '/image/compressed: last message'),
                          10.0, 'stale')


def test_incompatible_quality_of_service_is_named():
    override = {'qos_overrides./image.subscription.reliability': 'reliable', 'always_on': 'true'}
    with Graph(('keypoint_node',), {'keypoint_node': override}) as graph:
        assert qos_profile_sensor_data.reliability.name == 'BEST_EFFORT'
        named = 'incompatible quality of service (RELIABILITY)'
        graph.wait_until(lambda: graph.diagnosed('keypoint_node', named), 15.0, 'the mismatch to be named')


def test_missing_topics_are_named():
    with Graph(('mesh_node',), {'mesh_node': {'always_on': 'true', 'projection': 'perspective'}}) as graph:
        graph.node.destroy_publisher(graph.info)
        graph.wait_until(lambda: graph.diagnosed('mesh_node', '/camera_info: no publisher')
                         and graph.diagnosed('mesh_node', '/hands/keypoints: no publisher'), 15.0, 'missing topics')
