"""One camera from a calibration file: the YAML of ROS's camera_calibration, or a rig.yaml's left camera."""
from __future__ import annotations

import os
from pathlib import Path

import yaml

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import load_rig


def load_camera(path: str | os.PathLike) -> Camera:
    """Camera of the raw, distorted image; ValueError naming the file and the field when something is missing or wrong."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'camera {path}: no such file')
    try:
        stored = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f'camera {path}: not YAML ({error})') from None
    if not isinstance(stored, dict):
        raise ValueError(f'camera {path}: expected a mapping with camera_matrix or cameras')
    if 'cameras' in stored:
        return load_rig(path).left
    try:
        return Camera(stored['image_width'], stored['image_height'], _matrix(stored, 'camera_matrix', 3),
                      stored.get('distortion_model', 'plumb_bob'), stored['distortion_coefficients']['data'])
    except (KeyError, TypeError) as error:
        raise ValueError(f'camera {path}: field {error} missing or malformed, expected image_width, image_height, '
                         'camera_matrix, distortion_model, distortion_coefficients') from None
    except ValueError as error:
        raise ValueError(f'camera {path}: {error}') from None


def _matrix(stored: dict, name: str, size: int):
    data = stored[name]['data']
    if not isinstance(data, list) or len(data) != size * size:
        raise ValueError(f'{name}: {data!r}, expected {size * size} numbers')
    return [data[row * size:(row + 1) * size] for row in range(size)]
