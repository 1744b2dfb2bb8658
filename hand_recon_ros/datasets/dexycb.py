"""DexYCB (Chao et al., CVPR 2021): hands grasping objects, eight synchronised colour and depth cameras, 640 x 480."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset, inverse, projected, rigid, transformed
from hand_recon_ros.datasets.files import ImageFile, PixelFile, field, numbers, read_yaml, require
from hand_recon_ros.datasets.sample import MASK_VALUES, Sample, View
from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.hand_model.assets import read_npz

WIDTH_PX, HEIGHT_PX = 640, 480
SUBJECTS = ('20200709-subject-01', '20200813-subject-02', '20200820-subject-03', '20200903-subject-04',
            '20200908-subject-05', '20200918-subject-06', '20200928-subject-07', '20201002-subject-08',
            '20201015-subject-09', '20201022-subject-10')
SERIALS = ('836212060125', '839512060362', '840412060917', '841412060263',
           '932122060857', '932122060861', '932122061900', '932122062010')
SEQUENCES_PER_SUBJECT = 100
_HAND = 255
_EVERY = range(10), range(8), lambda sequence: True


def _sequences(keep) -> tuple:
    return range(10), range(8), keep


# The published setups: which subjects, cameras and sequences (by their place among a subject's) belong to a split.
_SETUPS = {
    's0_train': _sequences(lambda i: i % 5 != 4), 's0_val': ((0, 1), range(8), lambda i: i % 5 == 4),
    's0_test': (range(2, 10), range(8), lambda i: i % 5 == 4),
    's1_train': ((0, 1, 2, 3, 4, 5, 9), *_EVERY[1:]), 's1_val': ((6,), *_EVERY[1:]), 's1_test': ((7, 8), *_EVERY[1:]),
    's2_train': (range(10), range(6), _EVERY[2]), 's2_val': (range(10), (6,), _EVERY[2]),
    's2_test': (range(10), (7,), _EVERY[2]),
    's3_train': _sequences(lambda i: i // 5 not in (3, 7, 11, 15, 19)),
    's3_val': _sequences(lambda i: i // 5 in (3, 19)), 's3_test': _sequences(lambda i: i // 5 in (7, 11, 15)),
    'all': _EVERY}
MULTIVIEW = '_multiview'


class Depth(PixelFile):
    """16 bit millimetres, aligned to the colour image."""

    def decode(self, stored: np.ndarray) -> np.ndarray:
        if stored.ndim != 2 or stored.dtype != np.uint16:
            raise ValueError(f'{stored.dtype} {stored.shape}, expected uint16 (H, W)')
        return stored.astype(np.float32) / np.float32(1000)


@dataclass(frozen=True)
class HandMask:
    """Reads a label file's segmentation: 0 background, 1 to 21 objects, 255 the hand."""
    path: Path
    value: int

    def __call__(self) -> np.ndarray:
        seg = _read_labels(self.path, ('seg',))['seg']
        if seg.ndim != 2:
            raise ValueError(f'labels {self.path} seg: shape {seg.shape}, expected height x width')
        return np.where(seg == _HAND, self.value, 0).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Sequence:
    """folder: of the recording. frames: how many. side: the hand's. betas: (10,). T_world_camera: by serial, (4, 4)."""
    folder: Path
    subject: str
    frames: int
    side: str
    betas: np.ndarray
    T_world_camera: dict[str, np.ndarray]


