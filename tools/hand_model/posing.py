"""The hand in plain NumPy, float64: linear blend skinning (Loper et al. 2015, SMPL), joint axes, angles to pose.

The build's own skinning, without the package, so that the asset can be rebuilt and checked on its own.
"""
import numpy as np

from mesh_geometry import unit, vertex_normals
from naming import JOINT, JOINT_COUNT, PARENTS, TIP_FINGERS, chain


def rotations(axis_angles) -> np.ndarray:
    """Rotation matrices (N,3,3) of axis-angle vectors (..., 3), by Rodrigues' formula."""
    vectors = np.asarray(axis_angles, float).reshape(-1, 3)
    angles = np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-12
    x, y, z = (vectors / angles).T
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    sine, cosine = np.sin(angles)[..., None], np.cos(angles)[..., None]
    return np.eye(3) + sine * skew + (1 - cosine) * (skew @ skew)


def rotation_vector(matrix: np.ndarray) -> np.ndarray:
    """Axis-angle vector (3,) of a rotation of less than 180 degrees."""
    angle = np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1))
    axis = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]])
    return axis * (angle / (2 * np.sin(angle)) if angle > 1e-6 else .5)


class PosableHand:
    """A hand from the arrays of an asset file (or the file itself), ready to be posed."""

    def __init__(self, source):
        data = source if isinstance(source, dict) else dict(np.load(source, allow_pickle=False))
        self.data = data
        self.template, self.shape_dirs, self.pose_dirs, self.regressor, self.weights = (
            np.asarray(data[key], float) for key in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights"))
        self.faces, self.tips = np.asarray(data["f"], int), np.asarray(data["tip_ids"])
        self.nails = np.asarray(data["nail_mask"])
        self.joints = self.regressor @ self.template
        self.axes = joint_axes(self)

    def without_correctives(self) -> "PosableHand":
        return PosableHand(dict(self.data, posedirs=np.zeros_like(self.pose_dirs)))

    def joint_transforms(self, pose, joints) -> tuple[np.ndarray, np.ndarray]:
        """Local rotations (16,3,3) and world transforms (16,4,4) of the joints for a pose (48,)."""
        local, world = rotations(pose), np.zeros((JOINT_COUNT, 4, 4))
        for joint, parent in enumerate(PARENTS):
            step = np.eye(4)
            step[:3, :3], step[:3, 3] = local[joint], joints[joint] - (joints[parent] if joint else 0)
            world[joint] = world[parent] @ step if joint else step
        return local, world

    def __call__(self, pose, betas=None) -> tuple[np.ndarray, np.ndarray]:
        """Vertices (V,3) and 21 joints (16 + tips), metres, for pose (48,) axis-angle and betas (10,)."""
        vertices = self.template if betas is None else self.template + self.shape_dirs @ betas
        joints = self.regressor @ vertices
        local, world = self.joint_transforms(pose, joints)
        vertices = vertices + self.pose_dirs @ (local[1:] - np.eye(3)).ravel()
        positions = world[:, :3, 3].copy()
        world[:, :3, 3] -= np.einsum("jab,jb->ja", world[:, :3, :3], joints)
        blended = np.tensordot(self.weights, world, 1)
        posed = np.einsum("vab,vb->va", blended[:, :3, :3], vertices) + blended[:, :3, 3]
        return posed, np.concatenate([positions, posed[self.tips]])

    def rest_points(self) -> np.ndarray:
        """The 16 joints and 5 tips (21,3) of the mean hand at rest."""
        return np.concatenate([self.joints, self.template[self.tips]])


def joint_axes(hand: PosableHand) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """joint name -> unit axes (flexion, abduction, twist) at rest; flexion > 0 closes, abduction > 0 goes to the thumb.

    The back of the thumb is where its nail faces.
    """
    points, normals, axes = hand.rest_points(), vertex_normals(hand.template, hand.faces), {}
    for finger in TIP_FINGERS:
        rows = chain(finger)
        back = np.array([0, 1., 0])
        if finger == "thumb":
            back = unit(normals[(hand.nails > .5) & (hand.weights[:, rows[2]] > .5)].sum(0))
        for level in (1, 2, 3):
            twist = unit(points[rows[level]] - points[rows[level - 1]])
            flexion = unit(np.cross(back, twist))
            axes[f"{finger}{level}"] = (flexion, np.cross(twist, flexion), twist)
    return axes


def pose_from_angles(angles: dict, axes: dict) -> np.ndarray:
    """Pose (48,) from joint name -> flexion or (flexion, abduction[, twist]) in degrees; abduction is applied last."""
    pose = np.zeros((JOINT_COUNT, 3))
    for name, degrees in angles.items():
        if name not in axes:
            raise ValueError(f"angles: joint {name!r} is unknown, expected one of {sorted(axes)}")
        bend, spread, roll = np.radians((tuple(np.atleast_1d(degrees)) + (0, 0))[:3])
        flexion, abduction, twist = axes[name]
        matrix = rotations(spread * abduction)[0] @ rotations(bend * flexion)[0] @ rotations(roll * twist)[0]
        pose[JOINT[name]] = rotation_vector(matrix)
    return pose.ravel()
