"""Keypoints, estimates and identities <-> messages. Every shape is checked before a field is filled or used."""
from __future__ import annotations

from collections.abc import Iterable

from hand_recon_ros.messages.arrays import floats, matrix, probability, unsigned, vector
from hand_recon_ros.messages.stamps import to_header
from hand_recon_ros.msg import HandIdentity as HandIdentityMsg
from hand_recon_ros.msg import HandKeypoints as HandKeypointsMsg
from hand_recon_ros.msg import HandKeypointsArray, HandMesh, HandMeshArray
from hand_recon_ros.types import PERSPECTIVE, WEAK_PERSPECTIVE, HandEstimate, HandIdentity, HandKeypoints, checked

_HANDEDNESS_CODES = {'left': HandMesh.LEFT, 'right': HandMesh.RIGHT}
_HANDEDNESS_NAMES = {code: name for name, code in _HANDEDNESS_CODES.items()}
_PROJECTION_CODES = {PERSPECTIVE: HandMesh.PERSPECTIVE, WEAK_PERSPECTIVE: HandMesh.WEAK_PERSPECTIVE}
_PROJECTION_NAMES = {code: name for name, code in _PROJECTION_CODES.items()}


def keypoints_to_msg(hands: Iterable[HandKeypoints], stamp_ns: int, frame_id: str, width: int, height: int,
                     processing_latency_s: float = 0.0) -> HandKeypointsArray:
    """Message of the tracked hands of one image of `width` x `height` pixels; ValueError for an untracked hand."""
    return HandKeypointsArray(
        header=to_header(stamp_ns, frame_id), image_width=unsigned('image_width', width),
        image_height=unsigned('image_height', height), processing_latency_s=float(processing_latency_s),
        hands=[_keypoints_to_msg(hand, f'hands[{i}].') for i, hand in enumerate(hands)])


def _keypoints_to_msg(hand: HandKeypoints, at: str) -> HandKeypointsMsg:
    msg = HandKeypointsMsg(
        track_id=unsigned(at + 'track_id', hand.track_id), handedness=_HANDEDNESS_CODES[hand.handedness],
        handedness_score=probability(at + 'handedness_score', hand.handedness_score),
        score=probability(at + 'score', hand.score), detector=hand.detector,
        box_px=checked(at + 'box_px', hand.box_px, (4,)),
        points_px=floats(at + 'points_px', hand.points_px, (21, 2)),
        point_scores=floats(at + 'point_scores', hand.point_scores, (21,)))
    if hand.points_m is not None:
        msg.points_m = floats(at + 'points_m', hand.points_m, (21, 3))
    return msg


def msg_to_keypoints(msg: HandKeypointsArray) -> list[HandKeypoints]:
    """Hands of a message; ValueError names the hand and the field."""
    return [_msg_to_keypoints(hand, f'hands[{i}].') for i, hand in enumerate(msg.hands)]


def _msg_to_keypoints(msg: HandKeypointsMsg, at: str) -> HandKeypoints:
    return HandKeypoints(
        handedness=_name(at + 'handedness', msg.handedness, _HANDEDNESS_NAMES),
        handedness_score=probability(at + 'handedness_score', msg.handedness_score),
        score=probability(at + 'score', msg.score), box_px=vector(at + 'box_px', msg.box_px, 4),
        points_px=matrix(at + 'points_px', msg.points_px, 2, 21),
        point_scores=vector(at + 'point_scores', msg.point_scores, 21),
        points_m=matrix(at + 'points_m', msg.points_m, 3, 21) if len(msg.points_m) else None,
        detector=msg.detector, track_id=int(msg.track_id))


def estimates_to_msg(estimates: Iterable[HandEstimate], stamp_ns: int, frame_id: str, method: str,
                     processing_latency_s: float = 0.0, total_latency_s: float = 0.0) -> HandMeshArray:
    """Message of the hands reconstructed from one image, with the image's stamp and frame."""
    return HandMeshArray(
        header=to_header(stamp_ns, frame_id), method=method, processing_latency_s=float(processing_latency_s),
        total_latency_s=float(total_latency_s),
        hands=[_estimate_to_msg(hand, f'hands[{i}].') for i, hand in enumerate(estimates)])