class DexYcb(Dataset):
    """root/SUBJECT/SEQUENCE/{meta.yml,SERIAL/{color_%06d.jpg,aligned_depth_to_color_%06d.png,labels_%06d.npz}} and
    root/calibration/{intrinsics/SERIAL_640x480.yml,extrinsics_ID/extrinsics.yml,mano_ID/mano.yml}.

    Splits are the four published setups, a sample an image; with '_multiview' a sample is an instant, its views the
    split's cameras. 'all' takes whatever sequences are there, for partial downloads. joint_3d in metres in the
    camera's frame, all -1 where no hand is labelled; pose_m: 48 of pose (axis-angle root and 45 coefficients of MANO's
    PCA), 3 of translation. Extrinsics map a camera's points to the master camera's.
    """
    NAME = 'dexycb'
    SPLITS = tuple(_SETUPS) + tuple(split + MULTIVIEW for split in _SETUPS)
    LAYOUT = '20200709-subject-01/ ... and calibration/'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        name = split.removesuffix(MULTIVIEW)
        subjects, serials, keep = _SETUPS[name]
        self._serials = tuple(SERIALS[k] for k in serials)
        self._cameras = {serial: self._camera(serial) for serial in self._serials}
        self._betas, self._extrinsics = {}, {}
        self._partial = name == 'all'
        self._entries = []
        for subject in (SUBJECTS[k] for k in subjects):
            for folder in self._sequence_folders(subject, keep):
                sequence = self._sequence(folder, subject)
                views = (self._serials,) if split.endswith(MULTIVIEW) else tuple((s,) for s in self._serials)
                self._entries += [(sequence, seen, frame) for seen in views for frame in range(sequence.frames)]
        if not self._entries:
            raise ValueError(f'{self.root}: no sequence of split {split}, expected {self.LAYOUT}')

    def __len__(self) -> int:
        return len(self._entries)

    def sample(self, index: int) -> Sample:
        sequence, serials, frame = self._entries[index]
        labels = [_read_labels(sequence.folder / s / f'labels_{frame:06d}.npz', ('joint_3d', 'joint_2d', 'pose_m'))
                  for s in serials]
        names = [f'labels {sequence.folder / s / f"labels_{frame:06d}.npz"}' for s in serials]
        T_first_world = inverse(sequence.T_world_camera[serials[0]])
        joints_m = pose = T_first_model = None
        views = []
        for serial, stored, name in zip(serials, labels, names):
            T_view_first = inverse(sequence.T_world_camera[serial]) @ inverse(T_first_world)
            joint_3d = numbers(f'{name} joint_3d', stored['joint_3d'], (1, 21, 3))[0]
            joint_2d = numbers(f'{name} joint_2d', stored['joint_2d'], (1, 21, 2))[0]
            labelled = not (joint_3d == -1).all()
            if labelled and joints_m is None:
                # a label in any of the views is one in the first: the cameras are calibrated
                T_first_model = inverse(T_view_first)
                joints_m = transformed(T_first_model, joint_3d)
                pose = numbers(f'{name} pose_m', stored['pose_m'], (1, 51))[0]
            views.append((serial, T_view_first, joint_2d if labelled else None))
        folder = sequence.folder
        views = tuple(
            View(WIDTH_PX, HEIGHT_PX, ImageFile(folder / s / f'color_{frame:06d}.jpg'), self._cameras[s], T,
                 HandMask(folder / s / f'labels_{frame:06d}.npz', MASK_VALUES[sequence.side]),
                 Depth(folder / s / f'aligned_depth_to_color_{frame:06d}.png'),
                 projected(self._cameras[s], joints_m, T) if px is None else px, name=s) for s, T, px in views)
        fit = {} if pose is None else {
            'model': 'mano', 'pose': pose[:48], 'shape': sequence.betas, 'translation': pose[48:], 'pose_space': 'pca',
            'flat_hand_mean': False, 'T_first_model': T_first_model}
        name = f'{sequence.subject}/{folder.name}/{serials[0] if len(serials) == 1 else "all"}/{frame:06d}'
        return Sample(name, self.NAME, sequence.side, views, 'mano_tips', joints_m, subject=sequence.subject, **fit)

    def check(self, pixels: bool = False) -> Iterator[str]:
        if self._partial:
            for subject in SUBJECTS:
                count = len(self._sequence_folders(subject, _EVERY[2]))
                if count != SEQUENCES_PER_SUBJECT:
                    yield f'folder {self.root / subject}: {count} sequences, expected {SEQUENCES_PER_SUBJECT}'
        yield from super().check(pixels)

    def _sequence_folders(self, subject: str, keep) -> list[Path]:
        """The sequences of a subject that the split keeps; ValueError when a published split lacks any."""
        folder = self.root / subject
        found = sorted(path for path in folder.iterdir() if re.fullmatch(r'\d{8}_\d{6}', path.name)) \
            if folder.is_dir() else []
        if len(found) != SEQUENCES_PER_SUBJECT and not self._partial:
            raise ValueError(f'folder {folder}: {len(found)} sequences, expected {SEQUENCES_PER_SUBJECT}: split '
                             f'{self.split} counts them (split all takes what is there)')
        return [path for place, path in enumerate(found) if keep(place)]

    def _sequence(self, folder: Path, subject: str) -> _Sequence:
        path = folder / 'meta.yml'
        meta, where = read_yaml(path, 'meta'), f'meta {path}'
        frames = field(meta, 'num_frames', where)
        if not isinstance(frames, int) or frames < 0:
            raise ValueError(f'{where} num_frames: {frames!r}, expected a count')
        sides, calibrations = ([*field(meta, name, where)] for name in ('mano_sides', 'mano_calib'))
        if len(sides) != 1 or sides[0] not in MASK_VALUES or len(calibrations) != 1:
            raise ValueError(f'{where} mano_sides, mano_calib: {sides}, {calibrations}, expected one hand, left or '
                             'right')
        extrinsics = field(meta, 'extrinsics', where)
        if not isinstance(extrinsics, str):
            raise ValueError(f'{where} extrinsics: {extrinsics!r}, expected the name of a calibration, in quotes')
        return _Sequence(folder, subject, frames, sides[0], self._shape(str(calibrations[0])),
                         self._to_world(extrinsics))

    def _camera(self, serial: str) -> Camera:
        path = self.root / 'calibration' / 'intrinsics' / f'{serial}_{WIDTH_PX}x{HEIGHT_PX}.yml'
        colour = field(read_yaml(path, 'intrinsics'), 'color', f'intrinsics {path}')
        fx, fy, cx, cy = (float(numbers(f'intrinsics {path} {name}', field(colour, name, f'intrinsics {path}'), ()))
                          for name in ('fx', 'fy', 'ppx', 'ppy'))
        return Camera(WIDTH_PX, HEIGHT_PX, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]])

    def _shape(self, calibration: str) -> np.ndarray:
        if calibration not in self._betas:
            path = self.root / 'calibration' / f'mano_{calibration}' / 'mano.yml'
            betas = field(read_yaml(path, 'hand shape'), 'betas', f'hand shape {path}')
            self._betas[calibration] = numbers(f'hand shape {path} betas', betas, (10,))
        return self._betas[calibration]

    def _to_world(self, calibration: str) -> dict[str, np.ndarray]:
        if calibration not in self._extrinsics:
            path = self.root / 'calibration' / f'extrinsics_{calibration}' / 'extrinsics.yml'
            stored = field(read_yaml(path, 'extrinsics'), 'extrinsics', f'extrinsics {path}')
            rows = {serial: numbers(f'extrinsics {path} {serial}', field(stored, serial, f'extrinsics {path}'), (12,))
                    for serial in self._serials}
            self._extrinsics[calibration] = {serial: rigid(row.reshape(3, 4)[:, :3], row.reshape(3, 4)[:, 3])
                                             for serial, row in rows.items()}
        return self._extrinsics[calibration]


def _read_labels(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of a label file; ValueError names it when it is damaged or lacks one."""
    stored = read_npz(require(path, 'labels'), names)
    return {name: field(stored, name, f'labels {path}') for name in names}
