"""The values of the Bluetooth Health Thermometer service, read and written.

Source: Bluetooth SIG, Health Thermometer Service 1.0, sections 3.1 to 3.3.
"""

import dataclasses
from enum import IntEnum
from typing import Final

from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.sfloat import MedicalFloat, encode_float
from drivers.codec.value import Value
from edge.vitals.quantity import Unit


class Flag(IntEnum):
    """Bits of the first byte of a measurement: its unit, and what follows."""

    FAHRENHEIT = 0x01
    TIME = 0x02
    SITE = 0x04


class Site(IntEnum):
    """Temperature Type: where on the body it was taken. Others are reserved."""

    ARMPIT = 1
    BODY = 2
    EAR = 3
    FINGER = 4
    GASTRO_INTESTINAL = 5
    MOUTH = 6
    RECTUM = 7
    TOE = 8
    TYMPANUM = 9


@dataclasses.dataclass(frozen=True, slots=True)
class Temperature:
    """One measurement, or one intermediate value, as the device said it.

    Attributes:
        time: the device's wall clock, or None when none was sent.
        site: a number of `Site` or a reserved one; None when it was not sent, because the device measures
            in one place alone and says in 0x2A1D in which.
        reserved: flag bits that have no meaning yet.
        extra: bytes beyond the layout.
    """

    unit: Unit
    value: MedicalFloat
    time: DateTime | None = None
    site: int | None = None
    reserved: int = 0
    extra: bytes = b""


def decode_temperature(raw: bytes) -> Temperature:
    """Read one value of Temperature Measurement (0x2A1C) or Intermediate Temperature (0x2A1E).

    Layout, little endian::

        0   1   flags
        1   4   temperature   FLOAT, degrees Celsius or Fahrenheit by flag
        5   7   time          if TIME
        +0  1   site          if SITE

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    return Temperature(
        unit=Unit.FAHRENHEIT if flags & Flag.FAHRENHEIT else Unit.CELSIUS,
        value=value.float(),
        time=value.date_time() if flags & Flag.TIME else None,
        site=value.unsigned(1) if flags & Flag.SITE else None,
        reserved=flags & ~_KNOWN_FLAGS,
        extra=value.rest(),
    )


def encode_temperature(said: Temperature) -> bytes:
    """Write one value, for simulators."""
    flags = said.reserved | (Flag.FAHRENHEIT if said.unit is Unit.FAHRENHEIT else 0)
    parts = [encode_float(said.value)]
    if said.time is not None:
        flags |= Flag.TIME
        parts.append(encode_date_time(said.time))
    if said.site is not None:
        flags |= Flag.SITE
        parts.append(bytes([said.site]))
    return bytes([flags, *b"".join(parts), *said.extra])


def decode_site(raw: bytes) -> int:
    """Read Temperature Type (0x2A1D): a number of `Site`, or a reserved one.

    Raises:
        DeviceMisbehaved: no byte (``frame-too-short``).
    """
    return Value(raw).unsigned(1)


_KNOWN_FLAGS: Final = 0x07
