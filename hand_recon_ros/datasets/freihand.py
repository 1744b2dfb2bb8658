"""FreiHAND (Zimmermann et al., ICCV 2019), version 2: right hands, 224 x 224, MANO fits, in four colourings."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset, projected
from hand_recon_ros.datasets.files import ImageFile, MissingFile, PixelFile, numbers
from hand_recon_ros.datasets.json_rows import JsonRows
from hand_recon_ros.datasets.sample import MASK_RIGHT, Sample, View
from hand_recon_ros.geometry.cameras import Camera

SIZE_PX = 224
VERSIONS = ('gs', 'hom', 'sample', 'auto')     # green screen, homogenised, coloured by two automatic methods


class HandMask(PixelFile):
    """JPEG masks, white where the hand is; compression leaves greys."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        grey = stored if stored.ndim == 2 else stored[..., 0]
        return np.where(grey > 127, MASK_RIGHT, 0).astype(np.uint8)


class FreiHand(Dataset):
    """root/training_{K,xyz,mano[,verts]}.json, root/training/{rgb,mask}/%08d.jpg and the same of evaluation.

    Image index + 32560 k shows training pose index in version k, so that 'training' is four times the poses long;
    'training_gs' and so on are one version each. K in pixels, xyz and verts in metres in the camera's frame, mano 61
    numbers: 48 of pose (axis-angle relative to MANO's mean hand), 10 of shape, then the middle finger's base in pixels
    and a scale, which are not read: place the model by `joints_m[9]`. The evaluation's labels were published years
    after its images: where they are not beside them, its samples have none.
    """
    NAME = 'freihand'
    SPLITS = ('training', *(f'training_{version}' for version in VERSIONS), 'evaluation')
    LAYOUT = 'training/, evaluation/ and training_K.json beside them'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        self._part, _, version = split.partition('_')
        every = (0,) if split == 'evaluation' else tuple(range(len(VERSIONS)))
        self._versions = (VERSIONS.index(version),) if version else every
        self._K = self._rows('K')
        optional = ('verts',) if self._part == 'training' else ('xyz', 'mano', 'verts')
        self._labels = {name: self._rows(name) for name in ('xyz', 'mano') if name not in optional}
        for name in optional:
            try:
                self._labels[name] = self._rows(name)
            except MissingFile:
                pass
        for name, rows in self._labels.items():
            if len(rows) != len(self._K):
                raise ValueError(f'{rows.kind} {rows.path}: {len(rows)} rows, expected {len(self._K)} as in K')

    def _rows(self, name: str) -> JsonRows:
        return JsonRows(self.root / f'{self._part}_{name}.json', name)

    def __len__(self) -> int:
        return len(self._K) * len(self._versions)

    def sample(self, index: int) -> Sample:
        version, row = self._versions[index // len(self._K)], index % len(self._K)
        image_index = version * len(self._K) + row
        camera = Camera(SIZE_PX, SIZE_PX, numbers(self._K.name(row), self._K[row], (3, 3)))
        joints_m = self._label('xyz', row, (21, 3))
        mano = self._label('mano', row, (61,))
        folder = self.root / self._part
        mask = HandMask(folder / 'mask' / f'{row:08d}.jpg') if self._part == 'training' else None
        view = View(SIZE_PX, SIZE_PX, ImageFile(folder / 'rgb' / f'{image_index:08d}.jpg'), camera, mask_reader=mask,
                    joints_px=projected(camera, joints_m))
        fit = {} if mano is None else {'model': 'mano', 'pose': mano[:48], 'shape': mano[48:58],
                                       'flat_hand_mean': False}
        return Sample(f'{self._part}/{image_index:08d}', self.NAME, 'right', (view,), 'mano_tips', joints_m,
                      vertices_m=self._label('verts', row, (778, 3)), **fit)

    def _label(self, name: str, row: int, shape: tuple) -> np.ndarray | None:
        rows = self._labels.get(name)
        if rows is None:
            return None
        value = rows[row]
        # mano is stored as a list of one row
        if name == 'mano' and len(value) == 1:
            value = value[0]
        return numbers(rows.name(row), value, shape)
