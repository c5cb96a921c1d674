"""From the values of a thermometer to what is handed on. Pure: the time of the host is an argument."""

import dataclasses
import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.record_times import Now
from drivers.codec.sfloat import Special, has_special_mantissa
from drivers.codec.value import Value
from drivers.decoding import Chunk, Decoded, decode_values, unknown_characteristic
from drivers.devices.sig_thermometer.codec import Site, Temperature, decode_site, decode_temperature
from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.quantity import Measured, Missing, MissingReason, Unit
from edge.vitals.reading import Mode, Reading

FROM_MEMORY: Final = "from-memory"
INTERMEDIATE: Final = "intermediate"
LOWEST: Final = Decimal(25)
HIGHEST: Final = Decimal(45)
"""Degrees Celsius; of a room, a bath or an oven, and not of a body, is what lies beyond."""
_DIGITS: Final = 6
"""More of them before the point no thermometer has, however its number is written."""

_SITES: Final[dict[int, str]] = {
    Site.ARMPIT: "site-armpit",
    Site.BODY: "site-body",
    Site.EAR: "site-ear",
    Site.FINGER: "site-finger",
    Site.GASTRO_INTESTINAL: "site-gastro-intestinal",
    Site.MOUTH: "site-mouth",
    Site.RECTUM: "site-rectum",
    Site.TOE: "site-toe",
    Site.TYMPANUM: "site-tympanum",
}
_REASONS: Final = {
    Special.NAN: MissingReason.INVALID,
    Special.NOT_AT_THIS_RESOLUTION: MissingReason.INVALID,
    Special.RESERVED: MissingReason.INVALID,
    Special.PLUS_INFINITY: MissingReason.OUT_OF_RANGE,
    Special.MINUS_INFINITY: MissingReason.OUT_OF_RANGE,
}


def measurement(raw: bytes, now: Now, site: int | None) -> Reading:
    """The reading in one value of 0x2A1C, as a thermometer sent it just now.

    Args:
        raw: the value.
        now: the clocks as it arrived.
        site: what the device says in 0x2A1D, or None.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    said = decode_temperature(raw)
    reading = _reading(said, raw, now.host, site)
    # One that sends no time has no clock, so it keeps nothing to send later.
    just_taken = said.time is None or now.is_just_taken(reading.at)
    # A record is known again by its time and bytes; without a time two patients may well have one value.
    timed = said.time is not None and said.time.is_known
    return dataclasses.replace(
        reading,
        flags=reading.flags if just_taken else (*reading.flags, FROM_MEMORY),
        record=raw if timed else None,
        just_taken=just_taken,
        stored=not just_taken,
    )


def intermediate(raw: bytes, site: int | None) -> Reading:
    """What the thermometer shows while it still measures, in one value of 0x2A1E: never kept.

    Raises:
        DeviceMisbehaved: the value is shorter than its flags promise.
    """
    reading = _reading(decode_temperature(raw), raw, None, site)
    return dataclasses.replace(
        reading, flags=(INTERMEDIATE, *reading.flags), mode=Mode.CONTINUOUS, passing=True
    )


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said; a value of 0x2A1D tells where those after it were taken."""
    readings: list[Reading] = []
    site: int | None = None

    def take(characteristic: str, raw: bytes) -> None:
        nonlocal site
        match characteristic:
            case uuids.TEMPERATURE_MEASUREMENT:
                readings.append(_reading(decode_temperature(raw), raw, None, site))
            case uuids.INTERMEDIATE_TEMPERATURE:
                readings.append(intermediate(raw, site))
            case uuids.TEMPERATURE_TYPE:
                site = decode_site(raw)
            case uuids.MEASUREMENT_INTERVAL:
                Value(raw).unsigned(2)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.TEMPERATURE_MEASUREMENT, take)
    return Decoded(tuple(readings), tuple(refused))


def _reading(said: Temperature, raw: bytes, host: datetime.datetime | None, site: int | None) -> Reading:
    at = None if said.time is None else said.time.plausible(host)
    measured, converted = _measured(said)
    implausible = said.time is not None and said.time.is_known and at is None
    taken = site if said.site is None else said.site
    flags = (
        None if taken is None else _SITES.get(taken, "site-reserved"),
        "not-body-temperature" if _is_of_no_body(measured) else None,
        "special-mantissa" if has_special_mantissa(raw[1:5]) else None,
        "device-time-implausible" if implausible else None,
        "extra-bytes" if said.extra else None,
    )
    return Reading(
        ((Code.TEMPERATURE, measured),),
        tuple(flag for flag in flags if flag),
        at=at,
        converted=converted,
        raw=raw,
    )


def _measured(said: Temperature) -> tuple[Measured, tuple[tuple[Code, Decimal, Unit], ...]]:
    """The temperature in Celsius, and as it was sent if that was another unit."""
    if isinstance(said.value, Special):
        return Missing(_REASONS[said.value]), ()
    if said.value.adjusted() >= _DIGITS:
        return Missing(MissingReason.OUT_OF_RANGE), ()
    stored = to_stored(Code.TEMPERATURE, said.value, said.unit)
    assert stored is not None  # noqa: S101  both units of a temperature are accepted
    return stored, () if stored.unit is said.unit else ((Code.TEMPERATURE, said.value, said.unit),)


def _is_of_no_body(measured: Measured) -> bool:
    return not isinstance(measured, Missing) and not LOWEST <= measured.value <= HIGHEST
