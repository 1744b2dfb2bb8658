"""Where errors come from: per joint, and over depth, view angle, hand size and the estimate's score."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.evaluation.metrics import M_TO_MM
from hand_recon_ros.evaluation.records import FrameRecord, MatchedHand
from hand_recon_ros.hand_model.skeleton import KEYPOINT_NAMES

SPACES = ('aligned', 'root_relative', 'camera_space')
WRIST = 0
BINS = 8


@dataclass(frozen=True, eq=False)
class JointErrors:
    """Means and 95th percentiles over matched hands, (21,) mm each, in the order of KEYPOINT_NAMES."""
    mean_mm: np.ndarray
    p95_mm: np.ndarray


@dataclass(frozen=True, eq=False)
class Breakdown:
    """Errors over one property of true hands. edges: (B + 1,), bins of equal width, the last one closed.

    values: (N,) the property of each matched hand. errors_mm: space -> (N,) mean over its joints.
    matched, true: (B,) counts; true counts missed hands too, and is None where the property of those is unknown.
    """
    name: str
    unit: str
    edges: np.ndarray
    values: np.ndarray
    errors_mm: dict[str, np.ndarray]
    matched: np.ndarray
    true: np.ndarray | None = None

    @property
    def centres(self) -> np.ndarray:
        """Middles of the bins, (B,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def means_mm(self, space: str) -> np.ndarray:
        """Mean error in each bin, (B,), NaN in an empty one."""
        return self._over_bins(space, np.mean)

    def p95_mm(self, space: str) -> np.ndarray:
        """95th percentile of the hands' errors in each bin, (B,), NaN in an empty one."""
        return self._over_bins(space, lambda errors: np.percentile(errors, 95))

    def _over_bins(self, space: str, statistic) -> np.ndarray:
        place = _bin_of(self.values, self.edges)
        parts = [self.errors_mm[space][place == k] for k in range(len(self.edges) - 1)]
        return np.array([statistic(part) if len(part) else np.nan for part in parts])


def joint_errors(hands: list[MatchedHand], space: str) -> JointErrors:
    """Errors of each joint in one of SPACES; ValueError without hands."""
    if not hands:
        raise ValueError('hands: none, expected at least one')
    errors = np.stack([getattr(hand, f'{space}_mm') for hand in hands])
    return JointErrors(errors.mean(0), np.percentile(errors, 95, axis=0))


def breakdowns(frames: list[FrameRecord]) -> list[Breakdown]:
    """Over the wrist's depth (m), view angle (degrees), hand length (mm), the estimate's score; [] without a match."""
    hands = [hand for frame in frames for hand in frame.matched]
    if not hands:
        return []
    missed_m = [hand.depth_m for frame in frames for hand in frame.missed]
    errors = {space: np.array([getattr(hand, f'{space}_mm').mean() for hand in hands]) for space in SPACES}
    depth = [hand.true_joints_m[WRIST, 2] for hand in hands]
    angles = [np.degrees(hand.view_angle_rad) for hand in hands]
    return [_breakdown('depth of the wrist', 'm', 0.01, depth, errors, missed_m),
            _breakdown('view angle of the palm', 'degrees', 1.0, angles, errors),
            _breakdown('hand length', 'mm', 1.0, [hand.size_m * M_TO_MM for hand in hands], errors),
            _breakdown('score of the estimate', '', 0.01, [hand.score for hand in hands], errors)]


def as_json(frames: list[FrameRecord]) -> dict:
    """The same as plain numbers: {"joints_mm": {space: {joint: mean}}, "over": {property: {...}}}; None: empty bin."""
    hands = [hand for frame in frames for hand in frame.matched]
    if not hands:
        return {}
    joints = {space: dict(zip(KEYPOINT_NAMES, joint_errors(hands, space).mean_mm.tolist())) for space in SPACES}
    over = {}
    for part in breakdowns(frames):
        entry = {'unit': part.unit, 'edges': part.edges.tolist(), 'matched': part.matched.tolist()}
        if part.true is not None:
            entry['true'] = part.true.tolist()
        over[part.name] = entry | {f'{space}_mm': [None if np.isnan(mean) else mean
                                                   for mean in part.means_mm(space).tolist()] for space in SPACES}
    return {'joints_mm': joints, 'over': over}


def _breakdown(name: str, unit: str, narrowest: float, values, errors, missed=None) -> Breakdown:
    """BINS bins, fewer where one would be narrower than `narrowest`."""
    values = np.asarray(values, np.float64)
    everything = values if missed is None else np.concatenate([values, missed])
    low, high = everything.min(), everything.max()
    bins = int(np.clip((high - low) // narrowest, 1, BINS))
    margin = max(0.0, 0.5 * (narrowest - (high - low)))
    edges = np.linspace(low - margin, high + margin, bins + 1)
    matched, true = (np.bincount(_bin_of(part, edges), minlength=len(edges) - 1) for part in (values, everything))
    return Breakdown(name, unit, edges, values, errors, matched, None if missed is None else true)


def _bin_of(values, edges) -> np.ndarray:
    return np.clip(np.searchsorted(edges, values, side='right') - 1, 0, len(edges) - 2)
