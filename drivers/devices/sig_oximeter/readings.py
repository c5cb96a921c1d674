"""From the values of an oximeter to what is handed on. Pure: the time of the host is an argument."""

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.gatt_time import encode_date_time
from drivers.codec.racp import check_record_access
from drivers.codec.record_times import Now
from drivers.codec.sfloat import MedicalFloat, Special, has_special_mantissa
from drivers.decoding import Chunk, Decoded, decode_values, unknown_characteristic
from drivers.devices.sig_oximeter.codec import (
    Pair,
    Sensor,
    SpotCheck,
    Status,
    decode_continuous,
    decode_features,
    decode_spot_check,
)
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading

MOST_PERCENT: Final = 100
MOST_PER_MINUTE: Final = 300
FROM_MEMORY: Final = "from-memory"
TESTS: Final = Status.DEMONSTRATION | Status.TESTING | Status.CALIBRATION

_VOID_BY_SENSOR: Final = (
    (Sensor.UNCONNECTED_TO_USER | Sensor.DISCONNECTED, MissingReason.SENSOR_OFF),
    (Sensor.EQUIPMENT_MALFUNCTION | Sensor.UNKNOWN | Sensor.MALFUNCTION, MissingReason.PROBE_ERROR),
)
_STATUS_WORDS: Final = (
    (Status.ONGOING, "measurement-ongoing"),
    (Status.EARLY_ESTIMATE, "early-estimate"),
    (Status.VALIDATED, "validated"),
    (Status.FULLY_QUALIFIED, "fully-qualified"),
    (Status.DEMONSTRATION, "demonstration"),
    (Status.TESTING, "testing"),
    (Status.CALIBRATION, "calibration"),
    (Status.UNAVAILABLE, "unavailable"),
    (Status.QUESTIONABLE, "questionable"),
    (Status.INVALID, "invalid"),
)
_SENSOR_WORDS: Final = (
    (Sensor.EXTENDED_UPDATE, "extended-update"),
    (Sensor.EQUIPMENT_MALFUNCTION, "equipment-malfunction"),
    (Sensor.PROCESSING_IRREGULARITY, "processing-irregularity"),
    # Two bits, one meaning for who reads the screen; the bytes keep which it was.
    (Sensor.INADEQUATE_SIGNAL | Sensor.POOR_SIGNAL, "low-signal"),
    (Sensor.LOW_PERFUSION, "low-perfusion"),
    (Sensor.ERRATIC_SIGNAL, "erratic-signal"),
    (Sensor.NON_PULSATILE, "non-pulsatile"),
    (Sensor.QUESTIONABLE_PULSE, "questionable-pulse"),
    (Sensor.ANALYSIS_ONGOING, "analysis-ongoing"),
    (Sensor.INTERFERENCE, "interference"),
    (Sensor.UNCONNECTED_TO_USER, "no-finger"),
    (Sensor.UNKNOWN, "unknown-sensor"),
    (Sensor.DISPLACED, "sensor-displaced"),
    (Sensor.MALFUNCTION, "sensor-malfunction"),
    (Sensor.DISCONNECTED, "sensor-disconnected"),
)


def spot_check(raw: bytes, now: Now, *, asked: bool = False) -> Reading:
    """The reading in one value of 0x2A5E.

    Args:
        raw: the value.
        now: the clocks as it arrived.
        asked: whether it came while the device sent what it keeps.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    said = decode_spot_check(raw)
    at = _at(said, now.host)
    kept = asked or bool(_bits(said.status) & Status.FROM_STORAGE)
    known = said.time is not None and said.time.is_known
    # What was kept, and what bears a time, is of now only if the time says so. What is no measurement of a
    # patient is of nobody.
    timed = known and said.clock_set
    of_now = now.is_just_taken(at) if kept or timed else True
    just_taken = of_now and not _bits(said.status) & TESTS
    return dataclasses.replace(
        _spot_reading(said, raw, at, (*_spot_flags(said, raw, at), *(() if of_now else (FROM_MEMORY,)))),
        record=record_key(said, raw) if kept or known else None,
        just_taken=just_taken,
        stored=not of_now,
    )


def record_key(said: SpotCheck, raw: bytes) -> bytes:
    """What a record is known again by: its time and its numbers.

    Not by all its bytes: the same measurement, sent when it was made and again out of the memory, differs
    in the bit that says so. Without a time all bytes are all there is.
    """
    if said.time is None or not said.time.is_known:
        return raw
    return encode_date_time(said.time) + raw[1:5]


def continuous(raw: bytes) -> Reading:
    """What the display shows, in one value of 0x2A5F.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    said = decode_continuous(raw)
    places = [1, 3]
    places += range(5, 5 + 4 * sum(pair is not None for pair in (said.fast, said.slow)), 2)
    if said.amplitude is not None:
        places.append(len(raw) - len(said.extra) - 2)
    flags = _flags(said.status, said.sensor, raw, places, extra=bool(said.extra))
    if _bits(said.status) & Status.FROM_STORAGE:
        flags = (*flags, FROM_MEMORY)
    return Reading(
        _values(said.shown, said.amplitude, said.status, said.sensor), flags, mode=Mode.CONTINUOUS, raw=raw
    )


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said; one without a name is of the continuous measurement."""
    readings: list[Reading] = []

    def take(characteristic: str, raw: bytes) -> None:
        match characteristic:
            case uuids.PLX_CONTINUOUS:
                readings.append(continuous(raw))
            case uuids.PLX_SPOT_CHECK:
                said = decode_spot_check(raw)
                at = _at(said, None)
                kept = bool(_bits(said.status) & Status.FROM_STORAGE)
                flags = (*_spot_flags(said, raw, at), *((FROM_MEMORY,) if kept else ()))
                readings.append(dataclasses.replace(_spot_reading(said, raw, at, flags), stored=kept))
            case uuids.PLX_FEATURES:
                decode_features(raw)
            case uuids.RECORD_ACCESS_CONTROL_POINT:
                check_record_access(raw)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.PLX_CONTINUOUS, take)
    return Decoded(tuple(readings), tuple(refused))


def _bits(said: int | None) -> int:
    return 0 if said is None else said


def _at(said: SpotCheck, host: datetime.datetime | None) -> datetime.datetime | None:
    """The device's time, if somebody has set its clock and it can be believed."""
    return said.time.plausible(host) if said.time is not None and said.clock_set else None


