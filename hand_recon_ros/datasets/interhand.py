"""InterHand2.6M version 1.0 (Moon et al., ECCV 2020), 5 or 30 frames a second: one and two hands, many cameras."""
from __future__ import annotations

from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset, inverse, projected, rigid, transformed
from hand_recon_ros.datasets.files import ImageFile, field, numbers, read_json
from hand_recon_ros.datasets.sample import Sample, View
from hand_recon_ros.geometry.cameras import Camera

# A hand's 21 rows are each finger from its tip to its base, then the wrist.
ORDER = (20,) + tuple(4 * finger + 3 - k for finger in range(5) for k in range(4))
FIRST_ROW = {'right': 0, 'left': 21}
SIDES = {'right': ('right',), 'left': ('left',), 'interacting': ('right', 'left')}
MULTIVIEW = '_multiview'
_IMAGE_FIELDS = ('file_name', 'width', 'height', 'capture', 'subject', 'camera', 'frame_idx')


class InterHand(Dataset):
    """root/annotations/SPLIT/InterHand2.6M_SPLIT_{data,camera,joint_3d[,MANO_NeuralAnnot]}.json, root/images/SPLIT/.

    A sample is one hand of an image, and of an instant with '_multiview', its views the cameras annotated there. Joints
    and cameras in millimetres in the world: x_cam = camrot (x_world - campos). A joint counts as labelled where both
    files call it valid. MANO fits (metres, in the world, relative to the mean hand) where their file is there. The
    whole training annotation takes minutes and several gigabytes to read: it is one JSON text.
    """
    NAME = 'interhand'
    SPLITS = ('train', 'val', 'test', *(split + MULTIVIEW for split in ('train', 'val', 'test')))
    LAYOUT = 'annotations/train/, annotations/val/, annotations/test/ and images/'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        self._part = split.removesuffix(MULTIVIEW)
        self._cameras, self._joints = self._read('camera'), self._read('joint_3d')
        fits = self._path('MANO_NeuralAnnot')
        self._fits = read_json(fits, 'hand fits') if fits.is_file() else {}
        self._images, self._annotations = self._list()
        groups = {}
        for number, (image, sides, *_) in enumerate(self._annotations):
            capture, frame = self._images[image][3], self._images[image][6]
            for side in sides:
                key = (capture, frame, side) if split.endswith(MULTIVIEW) else (number, side)
                groups.setdefault(key, []).append(number)
        self._samples = [(key[-1], members) for key, members in groups.items()]

    def _path(self, name: str) -> Path:
        return self.root / 'annotations' / self._part / f'InterHand2.6M_{self._part}_{name}.json'

    def _read(self, name: str) -> dict:
        return read_json(self._path(name), 'annotations')

    def _list(self) -> tuple[dict, list]:
        """Image id to its fields, and of every annotation: image id, sides, joint_valid as stored, box, id."""
        path = self._path('data')
        data, where = self._read('data'), f'annotations {path}'
        images = {field(image, 'id', where): tuple(field(image, name, where) for name in _IMAGE_FIELDS)
                  for image in field(data, 'images', where)}
        annotations = []
        for stored in field(data, 'annotations', where):
            number = field(stored, 'id', where)
            image, kind = field(stored, 'image_id', where), field(stored, 'hand_type', where)
            if image not in images:
                raise ValueError(f'{where} annotation {number}: image_id {image}, expected one of the images')
            if kind not in SIDES:
                raise ValueError(f'{where} annotation {number}: hand_type {kind!r}, expected {", ".join(SIDES)}')
            annotations.append((image, SIDES[kind], field(stored, 'joint_valid', where), field(stored, 'bbox', where),
                                number))
        return images, annotations

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, index: int) -> Sample:
        side, members = self._samples[index]
        rows = FIRST_ROW[side] + np.array(ORDER)
        seen = [self._annotations[number] for number in members]
        images = [self._images[image] for image, *_ in seen]
        capture, frame, subject = str(images[0][3]), str(images[0][6]), str(images[0][4])
        where = f'annotations {self._path("joint_3d")} capture {capture} frame {frame}'
        label = field(field(self._joints, capture, where), frame, where)
        world_m = numbers(f'{where} world_coord', field(label, 'world_coord', where), (42, 3))[rows] / 1000
        valid = _flags(field(label, 'joint_valid', where), f'{where} joint_valid')[rows]
        marked = [_flags(stored, f'annotations {self._path("data")} annotation {number} joint_valid')[rows]
                  for _, _, stored, _, number in seen]
        if len(seen) == 1:
            valid = valid & marked[0]
        calibrations = [self._camera(capture, image) for image in images]
        T_first_world = calibrations[0][1]
        joints_m = np.where(valid[:, None], transformed(T_first_world, world_m), np.nan) if valid.any() else None
        views = []
        for image, (_, sides, _, box, number), known, (camera, T_view_world) in zip(images, seen, marked, calibrations):
            T_view_first = T_view_world @ inverse(T_first_world)
            px = projected(camera, joints_m, T_view_first)
            px = None if px is None else np.where(known[:, None], px, np.nan)
            x, y, width, height = numbers(f'annotations {self._path("data")} annotation {number} bbox', box, (4,))
            # of two hands the stored box holds both: the joints' own box is this hand's
            box_px = (x, y, x + width, y + height) if len(sides) == 1 else None
            path = self.root / 'images' / self._part / image[0]
            views.append(View(image[1], image[2], ImageFile(path), camera, T_view_first, joints_px=px, box_px=box_px,
                              name=str(image[5])))
        name = Path(images[0][0]).with_suffix('') if len(seen) == 1 else f'Capture{capture}/{frame}'
        return Sample(f'{self._part}/{name}/{side}', self.NAME, side, tuple(views), 'interhand', joints_m,
                      valid if joints_m is not None else None, subject=subject,
                      **self._fit(capture, frame, side, T_first_world))

    def _camera(self, capture: str, image: tuple) -> tuple[Camera, np.ndarray]:
        """Intrinsics and T_camera_world, metres."""
        where, camera = f'annotations {self._path("camera")} capture {capture}', str(image[5])
        stored = field(self._cameras, capture, where)
        focal, centre, position, rotation = (
            numbers(f'{where} {name} {camera}', field(field(stored, name, where), camera, f'{where} {name}'), shape)
            for name, shape in (('focal', (2,)), ('princpt', (2,)), ('campos', (3,)), ('camrot', (3, 3))))
        K = [[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]]
        return Camera(image[1], image[2], K), rigid(rotation, -rotation @ position / 1000)

    def _fit(self, capture: str, frame: str, side: str, T_first_world: np.ndarray) -> dict:
        stored = self._fits.get(capture, {}).get(frame, {}).get(side)
        if stored is None:
            return {}
        where = f'hand fits {self._path("MANO_NeuralAnnot")} capture {capture} frame {frame} {side}'
        parts = {name: numbers(f'{where} {key}', field(stored, key, where), (size,))
                 for name, key, size in (('pose', 'pose', 48), ('shape', 'shape', 10), ('translation', 'trans', 3))}
        return {'model': 'mano', 'flat_hand_mean': False, 'T_first_model': T_first_world, **parts}


def _flags(stored, name: str) -> np.ndarray:
    """(42,) bool of 42 zeros and ones, flat or one to a row."""
    flags = np.asarray(stored)
    if flags.size != 42 or flags.dtype.kind not in 'biuf' or not np.isin(flags, (0, 1)).all():
        raise ValueError(f'{name}: shape {flags.shape} of {flags.dtype}, expected 42 zeros and ones')
    return flags.reshape(42) == 1
