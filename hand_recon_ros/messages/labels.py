"""Masks and depth images <-> compressed messages, PNG without loss, named as image_transport names them."""
from __future__ import annotations

import array

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage

from hand_recon_ros.messages.stamps import to_header

MASK_FORMAT, DEPTH_FORMAT = 'mono8; png compressed ', '16UC1; png compressed '
DEPTH_UNIT_M = 1e-3         # REP-118: 16UC1 depth is in millimetres, 0 where unknown
_MOST = 65535


def mask_to_compressed(mask: np.ndarray, stamp_ns: int, frame_id: str) -> CompressedImage:
    """Message of an (H, W) uint8 mask."""
    return _to_png('mask', mask, np.uint8, MASK_FORMAT, stamp_ns, frame_id)


def depth_to_compressed(depth_m: np.ndarray, stamp_ns: int, frame_id: str) -> CompressedImage:
    """Message of an (H, W) depth image, metres along z, 0 where unknown; ValueError beyond 65.535 m or below 0."""
    scaled = np.round(np.asarray(depth_m, np.float64) / DEPTH_UNIT_M)
    if not ((scaled >= 0) & (scaled <= _MOST)).all():
        raise ValueError(f'depth_m: {np.min(depth_m)}..{np.max(depth_m)}, expected 0..{_MOST * DEPTH_UNIT_M}')
    return _to_png('depth_m', scaled.astype(np.uint16), np.uint16, DEPTH_FORMAT, stamp_ns, frame_id)


def compressed_to_mask(msg: CompressedImage) -> np.ndarray:
    """(H, W) uint8; ValueError when the message holds none."""
    return _from_png(msg, np.uint8, MASK_FORMAT)


def compressed_to_depth(msg: CompressedImage) -> np.ndarray:
    """(H, W) float32 metres, 0 where unknown; ValueError when the message holds no 16-bit PNG."""
    return (_from_png(msg, np.uint16, DEPTH_FORMAT) * np.float64(DEPTH_UNIT_M)).astype(np.float32)


def _to_png(name: str, image: np.ndarray, dtype, text: str, stamp_ns: int, frame_id: str) -> CompressedImage:
    image = np.asarray(image)
    if image.ndim != 2 or image.dtype != dtype or 0 in image.shape:
        raise ValueError(f'{name}: {image.dtype} {image.shape}, expected {np.dtype(dtype)} (H, W)')
    _, png = cv2.imencode('.png', np.ascontiguousarray(image))
    return CompressedImage(header=to_header(stamp_ns, frame_id), format=text, data=array.array('B', png.tobytes()))


def _from_png(msg: CompressedImage, dtype, text: str) -> np.ndarray:
    encoding = text.partition(';')[0]
    if msg.format.partition(';')[0].strip() != encoding or 'png' not in msg.format:
        raise ValueError(f'format: {msg.format!r}, expected {text.strip()!r}')
    data = bytes(msg.data)
    # Decoders fill what is missing: look for the end marker oneself.
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if b'IEND' in data[-64:] else None
    if image is None or image.ndim != 2 or image.dtype != dtype:
        raise ValueError(f'data: {len(data)} bytes that are no whole PNG of {np.dtype(dtype)}')
    return image
