"""From sentences to where the unit is: two sentences of one second are judged together. Pure."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.framing import Frame, Framer
from drivers.decoding import Chunk, Decoded, decode_stream
from drivers.devices.nmea_gps.codec import Gga, Nmea, Rmc, decode
from edge.vitals.place import Located, NoPosition, Place, Position

MOST_HDOP: Final = Decimal(5)
"""Satellites that stand worse than this do not say where one is."""
HDOP_HOLDS_S: Final = 2.0
"""An RMC comes before or after the GGA of its second; a dilution so old still speaks of it."""
CLOCKS_DIFFER_S: Final = 0.9
"""Seconds of the receiver that come faster or slower than ours by so much are not of now: a full buffer."""


class Receiver:
    """What the sentences of one receiver say; nothing is carried from one second to another.

    An RMC has no dilution and a GGA has no date, so each is judged with what the other said of the same
    moment: a position is told only while the dilution that is known is small, and when neither denies it.
    """

    def __init__(self) -> None:
        self._hdop: Decimal | None = None
        self._hdop_at_s = 0.0
        self._denied: datetime.time | None = None
        self._utc: datetime.datetime | None = None
        self._now_s: float | None = None
        self._valid_s = 0

    def take(self, frame: Frame, now_s: float | None = None) -> Place | None:
        """The place in a sentence, or None of one that says nothing of it.

        Args:
            frame: any frame of the grammar.
            now_s: the host's monotonic clock; None when the bytes are looked at without one.

        Raises:
            DeviceMisbehaved: a field has another form than it should.
        """
        said = decode(frame)
        if isinstance(said, Rmc):
            return self._rmc(said, frame.raw, now_s)
        return None if said is None else self._gga(said, frame.raw)

    def _rmc(self, said: Rmc, raw: bytes, now_s: float | None) -> Place:
        position = said.position
        if position is NoPosition.NO_FIX:
            self._denied = said.time
        hdop = self._hdop if _seconds_between(said.time, self._hdop_at_s) <= HDOP_HOLDS_S else None
        self._count(said.utc, now_s)
        return Place(_if_precise(position, hdop, known=hdop is not None), said.utc, self._valid_s, raw=raw)

    def _gga(self, said: Gga, raw: bytes) -> Place:
        position = said.position
        self._hdop = None if position is NoPosition.NO_FIX else said.hdop  # without a fix it is a filler
        self._hdop_at_s = _second_of(said.time)
        if said.time is not None and said.time == self._denied:
            position = NoPosition.NO_FIX
        return Place(
            _if_precise(position, said.hdop, known=True),
            satellites=said.satellites,
            hdop=said.hdop,
            raw=raw,
        )

    def _count(self, utc: datetime.datetime | None, now_s: float | None) -> None:
        """How many seconds in a row have been valid; several sentences of one second count once."""
        before, before_s = self._utc, self._now_s
        self._utc, self._now_s = utc, now_s
        if utc is None:
            self._valid_s = 0
            return
        if before is None:
            self._valid_s = 1
            return
        passed_s = (utc - before).total_seconds()
        steps = int(utc.timestamp()) - int(before.timestamp())
        if now_s is not None and before_s is not None and abs(now_s - before_s - passed_s) > CLOCKS_DIFFER_S:
            self._valid_s = 1
        elif steps == 1 and passed_s > 0:
            self._valid_s += 1
        elif steps != 0 or passed_s < 0:
            self._valid_s = 1


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some sentences said: a place for each RMC and GGA."""
    receiver = Receiver()
    places: list[Place] = []

    def take(frame: Frame) -> None:
        place = receiver.take(frame)
        if place is not None:
            places.append(place)

    refused = decode_stream(Framer(Nmea()), chunks, take)
    return Decoded(refused=tuple(refused), places=tuple(places))


def _if_precise(position: Located, hdop: Decimal | None, *, known: bool) -> Located:
    if not isinstance(position, Position) or not known:
        return position
    return position if hdop is not None and 0 < hdop <= MOST_HDOP else NoPosition.IMPRECISE


def _second_of(time: datetime.time | None) -> float:
    if time is None:
        return -1e9
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def _seconds_between(time: datetime.time | None, second: float) -> float:
    apart = abs(_second_of(time) - second)
    return min(apart, abs(86_400 - apart))
