"""The faults that are injected into a playing stereo pair, and the diagnostics line that has to name each."""
from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

from hand_recon_ros.nodes.fault_feed import FaultFeed, Instant

# Seconds from the fault, with hands in view, to its line; what needs no hands has to be quicker.
LIMIT_S, LIMIT_WITHOUT_HANDS_S = 5.0, 2.0
DESK, WIDE = 'desk', 'wide'
Change = Callable[[FaultFeed, int], list[Instant]]


@dataclass(frozen=True)
class FaultCase:
    """name. footage: DESK or WIDE. line: regular expression of the diagnostics message that names it; '' where none is
    to come. change: what is sent in place of an instant. begin, end: what else is done. fresh: the fault is there from
    the start, before the nodes have heard of the rig. visible: False where nothing can tell, and no line is expected.
    """
    name: str
    footage: str
    line: str
    change: Change | None = None
    limit_s: float = LIMIT_S
    begin: Callable[[FaultFeed], None] = lambda _: None
    end: Callable[[FaultFeed], None] = lambda _: None
    fresh: bool = False
    identity: bool = False
    right_delay_s: float = 0.0
    visible: bool = True


def _right(make: Callable[[FaultFeed, int, Instant], dict]) -> Change:
    """The right camera alone sends something else."""
    def change(feed, number):
        instant = feed.instant(number)
        return [instant.with_right(**make(feed, number, instant))]
    return change


def _infos(left: Callable | None = None, right: Callable | None = None) -> Change:
    """camera_infos with something wrong in them. left, right: change a copy of the message."""
    def change(feed, number):
        instant = feed.instant(number)
        told = []
        for info, spoil in zip(instant.infos, (left, right)):
            info = copy.deepcopy(info)
            if spoil is not None:
                spoil(info)
            told.append(info)
        return [Instant(instant.stamps_ns, instant.jpegs, tuple(told))]
    return change


def _scaled(*, K: float = 1.0, P: float = 1.0):
    """K, and fx, fy, cx, cy of P multiplied; P[0, 3] stays."""
    def spoil(info):
        info.k[:6] *= K
        rows = info.p.reshape(3, 4)
        rows[:2, :3] *= P
    return spoil


def _negated(info) -> None:
    info.p[3] *= -1


def _larger(info) -> None:
    info.width, info.height = 2 * info.width, 2 * info.height


def _uncalibrated(info) -> None:
    info.k[:], info.p[:] = 0.0, 0.0


def _swapped(jpegs: bool, infos: bool) -> Change:
    def change(feed, number):
        instant = feed.instant(number)
        return [Instant(instant.stamps_ns, instant.jpegs[::-1] if jpegs else instant.jpegs,
                        instant.infos[::-1] if infos else instant.infos)]
    return change


def _reordered(feed, number) -> list[Instant]:
    """Every second instant comes after the one that follows it."""
    return [feed.instant(number + (1, -1)[number % 2])]


def _looped(feed, number) -> list[Instant]:
    """The recording starts over: stamps of 20 s before."""
    instant = feed.instant(number)
    return [Instant(tuple(stamp_ns - 20_000_000_000 for stamp_ns in instant.stamps_ns), instant.jpegs, instant.infos)]


def _later(feed, number, _) -> dict:
    """The right picture is of the footage's next instant."""
    return {'jpeg': feed.footage.jpegs[feed.footage.index(number * feed.step + 1)][1]}


def _turned(*degrees: float) -> Change:
    return _right(lambda feed, number, _: {'jpeg': feed.footage.turned_right(feed.index(number), degrees)})


def _with_frames_negated(feed) -> None:
    """The other camera stands on the other side, as tf says."""
    message = copy.deepcopy(feed.footage.tf)
    place = message.transforms[0].transform.translation
    place.x, place.y, place.z = -place.x, -place.y, -place.z
    feed.tell_frames(message)


def _with_frames(feed) -> None:
    feed.tell_frames(feed.footage.tf)


def _volatile_frames(feed) -> None:
    feed.offer('tf', qos=10)


def _latched_frames(feed) -> None:
    feed.offer('tf')
    feed.tell_frames(feed.footage.tf)


