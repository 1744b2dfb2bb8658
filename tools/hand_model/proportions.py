"""Rescale sampled hands to published proportions and sizes, and find the shape space by PCA."""
from dataclasses import dataclass

import numpy as np

from anthropometry import HAND_BREADTH, HAND_LENGTH, MEAN_LENGTH, TARGET
from mesh_geometry import unit
from naming import JOINT, LONG_FINGERS, MANO_FINGERS, TIP_FINGERS, chain
from skin_weights import extreme_tips

RESCALE_PASSES = 4                # the tips are vertices: the loop closes over their move
COMPONENTS = 10
BREADTH_CORRELATION = .6          # between breadth and length over people of one sex
KNUCKLE_BAND = .012               # metres about the knuckle line in which breadth is measured


@dataclass(frozen=True)
class ShapeSpace:
    """Mean hand and its components: template (V,3), shape_dirs (V,3,10) per standard deviation, betas (N,10) of the
    sampled people, joints (21,3) and joint_dirs (21,3,10); metres."""
    template: np.ndarray
    shape_dirs: np.ndarray
    betas: np.ndarray
    joints: np.ndarray
    joint_dirs: np.ndarray


def with_tip_vertices(vertices, pivots, weights) -> np.ndarray:
    """Pivots (N,21,3) with the five tips replaced by the mesh's extreme vertices."""
    pivots = pivots.copy()
    pivots[:, 16:] = vertices[:, extreme_tips(vertices.mean(0), pivots.mean(0), weights)]
    return pivots


def segments_mm(pivots: np.ndarray) -> dict[str, np.ndarray]:
    """finger -> lengths wrist - joints - tip of pivots (21,3) in metres."""
    return {finger: 1e3 * np.linalg.norm(np.diff(pivots[[0] + chain(finger)], axis=0), axis=1)
            for finger in TIP_FINGERS}


def rescale_segments(vertices, pivots, weights) -> tuple[np.ndarray, np.ndarray]:
    """Stretch palm columns and phalanges so that the mean hand has TARGET's proportions; people keep their differences.

    vertices (N,V,3), pivots (N,21,3), weights (V,16). Sizes stay: a later step scales every hand as a whole.
    """
    columns = ("pinky", "ring", "middle", "index")
    for _ in range(RESCALE_PASSES):
        mean = pivots.mean(0)
        metres_per_mm = -vertices.mean(0)[:, 0].min() / MEAN_LENGTH
        places, factors = [], []
        for finger in columns:
            x, y, z = mean[JOINT[finger + "1"]]
            places.append(z)
            factors.append(np.sqrt((TARGET[finger][0] * metres_per_mm) ** 2 - y ** 2 - z ** 2) / -x)

        def stretched_palm(points):
            distal = points[..., :1] < 0
            factor = np.interp(points[..., 2], places, factors)[..., None]
            return np.concatenate([np.where(distal, points[..., :1] * factor, points[..., :1]), points[..., 1:]], -1)

        moved_pivots = pivots.copy()
        moved = weights[:, 0][None, :, None] * stretched_palm(vertices)
        for finger in MANO_FINGERS:
            rows = chain(finger)
            moved_pivots[:, rows[0]] = stretched_palm(pivots[:, rows[0]])
            for start, end, length in zip(rows, rows[1:], TARGET[finger][-3:]):
                segment = pivots[:, end] - pivots[:, start]
                direction = unit(segment)
                factor = length * metres_per_mm / np.linalg.norm(mean[end] - mean[start])
                relative = vertices - pivots[:, start][:, None]
                along = np.einsum("nvc,nc->nv", relative, direction)
                stretch = (factor - 1) * along[..., None] * direction[:, None]
                placed = moved_pivots[:, start][:, None] + relative + stretch
                moved += weights[:, start][None, :, None] * placed
                moved_pivots[:, end] = moved_pivots[:, start] + factor * segment
        vertices = moved.astype(np.float32)
        pivots = with_tip_vertices(vertices, moved_pivots, weights)
    return vertices, pivots


def knuckle_band(template: np.ndarray, pivots: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Vertices (V,) bool near the knuckle line, without the thumb: hand breadth is their extent in z."""
    line = np.mean([pivots[JOINT[finger + "1"], 0] for finger in LONG_FINGERS])
    thumb = weights[:, [JOINT[f"thumb{level}"] for level in (1, 2, 3)]].sum(1)
    return (np.abs(template[:, 0] - line) < KNUCKLE_BAND) & (thumb < .3)


def hand_breadth(template, pivots, weights) -> float:
    """Breadth across the knuckles, metres."""
    return float(np.ptp(template[knuckle_band(template, pivots, weights), 2]))


def scale_to_population(vertices, pivots, weights, is_woman) -> tuple[np.ndarray, np.ndarray]:
    """Give hand length and breadth the published means and spreads of men and women, keeping every person's rank."""
    length = -vertices[:, :, 0].min(1)
    breadth = np.ptp(vertices[:, knuckle_band(vertices.mean(0), pivots.mean(0), weights), 2], axis=1)
    new_length, new_breadth = np.zeros(len(length)), np.zeros(len(length))
    rest = np.sqrt(1 - BREADTH_CORRELATION ** 2)
    for who, group in (("men", ~is_woman), ("women", is_woman)):
        by_length = (length[group] - length[group].mean()) / length[group].std()
        ratio = breadth[group] / length[group]
        by_ratio = (ratio - ratio.mean()) / ratio.std()
        mean, deviation = HAND_LENGTH[who]
        new_length[group] = 1e-3 * (mean + deviation * by_length)
        mean, deviation = HAND_BREADTH[who]
        new_breadth[group] = 1e-3 * (mean + deviation * (BREADTH_CORRELATION * by_length + rest * by_ratio))
    size = new_length / length
    broad = new_breadth / (breadth * size)
    scale = size[:, None] * np.stack([np.ones_like(broad), np.sqrt(broad), broad], 1)
    return vertices * scale[:, None].astype(np.float32), pivots * scale[:, None]


def principal_shapes(vertices, pivots, betas=None) -> ShapeSpace:
    """PCA of the sampled hands; one unit of a component is one standard deviation.

    With `betas` (N,10) given, the components are fitted to those numbers instead: the same people have the same
    betas in another mesh. Component 1 grows with the hand; the others are signed by their largest entry.
    """
    count = len(vertices)
    template, joints = vertices.mean(0).astype(float), pivots.mean(0)
    offsets = (vertices - template.astype(np.float32)).reshape(count, -1)
    if betas is None:
        values, vectors = np.linalg.eigh((offsets @ offsets.T).astype(float))
        values, vectors = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
        components = (offsets.T @ vectors) / np.sqrt(values)
        signs = np.sign(components[np.abs(components).argmax(0), np.arange(COMPONENTS)])
        length = -vertices[:, :, 0].min(1)
        signs[0] = np.sign(np.corrcoef(offsets @ components[:, 0], length)[0, 1])
        components *= signs
        deviations = np.sqrt(values / count)
        betas, shape_dirs = (offsets @ components) / deviations, components * deviations
        print(f"  {COMPONENTS} components hold {values.sum() / (offsets.astype(float) ** 2).sum():.5f} of the variance")
    else:
        shape_dirs = np.linalg.lstsq(betas, offsets, rcond=None)[0].T
    joint_dirs = np.linalg.lstsq(betas, (pivots - joints).reshape(count, -1), rcond=None)[0].T
    return ShapeSpace(template, shape_dirs.reshape(-1, 3, COMPONENTS), betas,
                      joints, joint_dirs.reshape(21, 3, COMPONENTS))
