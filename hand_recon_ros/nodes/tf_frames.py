"""tf of hands: one frame per hand, at the wrist. Published as the message itself, because PyPI has no tf2_ros."""
from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from tf2_msgs.msg import TFMessage

from hand_recon_ros.geometry.rotations import axis_angle_to_quaternion
from hand_recon_ros.messages.stamps import to_header
from hand_recon_ros.types import PERSPECTIVE, HandEstimate


def frame_name(prefix: str, hand: HandEstimate) -> str:
    """'<prefix>/<hand_id>'; tf names have no leading slash."""
    return f'{prefix}/{hand.hand_id}' if prefix else hand.hand_id


def hands_to_tf(hands: list[HandEstimate], stamp_ns: int, frame_id: str, prefix: str) -> TFMessage:
    """Wrist poses in the camera's optical frame. Hands of weak perspective have no metric place and are left out."""
    transforms = []
    for hand in hands:
        if hand.projection != PERSPECTIVE:
            continue
        w, x, y, z = (float(value) for value in axis_angle_to_quaternion(hand.pose[:3].astype(np.float64)))
        place = Vector3(**dict(zip('xyz', map(float, hand.joints_m[0]))))
        transforms.append(TransformStamped(
            header=to_header(stamp_ns, frame_id), child_frame_id=frame_name(prefix, hand),
            transform=Transform(translation=place, rotation=Quaternion(x=x, y=y, z=z, w=w))))
    return TFMessage(transforms=transforms)
