"""Sentences of satellite receivers, NMEA 0183. No port, no clock: bytes in, meaning out.

::

    $ttfff,field,field,…*HH CR LF

``tt`` names the talker (GP, GN, GL, GA, …), ``fff`` the sentence; HH is the XOR of the bytes between ``$``
and ``*`` in hexadecimal. Without it a sentence is not believed. Fields of the two sentences that are read::

    RMC   0 time hhmmss.ss   1 status A or V   2-3 latitude ddmm.mmmm, N or S
          4-5 longitude dddmm.mmmm, E or W   6 knots   7 course   8 date ddmmyy
          9-10 magnetic variation   11 mode (NMEA 2.3 and later)
    GGA   0 time   1-2 latitude   3-4 longitude   5 quality   6 satellites   7 HDOP   8-9 altitude, M

Modes and qualities that are no measurement (estimated, typed in, simulated) give no position.

Sources: NMEA 0183 as in u-blox "u-blox 8 / M8 Receiver description", sections "RMC" and "GGA", and in
Eric S. Raymond, "NMEA Revealed" (gpsd).
"""

import dataclasses
import datetime
import re
from decimal import Decimal
from typing import Final

from drivers.codec.framing import BAD_CHECKSUM, MORE, NOT_A_FRAME, TOO_SHORT, Frame, Look, Outcome
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.place import Located, NoPosition, Position

LONGEST: Final = 120
"""The standard says 82; receivers that send more digits exceed it. Nothing longer is waited for."""
BAD_FIELD: Final = "bad-field"
"""A sentence whose sum fits and whose fields do not."""
FIRST_YEAR: Final = 2020
"""An earlier date comes of a counter of weeks that has run over, every 19.6 years."""
_LINE_ENDS: Final = b"\r\n"
_TIME: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6}))?")
_DATE: Final = re.compile(r"(\d\d)(\d\d)(\d\d)")
_COORDINATE: Final = re.compile(r"(\d{2,3})(\d\d(?:\.\d{1,8})?)")
_NUMBER: Final = re.compile(r"-?(?:\d{1,7}(?:\.\d{0,6})?|\.\d{1,6})")
_COUNT: Final = re.compile(r"\d{1,3}")
_HEXADECIMAL: Final = b"0123456789ABCDEFabcdef"
_PLACES: Final = Decimal("1e-7")
"""About a centimetre, and what entries hold."""
_MEASURED_MODES: Final = frozenset("ADFRP")
"""Autonomous, differential, float and fixed real-time kinematic, precise; not E, M, S (and N is no fix)."""
_MEASURED_QUALITIES: Final = frozenset("123459")
"""6 is estimated, 7 typed in, 8 simulated."""


# ── Framing ──────────────────────────────────────────────────────────────────────────────────────


class Nmea:
    """The grammar: sentences, and the ends of lines, which are frames that say nothing."""

    def look(self, stream: bytes, at: int) -> Look:
        first = stream[at]
        if first in _LINE_ENDS:
            return _LINE_END
        if first != ord("$"):
            return _STRAY
        for place in range(at + 1, min(len(stream), at + LONGEST)):
            byte = stream[place]
            if byte == ord("*"):
                return _look_at_sum(stream, at, place)
            if byte == ord("$") or not 0x20 <= byte <= 0x7E:
                return Look(Outcome.GARBAGE, place - at, TOO_SHORT)
        return MORE if len(stream) - at < LONGEST else _STRAY


_LINE_END: Final = Look(Outcome.FRAME, 1)
_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)


def _look_at_sum(stream: bytes, at: int, star: int) -> Look:
    digits = stream[star + 1 : star + 3]
    for place, digit in enumerate(digits):
        if digit not in _HEXADECIMAL:
            return Look(Outcome.GARBAGE, star + 1 + place - at, TOO_SHORT)
    if len(digits) < 2:
        return MORE
    length = star + 3 - at
    if checksum(stream[at + 1 : star]) == int(digits, 16):
        return Look(Outcome.FRAME, length)
    return Look(Outcome.GARBAGE, length, BAD_CHECKSUM)


def checksum(between: bytes) -> int:
    """The XOR of the bytes between ``$`` and ``*``."""
    found = 0
    for byte in between:
        found ^= byte
    return found


def is_sentence(raw: bytes) -> bool:
    """Whether a frame is more than the end of a line."""
    return raw[:1] == b"$"


def sentence(body: str) -> bytes:
    """A whole line with its sum, for simulators."""
    between = body.encode("ascii")
    return b"$%s*%02X\r\n" % (between, checksum(between))


# ── Meaning ──────────────────────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Rmc:
    """Recommended minimum: position and time.

    Attributes:
        time: of day in UTC, as sent, whatever the status; None when the field is empty.
        utc: date and time, only with status A and a date that can be.
    """

    time: datetime.time | None
    position: Located
    utc: datetime.datetime | None


