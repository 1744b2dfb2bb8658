"""Image files to RGB arrays and back, whatever their depth and channels."""
from __future__ import annotations

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np

# How much wider than a hand's box a close-up shows the picture.
CLOSE_UP = 1.6
IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')


def to_rgb(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB of an OpenCV image: grey, BGR or BGRA, 8 or 16 bit (16 bit by its full range, alpha dropped).

    ValueError for any other depth or channel count.
    """
    if image.dtype == np.uint16:
        image = (image // 257).astype(np.uint8)
    if image.dtype != np.uint8:
        raise ValueError(f'image: {image.dtype} pixels, expected 8 or 16 bit unsigned')
    channels = 1 if image.ndim == 2 else image.shape[2]
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    if channels not in codes:
        raise ValueError(f'image: {channels} channels, expected 1, 3 or 4')
    return cv2.cvtColor(image, codes[channels])


def read_image(path: str | os.PathLike) -> np.ndarray:
    """RGB image (H, W, 3) uint8 of a file; ValueError naming the file when it is missing, empty or damaged."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f'image {path}: no such file')
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None:
        raise ValueError(f'image {path}: not readable as an image ({data.size} bytes), expected {", ".join(IMAGE_SUFFIXES)}')
    try:
        return to_rgb(image)
    except ValueError as error:
        raise ValueError(f'image {path}: {error}') from None


def write_image(path: str | os.PathLike, image: np.ndarray, quality: int = 92) -> None:
    """Write an RGB image by its suffix; the file appears whole or not at all."""
    path = Path(path)
    done, data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f'image {path}: cannot be written as {path.suffix!r}')
    write_atomically(path, data.tobytes())


def write_atomically(path: str | os.PathLike, data: bytes) -> None:
    """Write a file under a temporary name beside it, then rename: a reader never sees half of it."""
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f'.{path.name}.')
    try:
        with os.fdopen(handle, 'wb') as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def close_up(picture: np.ndarray, box_px: np.ndarray) -> np.ndarray:
    """The square of a picture around a hand's box (4,), cut off at the picture's edges."""
    centre, half = (box_px[:2] + box_px[2:]) / 2, CLOSE_UP * max(box_px[2:] - box_px[:2]) / 2
    x_min, y_min = np.maximum(centre - half, 0).astype(int)
    x_max, y_max = np.minimum(np.ceil(centre + half), picture.shape[1::-1]).astype(int)
    return picture[y_min:max(y_max, y_min + 1), x_min:max(x_max, x_min + 1)]


def contact_sheet(images: list[np.ndarray], columns: int = 6, cell: int = 256) -> np.ndarray:
    """Images of any size side by side, each fitted into a square cell; RGB."""
    if not images:
        raise ValueError('images: none, expected at least one')
    rows = -(-len(images) // columns)
    sheet = np.full((rows * cell, min(columns, len(images)) * cell, 3), 32, np.uint8)
    for index, image in enumerate(images):
        scale = cell / max(image.shape[:2])
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        y, x = index // columns * cell, index % columns * cell
        sheet[y:y + small.shape[0], x:x + small.shape[1]] = small
    return sheet
