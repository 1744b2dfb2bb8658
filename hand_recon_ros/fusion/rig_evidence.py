"""Which one cause explains the signed epipolar residuals of some seconds, if any does."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hand_recon_ros.fusion.rig_hypotheses import BELIEFS, HYPOTHESES, SKEWED, Hypothesis

BLOCK_NS = 500_000_000
HUBER = 1.5
# Least share of the hand's size that a named cause must move the landmarks by (rms). Detections of one hand from two
# sides differ by themselves, the more the wider the angle between the views.
LEAST_EFFECT, LEAST_EFFECT_WIDE, WIDE_RAD = 0.014, 0.024, 0.5
LEAST_EFFECT_SKEW = 0.008
LEAST_STEADINESS, LEAST_STEADINESS_SKEW = 4.0, 5.0
# Half a frame at 30 Hz: free-running cameras are that far apart without anybody having done wrong.
LEAST_SKEW_S = 0.016
# A wrong calibration leaves little of the residual (rms) once it is put right; a detector that takes one view's hand
# for something else leaves most. A skew does too: hands stand still at times.
MOST_LEFT = 0.75
# A cause with one number wins over the turned camera's three when it explains nearly as much. Less than 6 % of scale is
# what a slightly turned camera looks like too, and that happens more often.
THRIFT, LEAST_SCALE, MOST_SCALE = 1.1, 0.06, 0.3


@dataclass(frozen=True)
class Explanation:
    """name: of the hypothesis. values: its numbers. before_px, after_px: rms residual without and with it."""
    name: str
    values: np.ndarray
    before_px: float
    after_px: float


@dataclass(frozen=True)
class _Fit:
    hypothesis: Hypothesis
    values: np.ndarray
    loss: float
    effect: float
    steadiness: float
    after_px: float


def explained(sights: list[tuple[int, float, np.ndarray, np.ndarray]], angle_rad: float,
              skew: bool = True) -> Explanation | None:
    """The cause that explains most, None where none is large and steady enough.

    sights: stamp, size of the hand in px, residuals (21,) px and slopes (21, COLUMNS) of rig_hypotheses, each.
    angle_rad: between the cameras' axes. skew: whether the hands' speeds are known, which tell a skew.
    """
    if len(sights) < 10:
        return None
    sizes = np.repeat([size for _, size, _, _ in sights], 21)
    residual = np.concatenate([r for _, _, r, _ in sights])
    slopes = np.concatenate([s for _, _, _, s in sights])
    blocks = np.repeat([(stamp_ns - sights[0][0]) // BLOCK_NS for stamp_ns, _, _, _ in sights], 21)
    fits = [_fitted(hypothesis, residual / sizes, slopes / sizes[:, None], blocks, sizes) for hypothesis in HYPOTHESES
            if skew or hypothesis.name != SKEWED]
    fine = [fit for fit in fits if _telling(fit, angle_rad)]
    if not fine:
        return None
    best = min(fine, key=lambda fit: fit.loss)
    thrifty = [fit for fit in fine if len(fit.values) == 1 and fit.loss < THRIFT * best.loss]
    best = min(thrifty, key=lambda fit: fit.loss) if thrifty else best
    before_px = float(np.sqrt(np.mean(residual ** 2)))
    if best.hypothesis.name != SKEWED and best.after_px > MOST_LEFT * before_px:
        return None
    return Explanation(best.hypothesis.name, best.values, before_px, best.after_px)


def _telling(fit: _Fit, angle_rad: float) -> bool:
    if fit.hypothesis.name == SKEWED:
        return (fit.effect > LEAST_EFFECT_SKEW and fit.steadiness > LEAST_STEADINESS_SKEW
                and abs(fit.values[0]) > LEAST_SKEW_S)
    if len(fit.values) == 1 and not LEAST_SCALE <= abs(fit.values[0]) <= MOST_SCALE:
        return False
    share = np.clip(angle_rad / WIDE_RAD, 0, 1)
    least = LEAST_EFFECT + share * (LEAST_EFFECT_WIDE - LEAST_EFFECT)
    return fit.effect > least and fit.steadiness > LEAST_STEADINESS


def _fitted(hypothesis: Hypothesis, residual, slopes, blocks, sizes) -> _Fit:
    """Robust least squares of residual + slopes @ basis @ x = 0, by reweighting (Huber)."""
    design = slopes @ hypothesis.basis
    belief = BELIEFS @ hypothesis.basis
    weights, scale = np.ones(len(residual)), 0.02
    for _ in range(6):
        normal = (design * weights[:, None]).T @ design + np.diag((scale / belief) ** 2)
        values = -np.linalg.solve(normal, (design * weights[:, None]).T @ residual)
        left = residual + design @ values
        scale = max(1.4826 * np.median(np.abs(left)), 1e-3)
        weights = np.minimum(1.0, HUBER * scale / np.maximum(np.abs(left), 1e-12))
    effect = -(design @ values)
    # How much of what the cause predicts each half-second shows by itself: about 1 in all of them, or it is chance.
    shown, sums = [], []
    for block in np.unique(blocks):
        inside = blocks == block
        power = (weights[inside] * effect[inside] ** 2).sum()
        sums.append(power)
        shown.append((weights[inside] * effect[inside] * residual[inside]).sum() / max(power, 1e-12))
    shown, share = np.array(shown), np.array(sums) / max(np.sum(sums), 1e-12)
    mean = (share * shown).sum()
    error = np.sqrt((share ** 2 * (shown - mean) ** 2).sum() * len(shown) / max(len(shown) - 1, 1))
    loss = np.minimum(left ** 2, (3 * 0.05) ** 2).mean()
    return _Fit(hypothesis, values, float(loss), float(np.sqrt(np.mean(effect ** 2))),
                float(mean / max(error, 1e-6)), float(np.sqrt(np.median((left * sizes) ** 2) / 0.455)))
