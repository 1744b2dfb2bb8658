"""Calibration health of a rig, from nothing but the hands it sees: what is wrong, by name, within seconds.

Two kinds of fault show. Gross ones (cameras or signs exchanged): no pair of hands makes sense by the rig as stated, yet
most do by the rig that one named mistake would have made. Fine ones (a bumped camera, a scaled K, images of two
instants paired): signed epipolar residuals, which healthy detections scatter about zero, follow the pattern of one
cause; each cause's pattern is fitted, and the one that explains most is named once it is large and lasts from
half-second to half-second.

Not to be seen by any means here: in a rectified pair, one factor on fx, fy and P[0, 3] of both cameras changes depth
alone; on fx and fy alone it changes the size of hands too, seen only against a calibrated identity's palm. Images of
two instants show by motion across the epipolar lines alone. A pair of parallel cameras looks the same with images
swapped as with the baseline's sign wrong: camera_info tells which.
"""
from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hand_recon_ros.fusion.rig_evidence import Explanation, explained
from hand_recon_ros.fusion.rig_faults import CameraFacts, RigFault, calibration_faults, mended_rig
from hand_recon_ros.fusion.rig_hypotheses import SKEWED, Sighting, other_rigs, palm_m
from hand_recon_ros.geometry.rigs import StereoRig, plane_residual_px
from hand_recon_ros.types import HandKeypoints

NS_PER_S = 1e9
ADULT_PALM_M = 0.088
SENSIBLE_RESIDUAL, SENSIBLE_PALM = 0.15, 1.8        # as fusion.association: shares of the hand's size; a factor
# Residuals in hand sizes that healthy detections stay below; and what part of the stated rig's a better one leaves.
HEALTHY_RESIDUAL, MUCH_BETTER, EXCHANGED_LEAST = 0.06, 0.35, 0.04
GROSS_S, FINE_S = 1.5, 2.5          # seconds of hands in both views before a verdict
# The latest seconds that a verdict rests on: a mixture of before and after a bump looks like another cause.
RECENT_S = 3.0
FEW, MOST = 0.3, 0.6                # of the pairs that make sense by the stated, and by the other rig
JUDGED_EVERY_NS = 500_000_000
LONGEST_PAUSE_S = 0.3               # time between sights counts up to this as time with hands
LONGEST_STEP_S = 0.105              # neighbouring instants farther apart tell no speed
# A calibrated palm and its triangulated landmarks differ by up to 5 % on the real pair, 4 % on rendered ones.
ADULT_RANGE, IDENTITY_RANGE = 1.35, 1.08
LEAST_PALMS = 16                    # sights of a known person's palm


@dataclass(frozen=True)
class RigReport:
    """faults: most telling first, none when all is well or too little was seen. seconds: of hands in both views, in
    the window. residual_px, bias_px: median of the absolute and of the signed epipolar residual, NaN without hands.
    trend_px_per_s: how the absolute one changes over the window. palm_ratio: of the triangulated palm to the expected.
    """
    faults: tuple[RigFault, ...]
    seconds: float
    residual_px: float
    bias_px: float
    trend_px_per_s: float
    palm_ratio: float


@dataclass(frozen=True)
class _Sight:
    """One instant's pair of detections of one hand. sensible: by the stated rig. others: fault -> residual in hand
    sizes by the rig that it would have spoilt, inf where that makes no sense either. exchanged: the mean absolute
    residual with left and right intrinsics exchanged. moving: whether its speed is known.
    """
    stamp_ns: int
    size_px: float
    residual: np.ndarray
    slopes: np.ndarray
    sensible: bool
    others: dict[str, float]
    exchanged: float
    palm_ratio: float
    moving: bool


