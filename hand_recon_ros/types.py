"""The currency of the package: what one stage hands to the next. Frozen, NumPy only, every shape, unit and frame stated.

Conventions (all rooms): metres, radians, seconds, pixels. Optical frames: x right, y down, z forward. ``T_a_b`` maps
points in b to points in a. Integer pixel coordinates name pixel centres, so a resize by s maps c to (c + 0.5) s - 0.5.
Images are RGB, uint8, (H, W, 3). Handedness is 'left' or 'right', the person's own.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hand_recon_ros.geometry.cameras import Camera

HANDEDNESS = ('left', 'right')
PERSPECTIVE, WEAK_PERSPECTIVE = 'perspective', 'weak_perspective'
PROJECTIONS = (PERSPECTIVE, WEAK_PERSPECTIVE)


def checked(name: str, value, shape: tuple, dtype=np.float32, finite: bool = True) -> np.ndarray:
    """Array of `dtype` and `shape` (None = any length), or ValueError naming the field, what came and what was expected."""
    array = np.asarray(value, dtype=dtype)
    if array.ndim != len(shape) or any(want is not None and want != got for want, got in zip(shape, array.shape)):
        wanted = ' x '.join('any' if n is None else str(n) for n in shape)
        raise ValueError(f'{name}: shape {array.shape}, expected {wanted}')
    if finite and not np.isfinite(array).all():
        raise ValueError(f'{name}: {int((~np.isfinite(array)).sum())} of {array.size} values are not finite')
    return array


def checked_choice(name: str, value: str, choices: tuple) -> str:
    """`value` if it is one of `choices`, else ValueError."""
    if value not in choices:
        raise ValueError(f'{name}: {value!r}, expected one of {", ".join(choices)}')
    return value


@dataclass(frozen=True)
class Frame:
    """One image of one camera, or, where a stage needs no pixels, only its size and camera.

    image: (H, W, 3) uint8 RGB, or None. width, height: pixels. camera: intrinsics, or None when unknown.
    stamp_ns: the image's own stamp, nanoseconds. frame_id: the optical frame. index: position in its recording.
    """
    width: int
    height: int
    image: np.ndarray | None = None
    camera: Camera | None = None
    stamp_ns: int = 0
    frame_id: str = ''
    index: int = 0

    @classmethod
    def from_image(cls, image, camera=None, stamp_ns: int = 0, frame_id: str = '', index: int = 0) -> Frame:
        """Frame of an RGB image; ValueError when it is not (H, W, 3) uint8 or its size is not the camera's."""
        image = np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise ValueError(f'image: {image.dtype} {image.shape}, expected uint8 (H, W, 3) RGB')
        height, width = image.shape[:2]
        if camera is not None and (camera.width, camera.height) != (width, height):
            raise ValueError(f'image: {width} x {height}, expected the camera\'s {camera.width} x {camera.height}')
        return cls(width, height, image, camera, stamp_ns, frame_id, index)


@dataclass(frozen=True)
class HandKeypoints:
    """One detected hand in one image: 21 landmarks by the detector's own definition.

    box_px: (4,) x_min, y_min, x_max, y_max. points_px: (21, 2). point_scores: (21,) in 0..1.
    points_m: (21, 3) metres, root-relative, optical axes, or None. track_id: -1 before tracking.
    """
    handedness: str
    handedness_score: float
    score: float
    box_px: np.ndarray
    points_px: np.ndarray
    point_scores: np.ndarray
    points_m: np.ndarray | None = None
    detector: str = 'mediapipe'
    track_id: int = -1

    def __post_init__(self):
        checked_choice('handedness', self.handedness, HANDEDNESS)
        for name, shape in (('box_px', (4,)), ('points_px', (21, 2)), ('point_scores', (21,))):
            object.__setattr__(self, name, checked(name, getattr(self, name), shape))
        if self.points_m is not None:
            object.__setattr__(self, 'points_m', checked('points_m', self.points_m, (21, 3)))

    @property
    def box_size_px(self) -> float:
        """Longer side of the box, pixels: the yardstick of every relative 2D error."""
        return float(max(self.box_px[2] - self.box_px[0], self.box_px[3] - self.box_px[1]))


@dataclass(frozen=True)
class HandMask:
    """Where one image shows a hand, on a square grid of its own. probability: (S, S) 0..1. A_image_grid: (2, 3), pixels
    (column, row, 1) of the grid to pixels of the image."""
    probability: np.ndarray
    A_image_grid: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, 'probability', checked('probability', self.probability, (None, None)))
        object.__setattr__(self, 'A_image_grid', checked('A_image_grid', self.A_image_grid, (2, 3), np.float64))


@dataclass(frozen=True)
class HandEstimate:
    """One reconstructed hand in a camera's optical frame.

    pose: (48,) axis-angle, radians, 16 joints in the model's order. shape: (10,) or as many as the model has.
    translation: (3,) metres. joints_m: (21, 3). vertices_m: (V, 3). joint_std_m: (21,) metres, NaN where unknown.
    weak_camera: (3,) s (px per metre), tx, ty (px): u = s x + tx for the root-relative mesh.
    reprojection_px: rms distance of fitted from detected landmarks, NaN when nothing was fitted.
    metric: True when the scale is measured, not assumed.
    features: (F,) what the network that made it saw, by which two views are weighed; empty where there is none.
    mask: the hand's pixels in the image, None where the estimator makes none.
    """
    track_id: int
    handedness: str
    handedness_score: float
    score: float
    model: str
    pose: np.ndarray
    shape: np.ndarray
    translation: np.ndarray
    joints_m: np.ndarray
    vertices_m: np.ndarray
    weak_camera: np.ndarray
    projection: str = PERSPECTIVE
    joint_std_m: np.ndarray = field(default_factory=lambda: np.full(21, np.nan, np.float32))
    reprojection_px: float = float('nan')
    identity: str = ''
    metric: bool = False
    features: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    mask: HandMask | None = None

    def __post_init__(self):
        checked_choice('handedness', self.handedness, HANDEDNESS)
        checked_choice('projection', self.projection, PROJECTIONS)
        object.__setattr__(self, 'features', checked('features', self.features, (None,)))
        for name, shape in (('pose', (48,)), ('shape', (None,)), ('translation', (3,)), ('joints_m', (21, 3)),
                            ('vertices_m', (None, 3)), ('weak_camera', (3,))):
            object.__setattr__(self, name, checked(name, getattr(self, name), shape))
        object.__setattr__(self, 'joint_std_m', checked('joint_std_m', self.joint_std_m, (21,), finite=False))

    @property
    def hand_id(self) -> str:
        """Transient id in the form of REP-155."""
        return f'{self.handedness}_{self.track_id}'


@dataclass(frozen=True)
class HandIdentity:
    """The shape of one person's hand. shape, shape_std: (B,), one unit = one standard deviation of the model."""
    name: str
    model: str
    shape: np.ndarray
    shape_std: np.ndarray
    metric: bool = False

    def __post_init__(self):
        object.__setattr__(self, 'shape', checked('shape', self.shape, (None,)))
        object.__setattr__(self, 'shape_std', checked('shape_std', self.shape_std, self.shape.shape, finite=False))
