"""Per-vertex values drawn into a mesh's UV layout."""
from __future__ import annotations

import moderngl
import numpy as np
from scipy.ndimage import distance_transform_edt

from hand_recon_ros.rendering import shaders
from hand_recon_ros.rendering.context import gl_context


def bake(faces, uvs, uv_faces, values, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Per-vertex values (V, C) in UV space: (size, size, C) float32, row 0 at v = 1, and the covered texels, bool."""
    context = gl_context()
    values = np.asarray(values, np.float32)
    channels = values.shape[1]
    # One more channel says where the islands are.
    padded = np.zeros((len(values), 4 * -(-(channels + 1) // 4)), np.float32)
    padded[:, :channels], padded[:, channels] = values, 1.0
    program = context.program(vertex_shader=shaders.BAKE_VERTEX, fragment_shader=shaders.BAKE_FRAGMENT)
    target = context.framebuffer([context.texture((size, size), 4, dtype='f4')])
    context.disable(moderngl.DEPTH_TEST | moderngl.CULL_FACE | moderngl.BLEND)
    corner_uvs, corner_vertices = np.asarray(uvs)[np.asarray(uv_faces).ravel()], np.asarray(faces).ravel()
    layers = []
    for first in range(0, padded.shape[1], 4):
        rows = np.concatenate([corner_uvs, padded[corner_vertices, first:first + 4]], 1).astype('f4')
        buffer = context.buffer(rows.tobytes())
        array = context.vertex_array(program, [(buffer, '2f 4f', 'in_uv', 'in_value')])
        target.use()
        target.clear(0.0, 0.0, 0.0, 0.0)
        array.render()
        image = np.frombuffer(target.read(components=4, dtype='f4'), np.float32).reshape(size, size, 4)
        layers.append(image[::-1])
        array.release()
        buffer.release()
    baked = np.concatenate(layers, -1)
    target.color_attachments[0].release()
    target.release()
    program.release()
    covered = baked[..., channels] > 0.5
    if not covered.any():
        raise ValueError('uvs: no face covers a texel, expected coordinates in 0..1')
    return baked[..., :channels], covered


def spread(image, covered) -> np.ndarray:
    """The image with every uncovered texel set to the nearest covered one, lest filtering bleed at seams."""
    rows, columns = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    return image[rows, columns]
