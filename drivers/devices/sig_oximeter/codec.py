"""The values of the Bluetooth Pulse Oximeter service, read and written.

Source: Bluetooth SIG, Pulse Oximeter Service 1.0.1, sections 3.1 to 3.3.
"""

import dataclasses
from enum import IntEnum
from typing import Final

from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.sfloat import MedicalFloat, encode_sfloat
from drivers.codec.value import Value


class SpotFlag(IntEnum):
    """Bits of the first byte of a spot-check measurement: what follows."""

    TIME = 0x01
    STATUS = 0x02
    SENSOR = 0x04
    AMPLITUDE = 0x08
    CLOCK_NOT_SET = 0x10


class ContinuousFlag(IntEnum):
    """Bits of the first byte of a continuous measurement: what follows."""

    FAST = 0x01
    SLOW = 0x02
    STATUS = 0x04
    SENSOR = 0x08
    AMPLITUDE = 0x10


class Status(IntEnum):
    """Bits of the measurement status; 0 to 4 are reserved."""

    ONGOING = 0x0020
    EARLY_ESTIMATE = 0x0040
    VALIDATED = 0x0080
    FULLY_QUALIFIED = 0x0100
    FROM_STORAGE = 0x0200
    DEMONSTRATION = 0x0400
    TESTING = 0x0800
    CALIBRATION = 0x1000
    UNAVAILABLE = 0x2000
    QUESTIONABLE = 0x4000
    INVALID = 0x8000


class Sensor(IntEnum):
    """Bits of the device and sensor status; 16 to 23 are reserved."""

    EXTENDED_UPDATE = 0x0001
    EQUIPMENT_MALFUNCTION = 0x0002
    PROCESSING_IRREGULARITY = 0x0004
    INADEQUATE_SIGNAL = 0x0008
    POOR_SIGNAL = 0x0010
    LOW_PERFUSION = 0x0020
    ERRATIC_SIGNAL = 0x0040
    NON_PULSATILE = 0x0080
    QUESTIONABLE_PULSE = 0x0100
    ANALYSIS_ONGOING = 0x0200
    INTERFERENCE = 0x0400
    UNCONNECTED_TO_USER = 0x0800
    UNKNOWN = 0x1000
    DISPLACED = 0x2000
    MALFUNCTION = 0x4000
    DISCONNECTED = 0x8000


class Feature(IntEnum):
    """Bits: what a device can tell."""

    STATUS = 0x0001
    SENSOR = 0x0002
    STORAGE = 0x0004
    TIME = 0x0008
    FAST = 0x0010
    SLOW = 0x0020
    AMPLITUDE = 0x0040
    MULTIPLE_BONDS = 0x0080


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """Saturation in percent and pulse rate per minute, of one averaging."""

    spo2: MedicalFloat
    pulse: MedicalFloat


@dataclasses.dataclass(frozen=True, slots=True)
class SpotCheck:
    """One finished measurement, as the device said it.

    Attributes:
        time: the device's wall clock, or None when none was sent.
        clock_set: whether anybody has set that clock; if not, the time means nothing.
        status: bits of `Status`.
        sensor: bits of `Sensor`.
        amplitude: pulse amplitude index in percent.
        reserved: flag bits that have no meaning yet.
        extra: bytes beyond the layout.
    """

    shown: Pair
    time: DateTime | None = None
    status: int | None = None
    sensor: int | None = None
    amplitude: MedicalFloat | None = None
    clock_set: bool = True
    reserved: int = 0
    extra: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True)
class Continuous:
    """What the device shows at one moment; attributes as in `SpotCheck`.

    Attributes:
        shown: the normal averaging.
        fast, slow: the same over a shorter and over a longer time.
    """

    shown: Pair
    fast: Pair | None = None
    slow: Pair | None = None
    status: int | None = None
    sensor: int | None = None
    amplitude: MedicalFloat | None = None
    reserved: int = 0
    extra: bytes = b""


_SPOT_FLAGS: Final = 0x1F
_CONTINUOUS_FLAGS: Final = 0x1F


