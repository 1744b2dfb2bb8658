"""images.py: every encoding against a picture whose colours are known, and every damage a ValueError by name."""
import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from hand_recon_ros.messages.images import compressed_to_rgb, image_to_rgb, rgb_to_compressed, rgb_to_image

# Four flat quadrants: red, green, blue and grey, 8 x 12, so that Bayer and YUV are exact inside each of them.
RGB = np.zeros((16, 24, 3), np.uint8)
RGB[:8, :12], RGB[:8, 12:], RGB[8:, :12], RGB[8:, 12:] = (200, 30, 20), (10, 180, 40), (25, 50, 220), (120, 120, 120)
INSIDE = (slice(2, 6), slice(3, 9)), (slice(2, 6), slice(15, 21)), (slice(10, 14), slice(3, 9)), \
    (slice(10, 14), slice(15, 21))


def message(pixels, encoding, padding=0, bigendian=0, width=24, height=16):
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(pixels.shape[0], -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return Image(height=height, width=width, encoding=encoding, is_bigendian=bigendian, step=rows.shape[1],
                 data=array.array('B', rows.tobytes()))


def bayer(pattern):
    plane = np.zeros(RGB.shape[:2], np.uint8)
    for i, colour in enumerate(pattern):
        plane[i // 2::2, i % 2::2] = RGB[i // 2::2, i % 2::2, 'rgb'.index(colour)]
    return plane


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding, order', [('rgb8', (0, 1, 2)), ('bgr8', (2, 1, 0))])
def test_colour_is_exact(encoding, order, padding):
    assert np.array_equal(image_to_rgb(message(RGB[..., order], encoding, padding)), RGB)


@pytest.mark.parametrize('encoding, order', [('rgba8', (0, 1, 2)), ('bgra8', (2, 1, 0))])
def test_alpha_is_dropped(encoding, order):
    pixels = np.dstack([RGB[..., order], np.full(RGB.shape[:2], 9, np.uint8)])
    assert np.array_equal(image_to_rgb(message(pixels, encoding, 3)), RGB)


def test_mono_is_grey():
    image = image_to_rgb(message(RGB[..., 0], 'mono8', 1))
    assert np.array_equal(image, np.repeat(RGB[..., :1], 3, axis=2))


def test_rgb_is_not_copied():
    msg = message(RGB, 'rgb8')
    assert np.shares_memory(image_to_rgb(msg), np.frombuffer(msg.data, np.uint8))


@pytest.mark.parametrize('bigendian', [0, 1])
@pytest.mark.parametrize('encoding', ['mono16', 'rgb16', 'bgr16', 'rgba16', 'bgra16'])
def test_16_bit_is_scaled(encoding, bigendian):
    pixels = RGB[..., ::-1] if encoding.startswith('b') else RGB
    if 'a' in encoding:
        pixels = np.dstack([pixels, RGB[..., :1]])
    pixels = RGB[..., 0] if encoding == 'mono16' else pixels
    deep = (pixels.astype(np.uint32) * 257).astype('>u2' if bigendian else '<u2')
    expected = np.repeat(RGB[..., :1], 3, axis=2) if encoding == 'mono16' else RGB
    assert np.array_equal(image_to_rgb(message(deep, encoding, 2, bigendian)), expected)


@pytest.mark.parametrize('bits', ['8', '16'])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_patterns(pattern, bits):
    plane = bayer(pattern) if bits == '8' else (bayer(pattern).astype(np.uint16) * 257)
    image = image_to_rgb(message(plane, f'bayer_{pattern}{bits}', padding=4))
    assert image.dtype == np.uint8 and image.shape == RGB.shape
    for area in INSIDE:
        assert np.array_equal(image[area], RGB[area])


@pytest.mark.parametrize('encoding, luma', [('yuv422', 1), ('uyvy', 1), ('yuv422_yuy2', 0), ('yuyv', 0)])
def test_yuv422(encoding, luma):
    yuv = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV_I420)
    y = yuv[:16]
    u, v = (plane.reshape(8, 12).repeat(2, axis=0) for plane in (yuv[16:20], yuv[20:24]))
    packed = np.zeros((16, 24, 2), np.uint8)
    packed[..., luma] = y
    packed[:, 0::2, 1 - luma], packed[:, 1::2, 1 - luma] = u, v
    image = image_to_rgb(message(packed, encoding, padding=6))
    for area in INSIDE:
        assert np.abs(image[area].astype(int) - RGB[area]).max() <= 3


@pytest.mark.parametrize('encoding', ['nv12', 'nv21'])
def test_yuv420(encoding):
    yuv = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV_I420)
    u, v = (plane.reshape(8, 12) for plane in (yuv[16:20], yuv[20:24]))
    chroma = np.dstack([u, v] if encoding == 'nv12' else [v, u]).reshape(8, 24)
    image = image_to_rgb(message(np.concatenate([yuv[:16], chroma]), encoding))
    for area in INSIDE:
        assert np.abs(image[area].astype(int) - RGB[area]).max() <= 3


