"""Where the unit stands and what time it is, as a satellite receiver says it. Pure."""

import dataclasses
import datetime
import math
from typing import Final

from edge.clock import ClockQuality, Moment
from edge.ports.caller import Json
from edge.vitals.place import NoPosition, Place, Position

FRESH_FOR_S: Final = 60.0
"""A van that has lost its satellites under a roof is still there for so long."""
STANDS_WITHIN_M: Final = 100.0
"""Fixes so near each other are one place: a parked van's wander by metres, and each would cost bytes."""
_M_PER_DEGREE: Final = 111_320.0
OFF_BY_MS: Final = 2000
"""A receiver's word comes up to a second late; what differs more from what is noted is noted again."""


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


class BetterClock:
    """Compares the box's wall time with a receiver's, where the receiver's is worth more.

    The box's own clock stays as it is: what was written keeps its time, and readers apply the offset. One
    that agrees with the receiver's is as good as that, for as long as the boot lasts or the receiver says
    otherwise.
    """

    def __init__(self) -> None:
        self._noted: tuple[bytes, int] | None = None
        self._heard: tuple[bytes, int] | None = None

    def hear(self, utc: datetime.datetime | None, now: Moment) -> None:
        """Take what a receiver says; ``now`` is the box's own moment."""
        if utc is not None and now.quality < ClockQuality.GNSS:
            self._heard = now.boot, round(utc.timestamp() * 1000) - now.wall_ms

    def off_ms(self, boot: bytes) -> int | None:
        """What is to be added to the wall times of this boot, as was heard last; None without a word."""
        return None if self._heard is None or self._heard[0] != boot else self._heard[1]

    def judged(self, now: Moment) -> Moment:
        """The box's moment, with the quality that a receiver vouches for."""
        off_ms = self.off_ms(now.boot)
        if off_ms is None or abs(off_ms) > OFF_BY_MS or now.quality >= ClockQuality.GNSS:
            return now
        return dataclasses.replace(now, quality=ClockQuality.GNSS)

    def offset_ms(self, utc: datetime.datetime | None, now: Moment) -> int | None:
        """By how much to correct this boot's wall times, when that has to be noted; else None."""
        if utc is None or now.quality >= ClockQuality.GNSS:
            return None
        offset_ms = round(utc.timestamp() * 1000) - now.wall_ms
        if self._noted is None or self._noted[0] != now.boot:
            return offset_ms
        return offset_ms if abs(offset_ms - self._noted[1]) > OFF_BY_MS else None

    def noted(self, offset_ms: int, now: Moment) -> None:
        """It is durably written."""
        self._noted = now.boot, offset_ms


def _metres(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Between two places not far from each other, as on a plane."""
    north = (other[0] - one[0]) / 1e7
    east = (other[1] - one[1]) / 1e7 * math.cos(math.radians(one[0] / 1e7))
    return math.hypot(north, east) * _M_PER_DEGREE


def told(device: str, place: Place) -> dict[str, Json]:
    """What a receiver says, as exactly as it says it."""
    at, hdop, where = place.utc, place.hdop, place.position
    said: dict[str, Json] = {
        "device": device,
        "at": None if at is None else at.isoformat(),
        "steady": place.steady_utc is not None,
        "satellites": place.satellites,
        "hdop": None if hdop is None else format(hdop, "f"),
    }
    if isinstance(where, NoPosition):
        return said | {"missing": where.value}
    altitude_m = None if where.altitude_m is None else format(where.altitude_m, "f")
    exact = {"latitude": format(where.latitude, "f"), "longitude": format(where.longitude, "f")}
    return said | exact | {"altitude_m": altitude_m}
