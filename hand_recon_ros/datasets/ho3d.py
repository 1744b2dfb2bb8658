"""HO-3D versions 2 and 3 (Hampali et al., CVPR 2020): right hands holding objects, colour and depth, 640 x 480."""
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from hand_recon_ros.datasets.dataset import Dataset, projected, transformed
from hand_recon_ros.datasets.files import ImageFile, PixelFile, coded_pixels, field, numbers, read_lines, require
from hand_recon_ros.datasets.json_rows import JsonRows
from hand_recon_ros.datasets.sample import MASK_RIGHT, Sample, View
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.pickle_reader import read_pickled_tree
from hand_recon_ros.hand_model.skeleton import KEYPOINT_ROWS

WIDTH_PX, HEIGHT_PX = 640, 480
DEPTH_UNIT_M = 0.00012498664727900177
# The set's y points up and z backwards, as in OpenGL.
T_OPTICAL_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


class Depth(PixelFile):
    """Units of about 1/8 mm: the low byte in red, the high one in green."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        coded = coded_pixels(stored, 3)
        return (coded[..., 0] + 256 * coded[..., 1]).astype(np.float32) * np.float32(DEPTH_UNIT_M)


class HandMask(PixelFile):
    """The hand in blue, the object in another channel; smaller than the image and enlarged here."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        if stored.ndim != 3:
            raise ValueError(f'{stored.dtype} {stored.shape}, expected colours')
        hand = np.where(stored[..., 2] > 127, MASK_RIGHT, 0).astype(np.uint8)
        return cv2.resize(hand, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_NEAREST)


class _Ho3d(Dataset):
    """root/{train,evaluation}.txt listing SEQUENCE/FRAME, root/{train,evaluation}/SEQUENCE/{rgb,depth,meta}/FRAME.*.

    A frame's pickle has camMat (3, 3), handJoints3D (21, 3) metres in MANO's order (16 joints, then the tips from the
    thumb on), handPose (48,) axis-angle absolute (flat hand zero), handTrans (3,), handBeta (10,), all in OpenGL's
    axes. The evaluation's has the wrist only (3,) and handBoundingBox; its labels were published years later, as
    evaluation_xyz.json and evaluation_verts.json, and are read where they lie beside evaluation.txt.
    """
    SPLITS = ('train', 'evaluation')
    LAYOUT = 'train/, evaluation/, train.txt, evaluation.txt'
    IMAGE_SUFFIX: str
    MASKS: bool

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        path = self.root / f'{split}.txt'
        self._frames = []
        for line in read_lines(path, 'listing'):
            sequence, separator, frame = line.partition('/')
            if not separator or not sequence or not frame or '/' in frame or '..' in (sequence, frame):
                raise ValueError(f'listing {path}: line {line!r}, expected SEQUENCE/FRAME')
            self._frames.append((sequence, frame))
        self._published = {}
        if split == 'evaluation':
            for name in ('xyz', 'verts'):
                path = self.root / f'evaluation_{name}.json'
                if path.is_file():
                    self._published[name] = rows = JsonRows(path, name)
                    if len(rows) != len(self._frames):
                        raise ValueError(f'{name} {path}: {len(rows)} rows, expected {len(self._frames)} as in '
                                         'evaluation.txt')

    def __len__(self) -> int:
        return len(self._frames)

    def sample(self, index: int) -> Sample:
        sequence, frame = self._frames[index]
        folder = self.root / self.split / sequence
        path = require(folder / 'meta' / f'{frame}.pkl', 'labels')
        meta, where = read_pickled_tree(path), f'labels {path}'
        camera = Camera(WIDTH_PX, HEIGHT_PX, numbers(f'{where} camMat', field(meta, 'camMat', where), (3, 3)))
        joints_m, valid = self._joints(field(meta, 'handJoints3D', where), where, index)
        box_px = meta.get('handBoundingBox')
        box_px = None if box_px is None else numbers(f'{where} handBoundingBox', box_px, (4,))
        fit = {}
        if meta.get('handPose') is not None:
            names = (('pose', 'handPose', 48), ('translation', 'handTrans', 3), ('shape', 'handBeta', 10))
            fit = {name: numbers(f'{where} {key}', field(meta, key, where), (size,)) for name, key, size in names}
            fit |= {'model': 'mano', 'flat_hand_mean': True, 'T_first_model': T_OPTICAL_OPENGL}
        mask = HandMask(folder / 'seg' / f'{frame}.png') if self.MASKS and self.split == 'train' else None
        view = View(WIDTH_PX, HEIGHT_PX, ImageFile(folder / 'rgb' / f'{frame}{self.IMAGE_SUFFIX}'), camera,
                    mask_reader=mask, depth_reader=Depth(folder / 'depth' / f'{frame}.png'),
                    joints_px=projected(camera, joints_m), box_px=box_px)
        return Sample(f'{self.split}/{sequence}/{frame}', self.NAME, 'right', (view,), 'mano_tips', joints_m, valid,
                      self._vertices(index), **fit)

    def _joints(self, stored, where: str, index: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Joints (21, 3) in optical axes and which of them are labelled, or None twice for a frame without any."""
        if 'xyz' in self._published:
            rows = self._published['xyz']
            stored, where = rows[index], rows.name(index)
        if stored is None:
            return None, None
        if np.shape(stored) == (3,):
            joints = np.full((21, 3), np.nan)
            joints[0] = numbers(f'{where} handJoints3D', stored, (3,))
            return transformed(T_OPTICAL_OPENGL, joints), np.arange(21) == 0
        joints = numbers(f'{where} handJoints3D', stored, (21, 3))[list(KEYPOINT_ROWS)]
        return transformed(T_OPTICAL_OPENGL, joints), None

    def _vertices(self, index: int) -> np.ndarray | None:
        rows = self._published.get('verts')
        return None if rows is None else transformed(T_OPTICAL_OPENGL, numbers(rows.name(index), rows[index], (778, 3)))


class Ho3dV2(_Ho3d):
    """Version 2: PNG images, no masks."""
    NAME, IMAGE_SUFFIX, MASKS = 'ho3d_v2', '.png', False


class Ho3dV3(_Ho3d):
    """Version 3: JPEG images, masks of the training frames in seg/."""
    NAME, IMAGE_SUFFIX, MASKS = 'ho3d_v3', '.jpg', True
