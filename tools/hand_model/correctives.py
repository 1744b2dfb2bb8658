"""Pose correctives (posedirs): what linear blend skinning lacks, as a linear function of the joint rotations.

The goal for every sampled pose is dual quaternion skinning, which does not collapse at bent joints, partly relaxed by
delta mush (Mancewicz et al. 2014) and bulged along the normals until a bent joint keeps its volume. Ridge regression
on R(pose) - I (SMPL, eq. 9) of the joints near a vertex gives its correctives.
"""
import numpy as np

from dual_quaternions import dual_quaternion_skin
from mesh_geometry import adjacency, neighbour_mean, vertex_normals, volume
from naming import JOINT, JOINT_COUNT, JOINT_NAMES, LONG_FINGERS, PARENTS
from posing import PosableHand, pose_from_angles

TRAINING_POSES, CHECK_POSES, RIDGE, MAX_OFFSET = 320, 40, 0.1, 0.008
MUSH_PASSES, MUSH_SHARE = 6, 0.55          # passes of the delta mush, and its share in the goal
BULGE_ANGLES = np.array([0, 30, 60, 90, 110])
VOLUME_KEPT, MAX_BULGE = 1.0, 0.004        # share of the rest volume a bent joint is to keep, metres at most
SEED = 0


class DeltaMush:
    """Smooth a posed mesh, then put back the rest shape's details in local frames."""

    def __init__(self, hand: PosableHand):
        self.faces, self.fixed = hand.faces, hand.weights[:, 0] > .999
        self.mean = neighbour_mean(hand.faces, len(hand.template))
        self.neighbour = self.mean.indices[self.mean.indptr[:-1]]        # any one neighbour fixes the tangent
        smooth = self._smoothed(hand.template)
        self.detail = np.einsum("vab,va->vb", self._frames(smooth), hand.template - smooth)

    def _smoothed(self, vertices):
        for _ in range(MUSH_PASSES):
            vertices = np.where(self.fixed[:, None], vertices, .5 * vertices + .5 * (self.mean @ vertices))
        return vertices

    def _frames(self, vertices):
        normal = vertex_normals(vertices, self.faces)
        tangent = vertices[self.neighbour] - vertices
        tangent -= (tangent * normal).sum(1, keepdims=True) * normal
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-12
        return np.stack([normal, tangent, np.cross(normal, tangent)], -1)

    def __call__(self, vertices):
        smooth = self._smoothed(vertices)
        return smooth + np.einsum("vab,vb->va", self._frames(smooth), self.detail)


def goal_shape(hand: PosableHand, pose, mush: DeltaMush):
    """(local rotations (16,3,3), blended transforms (V,4,4), linear blend skinning (V,3), goal (V,3)) of a pose."""
    local, world = hand.joint_transforms(pose, hand.joints)
    world[:, :3, 3] -= np.einsum("jab,jb->ja", world[:, :3, :3], hand.joints)
    blended = np.tensordot(hand.weights, world, 1)
    linear = np.einsum("vab,vb->va", blended[:, :3, :3], hand.template) + blended[:, :3, 3]
    dual = dual_quaternion_skin(hand.template, hand.weights, world)
    return local, blended, linear, (1 - MUSH_SHARE) * dual + MUSH_SHARE * mush(dual)


class Bulge:
    """Per joint: how far its skin moves out, by bending angle, to restore the volume that bending it takes."""

    def __init__(self, hand: PosableHand, mush: DeltaMush):
        self.faces = hand.faces
        self.masks = {joint: np.minimum(1, 4 * hand.weights[:, joint] * hand.weights[:, PARENTS[joint]])
                      for joint in range(1, JOINT_COUNT)}                # how much a vertex is shared with the parent
        rest = volume(hand.template, hand.faces)
        self.sizes = {}
        for name in JOINT_NAMES[1:]:
            sizes = [0.0]
            for angle in BULGE_ANGLES[1:]:
                posed = goal_shape(hand, pose_from_angles({name: float(angle)}, hand.axes), mush)[3]
                outward = self.masks[JOINT[name]][:, None] * vertex_normals(posed, hand.faces)
                now = volume(posed, hand.faces)
                gain = (volume(posed + 1e-4 * outward, hand.faces) - now) / 1e-4
                sizes.append(float(np.clip((VOLUME_KEPT * rest - now) / gain, 0, MAX_BULGE)))
            self.sizes[JOINT[name]] = sizes

    def __call__(self, vertices, local):
        """Vertices of a posed hand moved out along their normals, by the bending of each joint's local rotation."""
        bend = np.degrees(np.arccos(np.clip((np.trace(local, axis1=1, axis2=2) - 1) / 2, -1, 1)))
        size = sum(mask * np.interp(bend[joint], BULGE_ANGLES, self.sizes[joint]) for joint, mask in self.masks.items())
        return vertices + size[:, None] * vertex_normals(vertices, self.faces)


