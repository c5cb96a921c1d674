"""The values of the Bluetooth Blood Pressure service, read and written.

Source: Bluetooth SIG, Blood Pressure Service 1.1.1, sections 3.1 to 3.3.
"""

import dataclasses
from enum import IntEnum
from typing import Final

from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.sfloat import MedicalFloat, encode_sfloat
from drivers.codec.value import Value
from edge.vitals.quantity import Unit

UNKNOWN_USER: Final = 0xFF


class Flag(IntEnum):
    """Bits of the first byte of a measurement: what follows."""

    KILOPASCAL = 0x01
    TIME = 0x02
    PULSE = 0x04
    USER = 0x08
    STATUS = 0x10


class Status(IntEnum):
    """Bits of the measurement status; the pulse range is a number of two of them, not two flags."""

    BODY_MOVEMENT = 0x0001
    CUFF_TOO_LOOSE = 0x0002
    IRREGULAR_PULSE = 0x0004
    PULSE_RANGE = 0x0018
    IMPROPER_POSITION = 0x0020


PULSE_RANGE_SHIFT: Final = 3


class Feature(IntEnum):
    """Bits: what a device can tell; a status bit means nothing unless its feature is there."""

    BODY_MOVEMENT = 0x0001
    CUFF_FIT = 0x0002
    IRREGULAR_PULSE = 0x0004
    PULSE_RANGE = 0x0008
    POSITION = 0x0010
    MULTIPLE_BONDS = 0x0020


@dataclasses.dataclass(frozen=True, slots=True)
class BloodPressure:
    """One measurement, as the device said it.

    Attributes:
        mean: mean arterial pressure; many devices send none (NaN or 0) with good pressures.
        time: the device's wall clock, or None when none was sent.
        user: which of the device's users; ``UNKNOWN_USER`` when it does not know.
        reserved: flag bits that have no meaning yet.
        extra: bytes beyond the layout.
    """

    unit: Unit
    systolic: MedicalFloat
    diastolic: MedicalFloat
    mean: MedicalFloat
    time: DateTime | None = None
    pulse: MedicalFloat | None = None
    user: int | None = None
    status: int | None = None
    reserved: int = 0
    extra: bytes = b""


def decode_measurement(raw: bytes) -> BloodPressure:
    """Read one indication of Blood Pressure Measurement (0x2A35).

    Layout, little endian::

        0   1   flags
        1   2   systolic    SFLOAT, mmHg or kPa by flag
        3   2   diastolic   SFLOAT
        5   2   mean        SFLOAT
        7   7   time        if TIME
        +0  2   pulse rate  SFLOAT, per minute, if PULSE
        +0  1   user        if USER
        +0  2   status      if STATUS

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    return BloodPressure(
        unit=Unit.KILOPASCAL if flags & Flag.KILOPASCAL else Unit.MILLIMETRE_OF_MERCURY,
        systolic=value.sfloat(),
        diastolic=value.sfloat(),
        mean=value.sfloat(),
        time=value.date_time() if flags & Flag.TIME else None,
        pulse=value.sfloat() if flags & Flag.PULSE else None,
        user=value.unsigned(1) if flags & Flag.USER else None,
        status=value.unsigned(2) if flags & Flag.STATUS else None,
        reserved=flags & ~_KNOWN_FLAGS,
        extra=value.rest(),
    )


def encode_measurement(said: BloodPressure) -> bytes:
    """Write one measurement, for simulators."""
    flags = said.reserved | (Flag.KILOPASCAL if said.unit is Unit.KILOPASCAL else 0)
    parts = [encode_sfloat(said.systolic), encode_sfloat(said.diastolic), encode_sfloat(said.mean)]
    if said.time is not None:
        flags |= Flag.TIME
        parts.append(encode_date_time(said.time))
    if said.pulse is not None:
        flags |= Flag.PULSE
        parts.append(encode_sfloat(said.pulse))
    if said.user is not None:
        flags |= Flag.USER
        parts.append(bytes([said.user]))
    if said.status is not None:
        flags |= Flag.STATUS
        parts.append(said.status.to_bytes(2, "little"))
    return bytes([flags, *b"".join(parts), *said.extra])


_KNOWN_FLAGS: Final = 0x1F


@dataclasses.dataclass(frozen=True, slots=True)
class CuffPressure:
    """What the cuff holds at one moment of a measurement; no pressure of the patient."""

    pressure: MedicalFloat
    unit: Unit
    extra: bytes = b""


def decode_cuff_pressure(raw: bytes) -> CuffPressure:
    """Read one notification of Intermediate Cuff Pressure (0x2A36).

    The layout is that of a measurement, so it is as long; of the pressures only the first is used.

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    said = decode_measurement(raw)
    return CuffPressure(said.systolic, said.unit, said.extra)


def decode_features(raw: bytes) -> int:
    """Read Blood Pressure Feature (0x2A49): the bits of `Feature`, and such as have no name yet.

    Raises:
        DeviceMisbehaved: fewer than two bytes (``frame-too-short``).
    """
    return Value(raw).unsigned(2)
