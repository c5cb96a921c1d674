"""What writer and reader of columns remember before the first entry: a few made-up visits.

So a single entry, too, is written as how it differs from what is usual. The rows are part of the wire
format; they stand, encoded, in ``tests/vectors/wire/primer.json``. Nobody in them exists.
"""

import itertools
from collections.abc import Iterator
from typing import Final

from edge import cbor
from edge.clock import ClockQuality
from edge.records.fields import Field, Kind, Payload, Source
from sync.wire.columns import Row

_START_MS: Final = 1_767_225_600_000
_RAREST: Final = ClockQuality.CENTRE
_OXIMETER: Final = (("spo2", 97, 0), ("pulse.spo2", 76, 0), ("pi", 31, -1))
_PRESSURE: Final = (("bp.sys", 126, 0), ("bp.dia", 78, 0), ("bp.map", 94, 0), ("pulse.nibp", 77, 0))
_BY_HAND: Final = (
    ("hr", 75, 0),
    ("temp", 368, -1),
    ("rr", 16, 0),
    ("weight", 704, -1),
    ("height", 166, 0),
    ("glucose", 104, 0),
    ("pain", 2, 0),
)


def rows() -> list[Row]:
    """The rows, in order: each kind as it may begin a batch, the rarer ones, then visits as they go on."""
    primer = _Primer()
    payloads = [*primer.beginnings(), *primer.rarer(), *primer.visit(0), *primer.visit(1), *primer.visit(2)]
    return [Row(kind, cbor.encode(payload)) for kind, payload in payloads]


class _Primer:
    def __init__(self) -> None:
        self._seconds = 0
        self._fresh = itertools.count(1)
        self._qualities = itertools.cycle(quality for quality in ClockQuality if quality is not _RAREST)
        self._box: Payload = {}
        self._move()

    def beginnings(self) -> Iterator[tuple[Kind, Payload]]:
        """A visit in which every entry comes from another box, so that nothing of it was there before.

        Once of a patient who was just registered, once of one who is known for long.
        """
        for patient in (self._patient, self._old_patient):
            for kind, payload in self.visit(0):
                self._move()
                fresh = self._by() | patient() | self._encounter() | {Field.READING: next(self._fresh)}
                if Field.SALT in payload:
                    fresh[Field.SALT] = self._random(32)
                yield kind, payload | {field: value for field, value in fresh.items() if field in payload}
        self._box[Field.CLOCK_QUALITY] = int(_RAREST)  # so that a real batch begins with another

    def rarer(self) -> Iterator[tuple[Kind, Payload]]:
        salt: Payload = {Field.SALT: self._random(32)}
        yield Kind.GENESIS, self._stamp() | salt | {Field.UNIT: "", Field.REALM: "production"}
        patient = self._patient()
        for action in ("patient.list", "patient.find", "encounter.show"):
            for about in (patient, self._patient(), {}, {Field.OBJECT: self._random(16)}):
                yield Kind.ACCESS, self._by() | {Field.ACTION: action} | about
        for visit in (self._encounter(), {}):
            for text in ({}, {Field.ALERT_TEXT: ""}):
                yield (
                    Kind.ALERT,
                    self._by() | patient | salt | visit | {Field.ALERT_CODE: "urgent"} | text,
                )

    def visit(self, n: int) -> Iterator[tuple[Kind, Payload]]:
        """Registered with more or less known, measured with a device and by hand."""
        known: Payload = {Field.IDENTIFIERS: [["cnie", ""]]}
        where: Payload = {Field.VILLAGE: ""}
        phone: Payload = {Field.PHONE: ""}
        patient: Payload = {}
        for more in ({}, where, known | phone, known | where, known | phone | where):
            patient = self._patient()
            yield Kind.PATIENT, self._by() | patient | self._person(n) | more
        if n == 1:
            patient = self._old_patient()
        visit = patient | self._encounter()
        yield Kind.ENCOUNTER_OPENED, self._by() | visit

        source = (Source.DEVICE, Source.SIMULATED, Source.DEVICE)[n]
        device: Payload = {Field.SOURCE: int(source), Field.DEVICE: "oximeter-1"}
        yield from self._reading(n, self._stamp() | visit | device, _OXIMETER)
        by_hand: Payload = {Field.SOURCE: int(Source.MANUAL)}
        yield from self._reading(n, self._by() | visit | by_hand, _PRESSURE)
        yield from self._reading(n, self._by() | visit | by_hand, _BY_HAND)
        yield Kind.ENCOUNTER_CLOSED, self._by() | visit | {Field.COUNT: 10}

    def _reading(
        self, n: int, common: Payload, values: tuple[tuple[str, int, int], ...]
    ) -> Iterator[tuple[Kind, Payload]]:
        reading = next(self._fresh)
        for code, mantissa, exponent in values:
            value: Payload = {Field.CODE: code, Field.VALUE: [mantissa + 5 * n, exponent]}
            yield Kind.OBSERVATION, common | value | {Field.READING: reading}

    def _person(self, n: int) -> Payload:
        return {
            Field.SALT: self._random(32),
            Field.REVISION: 1,
            Field.FAMILY: "",
            Field.GIVEN: "",
            Field.SEX: ("female", "male", "female")[n],
            Field.BIRTH: ("1979-06-15", "1986-02-01", "1961-11-30")[n],
        }

    def _move(self) -> None:
        """To another box with another operator, whose clock is like no other."""
        self._box = {
            Field.BOOT: self._random(8),
            Field.CLOCK_QUALITY: int(next(self._qualities)),
            Field.OPERATOR: f"{next(self._fresh)}",
        }

    def _stamp(self) -> Payload:
        self._seconds += 20
        monotonic_ms = 1000 * self._seconds
        times: Payload = {Field.WALL_MS: _START_MS + monotonic_ms, Field.MONOTONIC_MS: monotonic_ms}
        return times | self._box

    def _by(self) -> Payload:
        return self._stamp() | {Field.REQUEST: self._random(8)}

    def _patient(self) -> Payload:
        return {Field.PATIENT: self._uuid7()}

    def _old_patient(self) -> Payload:
        return {Field.PATIENT: self._random(16)}

    def _encounter(self) -> Payload:
        return {Field.ENCOUNTER: self._uuid7()}

    def _uuid7(self) -> bytes:
        """A UUIDv7 of the entry that is stamped next or was stamped last."""
        return (_START_MS + 1000 * self._seconds).to_bytes(6) + b"\x70\x00\x80\x00" + self._random(6)

    def _random(self, size: int) -> bytes:
        """Bytes that were not there before."""
        return next(self._fresh).to_bytes(size)
