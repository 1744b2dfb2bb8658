"""Hands as RViz markers: the mesh as triangles, the joints as spheres, the bones as lines."""
from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from hand_recon_ros.hand_model.mirroring import handed_faces
from hand_recon_ros.hand_model.skeleton import KEYPOINT_PARENTS
from hand_recon_ros.messages.stamps import to_header
from hand_recon_ros.types import HandEstimate

SKIN = {'left': ColorRGBA(r=0.55, g=0.70, b=0.95, a=1.0), 'right': ColorRGBA(r=0.95, g=0.72, b=0.55, a=1.0)}
BONES = ColorRGBA(r=0.15, g=0.15, b=0.15, a=1.0)
JOINT_M, BONE_M = 0.008, 0.003
_KINDS = ('mesh', 'joints', 'bones')


class MarkerPainter:
    """Turns estimates into markers, and remembers which hands were drawn so that gone ones are deleted."""

    def __init__(self, faces: np.ndarray):
        self._corners = {side: handed_faces(faces, side).reshape(-1) for side in SKIN}
        self._drawn: set[str] = set()

    def paint(self, hands: list[HandEstimate], stamp_ns: int, frame_id: str) -> MarkerArray:
        """Markers of one image's hands in its optical frame; namespace = hand id."""
        header = to_header(stamp_ns, frame_id)
        now = {hand.hand_id for hand in hands}
        markers = [Marker(header=header, ns=gone, id=i, action=Marker.DELETE)
                   for gone in sorted(self._drawn - now) for i in range(len(_KINDS))]
        for hand in hands:
            markers += self._of_hand(hand, header)
        self._drawn = now
        return MarkerArray(markers=markers)

    def forget(self) -> None:
        """Nobody watches any more."""
        self._drawn = set()

    def _of_hand(self, hand: HandEstimate, header) -> list[Marker]:
        vertices, joints = _points(hand.vertices_m), _points(hand.joints_m)
        # Each corner is a reference to its vertex's Point: 1500 faces cost no new objects.
        triangles = [vertices[i] for i in self._corners[hand.handedness].tolist()]
        lines = [joints[i] for child, parent in enumerate(KEYPOINT_PARENTS) if parent >= 0 for i in (parent, child)]
        common = dict(header=header, ns=hand.hand_id, action=Marker.ADD)
        mesh = Marker(id=0, type=Marker.TRIANGLE_LIST, points=triangles, color=SKIN[hand.handedness],
                      scale=Vector3(x=1.0, y=1.0, z=1.0), **common)
        spheres = Marker(id=1, type=Marker.SPHERE_LIST, points=joints, color=BONES,
                         scale=Vector3(x=JOINT_M, y=JOINT_M, z=JOINT_M), **common)
        bones = Marker(id=2, type=Marker.LINE_LIST, points=lines, color=BONES, scale=Vector3(x=BONE_M), **common)
        for marker in (mesh, spheres, bones):
            marker.pose.orientation.w = 1.0
        return [mesh, spheres, bones]


def _points(rows: np.ndarray) -> list[Point]:
    return [Point(x=x, y=y, z=z) for x, y, z in rows.astype(float).tolist()]
