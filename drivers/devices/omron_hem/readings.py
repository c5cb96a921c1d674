"""From the memory of an Omron cuff to what is handed on. Pure: the time of the host is an argument."""

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.decoding import UNKNOWN_CHARACTERISTIC, Chunk, Decoded, Refused
from drivers.devices.omron_hem.codec import (
    CHANNEL_BYTES,
    FROM_CUFF,
    SHORTEST,
    TOO_SHORT,
    UNLOCK,
    Assembler,
    Packet,
    Type,
    decode_packet,
)
from drivers.devices.omron_hem.records import (
    SYSTOLIC_LESS,
    Layout,
    Record,
    decode_record,
    layout_at,
    layout_of,
)
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading

JUST_TAKEN_WITHIN: Final = datetime.timedelta(minutes=2)
"""As for every cuff: what is older may be of anybody."""
CLOCKS_DIFFER: Final = datetime.timedelta(seconds=30)


def stored(record: Record, raw: bytes, host: datetime.datetime | None = None) -> Reading:
    """The reading in a record.

    Args:
        record: what stands in it.
        raw: its bytes.
        host: local wall time without zone of a host whose clock is synchronised, else None.
    """
    at = record.at.plausible(host)
    values: tuple[tuple[Code, Measured], ...] = (
        (Code.SYSTOLIC, _pressure(record.systolic - SYSTOLIC_LESS, record.systolic)),
        (Code.DIASTOLIC, _pressure(record.diastolic, record.diastolic)),
        (Code.PULSE_CUFF, _pulse(record.pulse)),
    )
    said = (
        ("body-movement", record.moved),
        ("irregular-pulse", record.irregular),
        ("device-time-implausible", at is None),
    )
    flags = tuple(flag for flag, holds in said if holds)
    taken = _just_taken(at, host)
    return Reading(values, flags, at=at, mode=Mode.SPOT, raw=raw, record=raw, just_taken=taken, stored=True)


def collected(record: Record, raw: bytes, host: datetime.datetime | None) -> Reading:
    """The same as a driver hands it on: what was not taken just now says so."""
    reading = stored(record, raw, host)
    if reading.just_taken:
        return reading
    return dataclasses.replace(reading, flags=(*reading.flags, "from-memory"))


def records_of(data: bytes, layout: Layout) -> list[tuple[Record, bytes]]:
    """The records in some slots, with their bytes; empty slots and such as make no sense are left out."""
    found: list[tuple[Record, bytes]] = []
    for at in range(0, len(data), layout.size):
        raw = data[at : at + layout.size]
        try:
            record = decode_record(raw, layout)
        except DeviceMisbehaved:
            continue  # a slot half written, or damaged; the others are whole
        if record is not None:
            found.append((record, raw))
    return found


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said.

    A value is what came on one of the channels of a packet, in order where it does not say which; or a
    whole packet; or the bytes of one record, whose length tells its layout.
    """
    decoding = _Decoding()
    for chunk in chunks:
        decoding.take(chunk)
    return decoding.end()


class _Decoding:
    """Values, one after the other."""

    def __init__(self) -> None:
        self._assembler = Assembler()
        self._readings: list[Reading] = []
        self._refused: list[Refused] = []
        self._offset = 0
        self._began = 0

    def take(self, chunk: Chunk) -> None:
        raw, offset = chunk.data, self._offset
        self._offset += len(raw)
        if not self._assembler.waiting:
            self._began = offset
        try:
            self._understand(chunk)
        except DeviceMisbehaved as error:
            # What had come of the packet is lost with it.
            self._refused.append(Refused(self._began, self._offset - self._began, error.stable_code))

    def end(self) -> Decoded:
        held = self._assembler.forget()
        if held:
            self._refused.append(Refused(self._began, len(held), TOO_SHORT))
        return Decoded(tuple(self._readings), tuple(self._refused))

    def _understand(self, chunk: Chunk) -> None:
        raw = chunk.data
        if chunk.characteristic == UNLOCK:
            if len(raw) < 2:
                raise DeviceMisbehaved("An answer has two bytes.", raw=raw, code=TOO_SHORT)
        elif chunk.characteristic in FROM_CUFF:
            packet = self._assembler.take(FROM_CUFF.index(chunk.characteristic), raw)
            if packet is not None:
                self._packet(packet)
        elif chunk.characteristic is not None:
            raise DeviceMisbehaved("No such channel.", raw=raw, code=UNKNOWN_CHARACTERISTIC)
        elif self._assembler.waiting:
            packet = self._assembler.take(self._assembler.next_channel, raw)
            if packet is not None:
                self._packet(packet)
        elif len(raw) == CHANNEL_BYTES and _begins_packet(raw) and raw[0] > CHANNEL_BYTES:
            self._assembler.take(0, raw)
        elif (layout := layout_of(len(raw))) is not None and not _begins_packet(raw):
            self._slot(raw, layout)
        else:
            self._packet(decode_packet(raw))

    def _packet(self, packet: Packet) -> None:
        if not packet.answers(Type.READ):
            return
        layout = layout_at(packet.address, len(packet.data))
        if layout is None:
            return  # settings, or the memory of a model that is not known: a whole packet all the same
        for at in range(0, len(packet.data), layout.size):
            slot = packet.data[at : at + layout.size]
            try:
                self._slot(slot, layout)
            except DeviceMisbehaved as error:
                self._refused.append(Refused(self._began, self._offset - self._began, error.stable_code))

    def _slot(self, raw: bytes, layout: Layout) -> None:
        record = decode_record(raw, layout)
        if record is not None:
            self._readings.append(stored(record, raw))


_TYPES: Final = frozenset({int(type_) for type_ in Type} | {type_ | 0x8000 for type_ in Type})


def _begins_packet(raw: bytes) -> bool:
    """Whether this can be the beginning of a packet.

    A little-endian record of 129 mmHg and 192 a minute, or of no diastolic and no pulse, has a packet's type
    in its bytes; so among bytes as long as a record the count has to fit the length too, as in no record of a
    pressure above 80.
    """
    if len(raw) < 3 or int.from_bytes(raw[1:3], "big") not in _TYPES:
        return False
    return layout_of(len(raw)) is None or raw[5] == raw[0] - SHORTEST


def _pressure(sent: int, meant: int) -> Measured:
    return Quantity(Decimal(meant), Unit.MILLIMETRE_OF_MERCURY) if sent else Missing(MissingReason.INVALID)


def _pulse(sent: int) -> Measured:
    return Quantity(Decimal(sent), Unit.PER_MINUTE) if sent else Missing(MissingReason.INVALID)


def _just_taken(at: datetime.datetime | None, host: datetime.datetime | None) -> bool:
    return at is not None and host is not None and -CLOCKS_DIFFER <= host - at <= JUST_TAKEN_WITHIN
