"""One camera covered for a second, then the other, then both: what becomes of the tracks, phase by phase."""
from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hand_recon_ros.benchmarks.stereo_cases import Detected
from hand_recon_ros.evaluation.matching import match_hands
from hand_recon_ros.evaluation.uncertainty import coverage, standardised
from hand_recon_ros.pipeline import StereoResult
from hand_recon_ros.types import Frame

# Name, seconds, and which of the views are covered.
PHASES = (('both see', 0.5, ()), ('right covered', 1.0, (1,)), ('both see again', 0.5, ()), ('left covered', 1.0, (0,)),
          ('both see, third time', 0.5, ()), ('both covered', 1.5, (0, 1)), ('both see, fourth time', 0.5, ()))


def phase_of(seconds: float) -> int:
    """Index into PHASES, the last one for good."""
    ends = np.cumsum([length for _, length, _ in PHASES])
    return min(int(np.searchsorted(ends, seconds + 1e-6, side='right')), len(PHASES) - 1)


def covered(begin_ns: int):
    """cover(left, right) for Detections.of: black images where PHASES cover a view; begin_ns: of the first."""
    def cover(left: Frame, right: Frame) -> tuple[Frame, Frame]:
        hidden = PHASES[phase_of((left.stamp_ns - begin_ns) / 1e9)][2]
        return tuple(replace(frame, image=np.zeros_like(frame.image)) if view in hidden else frame
                     for view, frame in enumerate((left, right)))
    return cover


@dataclass(frozen=True)
class Sight:
    """One estimate of one true hand. error_mm, std_mm: distance and stated deviation, means over its joints.

    standardised: (N,) distances over deviations. length_mm: wrist to middle knuckle.
    """
    seconds: float
    phase: int
    true_id: str
    track_id: int
    error_mm: float
    std_mm: float
    standardised: np.ndarray
    length_mm: float


def sights(recording: Detected, results: list[StereoResult]) -> list[Sight]:
    """Every matched hand of every instant."""
    begin_ns, found = recording.pairs[0][0].stamp_ns, []
    for (frame, _), result in zip(recording.pairs, results):
        truths, seconds = recording.truths.get(frame.stamp_ns, []), (frame.stamp_ns - begin_ns) / 1e9
        for index, true_index in match_hands(result.estimates, truths):
            hand, truth = result.estimates[index], truths[true_index]
            errors_mm = 1e3 * np.linalg.norm(np.float64(hand.joints_m) - truth.joints_m, axis=1)
            found.append(Sight(seconds, phase_of(seconds), truth.hand_id, hand.track_id, float(errors_mm.mean()),
                               float(1e3 * hand.joint_std_m.mean()), standardised(errors_mm, hand.joint_std_m),
                               float(1e3 * np.linalg.norm(hand.joints_m[9] - hand.joints_m[0]))))
    return found


def phase_rows(name: str, recording: Detected, found: list[Sight]) -> list[dict]:
    """One row a phase: found hands of all true ones, error, stated deviation, coverage, palm length, ids."""
    begin_ns = recording.pairs[0][0].stamp_ns
    rows, first = [], {}
    for sight in found:
        first.setdefault(sight.true_id, sight.track_id)
    for phase, (title, _, _) in enumerate(PHASES):
        here = [sight for sight in found if sight.phase == phase]
        there = sum(len(recording.truths.get(frame.stamp_ns, [])) for frame, _ in recording.pairs
                    if phase_of((frame.stamp_ns - begin_ns) / 1e9) == phase)
        row = {'case': f'{name}, {title}', 'hands': len(here), 'true_hands': there}
        if here:
            row |= {'cs_mpjpe_mm': float(np.mean([sight.error_mm for sight in here])),
                    'stated_std_mm': float(np.mean([sight.std_mm for sight in here])),
                    'palm_length_mm': float(np.mean([sight.length_mm for sight in here])),
                    'first_ids_kept': float(np.mean([sight.track_id == first[sight.true_id] for sight in here]))}
            ratios = np.concatenate([sight.standardised for sight in here])
            if len(ratios):
                row['coverage_95'] = float(coverage(ratios))
        rows.append(row)
    return rows
