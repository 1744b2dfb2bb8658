"""What can be wrong with a rig's calibration or wiring, by name, and what a camera's calibration message says of it."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.geometry.cameras import Camera
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.types import checked_choice

FAULTS = ('bumped_camera', 'swapped_images', 'swapped_camera_infos', 'swapped_topics', 'baseline_sign', 'scaled_k',
          'wrong_scale', 'time_skew', 'image_size', 'unexplained')
# A principal point farther from the image's middle, as a share of its size, is not how cameras are built.
FARTHEST_CENTRE = 0.2
SQUARE_PIXELS = 0.1


@dataclass(frozen=True)
class RigFault:
    """name: one of FAULTS. text: one sentence with the numbers it rests on."""
    name: str
    text: str

    def __post_init__(self):
        checked_choice('name', self.name, FAULTS)


@dataclass(frozen=True)
class CameraFacts:
    """A sensor_msgs/CameraInfo, and the size of the images that come with it.

    K: (3, 3). D: coefficients. P: (3, 4), or None. rectified: P belongs to the images, else K and D do.
    """
    width: int
    height: int
    K: np.ndarray
    D: np.ndarray = ()
    P: np.ndarray | None = None
    rectified: bool = False
    image_size: tuple[int, int] | None = None

    def __post_init__(self):
        object.__setattr__(self, 'K', np.asarray(self.K, np.float64).reshape(3, 3))
        object.__setattr__(self, 'D', np.asarray(self.D, np.float64).ravel())
        if self.P is not None:
            object.__setattr__(self, 'P', np.asarray(self.P, np.float64).reshape(3, 4))
        if self.rectified and self.P is None:
            raise ValueError('P: None, expected the projection matrix of a rectified image')

    @property
    def camera_matrix(self) -> np.ndarray:
        """(3, 3) of the images that come with it."""
        return self.P[:, :3] if self.rectified else self.K

    @property
    def shift_m(self) -> float:
        """P[0, 3] / fx: minus where this camera stands along the pair's x axis."""
        return float(self.P[0, 3] / self.P[0, 0]) if self.rectified else 0.0

    @property
    def calibrated(self) -> bool:
        """Whether it says anything: zeros are camera_info's own way of saying that nobody calibrated."""
        matrix = self.camera_matrix
        return bool(self.width > 0 and self.height > 0 and np.isfinite(matrix).all()
                    and matrix[0, 0] > 0 and matrix[1, 1] > 0)


def calibration_faults(left: CameraFacts, right: CameraFacts) -> list[RigFault]:
    """Faults that the two calibrations show by themselves, before any hand is seen. None where a camera is not
    calibrated at all, which is another thing."""
    if not (left.calibrated and right.calibrated):
        return []
    found = [fault for side, facts in (('left', left), ('right', right)) for fault in _one(side, facts)]
    if left.rectified and right.rectified:
        found += _projections(left, right)
    return found


def _one(side: str, facts: CameraFacts) -> list[RigFault]:
    found = []
    if facts.image_size is not None and tuple(facts.image_size) != (facts.width, facts.height):
        ratio = facts.image_size[0] / facts.width
        found.append(RigFault('image_size', f'{side} images are {facts.image_size[0]} x {facts.image_size[1]}, their '
                              f'camera_info is for {facts.width} x {facts.height}: K would be off by a factor '
                              f'{ratio:.3g}'))
    matrix = facts.camera_matrix
    away = np.abs(matrix[:2, 2] - 0.5 * np.array([facts.width - 1, facts.height - 1])) / (facts.width, facts.height)
    if not facts.rectified and away.max() > FARTHEST_CENTRE:
        found.append(RigFault('scaled_k', f'{side} principal point ({matrix[0, 2]:.0f}, {matrix[1, 2]:.0f}) is '
                              f'{100 * away.max():.0f} % of the {facts.width} x {facts.height} image off its '
                              f'middle: K is '
                              'scaled, or for another image size'))
    ratio = matrix[0, 0] / matrix[1, 1]
    if abs(ratio - 1) > SQUARE_PIXELS:
        found.append(RigFault('scaled_k', f'{side} fx / fy is {ratio:.3f} ({matrix[0, 0]:.1f} / {matrix[1, 1]:.1f} '
                                          f'px), '
                              'expected about 1: K is scaled along one axis'))
    if facts.rectified and not facts.D.any() and facts.K[0, 0] > 0:
        # Nothing to undistort: rectification can turn such a camera, yet its focal length stays.
        ratio = facts.P[0, 0] / facts.K[0, 0]
        if abs(ratio - 1) > 0.03:
            found.append(RigFault('scaled_k', f'{side} camera_info contradicts itself: K says fx '
                                              f'{facts.K[0, 0]:.1f} px, '
                                  f'P says {facts.P[0, 0]:.1f} px, a factor {ratio:.3f} in an image without '
                                  f'distortion'))
    return found


def _projections(left: CameraFacts, right: CameraFacts) -> list[RigFault]:
    found = []
    first, second = left.P, right.P
    ratio = second[1, 1] / first[1, 1]
    if abs(ratio - 1) > 0.005:
        found.append(RigFault('scaled_k', f'P of the rectified pair disagree: fy {first[1, 1]:.1f} px left, '
                              f'{second[1, 1]:.1f} px right, a factor {ratio:.3f}, expected equal ones'))
    elif abs(second[1, 2] - first[1, 2]) > 1.0:
        found.append(RigFault('scaled_k', f'P of the rectified pair disagree: cy {first[1, 2]:.1f} px left, '
                              f'{second[1, 2]:.1f} px right, expected equal ones'))
    baseline = left.shift_m - right.shift_m
    if baseline <= 0:
        if second[0, 3] == 0 and first[0, 3] < 0:
            found.append(RigFault('swapped_camera_infos', f'the left P[0, 3] is {first[0, 3]:.1f} and the right one 0: '
                                  'the camera_info topics of left and right are swapped, alone or with their images'))
        elif baseline == 0:
            found.append(RigFault('baseline_sign', 'P[0, 3] is equal in both cameras, expected -fx * baseline in the '
                                  'right one: there is no baseline'))
        else:
            found.append(RigFault('baseline_sign', f'P[0, 3] is {second[0, 3]:.1f} in the right camera: it puts '
                                                   f'that camera '
                                  f'{1000 * -baseline:.0f} mm to the left of the left one, expected -fx * baseline, '
                                  f'below 0'))
    return found


def mended_rig(left: CameraFacts, right: CameraFacts) -> StereoRig | None:
    """The pair as it would stand were the sign or order of P[0, 3] right; None where the two say nothing of a
    baseline."""
    distance = abs(left.shift_m - right.shift_m)
    if not (left.rectified and right.rectified) or distance == 0:
        return None
    cameras = [Camera(facts.width, facts.height, facts.camera_matrix) for facts in (left, right)]
    T = np.eye(4)
    T[0, 3] = -distance
    return StereoRig(*cameras, T)