def _spot_reading(
    said: SpotCheck, raw: bytes, at: datetime.datetime | None, flags: tuple[str, ...]
) -> Reading:
    return Reading(
        _values(said.shown, said.amplitude, said.status, said.sensor), flags, at=at, mode=Mode.SPOT, raw=raw
    )


def _spot_flags(said: SpotCheck, raw: bytes, at: datetime.datetime | None) -> tuple[str, ...]:
    places = [1, 3] if said.amplitude is None else [1, 3, len(raw) - len(said.extra) - 2]
    flags = list(_flags(said.status, said.sensor, raw, places, extra=bool(said.extra)))
    if not said.clock_set:
        flags.append("device-clock-not-set")
    elif said.time is not None and said.time.is_known and at is None:
        flags.append("device-time-implausible")
    return tuple(flags)


def _flags(
    status: int | None, sensor: int | None, raw: bytes, places: Sequence[int], *, extra: bool
) -> tuple[str, ...]:
    """What the device said beside the numbers; each word is explained in this folder's README."""
    words = (
        *(word for bits, word in _STATUS_WORDS if _bits(status) & bits),
        *(word for bits, word in _SENSOR_WORDS if _bits(sensor) & bits),
        "special-mantissa" if any(has_special_mantissa(raw[at : at + 2]) for at in places) else None,
        "extra-bytes" if extra else None,
    )
    return tuple(word for word in words if word)


_Values = tuple[tuple[Code, Measured], ...]


def _values(shown: Pair, amplitude: MedicalFloat | None, status: int | None, sensor: int | None) -> _Values:
    void = _void(_bits(status), _bits(sensor))
    searching = bool(_bits(sensor) & Sensor.ANALYSIS_ONGOING)
    measured = [
        (Code.OXYGEN_SATURATION, shown.spo2, Unit.PERCENT, MOST_PERCENT),
        (Code.PULSE_OXIMETER, shown.pulse, Unit.PER_MINUTE, MOST_PER_MINUTE),
    ]
    values = [
        (code, Missing(void) if void else _value(said, unit, most, searching=searching))
        for code, said, unit, most in measured
    ]
    if amplitude is not None:
        index = _value(amplitude, Unit.PERCENT, None, searching=searching)
        values.append((Code.PERFUSION_INDEX, Missing(void) if void else index))
    return tuple(values)


def _void(status: int, sensor: int) -> MissingReason | None:
    """Why none of the numbers means anything, whatever they are; the plainest reason first."""
    off, broken = _VOID_BY_SENSOR
    reasons = (
        (sensor & off[0], off[1]),
        (status & TESTS, MissingReason.TEST),
        (sensor & broken[0], broken[1]),
        (status & Status.INVALID, MissingReason.INVALID),
        (status & Status.UNAVAILABLE, MissingReason.NOT_MEASURED),
    )
    return next((why for holds, why in reasons if holds), None)


def _value(said: MedicalFloat, unit: Unit, most: int | None, *, searching: bool) -> Measured:
    if said in {Special.PLUS_INFINITY, Special.MINUS_INFINITY}:
        return Missing(MissingReason.OUT_OF_RANGE)
    if isinstance(said, Special):
        return Missing(MissingReason.SEARCHING if searching else MissingReason.INVALID)
    if most is None:
        return Quantity(said, unit) if said >= 0 else Missing(MissingReason.INVALID)
    return Quantity(said, unit) if Decimal(0) < said <= most else Missing(MissingReason.INVALID)