def random_pose(rng, axes) -> np.ndarray:
    """A pose (48,) drawn evenly within the joints' limits."""
    angles = {}
    for finger in LONG_FINGERS:
        angles[finger + "1"] = (rng.uniform(-20, 90), rng.uniform(-15, 15))
        angles[finger + "2"], angles[finger + "3"] = rng.uniform(-3, 108), rng.uniform(-5, 75)
    angles["thumb1"] = (rng.uniform(-20, 45), rng.uniform(-25, 30), rng.uniform(-15, 40))
    angles["thumb2"], angles["thumb3"] = rng.uniform(-10, 55), rng.uniform(-15, 80)
    return pose_from_angles(angles, axes)


def pose_samples(hand: PosableHand, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Features R - I (N,135) of random poses, and the rest-frame offsets (N,V,3) from linear blending to the goal."""
    rng, mush = np.random.default_rng(SEED), DeltaMush(hand)
    bulge, features, offsets = Bulge(hand, mush), [], []
    for _ in range(count):
        local, blended, linear, goal = goal_shape(hand, random_pose(rng, hand.axes), mush)
        missing = (bulge(goal, local) - linear)[..., None]
        # blended rotations can be near singular where joints oppose; the small diagonal keeps the offset bounded
        offset = np.linalg.solve(blended[:, :3, :3] + 1e-3 * np.eye(3), missing)[..., 0]
        offset *= np.minimum(1, MAX_OFFSET / (np.linalg.norm(offset, axis=1, keepdims=True) + 1e-9))
        offset[mush.fixed] = 0
        features.append((local[1:] - np.eye(3)).ravel())
        offsets.append(offset)
    return np.array(features), np.array(offsets)


def fit_correctives(hand: PosableHand) -> np.ndarray:
    """posedirs (V,3,135) float32 (rounded to half precision, which keeps the file small)."""
    features, offsets = pose_samples(hand, TRAINING_POSES + CHECK_POSES)
    count = len(hand.template)
    touched = hand.weights > .003
    near = ((adjacency(hand.faces, count) @ touched.astype(float)) > 0) | touched
    groups, pose_dirs = {}, np.zeros((count, 3, 135))
    for vertex in np.where(hand.weights[:, 0] <= .999)[0]:     # only the joints that move a vertex or its neighbours
        groups.setdefault(tuple(np.where(near[vertex, 1:])[0] + 1), []).append(vertex)
    for joints, vertices in groups.items():
        if not joints:
            continue
        columns = np.concatenate([np.arange(9 * (joint - 1), 9 * joint) for joint in joints])
        inputs = features[:TRAINING_POSES, columns]
        outputs = offsets[:TRAINING_POSES, vertices].reshape(TRAINING_POSES, -1)
        solution = np.linalg.solve(inputs.T @ inputs + RIDGE * np.eye(len(columns)), inputs.T @ outputs)
        pose_dirs[np.ix_(vertices, [0, 1, 2], columns)] = solution.T.reshape(len(vertices), 3, len(columns))
    wanted = offsets[TRAINING_POSES:]
    left = wanted - np.einsum("vdk,nk->nvd", pose_dirs, features[TRAINING_POSES:])
    active = np.linalg.norm(wanted, axis=-1) > .0005
    wanted_mm, left_mm = (1e3 * np.sqrt((array[active] ** 2).sum(-1).mean()) for array in (wanted, left))
    print(f"  correctives on {CHECK_POSES} other poses: {wanted_mm:.2f} mm wanted, {left_mm:.2f} mm left (rms)")
    return pose_dirs.astype(np.float16).astype(np.float32)
