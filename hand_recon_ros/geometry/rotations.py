"""Rotations between axis-angle, quaternion, six-number and matrix form, for NumPy, PyTorch and JAX arrays alike.

Every function takes leading batch axes and keeps the caller's array type and dtype. Axis-angle (..., 3) radians;
quaternions (..., 4) as (w, x, y, z); six-number form (..., 6), the first two columns of the matrix one after the other;
matrices (..., 3, 3) that act on column vectors. Gradients are finite everywhere, at the zero rotation too.
"""
from __future__ import annotations

from array_api_compat import array_namespace

# Below this squared angle the series are exact to float64: their first dropped term is under 1e-19.
_SMALL_SQUARED = 1e-6


def _split(xp, array, count: int):
    """The `count` entries of the last axis, each with that axis kept (..., 1)."""
    return [array[..., i:i + 1] for i in range(count)]


def _norm(xp, array):
    """Length along the last axis (..., 1), of vectors that are not zero."""
    return xp.sqrt(xp.sum(array * array, axis=-1, keepdims=True))


def _sinc_pair(xp, squared):
    """sin(t)/t and (1 - cos t)/t^2 of the squared angle t^2, by series near zero so that gradients stay finite."""
    small = squared < _SMALL_SQUARED
    angle = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    half = 0.5 * angle
    half_sinc = xp.sin(half) / half
    sine = xp.where(small, 1 - squared / 6 + squared * squared / 120, xp.sin(angle) / angle)
    cosine = xp.where(small, 0.5 - squared / 24 + squared * squared / 720, 0.5 * half_sinc * half_sinc)
    return sine, cosine


def axis_angle_to_matrix(axis_angle):
    """Rodrigues' formula: (..., 3) radians to (..., 3, 3)."""
    xp = array_namespace(axis_angle)
    x, y, z = _split(xp, axis_angle, 3)
    squared = x * x + y * y + z * z
    sine, cosine = _sinc_pair(xp, squared)
    diagonal = 1 - cosine * squared
    sx, sy, sz = sine * x, sine * y, sine * z
    cx, cy, cz = cosine * x, cosine * y, cosine * z
    xy, xz, yz = cx * y, cx * z, cy * z
    flat = xp.concat([diagonal + cx * x, xy - sz, xz + sy,
                      xy + sz, diagonal + cy * y, yz - sx,
                      xz - sy, yz + sx, diagonal + cz * z], axis=-1)
    return xp.reshape(flat, (*axis_angle.shape[:-1], 3, 3))


def axis_angle_to_quaternion(axis_angle):
    """(..., 3) radians to unit quaternion (..., 4)."""
    xp = array_namespace(axis_angle)
    squared = xp.sum(axis_angle * axis_angle, axis=-1, keepdims=True)
    small = squared < _SMALL_SQUARED
    half = 0.5 * xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    scale = xp.where(small, 0.5 - squared / 48 + squared * squared / 3840, 0.5 * xp.sin(half) / half)
    real = xp.where(small, 1 - squared / 8 + squared * squared / 384, xp.cos(half))
    return xp.concat([real, scale * axis_angle], axis=-1)


def quaternion_to_axis_angle(quaternion):
    """Quaternion (..., 4), of any length but zero and either sign, to the axis-angle (..., 3) of at most pi."""
    xp = array_namespace(quaternion)
    unit = quaternion / _norm(xp, quaternion)
    unit = unit * xp.where(unit[..., :1] < 0, -xp.ones_like(unit[..., :1]), xp.ones_like(unit[..., :1]))
    real, imaginary = unit[..., :1], unit[..., 1:]
    squared = xp.sum(imaginary * imaginary, axis=-1, keepdims=True)
    small = squared < _SMALL_SQUARED
    sine = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    # 2 asin(s)/s = 2 + s^2/3 + 3 s^4/20 + ... near zero, where real is close to 1
    scale = xp.where(small, 2 + squared / 3 + 3 * squared * squared / 20, 2 * xp.atan2(sine, real) / sine)
    return scale * imaginary