def test_round_trip_keeps_stamp_and_frame():
    msg = rgb_to_image(RGB, 12_345_678_901, 'left_optical')
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (12, 345_678_901)
    assert msg.header.frame_id == 'left_optical' and msg.step == 72
    assert np.array_equal(image_to_rgb(msg), RGB)


def test_jpeg_round_trip():
    msg = rgb_to_compressed(RGB, 5, 'c', quality=95)
    image = compressed_to_rgb(msg)
    assert np.abs(image[2:6, 3:9].astype(int) - RGB[2:6, 3:9]).max() <= 6


@pytest.mark.parametrize('text', ['png', 'bgr8; png compressed bgr8'])
def test_png_is_exact(text):
    png = cv2.imencode('.png', RGB[..., ::-1])[1].tobytes()
    assert np.array_equal(compressed_to_rgb(CompressedImage(format=text, data=png)), RGB)


def test_bayer_in_png():
    png = cv2.imencode('.png', bayer('grbg'))[1].tobytes()
    image = compressed_to_rgb(CompressedImage(format='bayer_grbg8; png compressed bayer_grbg8', data=png))
    assert np.array_equal(image[INSIDE[0]], RGB[INSIDE[0]])


@pytest.mark.parametrize('change, field', [
    ({'encoding': '32FC1'}, 'encoding'), ({'encoding': ''}, 'encoding'), ({'width': 0}, 'width'),
    ({'height': 0}, 'height'), ({'step': 71}, 'step'), ({'width': 25}, 'step'), ({'height': 17}, 'data'),
    ({'data': array.array('B')}, 'data'), ({'encoding': 'yuv422', 'width': 23, 'step': 46}, 'width'),
    ({'encoding': 'nv12', 'height': 15, 'step': 24}, 'height')])
def test_wrong_messages_name_the_field(change, field):
    msg = message(RGB, 'rgb8')
    for name, value in change.items():
        setattr(msg, name, value)
    with pytest.raises(ValueError, match=field):
        image_to_rgb(msg)


def test_one_pixel():
    assert image_to_rgb(message(RGB[:1, :1], 'rgb8', width=1, height=1)).tolist() == [[[200, 30, 20]]]
    with pytest.raises(ValueError, match='2 x 2'):
        image_to_rgb(message(RGB[:1, :1, 0], 'bayer_rggb8', width=1, height=1))


def test_damaged_jpegs():
    whole = rgb_to_compressed(np.tile(RGB, (20, 20, 1)), 0, 'c').data.tobytes()
    for data, text, field in ((b'', 'jpeg', 'data'), (whole[:len(whole) // 2], 'jpeg', 'data'),
                              (b'hello', 'jpeg', 'data'),
                              (whole, 'png', 'data'), (whole, 'h264', 'format'), (whole, '', 'format'),
                              (b'\xff\xd8' + b'\0' * 50 + b'\xff\xd9', 'jpeg', 'data'),
                              (whole, '16UC1; compressedDepth png', 'format')):
        with pytest.raises(ValueError, match=field):
            compressed_to_rgb(CompressedImage(format=text, data=data))


def test_wrong_arrays_are_refused():
    for wrong in (RGB[..., 0], RGB.astype(np.float32), np.zeros((0, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match='image'):
            rgb_to_image(wrong, 0, 'c')
