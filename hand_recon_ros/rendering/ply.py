"""Meshes as binary PLY: read by MeshLab, Blender, Open3D, CloudCompare."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.rendering.normals import NormalField
from hand_recon_ros.types import checked

_VERTEX = np.dtype([(name, '<f4') for name in ('x', 'y', 'z', 'nx', 'ny', 'nz')])
_FACE = np.dtype([('count', 'u1'), ('index', '<i4', 3)])
_HEADER = """ply
format binary_little_endian 1.0
comment hand_recon_ros, metres, optical axes (x right, y down, z forward)
element vertex {vertices}
property float x
property float y
property float z
property float nx
property float ny
property float nz
element face {faces}
property list uchar int vertex_indices
end_header
"""


def write_ply(path, vertices_m, faces) -> None:
    """Write vertices (V, 3) metres and faces (F, 3), with vertex normals. The file appears only when it is whole."""
    vertices_m = checked('vertices_m', vertices_m, (None, 3))
    faces = checked('faces', faces, (None, 3), np.int32)
    if faces.size and not 0 <= faces.min() <= faces.max() < len(vertices_m):
        raise ValueError(f'faces: indices {faces.min()}..{faces.max()}, expected 0..{len(vertices_m) - 1}')
    vertex_rows = np.empty(len(vertices_m), _VERTEX)
    rows = np.concatenate([vertices_m, NormalField(faces, len(vertices_m))(vertices_m)], 1)
    for column, name in enumerate(_VERTEX.names):
        vertex_rows[name] = rows[:, column]
    face_rows = np.empty(len(faces), _FACE)
    face_rows['count'], face_rows['index'] = 3, faces
    path = Path(path)
    partial = path.with_name(path.name + '.partial')
    header = _HEADER.format(vertices=len(vertices_m), faces=len(faces)).encode('ascii')
    partial.write_bytes(header + vertex_rows.tobytes() + face_rows.tobytes())
    partial.replace(path)


def read_ply(path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(vertices_m (V, 3), normals (V, 3), faces (F, 3)) of a file written by `write_ply`; ValueError for any other."""
    data = Path(path).read_bytes()
    end = data.find(b'end_header\n')
    lines = data[:max(end, 0)].decode('ascii', 'replace').splitlines()
    elements = [line.split() for line in lines if line.startswith('element ')]
    counts = {element[1]: element[2] for element in elements if len(element) == 3}
    try:
        vertices, faces = int(counts['vertex']), int(counts['face'])
        whole = '\n'.join(lines) + '\nend_header\n' == _HEADER.format(vertices=vertices, faces=faces)
    except (KeyError, ValueError):
        whole = False
    if not whole:
        raise ValueError(f'{path}: not a binary PLY with vertex normals as written by this package')
    body = data[end + len(b'end_header\n'):]
    size = vertices * _VERTEX.itemsize + faces * _FACE.itemsize
    if len(body) != size:
        raise ValueError(f'{path}: {len(body)} bytes after the header, expected {size}')
    vertex_rows = np.frombuffer(body, _VERTEX, vertices).view('<f4').reshape(vertices, 6)
    face_rows = np.frombuffer(body, _FACE, faces, vertices * _VERTEX.itemsize)
    return vertex_rows[:, :3].copy(), vertex_rows[:, 3:].copy(), face_rows['index'].astype(np.int32)
