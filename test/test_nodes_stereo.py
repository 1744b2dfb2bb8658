"""The stereo graph as processes: metric hands from both views, identities on demand, faults by name."""
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from identity_people import CAMERA, RIG, People
from node_harness import StereoGraph
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Float32

from hand_recon_ros.action import CalibrateIdentity
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, triangulate
from hand_recon_ros.hand_model.assets import load_hand_model
from hand_recon_ros.hand_model.jax_runtime import prepare_jax
from hand_recon_ros.identity.measures import HandMeasures
from hand_recon_ros.identity.store import IdentityStore
from hand_recon_ros.messages.hands import msg_to_estimates, msg_to_identity
from hand_recon_ros.messages.identities import msg_to_identities
from hand_recon_ros.messages.stamps import to_ns
from hand_recon_ros.msg import HandIdentity, HandIdentityArray, HandMeshArray
from hand_recon_ros.nodes.calibration_client import calibrate_live
from hand_recon_ros.srv import LoadIdentity, SaveIdentity

SECOND = 1_000_000_000
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)
NAMES = ('left_mesh_node', 'right_mesh_node', 'stereo_fusion_node', 'tailor_node', 'identity_node')
ANN, BOB = np.zeros(10), np.zeros(10)
ANN[:3], BOB[:3] = (1.2, -0.4, 0.6), (-1.3, 0.6, -0.5)


@pytest.fixture(scope='module')
def people():
    prepare_jax()
    return People(load_hand_model('open_hand'))


@pytest.fixture(scope='module')
def graph(tmp_path_factory):
    none = {'offsets': 'none'}
    parameters = dict.fromkeys(NAMES, none) | {
        'tailor_node': {**none, 'smoothing': 'none', 'predict_s': '0.0'},
        'identity_node': {**none, 'folder': str(tmp_path_factory.mktemp('identities'))}}
    with StereoGraph(NAMES, parameters) as graph:
        graph.collect(HandMeshArray, 'hands/fused')
        graph.collect(HandMeshArray, 'hands/mesh')
        graph.collect(Float32, 'hands/epipolar_residual_px')
        yield graph


def sights_of(people, shape, count, seed, **options):
    return people.sights(shape, count, np.random.default_rng(seed), **options)


def send(graph, sights, stamp_ns, rig=RIG, sign=1.0, views=None):
    """One instant: sights of different hands, in both views."""
    graph.send_rig(rig, stamp_ns, sign)
    both = [[replace(sight.keypoints[view], track_id=number) for number, sight in enumerate(sights)] for view in (0, 1)]
    graph.send_keypoints(both if views is None else views(both), stamp_ns)


def arrived(graph, topic, first_ns):
    """What came with stamps of the 40 s from `first_ns`, by stamp."""
    stamped = [(to_ns(message.header.stamp), message) for message in list(graph.arrived[topic])]
    return {stamp: message for stamp, message in stamped if 0 <= stamp - first_ns < 40 * SECOND}


