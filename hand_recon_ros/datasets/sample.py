"""`Sample`: one hand at one instant as one or more cameras saw it, whatever data set it came from.

Keypoints are always in the package's order (wrist, thumb 1-4, index 1-4, middle 1-4, ring 1-4, pinky 1-4, base to
tip); whose points they are says `joint_definition`, and definitions differ by up to 2 cm at the wrist. Metres and
pixels; optical frames x right, y down, z forward; integer pixels name pixel centres. What is not labelled is None.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.types import HANDEDNESS, checked, checked_choice

JOINT_DEFINITIONS = {
    'open_hand': "the package's own model: joint centres and fingertips",
    'mano_tips': 'MANO joint centres and five fingertip vertices',
    'rhd': "RHD's rendered characters: joint centres and fingertips",
    'stb_palm': "STB: the centre of the palm instead of the wrist, hand-placed joints",
    'interhand': 'InterHand2.6M: annotated joint centres, fingertips and wrist',
    'humbi': 'HUMBI: triangulated detections, OpenPose points',
    'mediapipe': 'MediaPipe landmarks',
    'handgraphcnn': "Hand3D (hand-graph-cnn): its own rig's joints",
    'manual': 'points placed by hand in one image',
}
UNKNOWN = ''           # a handedness or joint definition that the set does not tell
POSE_SPACES = ('axis_angle', 'pca')
MASK_RIGHT, MASK_LEFT = 1, 2
MASK_VALUES = {'right': MASK_RIGHT, 'left': MASK_LEFT}
ArrayReader = Callable[[], np.ndarray]


def _set(instance, name: str, value) -> None:
    object.__setattr__(instance, name, value)


def _read_only(array: np.ndarray) -> np.ndarray:
    array = np.array(array)
    array.flags.writeable = False
    return array


def checked_transform(name: str, value) -> np.ndarray:
    """(4, 4) float64 rigid transform; ValueError when it is none (rotation to 1e-3, as sets round their numbers)."""
    T = checked(name, value, (4, 4), np.float64)
    if np.abs(T[3] - (0, 0, 0, 1)).max() > 1e-9:
        raise ValueError(f'{name}: last row {T[3].tolist()}, expected 0 0 0 1')
    off = np.abs(T[:3, :3] @ T[:3, :3].T - np.eye(3)).max()
    if off > 1e-3 or np.linalg.det(T[:3, :3]) < 0:
        raise ValueError(f'{name}: its 3 x 3 is no rotation (R R^T is off by {off:.2g}), expected one')
    return _read_only(T)


@dataclass(frozen=True, eq=False)
class View:
    """One camera's sight of the hand. Pixels are read when asked for, never before.

    width, height: pixels. camera: intrinsics, None when unknown. T_view_first: (4, 4), points of the sample's first
    view to this one, metres. image_reader, mask_reader, depth_reader: no-argument callables that give the arrays of
    `image`, `mask` and `depth`, or None where the set has none. joints_px: (21, 2), NaN where not labelled, or None.
    joint_visible: (21,) bool, whether the image shows the joint, or None where the set does not say. box_px: (4,)
    x_min, y_min, x_max, y_max, the set's own or around the labelled joints, or None. name: the camera's.
    """
    width: int
    height: int
    image_reader: ArrayReader | None = None
    camera: Camera | None = None
    T_view_first: np.ndarray = field(default_factory=lambda: np.eye(4))
    mask_reader: ArrayReader | None = None
    depth_reader: ArrayReader | None = None
    joints_px: np.ndarray | None = None
    joint_visible: np.ndarray | None = None
    box_px: np.ndarray | None = None
    name: str = ''

    def __post_init__(self):
        if self.camera is not None and (self.camera.width, self.camera.height) != (self.width, self.height):
            raise ValueError(f'camera: {self.camera.width} x {self.camera.height}, expected the view\'s {self.width} x '
                             f'{self.height}')
        _set(self, 'T_view_first', checked_transform('T_view_first', self.T_view_first))
        if self.joints_px is not None:
            joints_px = checked('joints_px', self.joints_px, (21, 2), finite=False)
            _set(self, 'joints_px', _read_only(joints_px))
        if self.joint_visible is not None:
            _set(self, 'joint_visible', _read_only(checked('joint_visible', self.joint_visible, (21,), bool)))
        if self.box_px is None and self.joints_px is not None:
            _set(self, 'box_px', box_around(self.joints_px))
        elif self.box_px is not None:
            box_px = checked('box_px', self.box_px, (4,))
            if (box_px[2:] < box_px[:2]).any():
                raise ValueError(f'box_px: {box_px.tolist()}, expected x_min y_min x_max y_max')
            _set(self, 'box_px', _read_only(box_px))

    def image(self) -> np.ndarray:
        """RGB (H, W, 3) uint8; ValueError when there is none, it cannot be read or has another size."""
        return self._read('image', self.image_reader, (self.height, self.width, 3), np.uint8)

    def mask(self) -> np.ndarray | None:
        """(H, W) uint8, 0 elsewhere, 1 a right hand's pixels, 2 a left hand's; None where the set has no mask."""
        if self.mask_reader is None:
            return None
        mask = self._read('mask', self.mask_reader, (self.height, self.width), np.uint8)
        if mask.size and mask.max() > MASK_LEFT:
            raise ValueError(f'mask: value {mask.max()}, expected 0, {MASK_RIGHT} (right) and {MASK_LEFT} (left)')
        return mask

    def depth(self) -> np.ndarray | None:
        """(H, W) float32 metres along z, 0 where unknown; None where the set has no depth."""
        if self.depth_reader is None:
            return None
        return self._read('depth', self.depth_reader, (self.height, self.width), np.float32)

    def _read(self, name: str, reader: ArrayReader | None, shape: tuple, dtype) -> np.ndarray:
        if reader is None:
            raise ValueError(f'{name}: the view {self.name or "without name"} has none')
        array = reader()
        if array.shape != shape or array.dtype != dtype:
            where = getattr(reader, 'path', None) or self.name or 'view'
            raise ValueError(f'{name} {where}: {array.dtype} {" x ".join(map(str, array.shape))}, expected '
                             f'{np.dtype(dtype)} {" x ".join(map(str, shape))}')
        return array


@dataclass(frozen=True, eq=False)
class Sample:
    """One hand at one instant. ValueError names the field that does not fit.

    id: unique in its set. dataset: the set's registered name. handedness: 'left', 'right', or '' where the set does not
    tell. joint_definition: one of JOINT_DEFINITIONS, '' where no joint is labelled. views: one or more.
    joints_m: (21, 3) metres in the first view's optical frame, NaN where `joint_valid` (21,) bool is False, or None.
    vertices_m: (V, 3) in the same frame, or None. model: whose parameters `pose`, `shape`, `translation` are ('mano',
    'open_hand', '' for none): they are as stored, pose (3 + n,) an axis-angle root and 45 axis-angle numbers
    (pose_space 'axis_angle') or n coefficients ('pca'); flat_hand_mean: whether zero is the flat hand (True) or the
    model's mean (False), None when the set does not say. T_first_model: (4, 4), from the frame the parameters place
    the model in to the first view's: vertices_m = T_first_model applied to model(pose, shape, translation).
    subject: the person, '' when unknown. metric: True when metres are metres, False when the scale is assumed.
    """
    id: str
    dataset: str
    handedness: str
    views: tuple[View, ...]
    joint_definition: str
    joints_m: np.ndarray | None = None
    joint_valid: np.ndarray | None = None
    vertices_m: np.ndarray | None = None
    model: str = ''
    pose: np.ndarray | None = None
    shape: np.ndarray | None = None
    translation: np.ndarray | None = None
    pose_space: str = 'axis_angle'
    flat_hand_mean: bool | None = None
    T_first_model: np.ndarray = field(default_factory=lambda: np.eye(4))
    subject: str = ''
    metric: bool = True

    def __post_init__(self):
        try:
            self._check()
        except ValueError as error:
            raise ValueError(f'{self.dataset} {self.id}: {error}') from None

    def _check(self) -> None:
        checked_choice('handedness', self.handedness, (*HANDEDNESS, UNKNOWN))
        checked_choice('joint_definition', self.joint_definition, (*JOINT_DEFINITIONS, UNKNOWN))
        checked_choice('pose_space', self.pose_space, POSE_SPACES)
        _set(self, 'views', tuple(self.views))
        if not self.views or not all(isinstance(view, View) for view in self.views):
            raise ValueError(f'views: {len(self.views)} of {[type(view).__name__ for view in self.views]}, expected '
                             'one View or more')
        if np.abs(self.views[0].T_view_first - np.eye(4)).max() > 1e-9:
            raise ValueError('views[0].T_view_first: expected the identity in the first view')
        _set(self, 'T_first_model', checked_transform('T_first_model', self.T_first_model))
        valid = self.joint_valid
        if valid is None:
            valid = np.full(21, self.joints_m is not None)
        valid = checked('joint_valid', valid, (21,), bool)
        if self.joints_m is not None:
            joints_m = np.where(valid[:, None], checked('joints_m', self.joints_m, (21, 3), finite=False), np.nan)
            lost = valid & ~np.isfinite(joints_m).all(1)
            if lost.any():
                raise ValueError(f'joints_m: joints {np.flatnonzero(lost).tolist()} are not finite, expected numbers')
            _set(self, 'joints_m', _read_only(joints_m.astype(np.float32)))
        elif valid.any():
            raise ValueError(f'joint_valid: {int(valid.sum())} joints, but there is no joints_m')
        _set(self, 'joint_valid', _read_only(valid))
        for name, shape in (('vertices_m', (None, 3)), ('pose', (None,)), ('shape', (None,)), ('translation', (3,))):
            if getattr(self, name) is not None:
                _set(self, name, _read_only(checked(name, getattr(self, name), shape)))
        if (self.pose is not None or self.shape is not None) and not self.model:
            raise ValueError('model: none, expected the name of the model whose pose and shape are given')


def box_around(joints_px: np.ndarray) -> np.ndarray | None:
    """(4,) x_min, y_min, x_max, y_max of the labelled ones of (21, 2) points; None when no point is."""
    known = joints_px[np.isfinite(joints_px).all(1)]
    return _read_only(np.concatenate([known.min(0), known.max(0)])) if len(known) else None
