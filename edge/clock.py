"""Time as the box knows it: wall time with its quality, monotonic time, and the boot both belong to.

Order comes from sequence numbers and never from here; see the design's rules on time.
"""

import dataclasses
import time
from enum import IntEnum
from pathlib import Path
from typing import Final, Protocol

_BOOT_ID_FILE: Final = Path("/proc/sys/kernel/random/boot_id")
BOOT_ID_BYTES: Final = 8


class ClockQuality(IntEnum):
    """Where the wall time came from; the numbers travel in journal entries."""

    NONE = 0
    OPERATOR = 1
    RTC = 2
    NTP = 3
    GNSS = 4
    CENTRE = 5


TRUSTED_CLOCKS: Final = frozenset({"ntp", "gnss", "centre"})
"""Clocks that somebody keeps right, by their word; of a time by any other it is said which it was."""


@dataclasses.dataclass(frozen=True, slots=True)
class Moment:
    """One instant on one box.

    Attributes:
        wall_ms: milliseconds since 1970-01-01 UTC, as good as ``quality`` says.
        boot: which boot the monotonic time counts from, 8 bytes.
        monotonic_ms: milliseconds on a clock that never jumps within a boot.
        quality: where the wall time came from.
    """

    wall_ms: int
    boot: bytes
    monotonic_ms: int
    quality: ClockQuality


class Clock(Protocol):
    """What everything that needs time is given."""

    def now(self) -> Moment: ...

    def monotonic_s(self) -> float:
        """Seconds for measuring waits; never scaled, never stored."""
        ...


class SystemClock:
    """The machine's own clocks.

    Args:
        quality: how far the wall time is trusted until something better is known.
        scale: how many seconds of wall time pass in a second; other than 1 only where a rehearsal
            plays a morning in a minute.
    """

    def __init__(self, quality: ClockQuality = ClockQuality.NONE, *, scale: float = 1.0) -> None:
        self._quality = quality
        self._scale = scale
        self._boot = bytes.fromhex(_BOOT_ID_FILE.read_text().strip().replace("-", ""))[:BOOT_ID_BYTES]
        self._wall_0_ns = time.time_ns()
        self._monotonic_0_ns = time.monotonic_ns()

    def now(self) -> Moment:
        monotonic_ns = time.monotonic_ns()
        if self._scale == 1.0:
            wall_ns = time.time_ns()
        else:
            wall_ns = self._wall_0_ns + int((monotonic_ns - self._monotonic_0_ns) * self._scale)
        return Moment(wall_ns // 1_000_000, self._boot, monotonic_ns // 1_000_000, self._quality)

    def monotonic_s(self) -> float:
        return time.monotonic()
