"""The real detector: bad input, its coordinate convention, and recall on real photographs where they are at hand."""
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector, box_around
from hand_recon_ros.types import Frame

REAL = Path(__file__).resolve().parents[2] / 'shared' / 'data' / 'real'
needs_photos = pytest.mark.skipif(not (REAL / 'photos' / 'images').is_dir(),
                                  reason='real photographs (../shared/data/real/photos) are not on this machine')


@pytest.fixture(scope='module')
def detector():
    with MediaPipeDetector(mode='image', max_hands=4) as made:
        yield made


def photo(name):
    image = cv2.imread(str(REAL / 'photos' / 'images' / name))
    assert image is not None, name
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize('image', [
    np.zeros((1, 1, 3), np.uint8), np.zeros((1, 900, 3), np.uint8), np.full((480, 640, 3), 127, np.uint8),
    np.random.default_rng(0).integers(0, 255, (240, 320, 3)).astype(np.uint8), np.zeros((7000, 30, 3), np.uint8)],
    ids=['one pixel', 'one row', 'grey', 'noise', 'huge strip'])
def test_images_without_a_hand_give_an_empty_list(detector, image):
    assert detector.detect(Frame.from_image(image)) == []


def test_a_frame_without_an_image_and_bad_settings_are_refused(detector):
    with pytest.raises(ValueError, match='frame.image: None, expected'):
        detector.detect(Frame(640, 480))
    with pytest.raises(ValueError, match="mode: 'film', expected one of image, video"):
        MediaPipeDetector(mode='film')
    with pytest.raises(ValueError, match='max_hands: 0'):
        MediaPipeDetector(max_hands=0)
    with pytest.raises(ValueError, match='min_detection_score: 1.5'):
        MediaPipeDetector(min_detection_score=1.5)


def test_a_closed_detector_says_so():
    made = MediaPipeDetector()
    made.close()
    made.close()
    with pytest.raises(ValueError, match='already closed'):
        made.detect(Frame.from_image(np.zeros((64, 64, 3), np.uint8)))


def test_box_has_the_stated_margin():
    points = np.random.default_rng(0).uniform(0, 1, (21, 2)) * [100, 40]
    points[:2] = (0, 0), (100, 40)
    np.testing.assert_allclose(box_around(points), [-5, -5, 105, 45])


def test_start_up_chatter_is_silenced_and_other_errors_come_through():
    program = ('import os\nfrom hand_recon_ros.detection.stderr_filter import without_chatter\n'
               'from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector\n'
               'MediaPipeDetector().close()\n'
               'with without_chatter():\n    os.write(2, b"E0000 a real error\\n")\n')
    ran = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=120,
                         cwd=Path(__file__).resolve().parents[1])
    assert ran.returncode == 0 and ran.stderr == 'E0000 a real error\n'


@needs_photos
def test_recall_on_photographs_is_never_below_one_pass_and_retries_add(detector):
    with MediaPipeDetector(mode='image', max_hands=4, retry=False) as one_pass:
        paths = sorted((REAL / 'photos' / 'images').glob('*.jpg'))
        frames = [Frame.from_image(photo(path.name)) for path in paths]
        plain = [len(one_pass.detect(frame)) for frame in frames]
        ours = [len(detector.detect(frame)) for frame in frames]
    assert all(more >= few for more, few in zip(ours, plain))
    assert len(frames) == 35 and np.count_nonzero(plain) >= 31 and np.count_nonzero(ours) >= 34


@needs_photos
def test_what_a_hand_looks_like(detector):
    found = detector.detect(Frame.from_image(photo('tfjs_hands.jpg')))
    assert [hand.handedness for hand in found] == ['left', 'left']      # un-mirrored; the picture shows two left hands
    for hand in found:
        assert hand.detector == 'mediapipe' and hand.track_id == -1 and hand.points_m.dtype == np.float32
        length_m = np.linalg.norm(hand.points_m[0] - hand.points_m[12])
        assert 0.12 < length_m < 0.22 and (hand.point_scores == np.float32(hand.score)).all()
        # 3D points share the image's axes: x right, y down.
        for axis in (0, 1):
            assert np.corrcoef(hand.points_px[:, axis], hand.points_m[:, axis])[0, 1] > 0.95


