"""HUMBI, its hands (Yu et al., CVPR 2020): both hands of many people, crops of up to 107 cameras, 250 x 250."""
from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hand_recon_ros.datasets.dataset import Dataset, inverse, projected, rigid, transformed
from hand_recon_ros.datasets.files import ImageFile, numbers, read_lines, read_table
from hand_recon_ros.datasets.sample import Sample, View
from hand_recon_ros.geometry.cameras import Camera

SIZE_PX = 250
LETTERS = {'left': 'l', 'right': 'r'}
_HEADER_LINES = 3


class Humbi(Dataset):
    """root/subject_N/hand/{intrinsic.txt,extrinsic.txt} and .../hand/%08d/{image_cropped/SIDE/{list.txt,image%07d.png},
    reconstruction/{keypoints,vertices,mano_params}_{l,r}.txt}.

    A sample is one hand of an instant, its views the crops of list.txt (camera, xmin, xmax, ymin, ymax in the full
    image). Keypoints in OpenPose's order and vertices in the world, x_cam = R (x_world - C). mano_params: 3 of
    translation, 3 of rotation, 20 coefficients of MANO's PCA, 10 of shape. The set has no published split, and its unit
    is not documented: samples say metric False. Triangulated detections: some are wrong, and some crops show no hand.
    """
    NAME = 'humbi'
    SPLITS = ('all',)
    LAYOUT = 'subject_1/hand/ ...'

    def __init__(self, root: str | Path, split: str):
        super().__init__(root, split)
        found = (re.fullmatch(r'subject_(\d+)', path.name) for path in self.root.iterdir())
        subjects = sorted(int(match[1]) for match in found if match)
        self._calibrations, self._hands = {}, []
        for subject in subjects:
            folder = self.root / f'subject_{subject}' / 'hand'
            if not folder.is_dir():
                continue
            for frame in sorted(path.name for path in folder.iterdir() if re.fullmatch(r'\d{8}', path.name)):
                self._hands += [(subject, frame, side) for side in LETTERS
                                if (folder / frame / 'image_cropped' / side).is_dir()]
        if not self._hands:
            raise ValueError(f'{self.root}: no hands, expected {self.LAYOUT}')

    def __len__(self) -> int:
        return len(self._hands)

    def sample(self, index: int) -> Sample:
        subject, frame, side = self._hands[index]
        folder = self.root / f'subject_{subject}' / 'hand'
        cameras = self._cameras(folder)
        crops_folder = folder / frame / 'image_cropped' / side
        crops = read_table(crops_folder / 'list.txt', 'crops', (None, 5))
        if not len(crops):
            raise ValueError(f'crops {crops_folder / "list.txt"}: no rows, expected a camera and its box in each')
        fits, letter = folder / frame / 'reconstruction', LETTERS[side]
        world = read_table(fits / f'keypoints_{letter}.txt', 'keypoints', (21, 3))
        vertices = read_table(fits / f'vertices_{letter}.txt', 'vertices', (778, 3))
        params = read_table(fits / f'mano_params_{letter}.txt', 'hand fit', (36, 1))[:, 0]
        views, T_first_world = [], None
        for number, *box in crops:
            number = int(number)
            if number not in cameras:
                raise ValueError(f'crops {crops_folder / "list.txt"}: camera {number}, expected one of intrinsic.txt')
            K, T_view_world = cameras[number]
            T_first_world = T_view_world if T_first_world is None else T_first_world
            T_view_first = T_view_world @ inverse(T_first_world)
            camera = _cropped(K, box, f'crops {crops_folder / "list.txt"} camera {number}')
            views.append(View(SIZE_PX, SIZE_PX, ImageFile(crops_folder / f'image{number:07d}.png'), camera,
                              T_view_first, joints_px=projected(camera, transformed(T_first_world, world),
                                                                T_view_first), name=str(number)))
        return Sample(f'subject_{subject}/{frame}/{side}', self.NAME, side, tuple(views), 'humbi',
                      transformed(T_first_world, world), vertices_m=transformed(T_first_world, vertices), model='mano',
                      pose=params[3:26], shape=params[26:], translation=params[:3], pose_space='pca',
                      T_first_model=T_first_world, subject=str(subject), metric=False)

    def _cameras(self, folder: Path) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Camera number to K (3, 3) of the full image and T_camera_world (4, 4), read once a subject."""
        if folder not in self._calibrations:
            intrinsics = _blocks(folder / 'intrinsic.txt', 3)
            extrinsics = _blocks(folder / 'extrinsic.txt', 4)
            if set(intrinsics) != set(extrinsics):
                raise ValueError(f'cameras {folder}: intrinsic.txt has {len(intrinsics)} and extrinsic.txt '
                                 f'{len(extrinsics)}, expected the same ones')
            self._calibrations[folder] = {
                number: (K, rigid(extrinsics[number][1:], -extrinsics[number][1:] @ extrinsics[number][0]))
                for number, K in intrinsics.items()}
        return self._calibrations[folder]


def _blocks(path: Path, rows: int) -> dict[int, np.ndarray]:
    """Of a camera file: after the header, for each camera a line '0 number' and `rows` lines of three numbers."""
    lines = [line.split() for line in read_lines(path, 'cameras')[_HEADER_LINES:]]
    if len(lines) % (rows + 1):
        raise ValueError(f'cameras {path}: {len(lines)} lines after the header, expected {rows + 1} for each camera')
    blocks = {}
    for start in range(0, len(lines), rows + 1):
        head, *body = lines[start:start + rows + 1]
        if len(head) != 2 or not head[1].isdigit():
            raise ValueError(f'cameras {path}: line {" ".join(head)!r}, expected 0 and a camera number')
        blocks[int(head[1])] = numbers(f'cameras {path} camera {head[1]}', body, (rows, 3))
    return blocks


def _cropped(K: np.ndarray, box, where: str) -> Camera:
    """Camera of a crop resized to 250 x 250 by HUMBI's own formula: u' = (u - xmin) 250 / (xmax - xmin + 1)."""
    x_min, x_max, y_min, y_max = box
    if x_max <= x_min or y_max <= y_min:
        raise ValueError(f'{where}: box {list(box)}, expected xmin xmax ymin ymax')
    scale = np.array([SIZE_PX / (x_max - x_min + 1), SIZE_PX / (y_max - y_min + 1), 1])
    return Camera(SIZE_PX, SIZE_PX, scale[:, None] * (K - [[0, 0, x_min], [0, 0, y_min], [0, 0, 0]]))
