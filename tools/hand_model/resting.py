"""Lay sampled hands flat (fingers straight, in one plane) and place the pivots at the anatomical joints.

Frame: x proximal (fingers point to -x), y dorsal, z radial (thumb side); metres; the wrist pivot is the origin.
"""
import numpy as np

from extract import HandSource
from mesh_geometry import unit
from naming import JOINT, LONG_FINGERS, MANO_FINGERS, TIP_ROW, makehuman_bone

FAN = {"index": 7, "middle": 0, "ring": -6, "pinky": -14}               # rest directions, degrees towards the thumb
THUMB_REST = ([-.52, -.42, .74], [-.74, -.33, .59], [-.80, -.33, .50])  # rest directions of the thumb's segments
WRIST_SHIFT = 0.14                # of wrist bone -> middle knuckle, distally: the radiocarpal crease
# Anatomical pivots, as shifts from MakeHuman's helper joints
KNUCKLE_PULL = {"index": .30, "middle": .20, "ring": .20, "pinky": .25}  # of the proximal phalanx, proximally
THUMB_MCP_SHIFT = 0.24            # of MakeHuman's thumb MCP -> IP, distally
REFERENCE_SIZE = .186             # metres from wrist to middle tip for which the next two are given
THUMB_CMC = np.array([-0.0175, -0.0085, 0.0235])
WRIST_CENTRE = np.array([0, -0.0025, -0.0015])     # the wrist pivot lies in the middle of the wrist
KNUCKLE_DEPTH = 0.0110            # metres: knuckle pivot below the dorsal skin
FINGER_DEPTH = 0.50               # PIP and DIP pivots: fraction of the finger's thickness below its back


def _frames(direction: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Rotations (N,3,3) with columns direction, the reference made square to it, and their cross product."""
    lateral = unit(reference - (direction * reference).sum(-1, keepdims=True) * direction)
    return np.stack([direction, lateral, np.cross(direction, lateral)], -1)


def _rest_direction(finger: str, level: int) -> tuple[np.ndarray, np.ndarray]:
    """Rest direction of a phalanx and the reference axis that fixes its roll."""
    if finger == "thumb":
        return unit(np.array(THUMB_REST[level - 1])), np.array([0, 1., 0])
    angle = np.radians(FAN[finger])
    return np.array([-np.cos(angle), 0, np.sin(angle)]), np.array([0, 0, 1.])


def lay_flat(source: HandSource, vertices, heads, tails, weights) -> tuple[np.ndarray, np.ndarray]:
    """Rotate every phalanx of a batch of people to its rest direction.

    vertices (N,V,3), heads and tails (N,K,3) in MakeHuman's body frame, weights (V,K) of the cut mesh.
    Returns vertices (N,V,3) float32 in the hand's frame and MakeHuman's joints (N,21,3): 16 + 5 tips.
    """
    count = len(vertices)
    wrist = heads[:, source.bone("wrist.R")]
    palm = heads[:, source.bone(makehuman_bone("middle", 1))] - wrist
    across = heads[:, source.bone(makehuman_bone("index", 1))] - heads[:, source.bone(makehuman_bone("pinky", 1))]
    x_axis = -unit(palm)
    y_axis = unit(np.cross(across, x_axis))
    to_hand, origin = np.stack([x_axis, y_axis, np.cross(x_axis, y_axis)], 1), wrist + WRIST_SHIFT * palm
    vertices, heads, tails = (np.einsum("nij,nkj->nki", to_hand, points - origin[:, None])
                              for points in (vertices, heads, tails))
    bones = heads.shape[1]
    rotations = np.tile(np.eye(3), (count, bones, 1, 1))
    shifts = np.zeros((count, bones, 3))
    joints = np.zeros((count, 21, 3))
    for finger in MANO_FINGERS:
        position = heads[:, source.bone(makehuman_bone(finger, 1))].copy()
        for level in (1, 2, 3):
            bone = source.bone(makehuman_bone(finger, level))
            phalanx = tails[:, bone] - heads[:, bone]
            length = np.linalg.norm(phalanx, axis=-1, keepdims=True)
            direction, reference = (np.broadcast_to(v, phalanx.shape) for v in _rest_direction(finger, level))
            rotation = _frames(direction, reference) @ np.swapaxes(_frames(phalanx / length, reference), -1, -2)
            rotations[:, bone] = rotation
            shifts[:, bone] = position - np.einsum("nij,nj->ni", rotation, heads[:, bone])
            joints[:, JOINT[f"{finger}{level}"]] = position
            position = position + direction * length
        joints[:, TIP_ROW[finger]] = position
    flat = np.zeros(vertices.shape, np.float32)
    for bone in range(bones):
        moved = weights[:, bone] > 1e-4
        if moved.any():
            placed = np.einsum("nij,nkj->nki", rotations[:, bone], vertices[:, moved]) + shifts[:, bone, None]
            flat[:, moved] += (weights[moved, bone][None, :, None] * placed).astype(np.float32)
    return flat, joints


def anatomical_pivots(vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Move MakeHuman's joints (N,21,3) to the centres of rotation.

    Depths are measured on the mean hand and scaled by person.
    """
    size = -vertices[:, :, 0].min(1)
    relative = (size / size.mean())[:, None]
    pivots, mean = joints.copy(), vertices.mean(0)
    pivots[:, 0] = relative * WRIST_CENTRE * (size.mean() / REFERENCE_SIZE)
    for finger in LONG_FINGERS:
        first, second = joints[:, JOINT[finger + "1"]], joints[:, JOINT[finger + "2"]]
        pivots[:, JOINT[finger + "1"]] = first - KNUCKLE_PULL[finger] * (second - first)
        direction = unit(second.mean(0) - first.mean(0))
        side = np.cross(direction, [0, 1., 0])
        for level in (1, 2, 3):
            row = JOINT[f"{finger}{level}"]
            pivot = pivots[:, row].mean(0)
            slab = (np.abs((mean - pivot) @ direction) < .006) & (np.abs((mean - pivot) @ side) < .0055)
            top, bottom = mean[slab, 1].max(), mean[slab, 1].min()
            height = top - KNUCKLE_DEPTH if level == 1 else top - FINGER_DEPTH * (top - bottom)
            pivots[:, row, 1] += relative[:, 0] * (height - pivot[1])
    cmc, mcp, ip = (JOINT[f"thumb{level}"] for level in (1, 2, 3))
    pivots[:, mcp] = joints[:, mcp] + THUMB_MCP_SHIFT * (joints[:, ip] - joints[:, mcp])
    pivots[:, cmc] = relative * THUMB_CMC * (size.mean() / REFERENCE_SIZE)
    return pivots