class RigHealth:
    """Fed with every instant's hands of both views, matched by nobody: it pairs them by handedness, for a rig that is
    wrong matches nothing. Not thread-safe.

    rig: as the calibration states it; None where none can be made of left and right (then these must tell why).
    left, right: the cameras' own calibration messages, where there are any. window_s: seconds of hands that count.
    period_s: one instant in so many seconds is looked at.
    """

    def __init__(self, rig: StereoRig | None, left: CameraFacts | None = None, right: CameraFacts | None = None,
                 window_s: float = 5.0, period_s: float = 0.15):
        if window_s < FINE_S:
            raise ValueError(f'window_s: {window_s}, expected at least {FINE_S}')
        if not 0 <= period_s <= 0.25:
            raise ValueError(f'period_s: {period_s}, expected 0 to 0.25')
        known = left is not None and right is not None
        self._stated = tuple(calibration_faults(left, right)) if known else ()
        self._rig = rig if rig is not None or not known else mended_rig(left, right)
        self._mended = rig is None and self._rig is not None
        if rig is None and not self._stated:
            raise ValueError('rig: None, expected one, or calibrations that tell why there is none')
        self._sign_known = known and left.rectified and right.rectified
        self._others = other_rigs(self._rig) if self._rig is not None else {}
        self._exchanged = StereoRig(self._rig.right, self._rig.left, self._rig.T_right_left) if self._rig else None
        self._look = Sighting(self._rig) if self._rig else None
        self._window_s, self._period_s = window_s, period_s
        self.restart()

    def restart(self) -> None:
        """Forget the hands seen so far; what the calibrations say stands."""
        self._sights: deque[_Sight] = deque()
        self._recent: deque[tuple[int, dict]] = deque(maxlen=3)
        self._looked_ns: int | None = None
        self._verdict: RigReport | None = None
        self._judged_ns = 0

    def add(self, stamp_ns: int, left: list[HandKeypoints], right: list[HandKeypoints],
            palm_length_m: Mapping[str, float] | None = None) -> None:
        """The hands of one instant. palm_length_m: mean length of the wrist-to-knuckle bones by handedness, of people
        whose identity is known. A stamp that goes back starts afresh."""
        if self._recent and stamp_ns <= self._recent[-1][0]:
            self.restart()
        self._recent.append((stamp_ns, _by_side(left, right)))
        if self._rig is None or len(self._recent) < 2:
            return
        # The instant before the last: its speed is known from both neighbours.
        if len(self._recent) == 3:
            (before_ns, before), (now_ns, now), (after_ns, after) = self._recent
        else:
            (now_ns, now), (after_ns, after) = self._recent
            before_ns, before = now_ns, {}
        if self._looked_ns is not None and (now_ns - self._looked_ns) / NS_PER_S < self._period_s - 1e-3:
            return
        for side, (one, other) in now.items():
            speed, span_s = np.zeros((21, 2)), (after_ns - before_ns) / NS_PER_S
            moving = side in before and side in after and span_s <= 2 * LONGEST_STEP_S
            if moving:
                speed = (after[side][1].points_px - before[side][1].points_px).astype(np.float64) / span_s
            self._sights.append(self._sight(now_ns, one, other, speed, moving, (palm_length_m or {}).get(side)))
            self._looked_ns = now_ns
        self._shorten()

    def report(self) -> RigReport:
        """What is known now, as of half a second ago at most."""
        if self._verdict is None or (self._looked_ns or 0) - self._judged_ns >= JUDGED_EVERY_NS:
            self._verdict, self._judged_ns = self._judged(), self._looked_ns or 0
        return self._verdict

    def _shorten(self) -> None:
        """Keeps the sights of the last window_s seconds in which there were any."""
        while self._sights and self._seconds() > self._window_s:
            self._sights.popleft()

    def _seconds(self) -> float:
        stamps = sorted({sight.stamp_ns for sight in self._sights})
        steps = np.diff(stamps) / NS_PER_S
        return float(np.minimum(steps, LONGEST_PAUSE_S).sum())

    def _sight(self, stamp_ns, left, right, speed, moving, identity_palm_m) -> _Sight:
        seen = self._look(left.points_px.astype(np.float64), right.points_px.astype(np.float64), speed)
        size = max(min(left.box_size_px, right.box_size_px), 1.0)
        expected = identity_palm_m or ADULT_PALM_M
        finite = np.isfinite(seen.residual) & np.isfinite(seen.slopes).all(-1)
        sensible, palm = _sensible(self._rig, seen.left, seen.right, size, expected)
        others = {}
        for name, (other, exchange) in self._others.items():
            planes = (seen.right_by_left, seen.left_by_right) if exchange else (seen.left, seen.right)
            others[name], _ = _sensible(other, *planes, size, expected)
        exchanged = np.abs(plane_residual_px(self._exchanged, seen.left_by_right, seen.right_by_left)).mean() / size
        return _Sight(stamp_ns, size, np.where(finite, seen.residual, 0.0), np.where(finite[:, None], seen.slopes, 0.0),
                      bool(np.isfinite(sensible)), others, float(exchanged),
                      palm / expected * (1 if identity_palm_m else -1), moving)

    def _judged(self) -> RigReport:
        sights, seconds = list(self._sights), self._seconds()
        nan = float('nan')
        if not sights:
            return RigReport(self._stated, 0.0, nan, nan, nan, nan)
        medians = np.array([np.median(np.abs(sight.residual)) for sight in sights])
        bias = float(np.median([np.median(sight.residual) for sight in sights]))
        times = np.array([sight.stamp_ns - sights[0].stamp_ns for sight in sights]) / NS_PER_S
        trend = float(np.polyfit(times, medians, 1)[0]) if times[-1] > 1.0 else nan
        ratios = np.array([sight.palm_ratio for sight in sights])
        ratio = float(np.nanmedian(np.abs(ratios))) if np.isfinite(ratios).any() else nan
        faults = []
        if seconds >= GROSS_S:
            faults = self._gross(_latest(sights, RECENT_S))
        if not faults and not self._stated and seconds >= FINE_S:
            faults = self._fine(sights) or self._size(sights)
        return RigReport(tuple(self._refined(faults, sights, seconds)), seconds, float(np.median(medians)), bias, trend,
                         ratio)

    def _refined(self, faults: list[RigFault], sights, seconds) -> list[RigFault]:
        """The calibrations' own faults, said more exactly by what was seen."""
        if not self._mended or seconds < GROSS_S:
            return [*self._stated, *(fault for fault in faults if fault.name not in {f.name for f in self._stated})]
        if any(fault.name == 'swapped_images' for fault in faults):
            return [RigFault('swapped_topics', f'{self._stated[0].text}; the hands make sense only with the images '
                                               f'exchanged '
                             'as well: all topics of left and right are swapped')]
        return list(self._stated)

    def _gross(self, sights) -> list[RigFault]:
        share = float(np.mean([sight.sensible for sight in sights]))
        given = float(np.median([np.abs(sight.residual).mean() / sight.size_px for sight in sights]))
        makes_sense = {name: float(np.mean([np.isfinite(sight.others[name]) for sight in sights]))
                       for name in self._others}
        typical = {name: float(np.median([sight.others[name] for sight in sights])) for name in self._others}
        able = [name for name in self._others if makes_sense[name] > MOST and typical[name] < HEALTHY_RESIDUAL
                and (share < FEW or typical[name] < MUCH_BETTER * given)]
        if not able:
            return []
        best = min(able, key=typical.get)
        # Parallel cameras cannot tell these apart, and a topic is swapped more easily than a sign.
        alike = [name for name in able if typical[name] < 1.2 * typical[best] + 0.002]
        seen = f'{100 * (1 - share):.0f} % of {len(sights)} pairs of hands make no sense by the rig (behind cameras, ' \
               f'off the epipolar lines or of no hand\'s size; residual {100 * given:.0f} % of the hand)'
        if 'swapped_images' in alike:
            unsure = '' if self._sign_known or len(alike) == 1 else \
                ' (or the baseline has the wrong sign: parallel cameras look the same then)'
            return [RigFault('swapped_images', f'{seen}, {100 * makes_sense["swapped_images"]:.0f} % do with the '
                                               f'images of '
                             f'left and right exchanged: they are swapped{unsure}')]
        what = 'the baseline\'s sign turned: it is wrong' if best == 'baseline_sign' else \
            'T_right_left inverted: it maps from right to left'
        return [RigFault('baseline_sign', f'{seen}, {100 * makes_sense[best]:.0f} % do with {what}')]

    def _fine(self, sights) -> list[RigFault]:
        angle = np.arccos(np.clip((np.trace(self._rig.T_right_left[:3, :3]) - 1) / 2, -1, 1))
        # All of them only where the latest do not tell: what shows little, as a skew of slow hands, needs them.
        explanation = next(filter(None, (_explanation(some, float(angle))
                                         for some in (_latest(sights, RECENT_S), sights))), None)
        size = float(np.median([sight.size_px for sight in sights]))
        if explanation is None:
            senseless = float(np.mean([not sight.sensible for sight in sights]))
            if senseless > 1 - FEW:
                return [RigFault('unexplained', f'{100 * senseless:.0f} % of {len(sights)} pairs of hands make no '
                                 'sense by the rig, and no single fault explains it: it is not of these cameras')]
            return []
        return [self._named(explanation, sights, size)]

    def _named(self, e: Explanation, sights, size: float) -> RigFault:
        bias = (f'epipolar residual of {e.before_px:.1f} px rms ({100 * e.before_px / size:.1f} % of the hand) falls '
                f'to {e.after_px:.1f} px with')
        given = float(np.median([np.abs(sight.residual).mean() / sight.size_px for sight in sights]))
        exchanged = float(np.median([sight.exchanged for sight in sights]))
        if given > EXCHANGED_LEAST and exchanged * size < 0.85 * e.after_px and exchanged < 0.6 * given:
            return RigFault('swapped_camera_infos', f'epipolar residual of {given * size:.1f} px falls to '
                            f'{exchanged * size:.1f} px with the intrinsics of left and right exchanged: they are '
                            f'swapped')
        if e.name == SKEWED:
            later, earlier = ('right', 'left') if e.values[0] > 0 else ('left', 'right')
            return RigFault('time_skew', f'{bias} the {later} images taken {1000 * abs(e.values[0]):.0f} ms after the '
                            f'{earlier} ones of the same stamp')
        if e.name == 'right camera turned':
            pitch, yaw, roll = np.degrees(e.values)
            offset = np.median([np.median(sight.residual) for sight in sights])
            return RigFault('bumped_camera', f'{bias} the right camera turned against the left by {pitch:.2f} deg '
                                             f'about x, '
                            f'{yaw:.2f} about y, {roll:.2f} about z (offset {offset:+.1f} px): a camera was bumped')
        factor = 1 / max(1 + e.values[0], 0.1)
        only = '' if 'both' in e.name else ' alone (or the other camera\'s multiplied by it)'
        return RigFault('scaled_k', f'{bias} {e.name} divided by {factor:.3f}{only}: K is scaled')

    def _size(self, sights) -> list[RigFault]:
        known = np.array([sight.palm_ratio for sight in _latest(sights, RECENT_S)
                          if sight.sensible and sight.palm_ratio > 0])
        if len(known) >= LEAST_PALMS and _beyond(known, IDENTITY_RANGE):
            return [_wrong_scale(known, 'the identity\'s')]
        adults = np.array([-sight.palm_ratio for sight in sights if sight.sensible and sight.palm_ratio < 0])
        if len(adults) >= 10 and _beyond(adults, ADULT_RANGE):
            return [_wrong_scale(adults, 'an adult\'s')]
        return []


