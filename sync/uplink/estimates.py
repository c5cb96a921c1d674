"""What waits and how long it will take, for the note on the link: sizes are counted, rates were measured."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

from edge.clock import Clock
from edge.spool.names import SpoolName
from sync.uplink.order import URGENT_PRIORITY
from sync.uplink.traffic import Traffic

LOOK_S: Final = 1.0
_ROUND_TRIP_S: Final = 1.0
"""Until a receipt has shown better."""


def estimate(
    files: Iterable[tuple[SpoolName, int]], traffic: Traffic, receipt_s: float, profile: str
) -> dict[str, Any]:
    """The fields of the note.

    ::

        urgent, backlog   [bytes without a receipt, seconds until they have one]
        held              bytes that the day's bytes do not allow today
        rate              bytes a second, measured or the profile's guess
        profile, day      its name; [bytes spent today, bytes allowed, 0 without bound]

    Seconds of the backlog are those of what is urgent and of the backlog together: it goes behind. Numbers
    have two significant digits: they are told when they change.
    """
    sizes = {"urgent": 0, "backlog": 0, "held": 0}
    for name, size in files:
        urgent = name.priority <= URGENT_PRIORITY
        sizes["urgent" if urgent else "backlog" if traffic.may(name) else "held"] += size
    rate, way_s = traffic.expected_rate, receipt_s or _ROUND_TRIP_S

    def with_seconds(word: str, behind: int) -> list[int]:
        size = sizes[word]
        return [_rounded(size), _rounded(math.ceil(way_s + (behind + size) / rate)) if size else 0]

    return {
        "urgent": with_seconds("urgent", 0),
        "backlog": with_seconds("backlog", sizes["urgent"]),
        "held": _rounded(sizes["held"]),
        "rate": _rounded(int(rate)),
        "profile": profile,
        "day": [_rounded(traffic.spent), traffic.allowed],
    }


def _rounded(number: int) -> int:
    """Two significant digits."""
    if number < 100:
        return number
    step = int(10 ** (len(str(number)) - 2))
    return (number + step // 2) // step * step


class Estimates:
    """Looks at what waits once a second: there may be thousands of files.

    Attributes:
        receipt_s: how long receipts take, 0 until one has come.
    """

    def __init__(self, traffic: Traffic, profile: str, clock: Clock) -> None:
        self._traffic = traffic
        self._profile = profile
        self._clock = clock
        self._at_s = float("-inf")
        self._said: dict[str, Any] = {}
        self.receipt_s = 0.0

    def look(self, files: Callable[[], Iterable[tuple[SpoolName, int]]]) -> dict[str, Any]:
        """The fields of the note, a second old at most."""
        now_s = self._clock.monotonic_s()
        if now_s - self._at_s >= LOOK_S:
            self._at_s = now_s
            self._said = estimate(files(), self._traffic, self.receipt_s, self._profile)
        return self._said
