"""A satellite receiver as it looks from its cable: a few sentences a second. No port, no clock of its own."""

import datetime
from decimal import Decimal
from typing import Final

from drivers.devices.nmea_gps.codec import sentence
from edge.vitals.place import Position

FIX_AFTER_S: Final = 2.0
"""How long it looks for satellites after it was switched on or saw the sky again."""
KNOTS_PER_DEGREE_S: Final = 60 * 3600
"""A minute of latitude is a nautical mile."""


class Unit:
    """One simulated receiver, switched on: RMC, GGA and a GSV that nobody reads, once a second.

    Args:
        at_s: when it was switched on.
        began: what time it is at second 0, UTC.
        position: where it stands first.
        knots: how fast it goes north.
    """

    def __init__(
        self,
        at_s: float,
        began: datetime.datetime,
        position: Position,
        *,
        knots: float = 0.0,
        talker: str = "GP",
    ) -> None:
        self._began = began
        self._position = position
        self._knots = knots
        self._talker = talker
        self._told = int(at_s)
        self._sky_since_s: float | None = at_s
        self._hdop = Decimal("0.9")
        self._clock_off_s = 0.0

    def stream(self, at_s: float) -> bytes:
        """See `drivers.simulation.serial_device.SimulatedUnit`."""
        sent = bytearray()
        while self._told + 1 <= at_s:
            self._told += 1
            sent += self._second(float(self._told))
        return bytes(sent)

    def hear(self, data: bytes, at_s: float) -> bytes:
        """It takes no commands."""
        del data, at_s
        return b""

    def obey(self, order: list[str], at_s: float) -> bytes | None:
        """``sensor on|off`` (the sky), ``hdop NUMBER``, ``clock SECONDS`` off."""
        match order:
            case ["sensor", "on"]:
                self._sky_since_s = at_s if self._sky_since_s is None else self._sky_since_s
            case ["sensor", "off"]:
                self._sky_since_s = None
            case ["hdop", number] if number.replace(".", "", 1).isdecimal():
                self._hdop = Decimal(number)
            case ["clock", number] if number.lstrip("-").isdecimal():
                self._clock_off_s = float(number)
            case ["power", "on"]:
                self._sky_since_s = at_s
            case ["power", _]:
                pass
            case _:
                return None
        return b""

    def _second(self, at_s: float) -> bytes:
        now = self._began + datetime.timedelta(seconds=at_s + self._clock_off_s)
        time, date = f"{now:%H%M%S}.00", f"{now:%d%m%y}"
        fixed = self._sky_since_s is not None and at_s - self._sky_since_s >= FIX_AFTER_S
        seen = sentence(f"{self._talker}GSV,1,1,00")
        if not fixed:
            return (
                sentence(f"{self._talker}RMC,{time},V,,,,,,,{date},,,N")
                + sentence(f"{self._talker}GGA,{time},,,,,0,00,99.99,,,,,,")
                + seen
            )
        north = self._position.latitude + Decimal(str(self._knots * at_s / KNOTS_PER_DEGREE_S))
        where = f"{angle(north, 2, 'NS')},{angle(self._position.longitude, 3, 'EW')}"
        height = Decimal(0) if self._position.altitude_m is None else self._position.altitude_m
        return (
            sentence(f"{self._talker}RMC,{time},A,{where},{self._knots:.2f},0.0,{date},,,A")
            + sentence(f"{self._talker}GGA,{time},{where},1,08,{self._hdop},{height},M,47.1,M,,")
            + seen
        )


def angle(degrees: Decimal, digits: int, letters: str) -> str:
    """``ddmm.mmmmm,N``: whole degrees and minutes, as the sentences write them."""
    whole = int(abs(degrees))
    minutes = (abs(degrees) - whole) * 60
    written = f"{minutes:08.5f}"
    if written.startswith("60"):
        whole, written = whole + 1, "00.00000"
    return f"{whole:0{digits}d}{written},{letters[degrees < 0]}"
