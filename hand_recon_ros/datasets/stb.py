"""STB, the stereo hand pose benchmark (Zhang et al., ICIP 2017): left hands, a stereo pair and a depth camera."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.io

from hand_recon_ros.datasets.dataset import Dataset, inverse, projected, rigid, transformed
from hand_recon_ros.datasets.files import ImageFile, PixelFile, coded_pixels, field, numbers, require
from hand_recon_ros.datasets.sample import Sample, View
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rotations import axis_angle_to_matrix

WIDTH_PX, HEIGHT_PX = 640, 480
BACKGROUNDS = {'training': (2, 3, 4, 5, 6), 'evaluation': (1,)}
# Labels go from the palm and the little finger to the thumb, base to tip.
ORDER = (0,) + tuple(1 + 4 * finger + k for finger in (4, 3, 2, 1, 0) for k in range(4))
BASELINE_M = 0.120054


def _camera(fx: float, fy: float, cx: float, cy: float) -> Camera:
    return Camera(WIDTH_PX, HEIGHT_PX, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]])


STEREO = _camera(822.79041, 822.79041, 318.47345, 250.31296)
COLOUR = _camera(607.92271, 607.88192, 314.78337, 236.42484)
DEPTH = _camera(475.62768, 474.77709, 336.41179, 238.77962)
T_RIGHT_LEFT = rigid(np.eye(3), (-BASELINE_M, 0, 0))
T_DEPTH_COLOUR = rigid(axis_angle_to_matrix(np.array([0.00531, -0.01196, 0.00301])),
                       (-0.0240381, -0.0004563, -0.0012326))


class Depth(PixelFile):
    """Millimetres: the low byte in red, the high one in green."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        coded = coded_pixels(stored, 3)
        return (coded[..., 0] + 256 * coded[..., 1]).astype(np.float32) / np.float32(1000)


class Stb(Dataset):
    """root/images/B1Counting/{BB_left,BB_right,SK_color,SK_depth}_%d.png, root/labels/B1Counting_{BB,SK}.mat.

    handPara (3, 21, frames) in millimetres; its first joint is the palm's centre, not the wrist. 'training' and
    'evaluation' are the rectified stereo pair (two views), '_sk' the colour camera and, as a second view without
    colour, the depth camera, in whose frame those labels are. Background 1 is for evaluation, as in Zimmermann and
    Brox.
    """
    NAME = 'stb'
    SPLITS = ('training', 'evaluation', 'training_sk', 'evaluation_sk')
    LAYOUT = 'images/B1Counting/ ... and labels/B1Counting_BB.mat ...'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        part, _, camera = split.partition('_')
        self._depth_camera = camera == 'sk'
        self._sequences, self._frames = {}, []
        for background in BACKGROUNDS[part]:
            for kind in ('Counting', 'Random'):
                name = f'B{background}{kind}'
                path = self.root / 'labels' / f'{name}_{"SK" if self._depth_camera else "BB"}.mat'
                joints = _read_labels(path)
                self._sequences[name] = path, joints
                self._frames += [(name, frame) for frame in range(len(joints))]

    def __len__(self) -> int:
        return len(self._frames)

    def sample(self, index: int) -> Sample:
        name, frame = self._frames[index]
        path, joints = self._sequences[name]
        stored_m = numbers(f'labels {path} frame {frame}', joints[frame], (21, 3))[list(ORDER)] / 1000
        folder = self.root / 'images' / name
        if self._depth_camera:
            joints_m = transformed(inverse(T_DEPTH_COLOUR), stored_m)
            views = (View(WIDTH_PX, HEIGHT_PX, ImageFile(folder / f'SK_color_{frame}.png'), COLOUR,
                          joints_px=projected(COLOUR, joints_m), name='color'),
                     View(WIDTH_PX, HEIGHT_PX, None, DEPTH, T_DEPTH_COLOUR,
                          depth_reader=Depth(folder / f'SK_depth_{frame}.png'),
                          joints_px=projected(DEPTH, joints_m, T_DEPTH_COLOUR), name='depth'))
        else:
            joints_m = stored_m
            views = tuple(View(WIDTH_PX, HEIGHT_PX, ImageFile(folder / f'BB_{side}_{frame}.png'), STEREO, T,
                               joints_px=projected(STEREO, joints_m, T), name=side)
                          for side, T in (('left', np.eye(4)), ('right', T_RIGHT_LEFT)))
        return Sample(f'{name}/{"SK" if self._depth_camera else "BB"}/{frame}', self.NAME, 'left', views, 'stb_palm',
                      joints_m)


def _read_labels(path: Path) -> np.ndarray:
    """(frames, 21, 3) millimetres of a sequence; ValueError when the file is no MATLAB file with handPara."""
    require(path, 'labels')
    try:
        stored = scipy.io.loadmat(path, variable_names=['handPara'])
    # the bytes of a damaged file can make scipy's reader raise anything at all
    except Exception as error:
        raise ValueError(f'labels {path}: not a readable MATLAB file ({error or type(error).__name__})') from error
    joints = numbers(f'labels {path} handPara', field(stored, 'handPara', f'labels {path}'), (3, 21, None), False)
    return joints.transpose(2, 1, 0)
