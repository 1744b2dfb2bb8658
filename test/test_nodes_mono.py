"""The real nodes as processes: what they publish is what the library computes, with the image's own stamp and frame."""
import os
import signal
import time

import numpy as np
import pytest
from node_harness import FRAME_ID, Graph, recorded
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix, quaternion_to_matrix
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.hand_model.mirroring import mirror_faces
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.hands import msg_to_estimates, msg_to_keypoints
from hand_recon_ros.messages.images import image_to_rgb
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.messages.topology import msg_to_topology
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray, HandTopology
from hand_recon_ros.refinement.tailor import Tailor
from hand_recon_ros.srv import GetTopology
from hand_recon_ros.types import Frame

SECOND = 1_000_000_000
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)
STREAMS = {'hands/keypoints': HandKeypointsArray, 'hands/mesh_initial': HandMeshArray, 'hands/mesh': HandMeshArray,
           'hands/markers': MarkerArray, '/tf': TFMessage, 'hands/overlay': Image}
NAMES = ('keypoint_node', 'mesh_node', 'tailor_node', 'overlay_node')


@pytest.fixture(scope='module')
def graph():
    # Each image anew: what comes out must not depend on what went in before.
    with Graph(NAMES, {'keypoint_node': {'backend': 'mediapipe', 'mode': 'image',
                                                  'min_detection_score': '0.4'}}, overlay=True) as graph:
        yield graph


@pytest.fixture(scope='module')
def model():
    prepare_jax()
    return load_hand_model('open_hand')


