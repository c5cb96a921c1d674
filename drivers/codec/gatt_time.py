"""Wall clocks of Bluetooth devices: the seven bytes of a date and time, and Current Time (0x2A2B).

Seven bytes, little endian, no time zone; it is the device's own wall clock::

    0  2  year, 1582 to 9999    2  1  month    3  1  day      0 in any of these: not known
    4  1  hour               5  1  minute   6  1  second

Source: Bluetooth GATT Specification Supplement, Date Time (0x2A08), Current Time (0x2A2B).
"""

import dataclasses
import datetime
from enum import IntFlag
from typing import Final

DATE_TIME_BYTES: Final = 7
CURRENT_TIME_BYTES: Final = 10
FIRST_PLAUSIBLE_YEAR: Final = 2020
"""Devices begin at a fixed date after power loss, none of them later than 2019."""
AHEAD_AT_MOST: Final = datetime.timedelta(minutes=5)


@dataclasses.dataclass(frozen=True, slots=True)
class DateTime:
    """What a device's clock said, whatever that is; zero in year, month or day means not known."""

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int

    @classmethod
    def of(cls, at: datetime.datetime) -> "DateTime":
        return cls(at.year, at.month, at.day, at.hour, at.minute, at.second)

    @property
    def is_known(self) -> bool:
        """Whether the device claims to know the day."""
        return bool(self.year and self.month and self.day)

    def as_wall(self) -> datetime.datetime | None:
        """The moment it names, without zone, or None when there is no such moment."""
        try:
            return datetime.datetime(  # noqa: DTZ001  the device names no zone
                self.year, self.month, self.day, self.hour, self.minute, self.second
            )
        except ValueError:
            return None

    def plausible(self, host: datetime.datetime | None) -> datetime.datetime | None:
        """The moment it names if it can be believed.

        Args:
            host: local wall time without zone of a host whose clock is synchronised, or None.
        """
        wall = self.as_wall()
        if wall is None or wall.year < FIRST_PLAUSIBLE_YEAR:
            return None
        if host is not None and wall > host + AHEAD_AT_MOST:
            return None
        return wall


def decode_date_time(raw: bytes) -> DateTime:
    """Read seven bytes; any values are accepted, for they are evidence.

    Raises:
        ValueError: not seven bytes.
    """
    if len(raw) != DATE_TIME_BYTES:
        raise ValueError("a date and time has seven bytes")
    return DateTime(int.from_bytes(raw[:2], "little"), *raw[2:])


def encode_date_time(sent: DateTime) -> bytes:
    """Write seven bytes."""
    rest = (sent.month, sent.day, sent.hour, sent.minute, sent.second)
    return sent.year.to_bytes(2, "little") + bytes(rest)


class Adjusted(IntFlag):
    """Why a clock was set."""

    MANUALLY = 1
    FROM_REFERENCE = 2
    TIME_ZONE = 4
    SUMMER_TIME = 8


@dataclasses.dataclass(frozen=True, slots=True)
class CurrentTime:
    """A value of Current Time.

    Attributes:
        weekday: 1 Monday to 7 Sunday, 0 not known.
        fraction_256: 1/256 of a second.
        adjusted: why it was set last; bits that have no name are kept.
    """

    at: DateTime
    weekday: int = 0
    fraction_256: int = 0
    adjusted: int = 0

    @classmethod
    def of(cls, at: datetime.datetime, adjusted: Adjusted) -> "CurrentTime":
        return cls(DateTime.of(at), at.isoweekday(), at.microsecond * 256 // 1_000_000, int(adjusted))


def decode_current_time(raw: bytes) -> CurrentTime:
    """Read Current Time: date and time, weekday, fraction, reason; more bytes than ten are passed over.

    Raises:
        ValueError: fewer than ten bytes.
    """
    if len(raw) < CURRENT_TIME_BYTES:
        raise ValueError("a current time has ten bytes")
    return CurrentTime(decode_date_time(raw[:DATE_TIME_BYTES]), *raw[DATE_TIME_BYTES:CURRENT_TIME_BYTES])


def encode_current_time(sent: CurrentTime) -> bytes:
    """Write ten bytes."""
    return encode_date_time(sent.at) + bytes((sent.weekday, sent.fraction_256, sent.adjusted))
