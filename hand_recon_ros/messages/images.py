"""The one adapter between image messages and RGB arrays. Bad sizes, encodings and damaged data are a ValueError.

Plain 8-bit images take a direct path (zero-copy for rgb8), because it costs nothing and honours `step`. What remains,
Bayer, YUV and 16-bit, goes through cv_bridge where cv_bridge can do it. There are two of them: the compiled one of a
ROS installation, which can do all of it, and PyPI's pure Python one, written for ROS 1, whose tables lack YUV, depth
conversion, 16-bit Bayer and bayer_grbg8, and which ignores `step`. Rows are therefore unpadded first, and the
conversions that the installed one lacks are OpenCV's own.
"""
from __future__ import annotations

import array
import functools
import re

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from hand_recon_ros.messages.stamps import to_header

_PLAIN = {'rgb8': None, 'bgr8': cv2.COLOR_BGR2RGB, 'mono8': cv2.COLOR_GRAY2RGB, 'rgba8': cv2.COLOR_RGBA2RGB,
          'bgra8': cv2.COLOR_BGRA2RGB}
_DEEP = {'rgb16': None, 'bgr16': cv2.COLOR_BGR2RGB, 'mono16': cv2.COLOR_GRAY2RGB, 'rgba16': cv2.COLOR_RGBA2RGB,
         'bgra16': cv2.COLOR_BGRA2RGB}
# OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by the first four pixels.
_BAYER = {'bayer_rggb': cv2.COLOR_BayerBG2RGB, 'bayer_bggr': cv2.COLOR_BayerRG2RGB,
          'bayer_gbrg': cv2.COLOR_BayerGR2RGB, 'bayer_grbg': cv2.COLOR_BayerGB2RGB}
_YUV422 = {'yuv422': cv2.COLOR_YUV2RGB_UYVY, 'uyvy': cv2.COLOR_YUV2RGB_UYVY,
           'yuv422_yuy2': cv2.COLOR_YUV2RGB_YUY2, 'yuyv': cv2.COLOR_YUV2RGB_YUY2}
_YUV420 = {'nv12': cv2.COLOR_YUV2RGB_NV12, 'nv21': cv2.COLOR_YUV2RGB_NV21}
_CHANNELS = {'rgb': 3, 'bgr': 3, 'mono': 1, 'rgba': 4, 'bgra': 4}
# What PyPI's cv_bridge converts to rgb8 correctly (tested against OpenCV's conversions).
_PURE_PYTHON_BRIDGE = frozenset(('bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8'))
_COMPILED_BRIDGE = frozenset((*_DEEP, *(name + bits for name in _BAYER for bits in ('8', '16')), 'yuv422',
                              'yuv422_yuy2'))
ENCODINGS = (*_PLAIN, *_DEEP, *(name + bits for name in _BAYER for bits in ('8', '16')), *_YUV422, *_YUV420)


def image_to_rgb(msg: Image) -> np.ndarray:
    """(H, W, 3) uint8 RGB, contiguous, of a raw image. 16-bit values are scaled by 255 / 65535.

    An rgb8 image without padding is a view of the message's own data. ValueError names the field that is wrong.
    """
    encoding = msg.encoding.strip()
    if encoding not in ENCODINGS:
        raise ValueError(f'encoding: {msg.encoding!r}, expected one of {", ".join(ENCODINGS)}')
    if msg.width < 1 or msg.height < 1:
        raise ValueError(f'width x height: {msg.width} x {msg.height}, expected at least 1 x 1')
    rows = _rows(msg, encoding)
    if encoding in _PLAIN:
        code = _PLAIN[encoding]
        return np.ascontiguousarray(rows) if code is None else cv2.cvtColor(np.ascontiguousarray(rows), code)
    rows = np.ascontiguousarray(rows)
    if encoding in _bridge_encodings():
        return _through_bridge(rows, encoding, msg.width, msg.height)
    if encoding in _DEEP:
        code = _DEEP[encoding]
        eight = _to_8_bit(rows)
        return eight if code is None else cv2.cvtColor(eight, code)
    if encoding in _YUV422:
        return cv2.cvtColor(rows, _YUV422[encoding])
    if encoding in _YUV420:
        return cv2.cvtColor(rows, _YUV420[encoding])
    return _demosaic(rows, encoding)


