"""Bring a shape space into MANO's form: vertex order, joint regressor, packed uvs, nail mask, MANO's field names."""
import numpy as np
import scipy.sparse as sparse
from PIL import Image
from scipy.optimize import nnls
from scipy.sparse.csgraph import connected_components

from cutting import CutMesh
from extract import NAIL_IMAGE
from naming import JOINT_COUNT, JOINT_NAMES, PARENTS, TIP_FINGERS, TIP_IDS
from proportions import ShapeSpace
from skin_weights import extreme_tips

REGRESSOR_VERTICES = 120          # candidates per joint
NO_PARENT = 2 ** 32 - 1           # MANO's mark of the root in kintree_table
ARM_UV_SIZE, ARM_UV_CORNER = .13, (.84, .85)       # islands other than the hand's go into this corner


def order_with_tips(space: ShapeSpace, weights: np.ndarray) -> np.ndarray:
    """Permutation (V,), order[new] = old, that puts the five tip vertices at MANO's ids."""
    order = list(range(len(space.template)))
    for finger, tip in zip(TIP_FINGERS, extreme_tips(space.template, space.joints, weights)):
        here, there = order.index(tip), TIP_IDS[finger]
        order[here], order[there] = order[there], order[here]
    return np.array(order)


def joint_regressor(template, shape_dirs, joints, joint_dirs) -> np.ndarray:
    """Convex combinations (16,V) of near vertices that give the mean joints and follow them along the components."""
    regressor = np.zeros((JOINT_COUNT, len(template)))
    for joint in range(JOINT_COUNT):
        near = np.argsort(np.linalg.norm(template - joints[joint], axis=1), kind="stable")[:REGRESSOR_VERTICES]
        spread = 2e-4 * np.eye(len(near))                 # draws the weights apart instead of onto a few vertices
        matrix = np.concatenate([template[near].T, *(shape_dirs[near, :, k].T for k in range(shape_dirs.shape[2])),
                                 np.ones((1, len(near))), spread])
        goal = np.concatenate([joints[joint], joint_dirs[joint].T.ravel(), [1.0], np.zeros(len(near))])
        solution = nnls(matrix, goal)[0]
        regressor[joint, near] = solution / solution.sum()
    return regressor


def pack_uvs(faces, uv_faces, uvs, hand_vertex: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit the hand's island to the unit square, others into a corner: packed uvs (T,2), uv_faces, source uvs (T,2)."""
    used = np.unique(uv_faces)
    new_row = -np.ones(len(uvs), int)
    new_row[used] = np.arange(len(used))
    source, uv_faces = uvs[used], new_row[uv_faces]
    pairs = np.concatenate([uv_faces[:, [0, 1]], uv_faces[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(source),) * 2)
    islands, island_of = connected_components(graph, directed=False)
    hand_island = island_of[uv_faces[np.where(faces == hand_vertex)][0]]
    packed = np.zeros_like(source)
    for island in range(islands):
        member = island_of == island
        corner = source[member].min(0)
        extent = (source[member].max(0) - corner).max()
        relative = (source[member] - corner) / extent
        packed[member] = relative * .97 + .015 if island == hand_island else relative * ARM_UV_SIZE + ARM_UV_CORNER
    return packed, uv_faces, source


def nail_mask(faces, uv_faces, source_uvs) -> np.ndarray:
    """0..1 per vertex: inside MPFB2's finger nail texture."""
    uv = np.zeros((faces.max() + 1, 2))
    uv[faces.ravel()] = source_uvs[uv_faces.ravel()]
    image = np.asarray(Image.open(NAIL_IMAGE).convert("L"))
    height, width = image.shape
    column = np.clip((uv[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(height - 1 - (uv[:, 1] * height).astype(int), 0, height - 1)
    return (image[row, column] / 255.).astype(np.float32)


def pack(space: ShapeSpace, mesh: CutMesh, weights: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of an asset file, pose correctives still zero; the wrist joint is the origin."""
    order = order_with_tips(space, weights)
    template, shape_dirs, weights = space.template[order], space.shape_dirs[order], weights[order]
    faces = np.argsort(order)[mesh.faces]
    regressor = joint_regressor(template, shape_dirs, space.joints, space.joint_dirs)
    error = 1e3 * np.linalg.norm(regressor @ template - space.joints[:JOINT_COUNT], axis=1).max()
    print(f"  joint regressor: {error:.3f} mm at most from the pivots")
    template = template - regressor[0] @ template
    uvs, uv_faces, source_uvs = pack_uvs(faces, mesh.uv_faces, mesh.uvs, TIP_IDS["thumb"])
    tree = np.stack([PARENTS.astype(np.int64), np.arange(JOINT_COUNT)])
    tree[0, 0] = NO_PARENT
    return dict(
        v_template=template.astype(np.float32), shapedirs=shape_dirs.astype(np.float32),
        posedirs=np.zeros((len(template), 3, 135), np.float32), J_regressor=regressor.astype(np.float32),
        weights=weights.astype(np.float32), kintree_table=tree, f=faces.astype(np.uint32),
        hands_components=np.eye(45, dtype=np.float32), hands_mean=np.zeros(45, np.float32),
        hands_coeffs=np.zeros((1, 45), np.float32), J=(regressor @ template).astype(np.float32),
        bs_type=np.array("lrotmin"), bs_style=np.array("lbs"), tip_ids=np.array([TIP_IDS[f] for f in TIP_FINGERS]),
        nail_mask=nail_mask(faces, uv_faces, source_uvs), vt=uvs.astype(np.float32), ft=uv_faces.astype(np.uint32),
        joint_names=np.array(JOINT_NAMES))
