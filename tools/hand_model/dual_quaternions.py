"""Dual quaternion skinning (Kavan et al. 2008, Geometric Skinning with Approximate Dual Quaternion Blending)."""
import numpy as np


def quaternions(matrices: np.ndarray) -> np.ndarray:
    """Unit quaternions (N,4), w first, of rotation matrices (N,3,3), by Bar-Itzhack's eigenvector method."""
    result = np.zeros((len(matrices), 4))
    for row, m in enumerate(matrices):
        form = np.array([[m[0, 0] - m[1, 1] - m[2, 2], 0, 0, 0],
                         [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], 0, 0],
                         [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], 0],
                         [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m.trace()]]) / 3
        result[row] = np.linalg.eigh(form)[1][[3, 0, 1, 2], -1]
    return result


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Hamilton product of quaternions (..., 4), w first."""
    w, x = first[..., :1], first[..., 1:]
    v, y = second[..., :1], second[..., 1:]
    return np.concatenate([w * v - (x * y).sum(-1, keepdims=True), w * y + v * x + np.cross(x, y)], -1)


def dual_quaternion_skin(vertices: np.ndarray, weights: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Skin vertices (V,3) with weights (V,J) by rigid transforms (J,4,4) that are relative to the rest joints."""
    real = quaternions(transforms[:, :3, :3])
    shift = np.concatenate([np.zeros((len(real), 1)), transforms[:, :3, 3]], 1)
    dual = .5 * product(shift, real)
    pivot = real[weights.argmax(1)]                       # blend on the hemisphere of the strongest joint
    sign = np.sign((real[None] * pivot[:, None]).sum(-1) + 1e-12)
    blended, blended_dual = (weights * sign) @ real, (weights * sign) @ dual
    norm = np.linalg.norm(blended, axis=1, keepdims=True)
    blended, blended_dual = blended / norm, blended_dual / norm
    translation = 2 * product(blended_dual, blended * [1, -1, -1, -1])[:, 1:]
    w, axis = blended[:, :1], blended[:, 1:]
    return vertices + 2 * np.cross(axis, np.cross(axis, vertices) + w * vertices) + translation
