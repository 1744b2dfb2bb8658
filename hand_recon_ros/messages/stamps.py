"""Nanoseconds <-> builtin_interfaces/Time, and headers that carry the image's own stamp."""
from __future__ import annotations

from builtin_interfaces.msg import Time
from std_msgs.msg import Header

NS_PER_S = 1_000_000_000
_MAX_SECONDS = 2 ** 31 - 1


def to_time(stamp_ns: int) -> Time:
    """Time of `stamp_ns` nanoseconds; ValueError when the message's int32 seconds cannot hold it."""
    seconds, nanoseconds = divmod(int(stamp_ns), NS_PER_S)
    if not 0 <= seconds <= _MAX_SECONDS:
        raise ValueError(f'stamp_ns: {stamp_ns}, expected 0 to {_MAX_SECONDS} seconds')
    return Time(sec=seconds, nanosec=nanoseconds)


def to_ns(time: Time) -> int:
    """Nanoseconds of a Time."""
    return time.sec * NS_PER_S + time.nanosec


def to_header(stamp_ns: int, frame_id: str) -> Header:
    """Header with the image's stamp and optical frame."""
    return Header(stamp=to_time(stamp_ns), frame_id=str(frame_id))
