"""The gated skin-disparity term of the joint fit: match, fit, and again where the hand was far off, within a budget."""
from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

import jax
import numpy as np

from hand_recon_ros.fusion.compiled_fit import CompiledFit, Fits
from hand_recon_ros.fusion.hand_pairs import HandPair
from hand_recon_ros.fusion.observations import StereoObservation
from hand_recon_ros.fusion.rectified_crops import RectifiedRig
from hand_recon_ros.fusion.skin_energy import SkinEnergy
from hand_recon_ros.fusion.skin_matching import SkinGates, SkinMatches, match_skin
from hand_recon_ros.geometry.rigs import StereoRig
from hand_recon_ros.hand_model.landmarks import Skeleton
from hand_recon_ros.hand_model.mirroring import handed_faces, posed_hand
from hand_recon_ros.hand_model.parameters import HandParameters, to_pose
from hand_recon_ros.hand_model.skinning_jax import JaxHand

# What became of a hand, and the words for it in diagnostics.
MEASURED, FEW_POINTS, ONE_VIEW = 'measured', 'few_points', 'one_view'
NO_IMAGES, OVER_BUDGET = 'no_images', 'over_budget'
OUTCOMES = (MEASURED, FEW_POINTS, ONE_VIEW, NO_IMAGES, OVER_BUDGET)


@dataclass(frozen=True)
class SkinSettings:
    """range_m: half the range of depth searched. passes: at most; another one follows only where the one before moved a
    hand by more than `settled` of its distance, for then it saw the skin from beside. budget_ms: of one instant; a hand
    whose matching ends after it goes on with what it has."""
    range_m: float = 0.045
    passes: int = 2
    settled: float = 0.03
    budget_ms: float = 40.0
    gates: SkinGates = field(default_factory=SkinGates)
    energy: SkinEnergy = field(default_factory=SkinEnergy)

    def __post_init__(self):
        if not (np.isfinite(self.budget_ms) and self.budget_ms > 0):
            raise ValueError(f'budget_ms: {self.budget_ms}, expected milliseconds above 0')
        if not 0 < self.range_m <= 0.2:
            raise ValueError(f'range_m: {self.range_m}, expected above 0 and at most 0.2 m')
        if self.passes < 1:
            raise ValueError(f'passes: {self.passes}, expected at least 1')


class SkinTerm:
    """Improves joint fits by the disparity of the skin. counts: hands by OUTCOMES. points: matched, of the last hand
    measured. Not thread-safe."""

    def __init__(self, model, skeleton: Skeleton, hand: JaxHand, max_hands: int = 2,
                 settings: SkinSettings = SkinSettings(), clock=time.perf_counter):
        if settings.energy.points < settings.gates.points:
            raise ValueError(f'points: {settings.energy.points} compiled, expected at least the '
                             f'{settings.gates.points} that are looked at')
        self._model, self._skeleton, self._hand, self._settings, self._clock = model, skeleton, hand, settings, clock
        self._fit = CompiledFit(skeleton, settings.energy, max_hands)
        self._rectified: RectifiedRig | None = None
        self.forget_counts()
        self.points = 0

    def forget_counts(self) -> None:
        """Count from 0 again."""
        self.counts = Counter(dict.fromkeys(OUTCOMES, 0))

    def refine(self, rig: StereoRig, pairs: list[HandPair], fits: Fits, observations: list[StereoObservation]) -> Fits:
        """Fits with the skin of the hands that both cameras see, the others as they came.

        ValueError when the rig cannot be rectified, see RectifiedRig.
        """
        if self._rectified is None or self._rectified.rig is not rig:
            self._rectified = RectifiedRig(rig)
        end = self._clock() + self._settings.budget_ms / 1e3
        outcomes = [self._prospect(pair) for pair in pairs]
        scales = np.ones(len(pairs))                    # of the skin's distance to that of the landmarks' fit
        unsettled = [row for row, outcome in enumerate(outcomes) if not outcome]
        for _ in range(self._settings.passes):
            starts, seen, moved = [], [], {}
            for row in unsettled:
                if self._clock() > end:
                    outcomes[row] = outcomes[row] or OVER_BUDGET
                    continue
                reference = HandParameters(*(leaf[row] for leaf in fits.parameters))
                matches, faces, handedness = self._match(pairs[row], reference)
                scale, agreeing = matches.consensus()
                if self._clock() > end:
                    outcomes[row] = outcomes[row] or OVER_BUDGET
                    continue
                gates, passed = self._settings.gates, len(matches.triangles)
                if passed < gates.least_points or agreeing < gates.agreeing * passed:
                    outcomes[row] = outcomes[row] or FEW_POINTS
                    continue
                outcomes[row], self.points, moved[row] = MEASURED, passed, scale
                scales[row] *= scale
                # From where most of the skin is: a start a few pixels off would be an outlier to all of it.
                starts.append(reference._replace(root=np.float32(reference.root * scale)))
                seen.append(self._settings.energy.observe(observations[row], reference, matches, self._model, faces,
                                                          handedness, scales[row]))
            if not moved:
                break
            fits = _replaced(fits, list(moved), self._fit(starts, seen))
            unsettled = [row for row, scale in moved.items() if abs(scale - 1) > self._settings.settled]
        self.counts.update(outcomes)
        return fits

    @staticmethod
    def _prospect(pair: HandPair) -> str:
        if not pair.both:
            return ONE_VIEW
        return NO_IMAGES if any(frame.image is None for frame in pair.frames) else ''

    def _match(self, pair: HandPair, parameters: HandParameters) -> tuple[SkinMatches, np.ndarray, str]:
        handedness = pair.views[0].keypoints.handedness
        pose, root = to_pose(parameters, self._skeleton.axes, handedness)
        vertices, joints = posed_hand(self._hand, pose, parameters.shape, np.zeros(3, np.float32), handedness)
        faces = handed_faces(self._model.faces, handedness)
        return (match_skin(self._rectified, pair.frames, vertices + (root - joints[0]), faces,
                           self._settings.range_m, self._settings.gates), faces, handedness)


def _replaced(fits: Fits, rows: list[int], closer: Fits) -> Fits:
    """Fits with some rows taken from others where these are finite."""
    finite = np.isfinite(closer.energy)
    rows = np.asarray(rows)[finite]

    def exchanged(old, new):
        old = np.array(old)
        old[rows] = new[finite]
        return old

    return jax.tree.map(exchanged, fits, closer)
