"""Rigid transforms as tf messages."""
from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from tf2_msgs.msg import TFMessage

from hand_recon_ros.geometry.rotations import matrix_to_quaternion, quaternion_to_matrix
from hand_recon_ros.messages.stamps import to_header


def transforms_to_msg(transforms: dict[tuple[str, str], np.ndarray], stamp_ns: int) -> TFMessage:
    """Message of {(parent, child): T_parent_child (4, 4)}, by which points of the child's frame come to the parent's."""
    stamped = []
    for (parent, child), T in transforms.items():
        w, x, y, z = (float(value) for value in matrix_to_quaternion(np.asarray(T, np.float64)[:3, :3]))
        place = Vector3(**dict(zip('xyz', (float(value) for value in T[:3, 3]))))
        stamped.append(TransformStamped(header=to_header(stamp_ns, parent), child_frame_id=child, transform=Transform(
            translation=place, rotation=Quaternion(x=x, y=y, z=z, w=w))))
    return TFMessage(transforms=stamped)


def msg_to_transforms(msg: TFMessage) -> dict[tuple[str, str], np.ndarray]:
    """{(parent, child): T_parent_child (4, 4)} of a message."""
    found = {}
    for stamped in msg.transforms:
        rotation, place = stamped.transform.rotation, stamped.transform.translation
        T = np.eye(4)
        T[:3, :3] = quaternion_to_matrix(np.array([rotation.w, rotation.x, rotation.y, rotation.z]))
        T[:3, 3] = place.x, place.y, place.z
        found[stamped.header.frame_id, stamped.child_frame_id] = T
    return found
