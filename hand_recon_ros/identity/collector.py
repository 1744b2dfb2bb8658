"""Gathers the sights of one person that calibrate best: well fitted, and as different from each other as may be."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.estimation.viewing import CHILDREN, PARENTS
from hand_recon_ros.hand_model.mirroring import mirror_points
from hand_recon_ros.identity.calibration import Calibration, ShapeCalibration
from hand_recon_ros.identity.confidence import SightQuality
from hand_recon_ros.identity.sights import Sight

FRAMES = 20             # paper 5: K = 20


@dataclass(frozen=True)
class Gates:
    """What a sight must be to be gathered. least_score: the detector's. most_misfit: energy a landmark of its own fit.
    least_change_rad: mean angle between its bones and those of the nearest sight gathered. least_box: the hand's size
    as a share of the image."""
    least_score: float = 0.5
    most_misfit: float = 4.0
    least_change_rad: float = 0.12
    least_box: float = 0.06


@dataclass(frozen=True)
class Progress:
    """Where the gathering stands. taken: whether the last sight was; why: if not. frames of wanted are there.
    width_std_mm, length_std_mm: spread of the shape so far, infinite before the first sight. remaining: frames."""
    taken: bool
    why: str
    frames: int
    wanted: int
    width_std_mm: float
    length_std_mm: float

    @property
    def remaining(self) -> int:
        """Frames still wanted."""
        return self.wanted - self.frames

    @property
    def done(self) -> bool:
        """Whether as many are there as were wanted; later sights may still take the place of poorer ones."""
        return self.remaining == 0


@dataclass(frozen=True)
class _Kept:
    sight: Sight
    quality: SightQuality
    confidence: float
    bones: np.ndarray


class IdentityCollector:
    """Sights of one person in, at any rate; the identity out. Not thread-safe.

    stereo: whether only sights of two views are gathered, so that the size is measured. ValueError for frames < 1.
    """

    def __init__(self, calibration: ShapeCalibration, frames: int = FRAMES, stereo: bool = True,
                 gates: Gates = Gates()):
        if frames < 1:
            raise ValueError(f'frames: {frames}, expected at least 1')
        self._calibration, self._gates = calibration, gates
        self.frames, self.stereo = int(frames), bool(stereo)
        self._kept: list[_Kept] = []
        self._spread = np.inf, np.inf

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def sights(self) -> list[Sight]:
        """Those gathered."""
        return [kept.sight for kept in self._kept]

    @property
    def qualities(self) -> list[SightQuality]:
        """Theirs."""
        return [kept.quality for kept in self._kept]

    def add(self, sight: Sight) -> Progress:
        """Offers a sight, and says where the gathering stands. Nothing is raised for a poor one."""
        before = len(self._kept)
        why = self.take(sight)
        if len(self._kept) > before:
            size = self.calibrate().size
            self._spread = size.width_std_mm, size.length_std_mm
        return self._progress(not why, why)

    def take(self, sight: Sight) -> str:
        """Offers a sight: why it was refused, empty when it was not. Cheap reasons are looked at first."""
        why = self._refusal(sight)
        if why:
            return why
        bones = bone_directions(sight)
        nearest = min((_angle(bones, kept.bones) for kept in self._kept), default=np.inf)
        if len(self._kept) < self.frames and nearest < self._gates.least_change_rad:
            return 'too like one gathered before'
        try:
            quality = self._calibration.qualities([sight])[0]
        except ValueError as error:
            return str(error)
        if not quality.misfit <= self._gates.most_misfit:
            return f'misfit {quality.misfit:.1f}, expected at most {self._gates.most_misfit:g}'
        candidate = _Kept(sight, quality, float(self._calibration.confidences([quality])[0]), bones)
        if len(self._kept) == self.frames:
            return self._replaced(candidate)
        self._kept.append(candidate)
        return ''

    def missed(self, why: str) -> Progress:
        """Where the gathering stands when there was no sight to offer."""
        return self._progress(False, why)

    def calibrate(self, name: str = '') -> Calibration:
        """Identity of what was gathered so far; ValueError before the first sight."""
        return self._calibration.calibrate(self.sights, name, self.qualities)

    def restart(self) -> None:
        """Forgets everything: another person."""
        self._kept, self._spread = [], (np.inf, np.inf)

    def _refusal(self, sight: Sight) -> str:
        if self.stereo and not sight.stereo:
            return 'seen by one camera, expected both'
        score = min(float(hand.score) for hand in sight.keypoints)
        if score < self._gates.least_score:
            return f'detector score {score:.2f}, expected at least {self._gates.least_score:g}'
        box = min(hand.box_size_px / max(frame.width, frame.height)
                  for hand, frame in zip(sight.keypoints, sight.frames))
        if box < self._gates.least_box:
            return f'hand {100 * box:.0f} % of the image, expected at least {100 * self._gates.least_box:.0f} %'
        return ''

    def _replaced(self, candidate: _Kept) -> str:
        """Of all gathered and the candidate, the two most alike: the less confident of them goes."""
        everyone = [*self._kept, candidate]
        pairs = [(_angle(everyone[a].bones, everyone[b].bones), a, b)
                 for a in range(len(everyone)) for b in range(a)]
        _, a, b = min(pairs)
        loser = a if everyone[a].confidence <= everyone[b].confidence else b
        if loser == len(self._kept):
            return 'adds less than what is there'
        self._kept[loser] = candidate
        return ''

    def _progress(self, taken: bool, why: str) -> Progress:
        return Progress(taken, why, len(self._kept), self.frames, *(float(s) for s in self._spread))


def bone_directions(sight: Sight) -> np.ndarray:
    """(20, 3) unit bones in the camera's frame, of a right hand: posture and view in one."""
    joints = np.asarray(sight.estimate.joints_m, np.float64)
    if sight.estimate.handedness == 'left':
        joints = mirror_points(joints)
    bones = joints[CHILDREN] - joints[PARENTS]
    return bones / np.maximum(np.linalg.norm(bones, axis=1, keepdims=True), 1e-9)


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.mean(np.arccos(np.clip((a * b).sum(1), -1.0, 1.0))))
