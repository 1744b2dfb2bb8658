"""Skinning weights for the 16 joints: MakeHuman's for the outer phalanges, knuckles and thumb base repainted.

MakeHuman bends the hand at helper bones that are not the anatomical joints; around the moved pivots the share of a
joint is painted anew from distances along the bones, then smoothed over the mesh.
"""
import numpy as np

from extract import HandSource
from mesh_geometry import neighbour_mean, segment_distance, smoothstep, unit, vertex_normals
from naming import JOINT, JOINT_COUNT, LONG_FINGERS, MAKEHUMAN_DIGIT, TIP_FINGERS, chain

MAX_INFLUENCES, MIN_WEIGHT = 4, 2e-3
COLUMN_WIDTH = .0095              # metres: how far a knuckle's share reaches to its neighbours
KNUCKLE_PASSES, THUMB_PASSES, PALM_PASSES = 4, 6, 6       # smoothing passes of repainted weights


def mano_weights(source: HandSource, bone_weights: np.ndarray) -> np.ndarray:
    """MakeHuman's bone weights (V,K) gathered into the 16 joints (V,16); forearm and metacarpals go to the wrist."""
    gathered = np.zeros((len(bone_weights), JOINT_COUNT))
    for column, bone in enumerate(source.bone_names):
        finger = next((f for f, digit in MAKEHUMAN_DIGIT.items() if bone.startswith(f"finger{digit}")), None)
        gathered[:, JOINT[f"{finger}{bone[8]}"] if finger else 0] += bone_weights[:, column]
    return gathered


def _finger_columns(finger: str, levels=(1, 2, 3)) -> list[int]:
    return [JOINT[f"{finger}{level}"] for level in levels]


def _thumb_share(vertices, pivots, original) -> np.ndarray:
    """Share (V,) of the whole thumb: first metacarpal against the others by distance, none behind the CMC joint."""
    cmc, mcp, ip = (pivots[JOINT[f"thumb{level}"]] for level in (1, 2, 3))
    direction = unit(mcp - cmc)
    to_thumb = segment_distance(vertices, cmc - .004 * direction, ip)
    carpus = np.array([-.012, pivots[JOINT["middle1"]][1], 0])          # where the other metacarpals start
    to_others = np.full(len(vertices), np.inf)
    for finger in LONG_FINGERS:
        knuckle, middle_joint = pivots[JOINT[finger + "1"]], pivots[JOINT[finger + "2"]]
        start = carpus + [0, 0, .35 * knuckle[2]]
        to_others = np.minimum(to_others, segment_distance(vertices, start, knuckle + .5 * (middle_joint - knuckle)))
    along = (vertices - cmc) @ direction
    share = to_others ** 3 / (to_others ** 3 + to_thumb ** 3)
    thumb = np.clip(smoothstep(share, .22, .88) * smoothstep(along, -.010, .022), 0, 1)
    outer = [column for finger in LONG_FINGERS for column in _finger_columns(finger, (2, 3))]
    thumb[original[:, outer].sum(1) > .05] = 0
    return np.maximum(thumb, np.where(along > .045, original[:, _finger_columns("thumb")].sum(1), 0))


def _paint_thumb(weights, vertices, pivots, original, thumb) -> None:
    """Split the thumb's share at MCP and IP, into `weights` in place."""
    cmc, mcp, ip = (pivots[JOINT[f"thumb{level}"]] for level in (1, 2, 3))
    bisector = unit(unit(mcp - cmc) + unit(ip - mcp))
    beyond = smoothstep((vertices - mcp) @ bisector, -.009, .009)
    tip = np.minimum(original[:, JOINT["thumb3"]], thumb)
    weights[:, JOINT["thumb3"]] = tip
    weights[:, JOINT["thumb2"]] = (thumb - tip) * beyond
    weights[:, JOINT["thumb1"]] = (thumb - tip) * (1 - beyond)


