"""Folders of real images collected by hand: images/ and samples.json, one entry a hand or a photograph."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset, inverse
from hand_recon_ros.datasets.files import ImageFile, PixelFile, field, numbers, read_json
from hand_recon_ros.datasets.sample import MASK_RIGHT, MASK_VALUES, UNKNOWN, Sample, View, checked_transform
from hand_recon_ros.geometry.cameras import Camera

# Words of gt_kind, then of source, that tell whose definition the joints follow; the first that is found counts.
_DEFINITIONS = (('mediapipe', 'mediapipe'), ('manual', 'manual'), ('caliscope', 'mediapipe'),
                ('interhand', 'interhand'), ('graph', 'handgraphcnn'), ('freihand', 'mano_tips'), ('ho3d', 'mano_tips'), ('ho-3d', 'mano_tips'),
                ('taco', 'mano_tips'), ('mano', 'mano_tips'))


class RightMask(PixelFile):
    """White where the hand is."""
    VALUE = MASK_RIGHT

    def decode(self, stored: np.ndarray) -> np.ndarray:
        grey = stored if stored.ndim == 2 else stored[..., :3].max(axis=2)
        return np.where(grey > 127, self.VALUE, 0).astype(np.uint8)


class LeftMask(RightMask):
    """White where the hand is, a left one."""
    VALUE = MASK_VALUES['left']


class Curated(Dataset):
    """root/samples.json, a list of {id, views: [{image, size, K, T_cam_world, joints_2d}], joints_3d, handedness,
    subject, mesh_verts, mask, gt_kind, source, ...} with null for what is not known, and the images it names.

    Undistorted images; joints in the package's order, in the first view's frame, metres.
    """
    NAME = 'curated'
    SPLITS = ('all',)
    LAYOUT = 'samples.json and images/'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        self._path = self.root / 'samples.json'
        self._stored = read_json(self._path, 'samples')
        if not isinstance(self._stored, list):
            raise ValueError(f'samples {self._path}: {type(self._stored).__name__}, expected a list')

    def __len__(self) -> int:
        return len(self._stored)

    def sample(self, index: int) -> Sample:
        stored = self._stored[index]
        where = f'samples {self._path} entry {index}'
        name = str(field(stored, 'id', where))
        side = stored.get('handedness') or UNKNOWN
        views, T_first_world = [], None
        for place, view in enumerate(field(stored, 'views', where)):
            at = f'{where} ({name}) view {place}'
            width, height = numbers(f'{at} size', field(view, 'size', at), (2,))
            T_view_world = view.get('T_cam_world')
            if T_view_world is not None:
                T_view_world = checked_transform(f'{at} T_cam_world', T_view_world)
            if place == 0:
                T_first_world = T_view_world
            elif T_view_world is None or T_first_world is None:
                raise ValueError(f'{at} T_cam_world: null, expected a transform in every view of several')
            T = np.eye(4) if place == 0 else T_view_world @ inverse(T_first_world)
            K, joints_px = view.get('K'), view.get('joints_2d')
            mask = stored.get('mask') if place == 0 else None
            mask_file = RightMask if side == 'right' else LeftMask
            views.append(View(
                int(width), int(height), ImageFile(self.root / str(field(view, 'image', at))),
                None if K is None else Camera(int(width), int(height), numbers(f'{at} K', K, (3, 3))), T,
                None if mask is None or not side else mask_file(self.root / mask),
                joints_px=None if joints_px is None else numbers(f'{at} joints_2d', joints_px, (21, 2), False),
                name=str(place)))
        labels = {key: None if stored.get(key) is None else numbers(f'{where} ({name}) {key}', stored[key], shape)
                  for key, shape in (('joints_3d', (21, 3)), ('mesh_verts', (None, 3)))}
        labelled = labels['joints_3d'] is not None or any(view.joints_px is not None for view in views)
        return Sample(name, self.NAME, side, tuple(views), self._definition(stored) if labelled else UNKNOWN,
                      labels['joints_3d'], vertices_m=labels['mesh_verts'], subject=stored.get('subject') or '',
                      metric=labels['joints_3d'] is not None and 'estimated' not in str(stored.get('gt_kind')))

    @staticmethod
    def _definition(stored: dict) -> str:
        for text in (stored.get('gt_kind'), stored.get('source')):
            for word, definition in _DEFINITIONS:
                if word in str(text).lower():
                    return definition
        return UNKNOWN
