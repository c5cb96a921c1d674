"""Where the unit stands, for what is written while it stands there. Pure."""

import math
from typing import Final

from edge.vitals.place import Place, Position

FRESH_FOR_S: Final = 60.0
"""A van that has lost its satellites under a roof is still there for so long."""
STANDS_WITHIN_M: Final = 100.0
"""Fixes so near each other are one place: a parked van's wander by metres, and each would cost bytes."""
_M_PER_DEGREE: Final = 111_320.0


class Whereabouts:
    """Follows a receiver."""

    def __init__(self) -> None:
        self._noted: tuple[int, int] | None = None
        self._heard_s = -math.inf

    def hear(self, place: Place, now_s: float) -> None:
        """Take what a receiver says; that it has no position says nothing of where it is."""
        if not isinstance(place.position, Position):
            return
        self._heard_s = now_s
        if self._noted is None or _metres(self._noted, place.position.e7) > STANDS_WITHIN_M:
            self._noted = place.position.e7

    def now(self, now_s: float) -> tuple[int, int] | None:
        """Latitude and longitude in 1e-7 degrees, or None when they are not known now."""
        return self._noted if now_s - self._heard_s <= FRESH_FOR_S else None


def _metres(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Between two places not far from each other, as on a plane."""
    north = (other[0] - one[0]) / 1e7
    east = (other[1] - one[1]) / 1e7 * math.cos(math.radians(one[0] / 1e7))
    return math.hypot(north, east) * _M_PER_DEGREE