def quaternion_to_matrix(quaternion):
    """Quaternion (..., 4) of any length but zero to (..., 3, 3)."""
    xp = array_namespace(quaternion)
    w, x, y, z = _split(xp, quaternion / _norm(xp, quaternion), 4)
    flat = xp.concat([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
                      2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                      2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=-1)
    return xp.reshape(flat, (*quaternion.shape[:-1], 3, 3))


def matrix_to_quaternion(matrix):
    """(..., 3, 3) to unit quaternion (..., 4) with w >= 0, stable for every angle including pi.

    The symmetric table 4 q q^T is linear in the matrix; its row with the largest diagonal entry, normalised, is q.
    """
    xp = array_namespace(matrix)
    m = [[matrix[..., i, j] for j in range(3)] for i in range(3)]
    wx, wy, wz = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    xy, xz, yz = m[1][0] + m[0][1], m[0][2] + m[2][0], m[2][1] + m[1][2]
    squares = [1 + m[0][0] + m[1][1] + m[2][2], 1 + m[0][0] - m[1][1] - m[2][2],
               1 - m[0][0] + m[1][1] - m[2][2], 1 - m[0][0] - m[1][1] + m[2][2]]
    rows = xp.stack([xp.stack([squares[0], wx, wy, wz], axis=-1), xp.stack([wx, squares[1], xy, xz], axis=-1),
                     xp.stack([wy, xy, squares[2], yz], axis=-1), xp.stack([wz, xz, yz, squares[3]], axis=-1)], axis=-2)
    best = xp.argmax(xp.stack(squares, axis=-1), axis=-1)
    row = xp.zeros_like(rows[..., 0, :])
    for i in range(4):
        row = xp.where((best == i)[..., None], rows[..., i, :], row)
    unit = row / _norm(xp, row)
    return unit * xp.where(unit[..., :1] < 0, -xp.ones_like(unit[..., :1]), xp.ones_like(unit[..., :1]))


def matrix_to_axis_angle(matrix):
    """(..., 3, 3) to the axis-angle (..., 3) of at most pi; exact to rounding near zero and near pi."""
    return quaternion_to_axis_angle(matrix_to_quaternion(matrix))


def quaternion_multiply(first, second):
    """Hamilton product (..., 4): the rotation by `second`, then by `first`."""
    xp = array_namespace(first, second)
    a, b, c, d = _split(xp, first, 4)
    e, f, g, h = _split(xp, second, 4)
    return xp.concat([a * e - b * f - c * g - d * h, a * f + b * e + c * h - d * g,
                      a * g - b * h + c * e + d * f, a * h + b * g - c * f + d * e], axis=-1)


def six_d_to_matrix(six_d):
    """Two columns (..., 6), neither zero nor parallel, to (..., 3, 3) by Gram-Schmidt (Zhou et al. 2019)."""
    xp = array_namespace(six_d)
    first, second = six_d[..., :3], six_d[..., 3:]
    x = first / _norm(xp, first)
    second = second - xp.sum(x * second, axis=-1, keepdims=True) * x
    y = second / _norm(xp, second)
    return xp.stack([x, y, cross(x, y)], axis=-1)


def matrix_to_six_d(matrix):
    """(..., 3, 3) to its first two columns (..., 6)."""
    xp = array_namespace(matrix)
    return xp.concat([matrix[..., :, 0], matrix[..., :, 1]], axis=-1)


def cross(first, second):
    """Cross product of (..., 3) vectors, with broadcasting."""
    xp = array_namespace(first, second)
    a, b, c = _split(xp, first, 3)
    d, e, f = _split(xp, second, 3)
    return xp.concat([b * f - c * e, c * d - a * f, a * e - b * d], axis=-1)


def rotate(matrix, points):
    """Matrices (..., 3, 3) applied to vectors (..., 3), with broadcasting."""
    xp = array_namespace(matrix, points)
    return xp.sum(matrix * points[..., None, :], axis=-1)


def rotation_between(source, target):
    """Smallest rotation (..., 3, 3) that turns direction `source` (..., 3) into `target`; neither may be zero.

    For opposite directions the axis is any one at right angles to `source`.
    """
    xp = array_namespace(source, target)
    a, b = source / _norm(xp, source), target / _norm(xp, target)
    a, b = xp.broadcast_arrays(a, b)
    x, y, z = _split(xp, a, 3)
    zero = xp.zeros_like(x)
    across = xp.where(xp.abs(x) < 0.6, xp.concat([zero, z, -y], axis=-1), xp.concat([y, -x, zero], axis=-1))
    real = 1 + xp.sum(a * b, axis=-1, keepdims=True)
    # half turn: 1 + cos is pure rounding there, and the cross product carries no direction any more
    opposite = real < 1e-6 if a.dtype == xp.float32 else real < 1e-12
    quaternion = xp.where(opposite, xp.concat([zero, across], axis=-1), xp.concat([real, cross(a, b)], axis=-1))
    return quaternion_to_matrix(quaternion)