@pytest.fixture(scope='module')
def answer(graph):
    """The messages of every topic for one and the same image, by topic; the image's stamp under 'stamp'."""
    images, camera = recorded()
    subscriptions = [graph.collect(kind, topic) for topic, kind in STREAMS.items()]
    base = 100 * SECOND

    def stamps(topic):
        messages = list(graph.arrived[topic])
        if topic == '/tf':
            return {to_ns(m.transforms[0].header.stamp): m for m in messages if m.transforms}
        if topic == 'hands/markers':
            return {to_ns(m.markers[0].header.stamp): m for m in messages if m.markers}
        return {to_ns(m.header.stamp): m for m in messages}

    def common():
        return set.intersection(*(set(stamps(topic)) for topic in STREAMS))
    graph.send_until(common, lambda n: graph.send(images[0], base + n * SECOND // 10, camera), 'all topics', 60.0)
    stamp = min(common())
    found = {topic: stamps(topic)[stamp] for topic in STREAMS}
    for subscription in subscriptions:
        graph.node.destroy_subscription(subscription)
    return {**found, 'stamp': stamp}


def test_stamp_and_frame_are_the_images(answer):
    for topic in ('hands/keypoints', 'hands/mesh_initial', 'hands/mesh', 'hands/overlay'):
        assert to_ns(answer[topic].header.stamp) == answer['stamp']
        assert answer[topic].header.frame_id == FRAME_ID
    assert (answer['stamp'] - 100 * SECOND) % (SECOND // 10) == 0


def test_keypoints_are_the_detectors(answer):
    images, _ = recorded()
    with MediaPipeDetector(mode='image', max_hands=2, min_detection_score=0.4, retry=False) as detector:
        expected = detector.detect(Frame.from_image(images[0]))
    got = msg_to_keypoints(answer['hands/keypoints'])
    assert len(got) == len(expected) >= 1
    for a, b in zip(got, expected):
        assert a.handedness == b.handedness
        np.testing.assert_allclose(a.points_px, b.points_px, atol=1e-3)
        np.testing.assert_allclose(a.points_m, b.points_m, atol=1e-6)
    message = answer['hands/keypoints']
    assert (message.image_height, message.image_width) == images[0].shape[:2]
    assert 0 < message.processing_latency_s < 10


def test_initial_meshes_are_the_estimators(answer, model):
    _, camera = recorded()
    estimator = build_estimator('auto', model, load_offsets('mediapipe', 'real').offsets_m)
    frame = Frame(camera.width, camera.height, None, camera)
    hands = msg_to_keypoints(answer['hands/keypoints'])
    got = msg_to_estimates(answer['hands/mesh_initial'])
    assert answer['hands/mesh_initial'].method == estimator.name and len(got) == len(hands)
    for hand, estimate in zip(hands, got):
        expected = estimator.estimate(frame, hand)
        assert estimate.track_id == hand.track_id and estimate.projection == 'perspective'
        np.testing.assert_allclose(estimate.vertices_m, expected.vertices_m, atol=1e-5)
        np.testing.assert_allclose(estimate.pose, expected.pose, atol=1e-4)


def test_meshes_are_the_tailors(answer, model):
    _, camera = recorded()
    tailor = Tailor(model, load_offsets('mediapipe', 'real').offsets_m, 'gauss_newton', 2)
    frame = Frame(camera.width, camera.height, None, camera)
    initial = msg_to_estimates(answer['hands/mesh_initial'])
    expected = tailor.refine(frame, msg_to_keypoints(answer['hands/keypoints']), initial)
    got = msg_to_estimates(answer['hands/mesh'])
    assert len(got) == len(expected) >= 1
    assert answer['hands/mesh'].method == 'iknet+gauss_newton'
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a.vertices_m, b.vertices_m, atol=1e-4)
        np.testing.assert_allclose(a.joint_std_m, b.joint_std_m, rtol=1e-2)
        assert a.reprojection_px == pytest.approx(b.reprojection_px, rel=1e-2)


def test_latencies_add_up(answer):
    keypoints, initial, mesh = (answer[name] for name in ('hands/keypoints', 'hands/mesh_initial', 'hands/mesh'))
    first_two = keypoints.processing_latency_s + initial.processing_latency_s
    assert initial.total_latency_s == pytest.approx(first_two, rel=1e-4)
    assert mesh.total_latency_s == pytest.approx(initial.total_latency_s + mesh.processing_latency_s, rel=1e-4)


def test_tf_is_the_wrist(answer):
    hands = msg_to_estimates(answer['hands/mesh'])
    assert len(answer['/tf'].transforms) == len(hands)
    for transform, hand in zip(answer['/tf'].transforms, hands):
        assert (transform.header.frame_id, transform.child_frame_id) == (FRAME_ID, f'hands/{hand.hand_id}')
        t, q = transform.transform.translation, transform.transform.rotation
        np.testing.assert_allclose([t.x, t.y, t.z], hand.joints_m[0], atol=1e-6)
        np.testing.assert_allclose(quaternion_to_matrix(np.array([q.w, q.x, q.y, q.z])),
                                   axis_angle_to_matrix(hand.pose[:3].astype(float)), atol=1e-5)


def test_markers_are_the_mesh(answer, model):
    hand = msg_to_estimates(answer['hands/mesh'])[0]
    mesh = next(m for m in answer['hands/markers'].markers if m.type == Marker.TRIANGLE_LIST and m.ns == hand.hand_id)
    assert mesh.header.frame_id == FRAME_ID and len(mesh.points) == 3 * len(model.faces)
    corners = {tuple(np.float32([p.x, p.y, p.z])) for p in mesh.points[:60]}
    assert corners <= {tuple(v) for v in hand.vertices_m}


def test_overlay_covers_the_hand_and_nothing_else(answer):
    images, _ = recorded()
    overlay = image_to_rgb(answer['hands/overlay'])
    assert overlay.shape == images[0].shape
    changed = np.abs(overlay.astype(int) - images[0]).max(-1) > 20
    hand = msg_to_keypoints(answer['hands/keypoints'])[0]
    u, v = np.round(hand.points_px[9]).astype(int)
    assert changed[v - 3:v + 4, u - 3:u + 4].mean() > 0.5 and 0.005 < changed.mean() < 0.5


def test_topology_is_latched_and_served(graph, model):
    graph.collect(HandTopology, 'hands/topology', LATCHED)
    graph.wait_until(lambda: graph.arrived['hands/topology'], 10.0, 'the latched topology')
    topology = msg_to_topology(graph.arrived['hands/topology'][0])
    assert topology.model == 'open_hand' and topology.vertex_count == model.vertex_count
    assert np.array_equal(topology.faces_right, model.faces)
    assert np.array_equal(topology.faces_left, mirror_faces(model.faces))
    client = graph.node.create_client(GetTopology, 'hands/get_topology')
    graph.wait_until(client.service_is_ready, 10.0, 'the service')
    for name, success in (('', True), ('open_hand', True), ('mano', False)):
        future = client.call_async(GetTopology.Request(model=name))
        graph.wait_until(future.done, 10.0, 'an answer')
        assert future.result().success is success
        assert ('mano' in future.result().message) is not success


def test_idle_nodes_do_not_subscribe(graph, answer):
    del answer      # its subscriptions are gone again
    graph.wait_until(lambda: graph.image.get_subscription_count() == 0, 10.0, 'the image to be left alone')
    subscription = graph.collect(HandMeshArray, 'hands/mesh')
    graph.wait_until(lambda: graph.image.get_subscription_count() == 1, 10.0, 'the chain to start')
    graph.node.destroy_subscription(subscription)
    graph.wait_until(lambda: graph.image.get_subscription_count() == 0, 10.0, 'the chain to stop')


def test_nan_camera_is_named_and_recovers(graph):
    images, camera = recorded()
    subscription = graph.collect(HandMeshArray, 'hands/mesh_initial')
    bad = camera_to_msg(camera, 0, FRAME_ID)
    bad.k[0] = np.nan

    def send_bad(n):
        graph.info.publish(bad)
        graph.send(images[0], 300 * SECOND + n)
    graph.send_until(lambda: graph.diagnosed('mesh_node', 'camera_info: K'), send_bad, 'the fault to be named')

    def stamps(topic='hands/mesh_initial'):
        return [to_ns(m.header.stamp) for m in list(graph.arrived[topic])]
    watched = graph.collect(HandKeypointsArray, 'hands/keypoints')
    graph.send_until(lambda: max(stamps('hands/keypoints'), default=0) >= 350 * SECOND,
                     lambda n: graph.send(images[0], 350 * SECOND), 'keypoints')
    time.sleep(0.5)     # longer than an estimate takes, had there been one
    graph.send_until(lambda: max(stamps(), default=0) >= 400 * SECOND and graph.diagnosed('mesh_node', 'working'),
                     lambda n: graph.send(images[0], 400 * SECOND + n, camera), 'meshes of a good camera')
    assert 350 * SECOND not in stamps()
    graph.node.destroy_subscription(watched)
    graph.node.destroy_subscription(subscription)


def test_stamps_that_jump_back_go_on(graph):
    images, camera = recorded()
    subscription = graph.collect(HandMeshArray, 'hands/mesh')

    def seen():
        return [(to_ns(m.header.stamp), [hand.track_id for hand in m.hands]) for m in list(graph.arrived['hands/mesh'])]
    for start in (900 * SECOND, 50 * SECOND):
        graph.send_until(lambda: any(0 <= stamp - start < SECOND for stamp, _ in seen()),
                         lambda n: graph.send(images[1], start + n, camera), f'meshes from {start}')
    ids = [track_id for stamp, track_ids in seen() for track_id in track_ids if stamp < 60 * SECOND]
    before = [track_id for stamp, track_ids in seen() for track_id in track_ids if stamp > 60 * SECOND]
    assert min(ids) > max(before)        # a new recording: new ids, none used twice
    graph.node.destroy_subscription(subscription)


def test_a_killed_node_comes_back(graph):
    victim = next(node for node in graph.supervisor.nodes if node.spec.name == 'mesh_node')
    pid = victim.process.pid
    os.kill(pid, signal.SIGKILL)
    graph.wait_until(lambda: victim.restarts == 1 and victim.process is not None, 20.0, 'a restart')
    assert victim.process.pid != pid
    assert any('mesh_node ended by SIGKILL; starting it again' in line for line in graph.lines)
    time.sleep(0.5)
    graph.wait_until_active()
    images, camera = recorded()
    subscription = graph.collect(HandMeshArray, 'hands/mesh')
    graph.send_until(lambda: graph.arrived['hands/mesh'], lambda n: graph.send(images[0], 1000 * SECOND + n, camera),
                     'meshes after the restart')
    graph.node.destroy_subscription(subscription)
