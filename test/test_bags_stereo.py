"""Recordings of two cameras: their rig, and which images belong together."""
import numpy as np
import pytest
from identity_people import BASELINE_M, CAMERA, RIG

from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.bags.writer import BagWriter
from hand_recon_ros.commands.demo import RECORDING
from hand_recon_ros.geometry.rigs import save_rig
from hand_recon_ros.messages.cameras import camera_to_msg
from hand_recon_ros.messages.images import rgb_to_compressed

MS = 1_000_000


def recorded(path, left_ms, right_ms, kind='image_rect', infos=True):
    with BagWriter(path) as bag:
        if infos:
            bag.write('/left/camera_info', camera_to_msg(CAMERA, 0, 'left'), 0)
            bag.write('/right/camera_info', camera_to_msg(CAMERA, 0, 'left', BASELINE_M), 0)
        images = [(ms, 'left', 10) for ms in left_ms] + [(ms, 'right', 200) for ms in right_ms]
        for ms, side, grey in sorted(images):
            image = np.full((480, 640, 3), grey, np.uint8)
            bag.write(f'/{side}/{kind}/compressed', rgb_to_compressed(image, ms * MS, 'left'), ms * MS)
    return path


def test_a_rectified_pair_by_its_projections(tmp_path):
    recording = StereoRecording.read(recorded(tmp_path / 'bag', [0, 100, 200, 300], [1, 130, 202, 298, 400]))
    assert recording.rig.baseline_m == pytest.approx(BASELINE_M) and recording.rig.left.fx_px == pytest.approx(600)
    pairs = [(left.stamp_ns // MS, right.stamp_ns // MS) for left, right in recording.pairs()]
    assert pairs == [(0, 1), (200, 202), (300, 298)]
    left, right = next(recording.pairs(most=1))
    assert left.image.mean() == pytest.approx(10, abs=1) and right.image.mean() == pytest.approx(200, abs=1)
    assert len(list(recording.pairs(most=2))) == 2


def test_another_pair_by_its_rig_file(tmp_path):
    path = recorded(tmp_path / 'bag', [0], [0], kind='image_raw')
    with pytest.raises(ValueError, match='no rig.yaml'):
        StereoRecording.read(path)
    save_rig(RIG, path / 'rig.yaml')
    assert StereoRecording.read(path).rig.baseline_m == pytest.approx(BASELINE_M)


def test_one_camera_is_no_pair():
    with pytest.raises(ValueError, match='one camera, expected a left and a right one'):
        StereoRecording.read(RECORDING)
