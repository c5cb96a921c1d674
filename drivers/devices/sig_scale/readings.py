"""From the values of a scale to what is handed on. Pure: the time of the host is an argument.

The scale's own BMI rests on a height that somebody once typed into it for one of its users, and neither is
of the patient on it now: `decode_chunks` shows both, and the driver hands on neither. Nothing here
computes a BMI.
"""

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.record_times import Now
from drivers.decoding import Chunk, Decoded, Refused, decode_values, unknown_characteristic
from drivers.devices.sig_scale.codec import (
    TENTH,
    UNSUCCESSFUL,
    Body,
    BodyFlag,
    Weight,
    check_features,
    decode_body,
    decode_weight,
    join,
)
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading

FROM_MEMORY: Final = "from-memory"
FAILED: Final = "measurement-failed"
INCOMPLETE: Final = "record-incomplete"
OF_ITS_USER: Final = frozenset({Code.BMI, Code.HEIGHT})
"""What a scale says of one of its users, and not of whom it weighs."""
_KILOGRAM_STEP: Final = Decimal("0.005")
_POUND_STEP: Final = Decimal("0.01")
_CENTIMETRE_STEP: Final = TENTH
_INCH_STEP: Final = TENTH
_UNSUCCESSFUL: Final = Missing(MissingReason.INVALID)

_Values = list[tuple[Code, Measured]]
_Converted = list[tuple[Code, Decimal, Unit]]


class Halves:
    """Puts records together that come in two indications of 0x2A9C."""

    def __init__(self) -> None:
        self._first: tuple[Body, bytes] | None = None

    def hear(self, raw: bytes) -> tuple[tuple[Body, bytes] | None, bytes | None]:
        """Take one value.

        Returns:
            A record that is whole now, with all its bytes; and a first half whose second will not come.

        Raises:
            DeviceMisbehaved: the value is shorter than its flags promise (``frame-too-short``).
        """
        said = decode_body(raw)
        first, self._first = self._first, None
        lost: bytes | None = None
        if first is not None:
            try:
                return (join(first[0], said), first[1] + raw), None
            except DeviceMisbehaved:
                lost = first[1]  # what came is the beginning of something else
        if said.two_packets:
            self._first = (said, raw)
            return None, lost
        return (said, raw), lost

    def end(self) -> bytes | None:
        """Nothing more comes: a first half that still waits, or None."""
        first, self._first = self._first, None
        return None if first is None else first[1]


def incomplete(raw: bytes) -> DeviceMisbehaved:
    """What to say of a first half whose second never came."""
    return DeviceMisbehaved("The second half of a record never came.", raw=raw, code=INCOMPLETE)


def weight(raw: bytes, now: Now) -> Reading:
    """The reading in one value of 0x2A9D, as a scale sent it just now.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    said = decode_weight(raw)
    return _of_now(_weight(said, raw, now.host), said.time, now)


def body(said: Body, raw: bytes, now: Now) -> Reading:
    """The reading in one record of 0x2A9C, whole, as a scale sent it just now."""
    return _of_now(_body(said, raw, now.host), said.time, now)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said, and what the scale says of its own users too."""
    readings: list[Reading] = []
    lost: list[Refused] = []
    halves = Halves()
    given = waits_at = 0

    def take(characteristic: str, raw: bytes) -> None:
        nonlocal given, waits_at
        at, given = given, given + len(raw)
        match characteristic:
            case uuids.WEIGHT_MEASUREMENT:
                readings.append(_weight(decode_weight(raw), raw, None))
            case uuids.BODY_COMPOSITION_MEASUREMENT:
                whole, alone = halves.hear(raw)
                if alone is not None:
                    lost.append(Refused(waits_at, len(alone), INCOMPLETE))
                if whole is None:
                    waits_at = at
                else:
                    readings.append(_body(*whole, None))
            case uuids.WEIGHT_SCALE_FEATURE | uuids.BODY_COMPOSITION_FEATURE:
                check_features(raw)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.WEIGHT_MEASUREMENT, take)
    alone = halves.end()
    if alone is not None:
        lost.append(Refused(waits_at, len(alone), INCOMPLETE))
    return Decoded(tuple(readings), tuple(sorted((*refused, *lost), key=lambda one: one.offset)))


