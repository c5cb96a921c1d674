"""Where the unit stands, as a satellite receiver says it. No vital sign: it belongs to the unit."""

import dataclasses
import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

STEADY_AFTER_S: Final = 3
"""A receiver's time is believed when so many consecutive seconds of it have been valid."""


class NoPosition(StrEnum):
    """Why a receiver that listens has no position now."""

    NO_FIX = "no-fix"
    """It sees too few satellites."""
    IMPRECISE = "imprecise"
    """It has one, and the satellites stand too badly to believe it."""
    NOT_MEASURED = "not-measured"
    """It has one that it did not measure: estimated from the last, typed in, or simulated."""
    INVALID = "invalid"
    """What it sent is no place on Earth."""


@dataclasses.dataclass(frozen=True, slots=True)
class Position:
    """A point on WGS 84.

    Attributes:
        latitude: degrees, north positive.
        longitude: degrees, east positive.
        altitude_m: metres above mean sea level, or None when this message does not say.
    """

    latitude: Decimal
    longitude: Decimal
    altitude_m: Decimal | None = None

    @property
    def e7(self) -> tuple[int, int]:
        """Latitude and longitude in 1e-7 degrees, as entries hold them."""
        return round(self.latitude.scaleb(7)), round(self.longitude.scaleb(7))


Located: TypeAlias = Position | NoPosition


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What a receiver said at one moment.

    Attributes:
        position: or why there is none; nothing is carried over from an earlier moment.
        utc: the receiver's time in UTC, when it calls it valid.
        valid_s: how many consecutive seconds, this one included, had a valid time that went on by seconds;
            0 when this one has none.
        satellites: how many it uses, or None when this message does not say.
        hdop: horizontal dilution of precision, or None when this message does not say.
        raw: the message as it came.
    """

    position: Located
    utc: datetime.datetime | None = None
    valid_s: int = 0
    satellites: int | None = None
    hdop: Decimal | None = None
    raw: bytes = b""

    @property
    def steady_utc(self) -> datetime.datetime | None:
        """The time, once it has been valid for long enough to set a clock by."""
        return self.utc if self.valid_s >= STEADY_AFTER_S else None