_CUT = _right(lambda feed, number, instant: {'jpeg': instant.jpegs[1][:len(instant.jpegs[1]) // 2]})
_SILENT = _right(lambda *_: {'jpeg': None, 'info': None})
_SKEW_40_MS = _right(lambda feed, number, instant: {'stamp_ns': instant.stamps_ns[1] + 40_000_000})
_QUICK = {'limit_s': LIMIT_WITHOUT_HANDS_S}

CASES = (
    FaultCase('camera_info missing', DESK, r'/right/camera_info: no(ne received| publisher)', fresh=True, **_QUICK,
              begin=lambda feed: feed.withdraw('right info'), end=lambda feed: feed.offer('right info')),
    FaultCase('camera silent', DESK, r'/right/image_rect/compressed: last message', _SILENT, **_QUICK),
    FaultCase('camera gone', DESK, r'/right/image_rect/compressed: no publisher', **_QUICK,
              begin=lambda feed: feed.withdraw('right image', 'right info'),
              end=lambda feed: feed.offer('right image', 'right info')),
    FaultCase('stamps 40 ms apart', DESK, r'nothing pairs, stamps differ by \d', _SKEW_40_MS, **_QUICK),
    FaultCase('images 40 ms apart', DESK, r'rig: time_skew', _right(_later)),
    FaultCase('right 40 ms later on the way', DESK, '', right_delay_s=0.04),
    FaultCase('images swapped', DESK, r'rig: swapped_images', _swapped(True, False)),
    FaultCase('camera_infos swapped', DESK, r'rig: swapped_camera_infos', _swapped(False, True), **_QUICK),
    FaultCase('all topics swapped', DESK, r'rig: swapped_(camera_infos|topics)', _swapped(True, True), **_QUICK),
    FaultCase('baseline sign', DESK, r'rig: baseline_sign', _infos(right=_negated), **_QUICK),
    FaultCase('K x 1.1, P as it was', DESK, r'rig: scaled_k', _infos(_scaled(K=1.1), _scaled(K=1.1)), **_QUICK),
    FaultCase('right K and P x 1.1', DESK, r'rig: scaled_k', _infos(None, _scaled(K=1.1, P=1.1)), **_QUICK),
    FaultCase('both K and P x 1.1, identity known', DESK, r'rig: (wrong_scale|scaled_k)',
              _infos(*[_scaled(K=1.1, P=1.1)] * 2), identity=True),
    FaultCase('both K and P x 1.1, nobody known', DESK, r'rig: (wrong_scale|scaled_k)',
              _infos(*[_scaled(K=1.1, P=1.1)] * 2), visible=False),
    FaultCase('bumped, pitch 1.5 deg', DESK, r'rig: bumped_camera', _turned(1.5, 0, 0)),
    FaultCase('bumped, roll 2 deg', DESK, r'rig: bumped_camera', _turned(0, 0, 2.0)),
    FaultCase('bumped, yaw 2 deg', DESK, r'rig: (bumped_camera|wrong_scale)', _turned(0, 2.0, 0), identity=True),
    FaultCase('frames reordered', DESK, r'stamps not in order', _reordered, **_QUICK),
    FaultCase('bag looped', DESK, r'stamps jumped back by (19\.[5-9]|20\.)', _looped, **_QUICK),
    FaultCase('publisher of another QoS', DESK, r'incompatible quality of service \(RELIABILITY\)', **_QUICK,
              begin=lambda feed: feed.offer('right image', qos=feed.best_effort),
              end=lambda feed: feed.offer('right image')),
    FaultCase('images not of camera_info\'s size', DESK, r'1280 x 960, expected', _infos(_larger, _larger), **_QUICK),
    FaultCase('right camera uncalibrated', DESK, r'/right/camera_info: .*expected', _infos(None, _uncalibrated),
              **_QUICK),
    FaultCase('right JPEGs cut', DESK, r'no whole JPEG', _CUT, **_QUICK),
    FaultCase('tf_static not latched', WIDE, r'/tf_static: nothing can be received.*\(DURABILITY\)', fresh=True,
              **_QUICK, begin=_volatile_frames, end=_latched_frames),
    FaultCase('images swapped, wide', WIDE, r'rig: swapped_images', _swapped(True, False)),
    FaultCase('baseline sign, wide', WIDE, r'rig: baseline_sign', begin=_with_frames_negated, end=_with_frames),
    FaultCase('right K x 1.1, wide', WIDE, r'rig: scaled_k', _infos(None, _scaled(K=1.1))),
    FaultCase('both K x 1.1, wide', WIDE, r'rig: (scaled_k|wrong_scale)', _infos(*[_scaled(K=1.1)] * 2)),
    FaultCase('bumped, pitch 1.5 deg, wide', WIDE, r'rig: bumped_camera', _turned(1.5, 0, 0)),
    FaultCase('images 40 ms apart, wide', WIDE, r'rig: time_skew', _right(_later)),
)


def chosen(names: str) -> list[FaultCase]:
    """Cases whose name has one of the comma-separated parts; all for an empty text. ValueError for an unknown one."""
    parts = [part.strip() for part in names.split(',') if part.strip()]
    for part in parts:
        if not any(part in case.name for case in CASES):
            raise ValueError(f'--cases: {part!r}, expected part of one of {"; ".join(case.name for case in CASES)}')
    return [case for case in CASES if not parts or any(part in case.name for part in parts)]