def _weight(said: Weight, raw: bytes, host: datetime.datetime | None) -> Reading:
    values: _Values = []
    converted: _Converted = []
    _add_weight(values, converted, said.weight, imperial=said.imperial)
    if said.bmi:
        # Of a weight that was not found none can have been computed, whatever stands there.
        found = Quantity(said.bmi * TENTH, Unit.KILOGRAM_PER_SQUARE_METRE)
        values.append((Code.BMI, _UNSUCCESSFUL if said.weight is None else found))
    if said.height:
        _add_height(values, converted, said.height, imperial=said.imperial)
    at = None if said.time is None else said.time.plausible(host)
    flags = _flags(said.time, at, failed=said.weight is None, extra=said.extra)
    return Reading(tuple(values), flags, at=at, mode=Mode.SPOT, converted=tuple(converted), raw=raw)


def _body(said: Body, raw: bytes, host: datetime.datetime | None) -> Reading:
    fat = _UNSUCCESSFUL if said.fat is None else Quantity(said.fat * TENTH, Unit.PERCENT)
    values: _Values = [(Code.BODY_FAT, fat)]
    converted: _Converted = []
    sent, height = said.said(BodyFlag.WEIGHT), said.said(BodyFlag.HEIGHT)
    mass = None if sent == UNSUCCESSFUL else sent  # as in 2A9D; as a number it would be 327.675 kg
    if sent is not None:
        _add_weight(values, converted, mass, imperial=said.imperial)
    if height:
        _add_height(values, converted, height, imperial=said.imperial)
    at = None if said.time is None else said.time.plausible(host)
    # Who keeps his shoes on has a weight and no body fat: that is no failure.
    flags = _flags(said.time, at, failed=said.fat is None and mass is None, extra=said.extra)
    return Reading(tuple(values), flags, at=at, mode=Mode.SPOT, converted=tuple(converted), raw=raw)


def _add_weight(values: _Values, converted: _Converted, steps: int | None, *, imperial: bool) -> None:
    if steps is None:
        values.append((Code.WEIGHT, _UNSUCCESSFUL))
        return
    unit, step = (Unit.POUND, _POUND_STEP) if imperial else (Unit.KILOGRAM, _KILOGRAM_STEP)
    _add(values, converted, Code.WEIGHT, steps * step, unit)


def _add_height(values: _Values, converted: _Converted, steps: int, *, imperial: bool) -> None:
    unit, step = (Unit.INCH, _INCH_STEP) if imperial else (Unit.CENTIMETRE, _CENTIMETRE_STEP)
    _add(values, converted, Code.HEIGHT, steps * step, unit)


def _add(values: _Values, converted: _Converted, code: Code, sent: Decimal, unit: Unit) -> None:
    """In the stored unit, and as it was sent if that was another."""
    stored = to_stored(code, sent, unit)
    assert stored is not None  # noqa: S101  all units of a scale are accepted
    values.append((code, stored))
    if stored.unit is not unit:
        converted.append((code, sent, unit))


def _flags(
    time: DateTime | None, at: datetime.datetime | None, *, failed: bool, extra: bytes
) -> tuple[str, ...]:
    flags = (
        FAILED if failed else None,
        "device-time-implausible" if time is not None and time.is_known and at is None else None,
        "extra-bytes" if extra else None,
    )
    return tuple(flag for flag in flags if flag)


def _of_now(reading: Reading, time: DateTime | None, now: Now) -> Reading:
    """The reading for the patient on the scale: whether it is of now, and without what is not theirs."""
    # One that sends no time has no clock, so it keeps nothing to send later.
    just_taken = time is None or now.is_just_taken(reading.at)
    return dataclasses.replace(
        reading,
        values=tuple((code, value) for code, value in reading.values if code not in OF_ITS_USER),
        converted=tuple(one for one in reading.converted if one[0] not in OF_ITS_USER),
        flags=reading.flags if just_taken else (*reading.flags, FROM_MEMORY),
        # A record is known again by its time and bytes; without a time two patients may weigh the same.
        record=reading.raw if time is not None and time.is_known else None,
        just_taken=just_taken,
        stored=not just_taken,
    )
