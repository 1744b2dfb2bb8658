"""The bundled recording: small, whole, made by the command its README gives, and its hands are there to be found."""
from pathlib import Path

import numpy as np
import pytest

import hand_recon_ros.bags.reader as bag_reader
from hand_recon_ros.detection.mediapipe_detector import MediaPipeDetector
from hand_recon_ros.messages.cameras import camera_from_msg
from hand_recon_ros.messages.hands import msg_to_estimates
from hand_recon_ros.messages.images import compressed_to_rgb
from hand_recon_ros.synthesis.scene import Scene, SceneConfig
from hand_recon_ros.types import Frame

DEMO = Path(bag_reader.__file__).parent / 'recordings' / 'demo'
SEED = 43      # as in recordings/README.md


@pytest.fixture(scope='module')
def recording():
    """(camera, images, hands), the last two by stamp."""
    images, hands, camera = {}, {}, None
    with bag_reader.BagReader(DEMO) as bag:
        for topic, stamp, message in bag.messages():
            if topic == '/camera/image_raw/compressed':
                images[stamp] = compressed_to_rgb(message)
            elif topic == '/ground_truth/hands/mesh':
                hands[stamp] = msg_to_estimates(message)
            elif topic == '/camera/camera_info':
                camera = camera_from_msg(message, False)
    return camera, images, hands


def test_it_is_small_and_whole(recording):
    camera, images, hands = recording
    assert not DEMO.is_symlink() and sum(file.stat().st_size for file in DEMO.iterdir()) < 4_000_000
    assert len(images) == 150 and list(images) == list(hands)
    stamps = np.array(list(images))
    assert np.diff(stamps) == pytest.approx(1e9 / 30, abs=1)
    for stamp, image in images.items():
        assert image.shape == (480, 640, 3)
        assert [hand.hand_id for hand in hands[stamp]] == ['right_1', 'left_2']
        for hand in hands[stamp]:
            assert camera.inside(camera.project(hand.joints_m)).all()


def test_the_documented_command_makes_it(recording):
    _, images, hands = recording
    frame = next(Scene(SceneConfig(seed=SEED)).frames())
    first = next(iter(images))
    # JPEG lies between; another graphics driver may round differently.
    assert np.abs(frame.images[0].astype(float) - images[first]).mean() < 3.0
    for made, stored in zip(frame.estimates, hands[first]):
        assert made.pose == pytest.approx(stored.pose, abs=1e-4)
        assert made.joints_m == pytest.approx(stored.joints_m, abs=1e-4)


def test_the_detector_finds_its_hands_where_they_are(recording):
    camera, images, hands = recording
    detector, found, errors = MediaPipeDetector('video'), [], []
    for stamp in list(images)[::4]:
        detected = detector.detect(Frame.from_image(images[stamp], camera, stamp))
        for hand in hands[stamp]:
            pixels = camera.project(hand.joints_m)
            distances = [np.linalg.norm(d.points_px - pixels, axis=1).mean() / np.ptp(pixels, axis=0).max()
                         for d in detected if d.handedness == hand.handedness]
            found.append(min(distances, default=1.0) < 0.15)
            errors += [min(distances)] if found[-1] else []
    detector.close()
    assert np.mean(found) >= 0.9 and np.median(errors) < 0.05