def decode_spot_check(raw: bytes) -> SpotCheck:
    """Read one indication of PLX Spot-Check Measurement (0x2A5E).

    Layout, little endian::

        0   1   flags
        1   2   SpO2        SFLOAT, percent
        3   2   pulse rate  SFLOAT, per minute
        5   7   time                           if TIME
        +0  2   measurement status             if STATUS
        +0  3   device and sensor status       if SENSOR
        +0  2   pulse amplitude index  SFLOAT  if AMPLITUDE

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    return SpotCheck(
        shown=_pair(value),
        time=value.date_time() if flags & SpotFlag.TIME else None,
        status=value.unsigned(2) if flags & SpotFlag.STATUS else None,
        sensor=value.unsigned(3) if flags & SpotFlag.SENSOR else None,
        amplitude=value.sfloat() if flags & SpotFlag.AMPLITUDE else None,
        clock_set=not flags & SpotFlag.CLOCK_NOT_SET,
        reserved=flags & ~_SPOT_FLAGS,
        extra=value.rest(),
    )


def encode_spot_check(said: SpotCheck) -> bytes:
    """Write one spot-check measurement, for simulators."""
    flags = said.reserved | (0 if said.clock_set else SpotFlag.CLOCK_NOT_SET)
    parts = [_pair_bytes(said.shown)]
    if said.time is not None:
        flags |= SpotFlag.TIME
        parts.append(encode_date_time(said.time))
    if said.status is not None:
        flags |= SpotFlag.STATUS
        parts.append(said.status.to_bytes(2, "little"))
    if said.sensor is not None:
        flags |= SpotFlag.SENSOR
        parts.append(said.sensor.to_bytes(3, "little"))
    if said.amplitude is not None:
        flags |= SpotFlag.AMPLITUDE
        parts.append(encode_sfloat(said.amplitude))
    return bytes([flags, *b"".join(parts), *said.extra])


def decode_continuous(raw: bytes) -> Continuous:
    """Read one notification of PLX Continuous Measurement (0x2A5F).

    Layout, little endian::

        0   1   flags
        1   4   SpO2 and pulse rate            as above, normal
        5   4   SpO2 and pulse rate, fast      if FAST
        +0  4   SpO2 and pulse rate, slow      if SLOW
        +0  2   measurement status             if STATUS
        +0  3   device and sensor status       if SENSOR
        +0  2   pulse amplitude index  SFLOAT  if AMPLITUDE

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    return Continuous(
        shown=_pair(value),
        fast=_pair(value) if flags & ContinuousFlag.FAST else None,
        slow=_pair(value) if flags & ContinuousFlag.SLOW else None,
        status=value.unsigned(2) if flags & ContinuousFlag.STATUS else None,
        sensor=value.unsigned(3) if flags & ContinuousFlag.SENSOR else None,
        amplitude=value.sfloat() if flags & ContinuousFlag.AMPLITUDE else None,
        reserved=flags & ~_CONTINUOUS_FLAGS,
        extra=value.rest(),
    )


def encode_continuous(said: Continuous) -> bytes:
    """Write one continuous measurement, for simulators."""
    flags = said.reserved
    parts = [_pair_bytes(said.shown)]
    if said.fast is not None:
        flags |= ContinuousFlag.FAST
        parts.append(_pair_bytes(said.fast))
    if said.slow is not None:
        flags |= ContinuousFlag.SLOW
        parts.append(_pair_bytes(said.slow))
    if said.status is not None:
        flags |= ContinuousFlag.STATUS
        parts.append(said.status.to_bytes(2, "little"))
    if said.sensor is not None:
        flags |= ContinuousFlag.SENSOR
        parts.append(said.sensor.to_bytes(3, "little"))
    if said.amplitude is not None:
        flags |= ContinuousFlag.AMPLITUDE
        parts.append(encode_sfloat(said.amplitude))
    return bytes([flags, *b"".join(parts), *said.extra])


@dataclasses.dataclass(frozen=True, slots=True)
class Features:
    """What a device can tell.

    Attributes:
        bits: those of `Feature`, and such as have no name yet.
        status: which bits of `Status` it can set, if it says so.
        sensor: which bits of `Sensor` it can set, if it says so.
    """

    bits: int
    status: int | None = None
    sensor: int | None = None
    extra: bytes = b""


def decode_features(raw: bytes) -> Features:
    """Read PLX Features (0x2A60): bits, then the supported bits of each status that it has.

    Raises:
        DeviceMisbehaved: shorter than its bits promise (``frame-too-short``).
    """
    value = Value(raw)
    bits = value.unsigned(2)
    return Features(
        bits,
        value.unsigned(2) if bits & Feature.STATUS else None,
        value.unsigned(3) if bits & Feature.SENSOR else None,
        value.rest(),
    )


def encode_features(said: Features) -> bytes:
    """Write the features, for simulators; the bits must fit what is said."""
    status = b"" if said.status is None else said.status.to_bytes(2, "little")
    sensor = b"" if said.sensor is None else said.sensor.to_bytes(3, "little")
    return said.bits.to_bytes(2, "little") + status + sensor + said.extra


def _pair(value: Value) -> Pair:
    return Pair(value.sfloat(), value.sfloat())


def _pair_bytes(said: Pair) -> bytes:
    return encode_sfloat(said.spo2) + encode_sfloat(said.pulse)
