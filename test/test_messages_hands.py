"""hands.py, stamps.py, topology.py: round trips through the real serialisation, and wrong lengths refused by name."""
import array

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message

from hand_recon_ros.messages import hands, stamps
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandKeypointsArray, HandMeshArray
from hand_recon_ros.types import HandEstimate, HandIdentity, HandKeypoints

STAMP = 1_700_000_000_123_456_789


def keypoints(seed=0, **changes):
    rng = np.random.default_rng(seed)
    values = dict(handedness='left', handedness_score=0.9, score=0.8, box_px=[1, 2, 30, 40],
                  points_px=rng.normal(size=(21, 2)), point_scores=rng.random(21), points_m=rng.normal(size=(21, 3)),
                  detector='mediapipe', track_id=7)
    return HandKeypoints(**{**values, **changes})


def estimate(seed=0, **changes):
    rng = np.random.default_rng(seed)
    values = dict(track_id=3, handedness='right', handedness_score=0.75, score=0.5, model='open_hand',
                  pose=rng.normal(size=48), shape=rng.normal(size=10), translation=rng.normal(size=3),
                  joints_m=rng.normal(size=(21, 3)), vertices_m=rng.normal(size=(50, 3)), weak_camera=[900, 320, 240],
                  projection='weak_perspective', joint_std_m=np.full(21, np.nan), reprojection_px=2.5, identity='ann',
                  metric=True)
    return HandEstimate(**{**values, **changes})


def same(a, b):
    for name in a.__dataclass_fields__:
        left, right = getattr(a, name), getattr(b, name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype == np.float32 and np.array_equal(left, right, equal_nan=True), name
        elif isinstance(left, float):
            assert left == pytest.approx(right, rel=1e-6), name
        else:
            assert left == right, name


def over_the_wire(msg):
    return deserialize_message(serialize_message(msg), type(msg))


def test_keypoints_round_trip():
    sent = [keypoints(0), keypoints(1, points_m=None, handedness='right')]
    msg = over_the_wire(hands.keypoints_to_msg(sent, STAMP, 'left_optical', 640, 480, 0.012))
    assert (msg.image_width, msg.image_height, msg.header.frame_id) == (640, 480, 'left_optical')
    assert stamps.to_ns(msg.header.stamp) == STAMP and msg.processing_latency_s == pytest.approx(0.012)
    for a, b in zip(sent, hands.msg_to_keypoints(msg), strict=True):
        same(a, b)
    assert len(msg.hands[1].points_m) == 0


def test_estimates_round_trip():
    sent = [estimate(0), estimate(1, handedness='left', projection='perspective', joint_std_m=np.ones(21))]
    msg = over_the_wire(hands.estimates_to_msg(sent, STAMP, 'cam', 'closed_form_ik', 0.001, 0.02))
    assert [hand.hand_id for hand in msg.hands] == ['right_3', 'left_3'] and msg.method == 'closed_form_ik'
    assert msg.total_latency_s == pytest.approx(0.02) and stamps.to_ns(msg.header.stamp) == STAMP
    for a, b in zip(sent, hands.msg_to_estimates(msg), strict=True):
        same(a, b)


def test_no_hands_is_a_message():
    assert hands.msg_to_estimates(over_the_wire(hands.estimates_to_msg([], STAMP, 'c', 'm'))) == []
    assert hands.msg_to_keypoints(over_the_wire(hands.keypoints_to_msg([], STAMP, 'c', 4, 3))) == []


def test_identity_round_trip():
    sent = HandIdentity('ann', 'open_hand', np.arange(10), np.full(10, np.nan), metric=True)
    msg = over_the_wire(hands.identity_to_msg(sent, STAMP))
    assert isinstance(msg, HandIdentityMsg)
    same(sent, hands.msg_to_identity(msg))


@pytest.mark.parametrize('field, value, message', [
    ('points_px', [0.0] * 41, r'hands\[0\].points_px: 41 values, expected 42'),
    ('point_scores', [], r'hands\[0\].point_scores'), ('points_m', [1.0] * 62, r'hands\[0\].points_m: 62'),
    ('handedness', 2, r'hands\[0\].handedness: 2'), ('score', 1.5, r'hands\[0\].score: 1.5'),
    ('points_px', [float('nan')] * 42, r'points_px: 42 of 42 values are not finite')])
def test_wrong_keypoints_name_hand_and_field(field, value, message):
    msg = hands.keypoints_to_msg([keypoints()], STAMP, 'c', 640, 480)
    setattr(msg.hands[0], field, array.array('f', value) if isinstance(value, list) else value)
    with pytest.raises(ValueError, match=message):
        hands.msg_to_keypoints(msg)


@pytest.mark.parametrize('field, value, message', [
    ('pose', [0.0] * 47, r'hands\[0\].pose'),
    ('vertices', [0.0] * 100, r'vertices: 100 values, expected a multiple of 3'),
    ('joints', [0.0] * 60, r'joints: 60 values, expected 63 \(21 x 3\)'), ('projection', 5, r'projection: 5'),
    ('joint_std', [0.0] * 20, 'joint_std')])
def test_wrong_meshes_name_hand_and_field(field, value, message):
    msg = hands.estimates_to_msg([estimate()], STAMP, 'c', 'm')
    setattr(msg.hands[0], field, array.array('f', value) if isinstance(value, list) else value)
    with pytest.raises(ValueError, match=message):
        hands.msg_to_estimates(msg)


def test_what_does_not_fit_is_not_sent():
    with pytest.raises(ValueError, match=r'hands\[0\].track_id: -1'):
        hands.keypoints_to_msg([keypoints(track_id=-1)], STAMP, 'c', 640, 480)
    with pytest.raises(ValueError, match='score'):
        hands.estimates_to_msg([estimate(score=float('nan'))], STAMP, 'c', 'm')
    with pytest.raises(ValueError, match='stamp_ns: -1'):
        hands.estimates_to_msg([], -1, 'c', 'm')


def test_arrays_are_the_fast_kind():
    msg = hands.estimates_to_msg([estimate()], STAMP, 'c', 'm').hands[0]
    assert all(isinstance(getattr(msg, name), array.array) for name in ('pose', 'shape', 'joints', 'vertices'))
    assert isinstance(hands.keypoints_to_msg([keypoints()], 0, 'c', 1, 1), HandKeypointsArray)
    assert isinstance(hands.estimates_to_msg([], 0, 'c', 'm'), HandMeshArray)