def _estimate_to_msg(hand: HandEstimate, at: str) -> HandMesh:
    return HandMesh(
        track_id=unsigned(at + 'track_id', hand.track_id), hand_id=hand.hand_id,
        handedness=_HANDEDNESS_CODES[hand.handedness],
        handedness_score=probability(at + 'handedness_score', hand.handedness_score),
        score=probability(at + 'score', hand.score), model=hand.model, pose=floats(at + 'pose', hand.pose, (48,)),
        shape=floats(at + 'shape', hand.shape, (None,)),
        translation=checked(at + 'translation', hand.translation, (3,)),
        joints=floats(at + 'joints', hand.joints_m, (21, 3)),
        joint_std=floats(at + 'joint_std', hand.joint_std_m, (21,), finite=False),
        vertices=floats(at + 'vertices', hand.vertices_m, (None, 3)), projection=_PROJECTION_CODES[hand.projection],
        weak_camera=checked(at + 'weak_camera', hand.weak_camera, (3,)),
        reprojection_error_px=float(hand.reprojection_px), identity=hand.identity, metric=bool(hand.metric))


def msg_to_estimates(msg: HandMeshArray) -> list[HandEstimate]:
    """Hands of a message; ValueError names the hand and the field."""
    return [_msg_to_estimate(hand, f'hands[{i}].') for i, hand in enumerate(msg.hands)]


def _msg_to_estimate(msg: HandMesh, at: str) -> HandEstimate:
    return HandEstimate(
        track_id=int(msg.track_id), handedness=_name(at + 'handedness', msg.handedness, _HANDEDNESS_NAMES),
        handedness_score=probability(at + 'handedness_score', msg.handedness_score),
        score=probability(at + 'score', msg.score), model=msg.model, pose=vector(at + 'pose', msg.pose, 48),
        shape=vector(at + 'shape', msg.shape), translation=vector(at + 'translation', msg.translation, 3),
        joints_m=matrix(at + 'joints', msg.joints, 3, 21), vertices_m=matrix(at + 'vertices', msg.vertices, 3),
        weak_camera=vector(at + 'weak_camera', msg.weak_camera, 3),
        projection=_name(at + 'projection', msg.projection, _PROJECTION_NAMES),
        joint_std_m=vector(at + 'joint_std', msg.joint_std, 21, finite=False),
        reprojection_px=float(msg.reprojection_error_px), identity=msg.identity, metric=bool(msg.metric))


def identity_to_msg(identity: HandIdentity, stamp_ns: int = 0, frame_id: str = '') -> HandIdentityMsg:
    """Message of a calibrated hand shape."""
    size = len(identity.shape)
    return HandIdentityMsg(
        header=to_header(stamp_ns, frame_id), name=identity.name, model=identity.model,
        shape=floats('shape', identity.shape, (size,)), metric=bool(identity.metric),
        shape_std=floats('shape_std', identity.shape_std, (size,), finite=False))


def msg_to_identity(msg: HandIdentityMsg) -> HandIdentity:
    """Calibrated hand shape of a message; ValueError when shape and shape_std differ in length."""
    shape = vector('shape', msg.shape)
    return HandIdentity(name=msg.name, model=msg.model, shape=shape, metric=bool(msg.metric),
                        shape_std=vector('shape_std', msg.shape_std, len(shape), finite=False))


def nobody_to_msg(stamp_ns: int = 0, frame_id: str = '') -> HandIdentityMsg:
    """Message that no identity holds for all hands any more."""
    return HandIdentityMsg(header=to_header(stamp_ns, frame_id))


def is_nobody(msg: HandIdentityMsg) -> bool:
    """Whether a message is nobody_to_msg's."""
    return not msg.name and not len(msg.shape)


def _name(field: str, code: int, names: dict) -> str:
    if int(code) not in names:
        raise ValueError(f'{field}: {int(code)}, expected ' + ' or '.join(f'{c} ({n})' for c, n in names.items()))
    return names[int(code)]