def _beyond(ratios: np.ndarray, limit: float) -> bool:
    """Whether both halves of the time say so: a hand seen at an odd angle does for a moment."""
    medians = np.array([np.median(half) for half in np.array_split(ratios, 2)])
    return bool((medians > limit).all() or (medians < 1 / limit).all())


def _wrong_scale(ratios: np.ndarray, whose: str) -> RigFault:
    return RigFault('wrong_scale', f'hands come out {np.median(ratios):.3f} times {whose} size ({len(ratios)} sights): '
                    'the baseline or fx and fy of both cameras are wrong by about that factor')


def _explanation(sights: list[_Sight], angle_rad: float) -> Explanation | None:
    """By those sights whose speed is known; where these are few, as at a low rate, by all, and none is a skew."""
    moving = [sight for sight in sights if sight.moving]
    skew = len(moving) > len(sights) / 2
    return explained([(sight.stamp_ns, sight.size_px, sight.residual, sight.slopes)
                      for sight in (moving if skew else sights)], angle_rad, skew)


def _latest(sights: list[_Sight], seconds: float) -> list[_Sight]:
    """Those of the last so many seconds in which there were any."""
    left_s, following_ns = seconds, sights[-1].stamp_ns
    for index in range(len(sights) - 1, -1, -1):
        left_s -= min((following_ns - sights[index].stamp_ns) / NS_PER_S, LONGEST_PAUSE_S)
        if left_s < 0:
            return sights[index + 1:]
        following_ns = sights[index].stamp_ns
    return sights


def _by_side(left: list[HandKeypoints], right: list[HandKeypoints]) -> dict[str, tuple[HandKeypoints, HandKeypoints]]:
    """Pairs of the hands of whose side each view shows exactly one."""
    sides = {}
    for side in ('left', 'right'):
        found = [[hand for hand in hands if hand.handedness == side] for hands in (left, right)]
        if len(found[0]) == len(found[1]) == 1:
            sides[side] = (found[0][0], found[1][0])
    return sides


def _sensible(rig: StereoRig, left, right, size: float, expected_m: float) -> tuple[float, float]:
    """Mean absolute residual in hand sizes, inf where the two cannot be one hand; and the palm, metres."""
    palm, ahead = palm_m(rig, left, right)
    away = float(np.abs(plane_residual_px(rig, left, right)).mean()) / size
    fits = ahead and away <= SENSIBLE_RESIDUAL and 1 / SENSIBLE_PALM <= palm / expected_m <= SENSIBLE_PALM
    return (away if fits else np.inf), palm