@dataclasses.dataclass(frozen=True, slots=True)
class Gga:
    """Fix data: position and how good it is.

    Attributes:
        hdop: horizontal dilution of precision, or None when it is not said.
    """

    time: datetime.time | None
    position: Located
    satellites: int | None
    hdop: Decimal | None


def decode(frame: Frame) -> Rmc | Gga | None:
    """What a sentence says, or None of one that is not read here.

    Raises:
        DeviceMisbehaved: a field does not have the form that its sentence gives it (``bad-field``).
    """
    raw = frame.raw
    if not is_sentence(raw):
        return None
    name, *fields = raw[1:-3].decode("ascii").split(",")
    try:
        if name[-3:] == "RMC" and len(name) == 5:
            return _rmc(fields)
        if name[-3:] == "GGA" and len(name) == 5:
            return _gga(fields)
    except (ValueError, IndexError):
        raise DeviceMisbehaved("A sentence with a field of another form.", raw=raw, code=BAD_FIELD) from None
    return None


def _rmc(fields: list[str]) -> Rmc:
    time, status, latitude, north, longitude, east = fields[:6]
    date = fields[8]
    mode = fields[11] if len(fields) > 11 else ""
    if status not in {"A", "V"} or (len(mode) > 1):
        raise ValueError("status")
    said_time = _time(time)
    if status == "V" or mode == "N":
        return Rmc(said_time, NoPosition.NO_FIX, None)
    if mode and mode not in _MEASURED_MODES:
        return Rmc(said_time, NoPosition.NOT_MEASURED, None)
    day = _date(date)
    utc = None if day is None or said_time is None else datetime.datetime.combine(day, said_time)
    return Rmc(said_time, _position(latitude, north, longitude, east, None), utc)


def _gga(fields: list[str]) -> Gga:
    time, latitude, north, longitude, east, quality, satellites, dilution, altitude, metres = fields[:10]
    if quality not in {*"012345678", "9", ""}:
        raise ValueError("quality")
    counted = _count(satellites)
    hdop = _number(dilution)
    if hdop is not None and hdop < 0:
        raise ValueError("dilution")
    said_time = _time(time)
    if quality in {"0", ""}:
        return Gga(said_time, NoPosition.NO_FIX, counted, hdop)
    if quality not in _MEASURED_QUALITIES:
        return Gga(said_time, NoPosition.NOT_MEASURED, counted, hdop)
    height = _number(altitude) if metres in {"M", ""} else None
    return Gga(said_time, _position(latitude, north, longitude, east, height), counted, hdop)


def _time(field: str) -> datetime.time | None:
    if not field:
        return None
    parts = _TIME.fullmatch(field)
    if parts is None:
        raise ValueError("time")
    hour, minute, second = (int(part) for part in parts.groups()[:3])
    if second == 60:
        return None  # a leap second, which nothing here can name
    return datetime.time(hour, minute, second, int((parts[4] or "0").ljust(6, "0")), tzinfo=datetime.UTC)


def _date(field: str) -> datetime.date | None:
    if not field:
        return None
    parts = _DATE.fullmatch(field)
    if parts is None:
        raise ValueError("date")
    day, month, year = (int(part) for part in parts.groups())
    date = datetime.date(2000 + year, month, day)
    return date if date.year >= FIRST_YEAR and year < 80 else None


def _number(field: str) -> Decimal | None:
    if not field:
        return None
    if _NUMBER.fullmatch(field) is None:
        raise ValueError("number")
    return Decimal(field)


def _count(field: str) -> int | None:
    if not field:
        return None
    if _COUNT.fullmatch(field) is None:
        raise ValueError("count")
    return int(field)


def _position(latitude: str, north: str, longitude: str, east: str, altitude_m: Decimal | None) -> Located:
    if not latitude and not longitude:
        return NoPosition.NO_FIX
    return Position(
        _degrees(latitude, 2, 90) * _sign(north, "N", "S") + 0,  # no minus zero
        _degrees(longitude, 3, 180) * _sign(east, "E", "W") + 0,
        altitude_m,
    )


def _sign(field: str, positive: str, negative: str) -> int:
    if field not in {positive, negative}:
        raise ValueError("hemisphere")
    return 1 if field == positive else -1


def _degrees(field: str, digits: int, most: int) -> Decimal:
    """Degrees of ``ddmm.mmmm`` or ``dddmm.mmmm``."""
    parts = _COORDINATE.fullmatch(field)
    if parts is None or len(parts[1]) != digits:
        raise ValueError("coordinate")
    minutes = Decimal(parts[2])
    degrees = (int(parts[1]) + minutes / 60).quantize(_PLACES)
    if minutes >= 60 or degrees > most:
        raise ValueError("coordinate")
    return degrees
