"""From the values of a cuff to what is handed on. Pure: the time of the host is an argument."""

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.sfloat import MedicalFloat, Special, has_special_mantissa
from drivers.decoding import Chunk, Decoded, decode_values, unknown_characteristic
from drivers.devices.sig_bp.codec import (
    PULSE_RANGE_SHIFT,
    BloodPressure,
    Feature,
    Status,
    decode_cuff_pressure,
    decode_features,
    decode_measurement,
)
from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.quantity import Measured, Missing, MissingReason, Unit
from edge.vitals.reading import Mode, Reading

JUST_TAKEN_WITHIN: Final = datetime.timedelta(minutes=2)
"""A measurement so old at most was taken on whoever wears the cuff now.

A measurement takes up to a minute, and its time may be that of its beginning; another patient in the
cuff takes longer than the minute that is left.
"""
CLOCKS_DIFFER: Final = datetime.timedelta(seconds=30)
FAILED: Final = "measurement-failed"

_SAID_BY_STATUS: Final = (
    (Status.BODY_MOVEMENT, Feature.BODY_MOVEMENT, "body-movement"),
    (Status.CUFF_TOO_LOOSE, Feature.CUFF_FIT, "cuff-too-loose"),
    (Status.IRREGULAR_PULSE, Feature.IRREGULAR_PULSE, "irregular-pulse"),
    (Status.IMPROPER_POSITION, Feature.POSITION, "improper-position"),
)
_PULSE_RANGES: Final = (None, "pulse-above-range", "pulse-below-range", "pulse-range-reserved")
_REASONS: Final = {
    Special.NAN: MissingReason.INVALID,
    Special.NOT_AT_THIS_RESOLUTION: MissingReason.INVALID,
    Special.RESERVED: MissingReason.INVALID,
    Special.PLUS_INFINITY: MissingReason.OUT_OF_RANGE,
    Special.MINUS_INFINITY: MissingReason.OUT_OF_RANGE,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Now:
    """What is known of time and device while a value arrives.

    Attributes:
        host: local wall time, without zone, of a host whose clock is synchronised; else None.
        device: the device's own clock at this moment, as far as it let us look; else None.
        features: bits of what the device can tell, or None when it did not say.
    """

    host: datetime.datetime | None = None
    device: datetime.datetime | None = None
    features: int | None = None


def measurement(raw: bytes, now: Now) -> Reading:
    """The reading in one value of 0x2A35, as a cuff sent it just now.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    said = decode_measurement(raw)
    at = None if said.time is None else said.time.plausible(now.host)
    just_taken = _just_taken(said, at, now)
    flags = (*_flags(said, raw, at, now.features), *(() if just_taken else ("from-memory",)))
    # A record is known again by its time and bytes. Without a time two patients may well have one value.
    timed = said.time is not None and said.time.is_known
    return dataclasses.replace(
        _reading(said, raw, at, flags),
        record=raw if timed else None,
        just_taken=just_taken,
        stored=not just_taken,
    )


def cuff_pressure(raw: bytes) -> Reading:
    """What the cuff holds now, for the screen alone.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    said = decode_cuff_pressure(raw)
    value, converted = _values(said.unit, [(Code.CUFF_PRESSURE, said.pressure)])
    return Reading(
        value,
        ("extra-bytes",) if said.extra else (),
        mode=Mode.CONTINUOUS,
        converted=converted,
        raw=raw,
    )


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said; a value of 0x2A49 tells which status bits mean something in those after."""
    readings: list[Reading] = []
    features: int | None = None

    def take(characteristic: str, raw: bytes) -> None:
        nonlocal features
        match characteristic:
            case uuids.BLOOD_PRESSURE_MEASUREMENT:
                said = decode_measurement(raw)
                at = None if said.time is None else said.time.plausible(None)
                readings.append(_reading(said, raw, at, _flags(said, raw, at, features)))
            case uuids.INTERMEDIATE_CUFF_PRESSURE:
                readings.append(cuff_pressure(raw))
            case uuids.BLOOD_PRESSURE_FEATURE:
                features = decode_features(raw)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.BLOOD_PRESSURE_MEASUREMENT, take)
    return Decoded(tuple(readings), tuple(refused))


def _reading(
    said: BloodPressure, raw: bytes, at: datetime.datetime | None, flags: tuple[str, ...]
) -> Reading:
    failed = isinstance(said.systolic, Special)
    pressures: list[tuple[Code, MedicalFloat | Missing]] = [
        (Code.SYSTOLIC, said.systolic),
        # A measurement that failed has no pressure to believe, whatever stands in the other two.
        (Code.DIASTOLIC, Missing(MissingReason.INVALID) if failed else said.diastolic),
        (Code.MEAN_PRESSURE, _mean(said, failed=failed)),
    ]
    values, converted = _values(said.unit, pressures)
    if said.pulse is not None:
        pulse, _ = _values(Unit.PER_MINUTE, [(Code.PULSE_CUFF, said.pulse)])
        values = (*values, *pulse)
    return Reading(values, flags, at=at, mode=Mode.SPOT, converted=converted, raw=raw)


def _mean(said: BloodPressure, *, failed: bool) -> MedicalFloat | Missing:
    """Many cuffs do not compute a mean and say NaN or 0 instead; that is no failure."""
    if failed:
        return Missing(MissingReason.INVALID)
    if said.mean is Special.NAN or said.mean == 0:
        return Missing(MissingReason.NOT_MEASURED)
    return said.mean


_Said = Sequence[tuple[Code, MedicalFloat | Missing]]
_Values = tuple[tuple[Code, Measured], ...]
_Converted = tuple[tuple[Code, Decimal, Unit], ...]


def _values(unit: Unit, said: _Said) -> tuple[_Values, _Converted]:
    """Numbers in the stored unit, with what was sent beside those that were converted."""
    values: list[tuple[Code, Measured]] = []
    converted: list[tuple[Code, Decimal, Unit]] = []
    for code, sent in said:
        if isinstance(sent, Missing):
            values.append((code, sent))
        elif isinstance(sent, Special):
            values.append((code, Missing(_REASONS[sent])))
        else:
            stored = to_stored(code, sent, unit)
            assert stored is not None  # noqa: S101  both units of a pressure are accepted
            values.append((code, stored))
            if stored.unit is not unit:
                converted.append((code, sent, unit))
    return tuple(values), tuple(converted)


def _flags(
    said: BloodPressure, raw: bytes, at: datetime.datetime | None, features: int | None
) -> tuple[str, ...]:
    """What the device said beside the numbers; each word is explained in this folder's README."""
    sent = 0 if said.status is None else said.status
    # A device that does not tell its features is believed: a superfluous warning beats a missing one.
    able = ~0 if features is None else features
    pulse_range = (sent & Status.PULSE_RANGE) >> PULSE_RANGE_SHIFT if able & Feature.PULSE_RANGE else 0
    implausible = said.time is not None and said.time.is_known and at is None
    flags = (
        FAILED if isinstance(said.systolic, Special) else None,
        *(word for bit, feature, word in _SAID_BY_STATUS if sent & bit and able & feature),
        _PULSE_RANGES[pulse_range],
        "special-mantissa" if _any_special_mantissa(raw, said) else None,
        "device-time-implausible" if implausible else None,
        "extra-bytes" if said.extra else None,
    )
    return tuple(flag for flag in flags if flag)


def _any_special_mantissa(raw: bytes, said: BloodPressure) -> bool:
    places = [1, 3, 5] + ([7 if said.time is None else 14] if said.pulse is not None else [])
    return any(has_special_mantissa(raw[at : at + 2]) for at in places)


def _just_taken(said: BloodPressure, at: datetime.datetime | None, now: Now) -> bool:
    """Whether this is a measurement of now and not one that waited in the device's memory.

    What was taken earlier may be of anybody, so only what is sure counts: its time is near the device's own
    clock or near ours. A cuff that sends no time has no clock, so it keeps nothing to send later.
    """
    if said.time is None:
        return True
    return at is not None and any(
        -CLOCKS_DIFFER <= clock - at <= JUST_TAKEN_WITHIN
        for clock in (now.device, now.host)
        if clock is not None
    )
