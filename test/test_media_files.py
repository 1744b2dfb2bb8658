"""Images of every kind, folders, videos, atomic writing, calibration files."""
import cv2
import numpy as np
import pytest

from hand_recon_ros.geometry.calibration_files import load_camera
from hand_recon_ros.media.images import contact_sheet, read_image, to_rgb, write_atomically, write_image
from hand_recon_ros.media.sources import Source
from hand_recon_ros.media.videos import VideoWriter

COLOUR = np.zeros((4, 6, 3), np.uint8)
COLOUR[..., 0] = 200                                                    # red in RGB


def test_every_depth_and_channel_becomes_rgb(tmp_path):
    cases = {'grey.png': np.full((4, 6), 77, np.uint8), 'deep.png': np.full((4, 6), 77 * 257, np.uint16),
             'alpha.png': np.dstack([COLOUR[..., ::-1], np.full((4, 6), 9, np.uint8)]), 'one.png': np.full((1, 1), 5, np.uint8)}
    for name, image in cases.items():
        cv2.imwrite(str(tmp_path / name), image)
    assert (read_image(tmp_path / 'grey.png') == 77).all() and (read_image(tmp_path / 'deep.png') == 77).all()
    np.testing.assert_array_equal(read_image(tmp_path / 'alpha.png'), COLOUR)
    assert read_image(tmp_path / 'one.png').shape == (1, 1, 3)
    write_image(tmp_path / 'red.png', COLOUR)
    np.testing.assert_array_equal(read_image(tmp_path / 'red.png'), COLOUR)


def test_bad_images_are_named(tmp_path):
    (tmp_path / 'empty.jpg').write_bytes(b'')
    (tmp_path / 'broken.jpg').write_bytes(b'\xff\xd8\xff nonsense')
    for name, message in (('empty.jpg', '0 bytes'), ('broken.jpg', 'not readable'), ('none.jpg', 'no such file')):
        with pytest.raises(ValueError, match=message):
            read_image(tmp_path / name)
    with pytest.raises(ValueError, match='float64 pixels'):
        to_rgb(np.zeros((2, 2, 3)))
    with pytest.raises(ValueError, match='5 channels'):
        to_rgb(np.zeros((2, 2, 5), np.uint8))


def test_folder_in_sorted_order_with_a_damaged_file(tmp_path):
    for name in ('b.png', 'a.png'):
        write_image(tmp_path / name, COLOUR)
    (tmp_path / 'c.jpg').write_bytes(b'x')
    source = Source.open(tmp_path)
    items = list(source)
    assert [i.name for i in items] == ['a.png', 'b.png', 'c.jpg'] and source.count == 3 and not source.is_video
    assert items[2].image is None and 'c.jpg' in items[2].error
    with pytest.raises(ValueError, match='no images'):
        (tmp_path / 'empty').mkdir()
        Source.open(tmp_path / 'empty')
    with pytest.raises(ValueError, match='no such file or folder'):
        Source.open(tmp_path / 'missing')


def test_video_round_trip(tmp_path):
    frames = [np.full((48, 64, 3), 20 * i, np.uint8) for i in range(5)]
    with VideoWriter(tmp_path / 'v.mp4', 10) as video:
        for frame in frames:
            video.write(frame)
    items = list(Source.open(tmp_path / 'v.mp4'))
    assert [i.stamp_ns for i in items] == [0, 100_000_000, 200_000_000, 300_000_000, 400_000_000]
    assert abs(float(items[4].image.mean()) - 80) < 3
    with pytest.raises(ValueError, match='expected'), VideoWriter(tmp_path / 'w.mp4', 10) as video:
        video.write(frames[0])
        video.write(frames[0][:24])
    assert sorted(p.name for p in tmp_path.iterdir()) == ['v.mp4']
    (tmp_path / 'bad.mp4').write_bytes(b'nonsense')
    with pytest.raises(ValueError, match='not readable'):
        Source.open(tmp_path / 'bad.mp4')


def test_writing_is_whole_or_not_at_all(tmp_path):
    write_atomically(tmp_path / 'f', b'old')
    with pytest.raises(TypeError):
        write_atomically(tmp_path / 'f', 3)
    assert (tmp_path / 'f').read_bytes() == b'old' and len(list(tmp_path.iterdir())) == 1


def test_contact_sheet_places_cells():
    sheet = contact_sheet([np.full((10, 20, 3), v, np.uint8) for v in (50, 100, 150)], columns=2, cell=40)
    assert sheet.shape == (80, 80, 3) and sheet[10, 10, 0] == 50 and sheet[10, 50, 0] == 100 and sheet[50, 10, 0] == 150


def test_camera_calibration_file(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('image_width: 640\nimage_height: 480\ncamera_matrix: {rows: 3, cols: 3, '
                    'data: [500, 0, 320, 0, 510, 240, 0, 0, 1]}\ndistortion_model: plumb_bob\n'
                    'distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}\n')
    camera = load_camera(path)
    assert camera.K[1, 1] == 510 and camera.D[0] == 0.1 and camera.width == 640
    for text, message in (('image_width: 640', 'image_height|camera_matrix'), ('[1, 2', 'not YAML'), ('7', 'expected a mapping'),
                          (path.read_text().replace('500', '.nan'), 'K')):
        (tmp_path / 'bad.yaml').write_text(text)
        with pytest.raises(ValueError, match=message):
            load_camera(tmp_path / 'bad.yaml')
