"""Videos of a pair as a recording: the same rig, images and times come out, or nothing does."""
import numpy as np
import pytest

from hand_recon_ros import cli
from hand_recon_ros.bags.reader import BagReader
from hand_recon_ros.bags.stereo_recording import StereoRecording
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig, save_rig
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix
from hand_recon_ros.media.images import write_image
from hand_recon_ros.media.videos import VideoWriter
from hand_recon_ros.messages.transforms import msg_to_transforms

K = np.array([[300.0, 0, 79.5], [0, 300, 59.5], [0, 0, 1]])


def filmed(folder, turned_rad=0.5, counts=(3, 3)):
    """left.mp4, right.mp4 at 10 Hz, grey by frame and side, and rig.yaml."""
    for side, base, count in zip(('left', 'right'), (40, 140), counts):
        with VideoWriter(folder / f'{side}.mp4', 10.0) as video:
            for index in range(count):
                video.write(np.full((120, 160, 3), base + 20 * index, np.uint8))
    T = np.eye(4)
    T[:3, :3], T[0, 3] = axis_angle_to_matrix(np.array([0, turned_rad, 0.0])), -0.2
    lens = ('plumb_bob', np.array([0.1, -0.05, 0, 0, 0])) if turned_rad else ()
    camera = Camera(160, 120, K, *lens)
    save_rig(StereoRig(camera, camera, T), folder / 'rig.yaml')
    return ['bag', '--left', str(folder / 'left.mp4'), '--right', str(folder / 'right.mp4'), '--rig',
            str(folder / 'rig.yaml'), '--out', str(folder / 'bag')]


def test_an_unrectified_pair_tells_its_rig_twice(tmp_path, capsys):
    assert cli.main(filmed(tmp_path)) == 0 and '3 pairs' in capsys.readouterr().out
    recording = StereoRecording.read(tmp_path / 'bag')
    assert recording.rig.left.distortion_model == 'plumb_bob' and recording.rig.left.D[0] == pytest.approx(0.1)
    assert [camera.image for camera in recording.labels.cameras] == ['/left/image_raw/compressed',
                                                                     '/right/image_raw/compressed']
    pairs = list(recording.pairs())
    assert [left.stamp_ns - pairs[0][0].stamp_ns for left, _ in pairs] == [0, 100_000_000, 200_000_000]
    for index, (left, right) in enumerate(pairs):
        assert left.stamp_ns == right.stamp_ns and left.frame_id != right.frame_id
        assert left.image.mean() == pytest.approx(40 + 20 * index, abs=3)
        assert right.image.mean() == pytest.approx(140 + 20 * index, abs=3)
    with BagReader(tmp_path / 'bag') as bag:
        assert bag.topics['/tf_static'].latched
        (_, _, message), = bag.messages('/tf_static')
    ((parent, child), T), = msg_to_transforms(message).items()
    assert (parent, child) == ('left_optical_frame', 'right_optical_frame')
    assert np.linalg.inv(T) == pytest.approx(recording.rig.T_right_left, abs=1e-6)


def test_a_rectified_pair_tells_it_by_its_projections(tmp_path):
    assert cli.main(filmed(tmp_path, turned_rad=0.0)) == 0
    recording = StereoRecording.read(tmp_path / 'bag')
    assert not (tmp_path / 'bag' / 'rig.yaml').exists() and recording.labels.cameras[0].rectified
    assert recording.rig.baseline_m == pytest.approx(0.2) and recording.rig.is_rectified


def test_a_pair_that_is_none_leaves_nothing(tmp_path, capsys):
    assert cli.main(filmed(tmp_path, counts=(3, 2))) == 2
    assert '--right: ends after 2 images' in capsys.readouterr().err and not (tmp_path / 'bag').exists()
    arguments = filmed(tmp_path)
    write_image(tmp_path / 'small.png', np.zeros((60, 80, 3), np.uint8))
    arguments[arguments.index('--right') + 1] = str(tmp_path / 'small.png')
    assert cli.main(arguments) == 2
    assert "right small.png: image: 80 x 60, expected the camera's 160 x 120" in capsys.readouterr().err
    assert not (tmp_path / 'bag').exists()
