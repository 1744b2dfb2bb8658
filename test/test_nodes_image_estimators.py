"""Estimators that look at the image, as nodes: meshes, masks and the fusion of two by learned weights are the library's."""
import numpy as np
import pytest
from node_harness import FRAME_ID, Graph, StereoGraph, recorded
from sensor_msgs.msg import Image

from hand_recon_ros.detection.offsets import load_offsets
from hand_recon_ros.estimation.painting import painted_masks
from hand_recon_ros.estimation.registry import build_estimator
from hand_recon_ros.fusion.stereo_fuser import StereoFuser, View
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.messages.features import features_to_msg, msg_to_features
from hand_recon_ros.messages.hands import keypoints_to_msg, msg_to_estimates, msg_to_keypoints
from hand_recon_ros.messages.stamps import to_header, to_ns
from hand_recon_ros.msg import HandFeatures, HandKeypointsArray, HandMeshArray
from hand_recon_ros.types import Frame, HandKeypoints

SECOND = 1_000_000_000


@pytest.fixture(scope='module')
def estimator():
    prepare_jax()
    return build_estimator('handnet', load_hand_model('open_hand'), load_offsets('mediapipe', 'real').offsets_m, masks=True)


def test_meshes_masks_and_features_are_the_estimators(estimator):
    images, camera = recorded()
    streams = {'hands/keypoints': HandKeypointsArray, 'hands/mesh_initial': HandMeshArray, 'hands/mask': Image,
               'hands/features': HandFeatures}
    with Graph(('keypoint_node', 'mesh_node'), {'keypoint_node': {'mode': 'image'},
                                                'mesh_node': {'estimator': 'handnet', 'mask': 'true'}}) as graph:
        for topic, kind in streams.items():
            graph.collect(kind, topic)

        def common():
            return set.intersection(*({to_ns(m.header.stamp) for m in list(graph.arrived[topic])} for topic in streams))
        graph.send_until(common, lambda n: graph.send(images[0], 100 * SECOND + n * SECOND // 10, camera), 'all topics', 60.0)
        stamp = min(common())
        keypoints, meshes, mask, features = (next(m for m in graph.arrived[topic] if to_ns(m.header.stamp) == stamp)
                                             for topic in streams)
    hands = msg_to_keypoints(keypoints)
    frame = Frame.from_image(images[0], camera)
    expected = [estimator.estimate(frame, hand) for hand in hands]
    got = msg_to_estimates(meshes)
    assert len(got) == len(expected) >= 1 and meshes.method == 'handnet' and mask.header.frame_id == FRAME_ID
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a.vertices_m, b.vertices_m, atol=1e-4)
        np.testing.assert_allclose(msg_to_features(features)[a.track_id], b.features, rtol=1e-3, atol=1e-4)
    painted = painted_masks(expected, frame.width, frame.height)
    seen = np.frombuffer(bytes(mask.data), np.uint8).reshape(mask.height, mask.width)
    assert mask.encoding == 'mono8' and (seen != painted).mean() < 1e-4 and 0.005 < (seen > 0).mean() < 0.5


def test_two_views_are_weighed_by_their_features(estimator):
    images, camera = recorded()
    T = np.eye(4)
    T[0, 3] = -0.06
    plain = Camera(camera.width, camera.height, camera.K)
    rig = StereoRig(plain, plain, T)
    moved = np.zeros_like(images[0])
    moved[:, :-60] = images[0][:, 60:]
    mesh = {'estimator': 'handnet', 'image_transport': 'raw'}
    streams = {'left/hands/keypoints': HandKeypointsArray, 'right/hands/keypoints': HandKeypointsArray,
               'hands/fused': HandMeshArray}
    names = ('stereo_keypoint_node', 'left_mesh_node', 'right_mesh_node', 'stereo_fusion_node')
    with StereoGraph(names, {'left_mesh_node': mesh, 'right_mesh_node': mesh, 'stereo_fusion_node': {'method': 'weights'},
                             'stereo_keypoint_node': {'backend': 'mediapipe'}}) as graph:
        for topic, kind in streams.items():
            graph.collect(kind, topic)

        def send(n):
            stamp_ns = 100 * SECOND + n * SECOND // 10
            graph.send_rig(rig, stamp_ns)
            graph.send_images((images[0], moved), (stamp_ns, stamp_ns))

        def fused():
            return {to_ns(m.header.stamp): m for m in list(graph.arrived['hands/fused']) if m.hands}
        graph.send_until(fused, send, 'fused hands', 90.0)
        stamp, message = min(fused().items())
        seen = [next(msg_to_keypoints(m) for m in graph.arrived[topic] if to_ns(m.header.stamp) == stamp)
                for topic in list(streams)[:2]]
    views = []
    for image, keypoints in zip((images[0], moved), seen):
        frame = Frame.from_image(image, plain, stamp)
        views.append(View(frame, keypoints, [estimator.estimate(frame, hand) for hand in keypoints]))
    expected = StereoFuser(load_hand_model('open_hand'), load_offsets('mediapipe', 'real').offsets_m, 'weights').fuse(rig, *views)
    got = msg_to_estimates(message)
    assert message.method == 'weights' and len(got) == len(expected) >= 1
    for a, b in zip(got, expected):
        np.testing.assert_allclose(a.vertices_m, b.estimate.vertices_m, atol=2e-4)


def test_an_image_of_another_size_is_named():
    images, camera = recorded()
    hand = HandKeypoints('right', 1.0, 1.0, [100, 100, 200, 200], np.random.default_rng(0).uniform(100, 200, (21, 2)),
                         np.ones(21), np.zeros((21, 3)), track_id=0)
    seen = keypoints_to_msg([hand], 0, FRAME_ID, camera.width, camera.height)
    with Graph(('mesh_node',), {'mesh_node': {'estimator': 'handnet'}}) as graph:
        graph.collect(HandMeshArray, 'hands/mesh_initial')
        publisher = graph.node.create_publisher(HandKeypointsArray, 'hands/keypoints', 10)

        def send(n):
            seen.header = to_header(SECOND + n, FRAME_ID)
            graph.send(images[0][::2, ::2], SECOND + n, camera)
            publisher.publish(seen)
        named = f'image: {camera.width // 2} x {camera.height // 2}, expected {camera.width} x {camera.height}'
        graph.send_until(lambda: graph.diagnosed('mesh_node', named), send, named, 60.0)


def test_features_that_do_not_fit_are_named():
    assert msg_to_features(features_to_msg([], 'handnet', 0, '')) == {}
    message = HandFeatures(track_ids=[1, 2], size=3, values=[0.0] * 5)
    with pytest.raises(ValueError, match=r'values: 5 values, expected 6 \(2 x 3\)'):
        msg_to_features(message)
    message.size = 0
    with pytest.raises(ValueError, match='size: 0, expected at least 1'):
        msg_to_features(message)
