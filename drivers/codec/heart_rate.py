"""Heart Rate Measurement (GATT 0x2A37), which chest straps of every make send once a second.

Layout, little endian::

    0   1     flags
    1   1|2   heart rate, per minute; two bytes if WIDE
    +0  2     energy in kJ since a reset, if ENERGY
    +0  2 …   intervals between beats in 1/1024 s, oldest first, to the end, if INTERVALS

Source: Bluetooth SIG, Heart Rate Service 1.0, section 3.1.
"""

import dataclasses
from decimal import Decimal
from enum import IntEnum
from typing import Final

from drivers.codec.value import Value
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Mode, Reading

PARTIAL_INTERVAL: Final = "partial-interval"


class Flag(IntEnum):
    """Bits: what follows, and what the sensor knows of the skin."""

    WIDE = 0x01
    CONTACT = 0x02
    CONTACT_KNOWN = 0x04
    ENERGY = 0x08
    INTERVALS = 0x10


@dataclasses.dataclass(frozen=True, slots=True)
class HeartRate:
    """One value.

    Attributes:
        flags: as sent, bits without a meaning included.
        rate: beats a minute; 0 when the sensor has none.
        intervals: in 1/1024 s, oldest first.
        extra: bytes beyond the layout.
    """

    flags: int
    rate: int
    energy_kj: int | None = None
    intervals: tuple[int, ...] = ()
    extra: bytes = b""

    @property
    def contact(self) -> bool | None:
        """Whether the sensor touches the skin; None when it cannot tell."""
        return bool(self.flags & Flag.CONTACT) if self.flags & Flag.CONTACT_KNOWN else None

    @property
    def intervals_ms(self) -> tuple[Decimal, ...]:
        """Milliseconds between beats, exactly."""
        return tuple(Decimal(interval * 1000) / 1024 for interval in self.intervals)


def decode_heart_rate(raw: bytes) -> HeartRate:
    """Read one value of 0x2A37.

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``), or the list of intervals
            ends within one (``partial-interval``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    rate = value.unsigned(2 if flags & Flag.WIDE else 1)
    energy_kj = value.unsigned(2) if flags & Flag.ENERGY else None
    rest = value.rest()
    if not flags & Flag.INTERVALS:
        return HeartRate(flags, rate, energy_kj, extra=rest)
    if len(rest) % 2:
        raise DeviceMisbehaved("The list of intervals ends within one.", raw=raw, code=PARTIAL_INTERVAL)
    intervals = tuple(int.from_bytes(rest[at : at + 2], "little") for at in range(0, len(rest), 2))
    return HeartRate(flags, rate, energy_kj, intervals)


def encode_heart_rate(said: HeartRate) -> bytes:
    """Write one value, for simulators; the flags must fit what is said."""
    parts = [bytes([said.flags]), said.rate.to_bytes(2 if said.flags & Flag.WIDE else 1, "little")]
    if said.energy_kj is not None:
        parts.append(said.energy_kj.to_bytes(2, "little"))
    parts.extend(interval.to_bytes(2, "little") for interval in said.intervals)
    return b"".join(parts) + said.extra


def heart_rate_reading(said: HeartRate, raw: bytes) -> Reading:
    """What a sensor shows now. Without contact it shows nothing, whatever number it sends."""
    flags = ("extra-bytes",) if said.extra else ()
    intervals_ms = () if said.contact is False else said.intervals_ms
    return Reading(
        ((Code.HEART_RATE, _rate(said)),),
        flags,
        mode=Mode.CONTINUOUS,
        raw=raw,
        intervals_ms=intervals_ms,
    )


def _rate(said: HeartRate) -> Measured:
    if said.contact is False:
        return Missing(MissingReason.SENSOR_OFF)
    if said.rate == 0:
        return Missing(MissingReason.INVALID)
    return Quantity(Decimal(said.rate), Unit.PER_MINUTE)