def until_published(graph, sights, first_ns, count=1, **how):
    """Send instants 50 ms apart until `count` of them came out as hands/mesh: {stamp: message}."""
    graph.send_until(lambda: len(arrived(graph, 'hands/mesh', first_ns)) >= count,
                     lambda n: send(graph, sights, first_ns + n * SECOND // 20, **how), 'hands/mesh')
    return arrived(graph, 'hands/mesh', first_ns)


def true_joints(people, sight):
    """Of a sight without noise: triangulated, which is exact."""
    return triangulate(RIG, *(hand.points_px.astype(float) for hand in sight.keypoints))[0]


def test_hands_of_both_views_are_where_they_are(graph, people):
    sight = sights_of(people, np.zeros(10), 1, 3)[0]
    meshes = until_published(graph, [sight], 100 * SECOND, 3)
    stamp = max(meshes)
    assert (stamp - 100 * SECOND) % (SECOND // 20) == 0
    mesh, fused = meshes[stamp], arrived(graph, 'hands/fused', stamp)[stamp]
    assert mesh.method == fused.method == 'joint' and mesh.header.frame_id == 'left_optical_frame'
    assert mesh.total_latency_s > fused.total_latency_s > 0
    hand, = msg_to_estimates(mesh)
    assert hand.handedness == 'right' and hand.metric
    error = np.linalg.norm(hand.joints_m - true_joints(people, sight), axis=1)
    assert error.mean() < 0.003 and np.isfinite(hand.joint_std_m).all()
    np.testing.assert_array_equal(hand.joints_m, msg_to_estimates(fused)[0].joints_m)
    assert graph.arrived['hands/epipolar_residual_px'][-1].data < 0.5


def test_a_hand_that_one_view_loses_goes_on_from_the_other(graph, people):
    sight = sights_of(people, np.zeros(10), 1, 4)[0]
    both = until_published(graph, [sight], 200 * SECOND, 4)
    before, = msg_to_estimates(both[max(both)])
    first = max(both) + SECOND // 20
    single = until_published(graph, [sight], first, 8, views=lambda v: [v[0], []])
    after, = msg_to_estimates(single[min(single)])
    later, = msg_to_estimates(single[max(single)])
    assert after.track_id == before.track_id
    assert np.linalg.norm(after.joints_m - true_joints(people, sight), axis=1).mean() < 0.03
    doubts = [hand.joint_std_m.mean() for hand in (before, after, later)]
    assert doubts[1] > 1.2 * doubts[0] and doubts[2] > 1.8 * doubts[0]      # the distance held is known worse with time


def test_stamps_that_jump_back_go_on_and_late_ones_are_named(graph, people):
    sight = sights_of(people, np.zeros(10), 1, 5)[0]
    ids = []
    for start in (900 * SECOND, 50 * SECOND):
        meshes = until_published(graph, [sight], start)
        ids.append(meshes[max(meshes)].hands[0].track_id)
    assert ids[1] > ids[0]
    newest = max(meshes) + SECOND
    graph.send_until(lambda: graph.diagnosed('stereo_fusion_node', 'stamps not in order, one 100.0 ms older'),
                     lambda n: [send(graph, [sight], newest + n * SECOND - late) for late in (0, SECOND // 10)],
                     'the late stamp')


@pytest.mark.parametrize('node, how, named', [
    ('stereo_fusion_node', {'sign': -1.0}, 'rig: baseline_sign: P[0, 3] is 72.0 in the right camera: '
                                             'it puts that camera 120 mm to the left'),
    ('left_mesh_node', {'rig': StereoRig(Camera(320, 240, CAMERA.K), CAMERA, RIG.T_right_left)},
     'camera_info: 320 x 240, expected the image\'s 640 x 480'),
    ('stereo_fusion_node', {'views': lambda v: [v[1], v[0]]}, 'rig: swapped_images')])
def test_a_wrong_rig_is_named_and_recovered_from(graph, people, node, how, named):
    sights, start = sights_of(people, np.zeros(10), 40, 6), 1000 * len(named) * SECOND
    graph.send_until(lambda: graph.diagnosed(node, named),
                     lambda n: send(graph, [sights[n % 40]], start + n * SECOND // 10, **how), named)
    until_published(graph, [sights[0]], start + 100 * SECOND)


def calibrated(graph, people, name, shape, seed, first_ns, frames=6):
    """The result of calibrating a person from noisy sights, and the feedback."""
    client = ActionClient(graph.node, CalibrateIdentity, 'hands/calibrate_identity')
    graph.wait_until(client.server_is_ready, 10.0, 'the action')
    heard = []
    future = client.send_goal_async(CalibrateIdentity.Goal(name=name, frames=frames, track_id=-1),
                                    feedback_callback=lambda message: heard.append(message.feedback))
    graph.wait_until(future.done, 10.0, 'the goal to be taken')
    result = future.result().get_result_async()
    sights = sights_of(people, shape, 40, seed, noise_px=0.5)
    graph.send_until(result.done, lambda n: send(graph, [sights[n % 40]], first_ns + n * SECOND // 10), 'it', 60)
    client.destroy()
    return result.result(), heard


def called(graph, kind, service, **request):
    client = graph.node.create_client(kind, service)
    graph.wait_until(client.service_is_ready, 10.0, service)
    future = client.call_async(kind.Request(**request))
    graph.wait_until(future.done, 10.0, f'an answer of {service}')
    return future.result()


def test_two_people_keep_two_identities(graph, people):
    graph.collect(HandIdentity, 'hands/identity', LATCHED)
    graph.collect(HandIdentityArray, 'hands/identities', LATCHED)
    answer, heard = calibrated(graph, people, 'ann', ANN, 1, 5000 * SECOND)
    assert answer.status == GoalStatus.STATUS_SUCCEEDED and answer.result.success
    ann = msg_to_identity(answer.result.identity)
    assert ann.metric and np.abs(ann.shape[:2] - ANN[:2]).max() < 0.5
    frames = [feedback.frames for feedback in heard]
    assert frames[-1] == 6 and sorted(frames) == frames and heard[-1].remaining == 0
    assert np.isfinite(heard[-1].length_std_mm) and abs(answer.result.length_std_mm - heard[-1].length_std_mm) < 0.5
    graph.wait_until(lambda: [m.name for m in graph.arrived['hands/identity']][-1:] == ['ann'], 5.0, 'hands/identity')
    # Who subscribes only now is told too.
    graph.collect(HandIdentity, 'hands/identity', LATCHED)
    graph.wait_until(lambda: [m.name for m in graph.arrived['hands/identity']] == ['ann'], 5.0, 'the latched identity')
    # Used at once: all her hands are equally long, wherever they are.
    first = 5100 * SECOND
    meshes = until_published(graph, sights_of(people, ANN, 1, 8, noise_px=0.5), first, 3)
    meshes |= until_published(graph, sights_of(people, ANN, 1, 11, noise_px=0.5), first + 45 * SECOND, 3)
    assert meshes[max(meshes)].hands[0].identity == 'ann'
    lengths = HandMeasures(load_hand_model('open_hand')).lengths_mm(
        [msg_to_estimates(meshes[stamp])[0].shape for stamp in (min(meshes), max(meshes))])
    assert np.ptp(lengths, axis=0).max() < 0.1
    saved = called(graph, SaveIdentity, 'hands/save_identity', name='')
    assert saved.success and saved.file.endswith('ann.yaml')
    answer, _ = calibrated(graph, people, 'bob', BOB, 2, 5200 * SECOND)
    assert answer.result.success
    # Two are known now: nobody by default, and each of two right hands by its shape.
    graph.wait_until(lambda: not graph.arrived['hands/identity'][-1].name, 5.0, 'nobody by default')
    rng = np.random.default_rng(9)
    crowd = [(people.sights(ANN, 1, rng, noise_px=0.3)[0],
              people.sights(BOB, 1, rng, noise_px=0.3, handedness='left')[0]) for _ in range(30)]

    def named():
        message = graph.arrived['hands/identities'][-1]
        identities, owners = msg_to_identities(message)
        return sorted({identities[owner].name for owner in owners.values()})
    graph.send_until(lambda: named() == ['ann', 'bob'],
                     lambda n: send(graph, crowd[n % 30], 5300 * SECOND + n * SECOND // 10), 'both to be named', 40)
    loaded = called(graph, LoadIdentity, 'hands/load_identity', name='ann', alone=True)
    assert loaded.success and loaded.identity.name == 'ann'
    refused = called(graph, LoadIdentity, 'hands/load_identity', name='eve', alone=True)
    assert not refused.success and "'eve': not in" in refused.message and 'ann' in refused.message
    assert called(graph, LoadIdentity, 'hands/load_identity', name='', alone=True).success
    graph.wait_until(lambda: not graph.arrived['hands/identities'][-1].identities, 5.0, 'nobody')


def test_calibrate_live_asks_the_running_graph(graph, people):
    """What `hand-recon calibrate --live` calls, with a context of its own beside the graph."""
    sights, heard = sights_of(people, BOB, 40, 12, noise_px=0.5), []
    with ThreadPoolExecutor(1) as other:
        goal = CalibrateIdentity.Goal(name='cy', frames=4, track_id=-1, handedness='right', save=True)
        found = other.submit(calibrate_live, goal, 60.0, heard.append)
        graph.send_until(found.done, lambda n: send(graph, [sights[n % 40]], 7000 * SECOND + n * SECOND // 10), 'it',
                         80)
        result = found.result()
        assert result.file.endswith('cy.yaml') and IdentityStore(Path(result.file).parent).load('cy').frames == 4
        assert max(feedback.frames for feedback in heard) == 4
        assert abs(result.identity.shape[0] - BOB[0]) < 0.7
        refused = other.submit(calibrate_live, CalibrateIdentity.Goal(name='cy', frames=5, track_id=-1), 0.2)
        with pytest.raises(ValueError, match="'cy': not done after 0.2 s"):
            refused.result(40)
    assert called(graph, LoadIdentity, 'hands/load_identity', name='', alone=True).success


def test_a_goal_can_be_refused_and_cancelled(graph):
    client = ActionClient(graph.node, CalibrateIdentity, 'hands/calibrate_identity')
    graph.wait_until(client.server_is_ready, 10.0, 'the action')

    def started(**goal):
        future = client.send_goal_async(CalibrateIdentity.Goal(**goal))
        graph.wait_until(future.done, 10.0, 'the goal to be taken')
        return future.result(), future.result().get_result_async()
    _, result = started(name='../eve')
    graph.wait_until(result.done, 10.0, 'the refusal')
    assert result.result().status == GoalStatus.STATUS_ABORTED and "name: '../eve'" in result.result().result.message
    handle, result = started(name='eve')
    cancelling = handle.cancel_goal_async()
    graph.wait_until(result.done, 10.0, 'the end')
    assert cancelling.done() and result.result().status == GoalStatus.STATUS_CANCELED
    assert result.result().result.message == 'cancelled'
    client.destroy()


