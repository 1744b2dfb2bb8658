"""stereo_keypoint_node as a process: both images' hands, and what is wrong with the cameras by name."""
import importlib.util

import numpy as np
import pytest
from node_harness import StereoGraph, recorded

from hand_recon_ros.detection.registry import build_stereo_detector
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.messages.hands import msg_to_keypoints
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandKeypointsArray
from hand_recon_ros.types import Frame

SECOND = 1_000_000_000
DISPARITY_PX, BASELINE_M = 60, 0.06
BACKEND = 'mediapipe' if importlib.util.find_spec('openvino') is None else 'openvino'
NODE = 'stereo_keypoint_node'
TOPICS = ('left/hands/keypoints', 'right/hands/keypoints')


@pytest.fixture(scope='module')
def rig():
    _, camera = recorded()
    T = np.eye(4)
    T[0, 3] = -BASELINE_M
    plain = Camera(camera.width, camera.height, camera.K)
    return StereoRig(plain, plain, T)


@pytest.fixture(scope='module')
def pair():
    """An image, and the same as a camera to the right sees it, were all of it at one depth."""
    images, _ = recorded()
    moved = np.zeros_like(images[0])
    moved[:, :-DISPARITY_PX] = images[0][:, DISPARITY_PX:]
    return images[0], moved


@pytest.fixture(scope='module')
def graph():
    with StereoGraph((NODE,), {NODE: {'backend': BACKEND}}) as graph:
        for topic in TOPICS:
            graph.collect(HandKeypointsArray, topic)
        yield graph


def send(graph, rig, images, left_ns, right_ns=None):
    graph.send_rig(rig, left_ns)
    graph.send_images(images, (left_ns, left_ns if right_ns is None else right_ns))


def stamps(graph, topic=TOPICS[0]):
    return [to_ns(message.header.stamp) for message in list(graph.arrived[topic])]


def test_hands_of_both_images_are_the_detectors(graph, rig, pair):
    graph.send_until(lambda: len(stamps(graph)) >= 3 and set(stamps(graph)) == set(stamps(graph, TOPICS[1])),
                     lambda n: send(graph, rig, pair, 100 * SECOND + n * SECOND // 10), 'keypoints')
    left, right = (graph.arrived[topic][0] for topic in TOPICS)
    assert left.header.frame_id == 'left_optical_frame' and right.header.frame_id == 'right_optical_frame'
    assert to_ns(left.header.stamp) == to_ns(right.header.stamp) >= 100 * SECOND
    detector = build_stereo_detector(BACKEND, rig)
    frames = [Frame.from_image(image, rig.left, to_ns(left.header.stamp)) for image in pair]
    expected = detector.detect(*frames)
    detector.close()
    assert len(expected[0]) >= 1
    for message, hands in zip((left, right), expected):
        got = msg_to_keypoints(message)
        assert [hand.handedness for hand in got] == [hand.handedness for hand in hands]
        for a, b in zip(got, hands):
            np.testing.assert_allclose(a.points_px, b.points_px, atol=0.5)
    away = msg_to_keypoints(left)[0].points_px - msg_to_keypoints(right)[0].points_px
    assert abs(np.median(away[:, 0]) - DISPARITY_PX) < 5 and abs(np.median(away[:, 1])) < 3


def test_skew_is_named_and_nothing_is_paired(graph, rig, pair):
    start = 200 * SECOND
    text = 'nothing pairs, stamps differ by 40.0 ms, expected at most 0 ms (parameter tolerance_s)'

    def skewed(n):
        left_ns = start + n * SECOND // 10
        send(graph, rig, pair, left_ns, left_ns + SECOND // 25)
    graph.send_until(lambda: graph.diagnosed(NODE, text), skewed, 'the skew to be named', 10)
    assert not any(start <= stamp < start + 50 * SECOND for stamp in stamps(graph))


def test_a_camera_that_stops_is_named_and_the_other_goes_on(graph, rig, pair):
    def went_on():
        return [stamp for stamp in stamps(graph) if 310 * SECOND <= stamp < 340 * SECOND]
    graph.send_until(lambda: any(300 * SECOND <= stamp < 305 * SECOND for stamp in stamps(graph)),
                     lambda n: send(graph, rig, pair, 300 * SECOND + n * SECOND // 50), 'both')
    graph.send_until(lambda: graph.diagnosed(NODE, '/right/image: last message') and len(went_on()) > 3,
                     lambda n: send(graph, rig, (pair[0], None), 310 * SECOND + n * SECOND // 10),
                     'the silent camera to be named', 10)
    left, right = ({to_ns(m.header.stamp): m for m in graph.arrived[topic]} for topic in TOPICS)
    stamp = went_on()[0]
    assert len(left[stamp].hands) >= 1 and not right[stamp].hands
    assert right[stamp].header.frame_id == 'right_optical_frame'


def test_images_of_another_size_are_named(graph, rig, pair):
    small = [np.ascontiguousarray(image[::2, ::2]) for image in pair]
    height, width = small[0].shape[:2]
    text = f'left/camera_info: {rig.left.width} x {rig.left.height}, expected the left image\'s {width} x {height}'
    graph.send_until(lambda: graph.diagnosed(NODE, text),
                     lambda n: send(graph, rig, small, 400 * SECOND + n * SECOND // 10), 'the size to be named', 10)


def test_late_pairs_are_named_and_a_recording_starts_over(graph, rig, pair):
    def reordered(n):
        for late_ns in (0, SECOND // 20):
            send(graph, rig, pair, 500 * SECOND + n * SECOND - late_ns)
    graph.send_until(lambda: graph.diagnosed(NODE, 'stamps not in order, one 50.0 ms older'), reordered, 'late ones')
    graph.send_until(lambda: any(stamp < 60 * SECOND for stamp in stamps(graph)),
                     lambda n: send(graph, rig, pair, 50 * SECOND + n * SECOND // 10), 'the new beginning', 15)
