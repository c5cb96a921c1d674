"""From what a ring says to what is handed on. Pure."""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec.framing import Frame, Framer
from drivers.codec.gatt_time import DateTime
from drivers.decoding import Chunk, Decoded, Refused, decode_notifications
from drivers.devices.wellue_o2ring.codec import (
    FILE_VERSION,
    NOTIFY,
    OTHER_PROTOCOL,
    File,
    Record,
    Replies,
    Sensors,
    decode_file,
    decode_sensors,
    is_sensors,
    reply,
)
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading

OTHER_MODEL: Final = "model-not-supported"
LOW_BATTERY_PERCENT: Final = 10
HIGHEST_PULSE: Final = 250
"""The makers' own range is 30 to 250 a minute."""
NO_PULSE: Final = frozenset({0, 0xFF, 0xFFFF})
_CODES: Final = (Code.OXYGEN_SATURATION, Code.PULSE_OXIMETER)


def live(said: Sensors, raw: bytes) -> Reading:
    """The reading in what a ring feels now."""
    values = _values(said)
    perfusion: Measured
    why = values[0][1]
    if isinstance(why, Missing) and why.why in {MissingReason.SENSOR_OFF, MissingReason.SEARCHING}:
        perfusion = why
    elif said.perfusion:
        perfusion = Quantity(Decimal(said.perfusion).scaleb(-1), Unit.PERCENT)
    else:
        perfusion = Missing(MissingReason.NOT_MEASURED)
    flags = ("low-battery",) if said.battery <= LOW_BATTERY_PERCENT else ()
    return Reading((*values, (Code.PERFUSION_INDEX, perfusion)), flags, mode=Mode.CONTINUOUS, raw=raw)


def kept(file: File) -> list[Reading]:
    """What a file says, oldest first; each with its own time, as far as the ring's clock can be believed."""
    began = file.began.plausible(None)
    readings: list[Reading] = []
    for number, record in enumerate(file.records):
        at = None if began is None else began + datetime.timedelta(seconds=number * file.every_s)
        readings.append(_kept(record, at, number, file.began))
    return readings


def identity(told: dict[str, str]) -> Identity:
    """Who the ring says it is."""
    battery = told.get("CurBAT", "").rstrip("%")
    percent = int(battery) if battery.isdecimal() and int(battery) <= 100 else None
    return Identity("Viatom", told.get("Model", ""), told.get("SN", ""), told.get("SoftwareVer", ""), percent)


def clock(told: dict[str, str]) -> datetime.datetime | None:
    """What the ring's clock shows, if that can be believed."""
    try:
        shown = datetime.datetime.strptime(told.get("CurTIME", ""), "%Y-%m-%d,%H:%M:%S")  # noqa: DTZ007  no zone
    except ValueError:
        return None
    return DateTime.of(shown).plausible(None)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some notifications said, or what a file that was read from a ring says."""
    given = b"".join(chunk.data for chunk in chunks if chunk.characteristic is None)
    if given.startswith(FILE_VERSION.to_bytes(2, "little")):
        try:
            return Decoded(tuple(kept(decode_file(given))))
        except DeviceMisbehaved as error:
            return Decoded(refused=(Refused(0, len(given), error.stable_code),))
    readings: list[Reading] = []

    def take(frame: Frame) -> None:
        said = reply(frame)
        if is_sensors(said):
            readings.append(live(decode_sensors(said.data), frame.raw))

    refused = decode_notifications(Framer(Replies()), chunks, NOTIFY, take)
    return Decoded(tuple(readings), tuple(_named(chunks, refused)))


def _named(chunks: Sequence[Chunk], refused: Sequence[Refused]) -> list[Refused]:
    """The refusals, with bytes of the ring that speaks another protocol called what they are."""
    begins: dict[int, str | None] = {}
    at = 0
    for chunk in chunks:
        begins[at] = chunk.characteristic
        at += len(chunk.data)
    return [
        Refused(one.offset, one.length, OTHER_MODEL) if begins.get(one.offset) in OTHER_PROTOCOL else one
        for one in refused
    ]


def _values(said: Sensors) -> tuple[tuple[Code, Measured], ...]:
    why: MissingReason | None = None
    if not said.on_finger:
        why = MissingReason.SENSOR_OFF
    elif not said.saturation and not said.pulse:
        why = MissingReason.SEARCHING
    if why is not None:
        return tuple((code, Missing(why)) for code in _CODES)
    return ((_CODES[0], _saturation(said.saturation)), (_CODES[1], _pulse(said.pulse)))


def _kept(record: Record, at: datetime.datetime | None, number: int, began: DateTime) -> Reading:
    off = Missing(MissingReason.INVALID)
    values: tuple[tuple[Code, Measured], ...] = (
        (_CODES[0], off if record.invalid else _saturation(record.saturation)),
        (_CODES[1], off if record.invalid else _pulse(record.pulse)),
    )
    raw = bytes(record)
    key = f"{began}#{number}#".encode() + raw
    return Reading(values, at=at, raw=raw, record=key, just_taken=False, stored=True)


def _saturation(sent: int) -> Measured:
    if sent in {0, 0x7F, 0xFF}:
        return Missing(MissingReason.INVALID)
    if sent > 100:
        return Missing(MissingReason.OUT_OF_RANGE)
    return Quantity(Decimal(sent), Unit.PERCENT)


def _pulse(sent: int) -> Measured:
    if sent in NO_PULSE:
        return Missing(MissingReason.INVALID)
    if sent > HIGHEST_PULSE:
        return Missing(MissingReason.OUT_OF_RANGE)
    return Quantity(Decimal(sent), Unit.PER_MINUTE)
