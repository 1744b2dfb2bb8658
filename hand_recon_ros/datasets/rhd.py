"""RHD, the Rendered Handpose Dataset (Zimmermann and Brox, ICCV 2017): both hands of rendered people, 320 x 320."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset
from hand_recon_ros.datasets.files import ImageFile, PixelFile, coded_pixels, field, numbers, require
from hand_recon_ros.datasets.sample import MASK_LEFT, MASK_RIGHT, Sample, View
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.pickle_reader import read_pickled_tree

SIZE_PX = 320
FIRST_ROW = {'left': 0, 'right': 21}
# A hand's 21 rows are the wrist, then each finger from its tip to its base.
ORDER = (0,) + tuple(1 + 4 * finger + 3 - k for finger in range(5) for k in range(4))
_PERSON, _LEFT_PALM = 1, 17
_DEPTH_RANGE_M = 5.0


class HandMask(PixelFile):
    """Body parts: 0 background, 1 person, 2 to 17 the left hand's, 18 to 33 the right hand's."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        parts = stored if stored.ndim == 2 else stored[..., 0]
        return np.where(parts > _LEFT_PALM, MASK_RIGHT, np.where(parts > _PERSON, MASK_LEFT, 0)).astype(np.uint8)


class Depth(PixelFile):
    """Metres as 16 bits over a range of 5: the high byte in red, the low one in green."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        coded = coded_pixels(stored, 3)
        return (coded[..., 0] * 256 + coded[..., 1]).astype(np.float32) * np.float32(_DEPTH_RANGE_M / 65535)


class Rhd(Dataset):
    """root/{training,evaluation}/{color,mask,depth}/%05d.png and anno_{training,evaluation}.pickle beside them.

    The pickle maps an image's number to xyz (42, 3) metres, uv_vis (42, 3) pixels and visibility, K (3, 3); rows 0 to
    20 are the left hand, 21 to 41 the right. A sample is one hand of an image with a visible joint; the papers
    evaluate the hand with more pixels in the mask only.
    """
    NAME = 'rhd'
    SPLITS = ('training', 'evaluation')
    LAYOUT = 'training/ and evaluation/ with color/, mask/, depth/ and anno_training.pickle'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        self._path = require(self.root / split / f'anno_{split}.pickle', 'labels')
        self._stored = read_pickled_tree(self._path)
        if not isinstance(self._stored, dict) or not self._stored:
            raise ValueError(f'labels {self._path}: {type(self._stored).__name__}, expected a dictionary of images')
        self._hands = []
        for number in self._stored:
            if not isinstance(number, (int, np.integer)):
                raise ValueError(f'labels {self._path}: image {number!r}, expected a whole number')
            visible = self._label(number, 'uv_vis', finite=False)[:, 2] == 1
            self._hands += [(number, side) for side, row in FIRST_ROW.items() if visible[row:row + 21].any()]

    def __len__(self) -> int:
        return len(self._hands)

    def sample(self, index: int) -> Sample:
        number, side = self._hands[index]
        rows = FIRST_ROW[side] + np.array(ORDER)
        uv_vis = self._label(number, 'uv_vis')[rows]
        K = numbers(f'labels {self._path} image {number} K', field(self._stored[number], 'K', str(self._path)), (3, 3))
        folder, name = self.root / self.split, f'{number:05d}.png'
        view = View(SIZE_PX, SIZE_PX, ImageFile(folder / 'color' / name), Camera(SIZE_PX, SIZE_PX, K),
                    mask_reader=HandMask(folder / 'mask' / name), depth_reader=Depth(folder / 'depth' / name),
                    joints_px=uv_vis[:, :2], joint_visible=uv_vis[:, 2] == 1)
        return Sample(f'{self.split}/{number:05d}/{side}', self.NAME, side, (view,), 'rhd',
                      self._label(number, 'xyz')[rows])

    def _label(self, number: int, name: str, finite: bool = True) -> np.ndarray:
        where = f'labels {self._path} image {number}'
        return numbers(f'{where} {name}', field(self._stored[number], name, where), (42, 3), finite)