@needs_photos
def test_pixel_convention_holds_under_a_half_turn_and_enlarging(detector):
    differences, enlarged = [], []
    for name in ('hpx1_image_2021-02-04_20-06-03.jpg', 'hpx1_image_2021-02-04_20-06-04.jpg',
                 'hpx1_image_2021-02-04_20-06-05.jpg', 'hagrid_none_0a4bc2da.jpg', 'hagrid_rock_1bed937b.jpg'):
        image = photo(name)
        upright = detector.detect(Frame.from_image(image))[0].points_px
        turned = detector.detect(Frame.from_image(np.ascontiguousarray(image[::-1, ::-1])))[0].points_px
        large = detector.detect(Frame.from_image(cv2.resize(image, None, fx=3, fy=3)))[0].points_px
        last = np.array([image.shape[1] - 1, image.shape[0] - 1])
        differences.append(np.median(last - turned - upright, axis=0))
        enlarged.append(np.median((large + 0.5) / 3 - 0.5 - upright, axis=0))
    # Half a pixel off would show as 1 px in the first and 0.33 px in the second.
    assert np.abs(np.mean(differences, axis=0)).max() < 0.35
    assert np.abs(np.mean(enlarged, axis=0)).max() < 0.2


@needs_photos
@pytest.mark.parametrize('turns', [0, 1, 2])
def test_a_small_turned_hand_in_a_large_image_is_found_where_it_is(detector, turns):
    image = photo('hpx1_image_2021-02-04_20-06-04.jpg')
    expected = detector.detect(Frame.from_image(image))[0]
    small = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    points = (expected.points_px + 0.5) * [small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]] - 0.5
    for _ in range(turns):          # numpy's rot90 turns anticlockwise: (x, y) -> (y, width - 1 - x)
        points = np.column_stack([points[:, 1], small.shape[1] - 1 - points[:, 0]])
        small = np.ascontiguousarray(np.rot90(small))
    canvas = np.full((900, 1200, 3), 90, np.uint8)
    canvas[150:150 + small.shape[0], 800:800 + small.shape[1]] = small
    found = detector.detect(Frame.from_image(canvas))
    assert len(found) == 1
    error = np.linalg.norm(found[0].points_px - (points + [800, 150]), axis=1).mean()
    assert error < 0.06 * expected.box_size_px * 0.25
    assert found[0].handedness == expected.handedness


@needs_photos
def test_a_very_large_image_gives_pixels_of_the_full_image(detector):
    image = photo('hpx1_image_2021-02-04_20-06-04.jpg')
    expected = detector.detect(Frame.from_image(image))[0]
    factor = 20
    large = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    assert large.shape[1] > 6000
    found = detector.detect(Frame.from_image(large))[0]
    error = np.linalg.norm((found.points_px + 0.5) / factor - 0.5 - expected.points_px, axis=1).mean()
    assert error < 0.03 * expected.box_size_px


@pytest.mark.skipif(not (REAL / 'temuge_stereo' / 'video').is_dir(),
                    reason='real video (../shared/data/real/temuge_stereo/video) is not on this machine')
def test_video_mode_follows_a_hand_and_starts_afresh_on_a_jump():
    video = cv2.VideoCapture(str(REAL / 'temuge_stereo' / 'video' / 'cam0.mp4'))
    frames = [cv2.cvtColor(video.read()[1], cv2.COLOR_BGR2RGB) for _ in range(80)][20:]     # the hand comes in at first
    with MediaPipeDetector(mode='video') as made:
        found = [made.detect(Frame.from_image(image, stamp_ns=i * 33_333_333)) for i, image in enumerate(frames)]
        assert np.mean([len(hands) == 1 for hands in found]) > 0.9
        assert {hand.handedness for hands in found[10:] for hand in hands} == {'right'}
        # An empty image after a jump back must not inherit the hand of the last frame.
        assert made.detect(Frame.from_image(np.zeros_like(frames[0]), stamp_ns=0)) == []
