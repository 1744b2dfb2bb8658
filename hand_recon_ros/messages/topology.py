"""A hand model's constants <-> the latched HandTopology message."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hand_recon_ros.messages.arrays import floats, integers, matrix, unsigned
from hand_recon_ros.msg import HandTopology

if TYPE_CHECKING:
    from hand_recon_ros.hand_model.model import HandModel


@dataclass(frozen=True)
class Topology:
    """What a client needs to draw a HandMesh. faces_right, faces_left: (F, 3), counter-clockwise from outside.

    uvs: (T, 2) in 0..1, v up, and uv_faces: (F, 3) of the right hand; both None where the model has none.
    joint_parents: (16,), -1 for the wrist. tip_vertices: (5,) thumb, index, middle, ring, pinky.
    """
    model: str
    vertex_count: int
    joint_names: tuple[str, ...]
    joint_parents: np.ndarray
    faces_right: np.ndarray
    faces_left: np.ndarray
    tip_vertices: np.ndarray
    uvs: np.ndarray | None = None
    uv_faces: np.ndarray | None = None


def topology_to_msg(model: HandModel) -> HandTopology:
    """Message of a right-hand model; the left hand's faces come from hand_model.mirroring."""
    from hand_recon_ros.hand_model.mirroring import mirror_faces
    from hand_recon_ros.hand_model.skeleton import JOINT_NAMES, JOINT_PARENTS
    msg = HandTopology(
        model=model.name, vertex_count=unsigned('vertex_count', model.vertex_count), joint_names=list(JOINT_NAMES),
        joint_parents=integers('joint_parents', JOINT_PARENTS, (16,), 'i'),
        faces_right=integers('faces_right', model.faces, (None, 3), 'I'),
        faces_left=integers('faces_left', mirror_faces(model.faces), (None, 3), 'I'),
        tip_vertices=integers('tip_vertices', model.tip_vertices, (5,), 'I'))
    if model.uvs is not None:
        msg.uvs = floats('uvs', model.uvs, (None, 2))
        msg.uv_faces = integers('uv_faces', model.uv_faces, (len(model.faces), 3), 'I')
    return msg


def msg_to_topology(msg: HandTopology) -> Topology:
    """Topology of a message; ValueError when an index names a vertex or a coordinate that is not there."""
    faces = {name: _indices(name, getattr(msg, name), 3, msg.vertex_count) for name in ('faces_right', 'faces_left')}
    uvs = uv_faces = None
    if len(msg.uvs):
        uvs = matrix('uvs', msg.uvs, 2)
        uv_faces = _indices('uv_faces', msg.uv_faces, 3, len(uvs))
    return Topology(
        model=msg.model, vertex_count=int(msg.vertex_count), joint_names=tuple(msg.joint_names),
        joint_parents=matrix('joint_parents', msg.joint_parents, 1, 16, np.int64)[:, 0],
        tip_vertices=_indices('tip_vertices', msg.tip_vertices, 1, msg.vertex_count)[:, 0], uvs=uvs, uv_faces=uv_faces,
        **faces)


def _indices(name: str, value, columns: int, count: int) -> np.ndarray:
    indices = matrix(name, value, columns, dtype=np.int64)
    if indices.size and indices.max() >= count:
        raise ValueError(f'{name}: index {indices.max()}, expected below {count}')
    return indices
