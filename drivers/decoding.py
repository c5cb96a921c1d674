"""What bytes from a device mean, apart from any port: the answer of ``qafila devices decode``.

A technician, a test and an outsider look at a codec through this; nothing here is stored.
"""

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from drivers.codec.framing import Frame, Framer, Garbage
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.place import NoPosition, Place
from edge.vitals.possible import possible
from edge.vitals.quantity import Missing
from edge.vitals.reading import Reading, Wave

UNKNOWN_CHARACTERISTIC: Final = "unknown-characteristic"


@dataclasses.dataclass(frozen=True, slots=True)
class Chunk:
    """Some bytes as they came.

    Attributes:
        characteristic: the UUID they were read from, 128-bit text in lower case; None for the main one
            or for a stream.
    """

    data: bytes
    characteristic: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """Bytes that mean nothing here; offsets count from the first byte given."""

    offset: int
    length: int
    code: str


@dataclasses.dataclass(frozen=True, slots=True)
class Decoded:
    """All that some bytes said."""

    readings: tuple[Reading, ...] = ()
    refused: tuple[Refused, ...] = ()
    waves: tuple[Wave, ...] = ()
    places: tuple[Place, ...] = ()

    def as_json(self, kind: str) -> dict[str, Any]:
        """The object that ``devices decode --json`` prints; others rely on its form.

        Numbers that cannot be true are none here either. ``places`` is there when there are some: most
        devices have none to tell.
        """
        said: dict[str, Any] = {
            "kind": kind,
            "readings": [_reading_as_json(possible(reading)) for reading in self.readings],
            "refused": [
                {"offset": refused.offset, "length": refused.length, "code": refused.code}
                for refused in self.refused
            ],
            "waves": [
                {
                    "code": wave.code.value,
                    "lead": wave.lead,
                    "unit": wave.unit.value,
                    "rate": str(wave.rate),
                    "samples": list(wave.samples),
                }
                for wave in self.waves
            ],
        }
        if self.places:
            said["places"] = [_place_as_json(place) for place in self.places]
        return said


def decode_stream(framer: Framer, chunks: Iterable[Chunk], take: Callable[[Frame], None]) -> list[Refused]:
    """Feed chunks as one stream, hand every frame on, and say which bytes were refused.

    ``take`` refuses a whole frame by raising `DeviceMisbehaved`.
    """
    refused: list[Refused] = []
    offset = 0
    for events in (*(framer.feed(chunk.data) for chunk in chunks), framer.finish()):
        for event in events:
            if isinstance(event, Garbage):
                refused.append(Refused(offset, len(event.raw), event.code))
            else:
                try:
                    take(event)
                except DeviceMisbehaved as error:
                    refused.append(Refused(offset, len(event.raw), error.stable_code))
            offset += len(event.raw)
    return refused


def decode_notifications(
    framer: Framer, chunks: Iterable[Chunk], main: str, take: Callable[[Frame], None]
) -> list[Refused]:
    """Feed what was notified as one stream, for devices whose frames straddle notifications.

    A chunk that names another characteristic than ``main`` is refused and no part of the stream.
    """
    refused: list[Refused] = []
    begins: list[tuple[int, int]] = []  # where in the stream a chunk begins, and where in what was given
    fed: list[Chunk] = []
    given = streamed = 0
    for chunk in chunks:
        if chunk.characteristic in {None, main}:
            begins.append((streamed, given))
            fed.append(chunk)
            streamed += len(chunk.data)
        else:
            refused.append(Refused(given, len(chunk.data), UNKNOWN_CHARACTERISTIC))
        given += len(chunk.data)
    for each in decode_stream(framer, fed, take):
        began, stands = begins[bisect.bisect_right(begins, (each.offset, given)) - 1]
        refused.append(Refused(stands + each.offset - began, each.length, each.code))
    return sorted(refused, key=lambda each: each.offset)


def decode_values(chunks: Iterable[Chunk], main: str, take: Callable[[str, bytes], None]) -> list[Refused]:
    """Hand each chunk on as one value with its characteristic, and say which were refused.

    ``take`` refuses a value by raising `DeviceMisbehaved`; a chunk that names no characteristic is a value
    of ``main``.
    """
    refused: list[Refused] = []
    offset = 0
    for chunk in chunks:
        try:
            take(main if chunk.characteristic is None else chunk.characteristic, chunk.data)
        except DeviceMisbehaved as error:
            refused.append(Refused(offset, len(chunk.data), error.stable_code))
        offset += len(chunk.data)
    return refused


def unknown_characteristic(raw: bytes) -> DeviceMisbehaved:
    """What to raise for a value of a characteristic that the kind gives no meaning."""
    return DeviceMisbehaved(
        "Nothing here gives this characteristic a meaning.", raw=raw, code=UNKNOWN_CHARACTERISTIC
    )


def _place_as_json(place: Place) -> dict[str, Any]:
    said: dict[str, Any] = {"at": place.utc.isoformat() if place.utc else None}
    if isinstance(place.position, NoPosition):
        said["missing"] = place.position.value
    else:
        said["latitude"] = format(place.position.latitude, "f")
        said["longitude"] = format(place.position.longitude, "f")
        if place.position.altitude_m is not None:
            said["altitude_m"] = format(place.position.altitude_m, "f")
    if place.satellites is not None:
        said["satellites"] = place.satellites
    if place.hdop is not None:
        said["hdop"] = format(place.hdop, "f")
    return said


def _reading_as_json(reading: Reading) -> dict[str, Any]:
    as_sent = {code: (value, unit) for code, value, unit in reading.converted}
    values: list[dict[str, str]] = []
    for code, measured in reading.values:
        if isinstance(measured, Missing):
            values.append({"code": code.value, "missing": measured.why.value})
            continue
        value = {"code": code.value, "value": format(measured.value, "f"), "unit": measured.unit.value}
        if code in as_sent:
            value["device_value"] = format(as_sent[code][0], "f")
            value["device_unit"] = as_sent[code][1].value
        values.append(value)
    said: dict[str, Any] = {
        "at": reading.at.isoformat() if reading.at else None,
        "values": values,
        "flags": list(reading.flags),
    }
    if reading.intervals_ms:
        said["intervals_ms"] = [format(interval, "f") for interval in reading.intervals_ms]
    return said


Decode = Callable[[Sequence[Chunk]], Decoded]
"""What every device kind offers: bytes in, everything they said out."""