def _paint_knuckles(weights, vertices, pivots, original, thumb, dorsal) -> None:
    """Proximal phalanges against the palm, split across each knuckle: narrow on the back, wide in the palm."""
    half_width = .0075 * dorsal + .013 * (1 - dorsal)
    beyond, lateral = np.zeros((len(vertices), 4)), np.zeros((len(vertices), 4))
    for column, finger in enumerate(LONG_FINGERS):
        knuckle = pivots[JOINT[finger + "1"]]
        direction = unit(pivots[JOINT[finger + "2"]] - knuckle)
        along = (vertices - knuckle) @ direction
        beyond[:, column] = smoothstep(along - .0015 * dorsal, -half_width, half_width)
        sideways = (vertices - knuckle - along[:, None] * direction)[:, 2]
        lateral[:, column] = np.exp(-(sideways / COLUMN_WIDTH) ** 2)
    lateral /= lateral.sum(1, keepdims=True) + 1e-9
    own = np.stack([original[:, _finger_columns(finger)].sum(1) for finger in LONG_FINGERS], 1)
    total_own = own.sum(1, keepdims=True)
    own = np.where(total_own > .5, own / (total_own + 1e-9), lateral)
    parts = beyond * own
    total = np.clip(parts.sum(1), 0, 1) * (1 - thumb)
    parts /= parts.sum(1, keepdims=True) + 1e-9
    for column, finger in enumerate(LONG_FINGERS):
        outer = original[:, _finger_columns(finger, (2, 3))]
        weights[:, _finger_columns(finger, (2, 3))] = outer
        weights[:, JOINT[finger + "1"]] = np.clip(total * parts[:, column] - outer.sum(1), 0, None)


def paint_weights(source: HandSource, vertices, pivots, bone_weights, faces) -> np.ndarray:
    """Weights (V,16), at most four a vertex, summing to one.

    vertices (V,3) and pivots (21,3) of the mean hand at rest, bone_weights (V,K) of MakeHuman's bones.
    """
    original = mano_weights(source, bone_weights)
    weights = original.copy()
    dorsal = smoothstep(vertex_normals(vertices, faces)[:, 1], -.2, .6)
    thumb = _thumb_share(vertices, pivots, original)
    _paint_thumb(weights, vertices, pivots, original, thumb)
    _paint_knuckles(weights, vertices, pivots, original, thumb, dorsal)
    weights[:, 0] = 0
    weights[:, 0] = np.clip(1 - weights.sum(1), 0, None)
    weights /= weights.sum(1, keepdims=True)
    mean = neighbour_mean(faces, len(vertices))
    repainted = np.abs(weights - original).sum(1) > .02
    web = repainted & (weights[:, JOINT["thumb1"]] > .02)
    palmar = repainted & (dorsal < .5)
    for step in range(max(KNUCKLE_PASSES, THUMB_PASSES, PALM_PASSES)):
        active = (repainted & (step < KNUCKLE_PASSES)) | (web & (step < THUMB_PASSES)) | (palmar & (step < PALM_PASSES))
        weights = np.where(active[:, None], .5 * weights + .5 * (mean @ weights), weights)
    return limited(weights)


def limited(weights: np.ndarray) -> np.ndarray:
    """Drop small weights and all but the four largest of every vertex; rows sum to one."""
    weights = np.where(weights < MIN_WEIGHT, 0, weights)
    smallest = np.argsort(-weights, 1, kind="stable")[:, MAX_INFLUENCES:]
    np.put_along_axis(weights, smallest, 0, 1)
    return weights / weights.sum(1, keepdims=True)


def extreme_tips(vertices: np.ndarray, pivots: np.ndarray, weights: np.ndarray) -> list[int]:
    """The vertex of every finger (TIP_FINGERS) that lies farthest along its last phalanx."""
    tips = []
    for finger in TIP_FINGERS:
        last, tip = chain(finger)[2:]
        along = (vertices - pivots[last]) @ unit(pivots[tip] - pivots[last])
        along[weights[:, last] < .5] = -np.inf
        tips.append(int(along.argmax()))
    return tips