def compressed_to_rgb(msg: CompressedImage) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a JPEG or PNG image by image_transport's naming; ValueError when it is damaged.

    The orientation that a JPEG may carry is ignored: camera_info describes the pixels as they lie.
    """
    kind = _compressed_kind(msg.format)
    data = bytes(msg.data)
    if not data:
        raise ValueError('data: 0 bytes, expected a compressed image')
    # Decoders fill what is missing with grey and call it an image: look for the end marker oneself.
    if kind == 'jpeg' and not (data[:2] == b'\xff\xd8' and b'\xff\xd9' in data[-1024:]):
        raise ValueError(f'data: {len(data)} bytes that are no whole JPEG, though format is {msg.format!r}')
    if kind == 'png' and not (data[:8] == b'\x89PNG\r\n\x1a\n' and b'IEND' in data[-1024:]):
        raise ValueError(f'data: {len(data)} bytes that are no whole PNG, though format is {msg.format!r}')
    bayer = re.search(r'compressed\s+(bayer_\w+)', msg.format)
    flags = cv2.IMREAD_UNCHANGED if bayer else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f'data: {len(data)} bytes of {kind} that cannot be decoded: {error.err}') from error
    if image is None or 0 in image.shape:
        raise ValueError(f'data: {len(data)} bytes of {kind} that cannot be decoded')
    if not bayer:
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if bayer[1] not in ENCODINGS or image.ndim != 2:
        raise ValueError(f'format: {msg.format!r} with {image.ndim}-dimensional pixels, expected one Bayer plane')
    return _demosaic(image, bayer[1])


def rgb_to_image(rgb: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """rgb8 message of an (H, W, 3) uint8 image."""
    rgb = _checked_rgb(rgb)
    data = array.array('B')
    data.frombytes(np.ascontiguousarray(rgb).data.cast('B'))
    return Image(header=to_header(stamp_ns, frame_id), height=rgb.shape[0], width=rgb.shape[1], encoding='rgb8',
                 is_bigendian=0, step=3 * rgb.shape[1], data=data)


def mask_to_image(mask: np.ndarray, stamp_ns: int, frame_id: str) -> Image:
    """mono8 message of an (H, W) uint8 mask."""
    mask = np.ascontiguousarray(mask)
    if mask.ndim != 2 or mask.dtype != np.uint8 or 0 in mask.shape:
        raise ValueError(f'mask: {mask.dtype} {mask.shape}, expected uint8 (H, W)')
    return Image(header=to_header(stamp_ns, frame_id), height=mask.shape[0], width=mask.shape[1], encoding='mono8',
                 step=mask.shape[1], data=array.array('B', mask.tobytes()))


def rgb_to_compressed(rgb: np.ndarray, stamp_ns: int, frame_id: str, quality: int = 90) -> CompressedImage:
    """JPEG message of an (H, W, 3) uint8 image. quality: 1 to 100."""
    bgr = cv2.cvtColor(np.ascontiguousarray(_checked_rgb(rgb)), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode('.jpg', bgr, (cv2.IMWRITE_JPEG_QUALITY, int(quality)))
    return CompressedImage(header=to_header(stamp_ns, frame_id), format='rgb8; jpeg compressed bgr8',
                           data=array.array('B', jpeg.tobytes()))


def _rows(msg: Image, encoding: str) -> np.ndarray:
    """View of the pixels without padding and in this machine's byte order: (H, W) or (H, W, C)."""
    base = encoding.rstrip('0123456789')
    if encoding in _YUV422:
        shape, depth = (msg.height, msg.width, 2), 1
    elif encoding in _YUV420:
        shape, depth = (msg.height * 3 // 2, msg.width), 1
    elif base in _BAYER:
        shape, depth = (msg.height, msg.width), 2 if encoding.endswith('16') else 1
    else:
        channels = _CHANNELS[base]
        shape = (msg.height, msg.width) if channels == 1 else (msg.height, msg.width, channels)
        depth = 2 if encoding.endswith('16') else 1
    for name, odd in (('width', encoding in _YUV422 or encoding in _YUV420), ('height', encoding in _YUV420)):
        if odd and getattr(msg, name) % 2:
            raise ValueError(f'{name}: {getattr(msg, name)}, expected an even number for {encoding}')
    pixel = depth * (shape[2] if len(shape) == 3 else 1)
    if msg.step < msg.width * pixel:
        raise ValueError(f'step: {msg.step}, expected at least {msg.width * pixel} ({msg.width} pixels of {encoding})')
    if len(msg.data) != msg.step * shape[0]:
        raise ValueError(f'data: {len(msg.data)} bytes, expected {msg.step * shape[0]} ({shape[0]} rows of {msg.step})')
    dtype = np.dtype('u1') if depth == 1 else np.dtype('>u2' if msg.is_bigendian else '<u2')
    strides = (msg.step, pixel, depth) if len(shape) == 3 else (msg.step, pixel)
    rows = np.ndarray(shape, dtype, buffer=msg.data, strides=strides)
    return rows if dtype.isnative else rows.astype(dtype.newbyteorder('='))


def _to_8_bit(deep: np.ndarray) -> np.ndarray:
    return cv2.convertScaleAbs(deep, alpha=255 / 65535)


def _demosaic(rows: np.ndarray, encoding: str) -> np.ndarray:
    if min(rows.shape) < 2:
        raise ValueError(f'width x height: {rows.shape[1]} x {rows.shape[0]}, expected at least 2 x 2 for {encoding}')
    rgb = cv2.cvtColor(rows, _BAYER[encoding.rstrip('0123456789')])
    return _to_8_bit(rgb) if rgb.dtype == np.uint16 else rgb


@functools.cache
def _bridge_encodings() -> frozenset:
    """Encodings that the installed cv_bridge converts; empty where there is none."""
    try:
        from cv_bridge.boost import cv_bridge_boost
    except ImportError:
        return frozenset()
    return _PURE_PYTHON_BRIDGE if cv_bridge_boost.__file__.endswith('.py') else _COMPILED_BRIDGE


@functools.cache
def _bridge():
    from cv_bridge import CvBridge
    return CvBridge()


def _through_bridge(rows: np.ndarray, encoding: str, width: int, height: int) -> np.ndarray:
    from cv_bridge import CvBridgeError
    if encoding.startswith('bayer') and min(rows.shape) < 2:
        raise ValueError(f'width x height: {width} x {height}, expected at least 2 x 2 for {encoding}')
    plain = Image(height=height, width=width, encoding=encoding, is_bigendian=0, step=rows.strides[0],
                  data=array.array('B', rows.tobytes()))
    try:
        return np.ascontiguousarray(_bridge().imgmsg_to_cv2(plain, 'rgb8'))
    except (CvBridgeError, cv2.error) as error:
        raise ValueError(f'encoding: {encoding!r} could not be converted by cv_bridge: {error}') from error


def _compressed_kind(text: str) -> str:
    # "jpeg", or image_transport's "rgb8; jpeg compressed bgr8".
    words = re.findall(r'[a-z0-9_]+', text.lower())
    for kind, names in (('jpeg', ('jpeg', 'jpg')), ('png', ('png',))):
        if any(name in words for name in names) and 'compresseddepth' not in words:
            return kind
    raise ValueError(f'format: {text!r}, expected jpeg or png')


def _checked_rgb(rgb: np.ndarray) -> np.ndarray:
    rgb = np.asarray(rgb)
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or 0 in rgb.shape:
        raise ValueError(f'image: {rgb.dtype} {rgb.shape}, expected uint8 (H, W, 3) RGB')
    return rgb
