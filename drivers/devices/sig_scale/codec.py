"""The values of the Bluetooth Weight Scale and Body Composition services, read and written.

Numbers are whole steps of a fixed size; which size, the unit flag says::

    SI         0.005 kg   0.001 m
    imperial   0.01 lb    0.1 in

Source: Bluetooth SIG, Weight Scale Service 1.0.1, section 3.2; Body Composition Service 1.0.1, section 3.2.
"""

import dataclasses
from decimal import Decimal
from enum import IntEnum
from typing import Final

from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.codec.value import Value
from edge.ports.driver import DeviceMisbehaved

UNSUCCESSFUL: Final = 0xFFFF
"""A weight, or a body fat: the measurement came to nothing."""
UNKNOWN_USER: Final = 0xFF
NOT_HALVES: Final = "not-halves-of-one-record"
TENTH: Final = Decimal("0.1")


class Flag(IntEnum):
    """Bits of the first byte of a weight measurement."""

    IMPERIAL = 0x01
    TIME = 0x02
    USER = 0x04
    BMI_AND_HEIGHT = 0x08


class BodyFlag(IntEnum):
    """Bits of the first two bytes of a body composition measurement."""

    IMPERIAL = 0x0001
    TIME = 0x0002
    USER = 0x0004
    BASAL_METABOLISM = 0x0008
    MUSCLE_PERCENT = 0x0010
    MUSCLE_MASS = 0x0020
    FAT_FREE_MASS = 0x0040
    SOFT_LEAN_MASS = 0x0080
    BODY_WATER_MASS = 0x0100
    IMPEDANCE = 0x0200
    WEIGHT = 0x0400
    HEIGHT = 0x0800
    TWO_PACKETS = 0x1000


@dataclasses.dataclass(frozen=True, slots=True)
class Weight:
    """One value of Weight Measurement, as the device said it.

    Attributes:
        imperial: whether steps are pounds and inches.
        weight: in steps, or None when the measurement was unsuccessful.
        time: the device's wall clock, or None when none was sent.
        user: which of the device's users; ``UNKNOWN_USER`` when it does not know.
        bmi: tenths of kg/m²; 0 when it was not set.
        height: in steps, of the user as somebody typed it in; 0 when it was not set.
        reserved: flag bits that have no meaning yet.
        extra: bytes beyond the layout.
    """

    imperial: bool
    weight: int | None
    time: DateTime | None = None
    user: int | None = None
    bmi: int | None = None
    height: int | None = None
    reserved: int = 0
    extra: bytes = b""


def decode_weight(raw: bytes) -> Weight:
    """Read one indication of Weight Measurement (0x2A9D).

    Layout, little endian::

        0   1   flags
        1   2   weight    steps
        3   7   time      if TIME
        +0  1   user      if USER
        +0  2   BMI       0.1 kg/m², if BMI_AND_HEIGHT
        +2  2   height    steps, if BMI_AND_HEIGHT

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(1)
    has_bmi = flags & Flag.BMI_AND_HEIGHT
    return Weight(
        imperial=bool(flags & Flag.IMPERIAL),
        weight=_unless_unsuccessful(value.unsigned(2)),
        time=value.date_time() if flags & Flag.TIME else None,
        user=value.unsigned(1) if flags & Flag.USER else None,
        bmi=value.unsigned(2) if has_bmi else None,
        height=value.unsigned(2) if has_bmi else None,
        reserved=flags & ~_KNOWN_FLAGS,
        extra=value.rest(),
    )


def encode_weight(said: Weight) -> bytes:
    """Write one value, for simulators; BMI and height go together or not at all."""
    flags = said.reserved | (Flag.IMPERIAL if said.imperial else 0)
    parts = [_two(UNSUCCESSFUL if said.weight is None else said.weight)]
    if said.time is not None:
        flags |= Flag.TIME
        parts.append(encode_date_time(said.time))
    if said.user is not None:
        flags |= Flag.USER
        parts.append(bytes([said.user]))
    if said.bmi is not None and said.height is not None:
        flags |= Flag.BMI_AND_HEIGHT
        parts += [_two(said.bmi), _two(said.height)]
    return bytes([flags, *b"".join(parts), *said.extra])


@dataclasses.dataclass(frozen=True, slots=True)
class Body:
    """One value of Body Composition Measurement, or what two of them say together.

    Attributes:
        imperial: whether steps are pounds and inches.
        fat: tenths of a percent of the weight, or None when the measurement was unsuccessful.
        time: the device's wall clock, or None when none was sent.
        user: which of the device's users; ``UNKNOWN_USER`` when it does not know.
        fields: the other numbers that were sent, by their flag, in the units of the specification: kJ,
            tenths of a percent, steps, tenths of an ohm.
        two_packets: whether another value goes with it.
        reserved: flag bits that have no meaning yet.
        extra: bytes beyond the layout.
    """

    imperial: bool
    fat: int | None
    time: DateTime | None = None
    user: int | None = None
    fields: tuple[tuple[BodyFlag, int], ...] = ()
    two_packets: bool = False
    reserved: int = 0
    extra: bytes = b""

    def said(self, field: BodyFlag) -> int | None:
        """One of the other numbers, or None when it was not sent."""
        return dict(self.fields).get(field)


FIELDS: Final = (
    BodyFlag.BASAL_METABOLISM,
    BodyFlag.MUSCLE_PERCENT,
    BodyFlag.MUSCLE_MASS,
    BodyFlag.FAT_FREE_MASS,
    BodyFlag.SOFT_LEAN_MASS,
    BodyFlag.BODY_WATER_MASS,
    BodyFlag.IMPEDANCE,
    BodyFlag.WEIGHT,
    BodyFlag.HEIGHT,
)
"""In the order in which they are sent; two bytes each."""


def decode_body(raw: bytes) -> Body:
    """Read one indication of Body Composition Measurement (0x2A9C).

    Layout, little endian::

        0   2   flags
        2   2   body fat   0.1 %
        4   7   time       if TIME
        +0  1   user       if USER
        +0  2 … each of FIELDS, if its flag is set

    Raises:
        DeviceMisbehaved: shorter than its flags promise (``frame-too-short``).
    """
    value = Value(raw)
    flags = value.unsigned(2)
    return Body(
        imperial=bool(flags & BodyFlag.IMPERIAL),
        fat=_unless_unsuccessful(value.unsigned(2)),
        time=value.date_time() if flags & BodyFlag.TIME else None,
        user=value.unsigned(1) if flags & BodyFlag.USER else None,
        fields=tuple((field, value.unsigned(2)) for field in FIELDS if flags & field),
        two_packets=bool(flags & BodyFlag.TWO_PACKETS),
        reserved=flags & ~_KNOWN_BODY_FLAGS,
        extra=value.rest(),
    )


def encode_body(said: Body) -> bytes:
    """Write one value, for simulators."""
    flags = said.reserved | (BodyFlag.IMPERIAL if said.imperial else 0)
    flags |= BodyFlag.TWO_PACKETS if said.two_packets else 0
    parts = [_two(UNSUCCESSFUL if said.fat is None else said.fat)]
    if said.time is not None:
        flags |= BodyFlag.TIME
        parts.append(encode_date_time(said.time))
    if said.user is not None:
        flags |= BodyFlag.USER
        parts.append(bytes([said.user]))
    sent = dict(said.fields)
    for field in FIELDS:
        if field in sent:
            flags |= field
            parts.append(_two(sent[field]))
    return _two(flags) + b"".join(parts) + said.extra


def join(first: Body, second: Body) -> Body:
    """What two indications of one record say together.

    Both bear the flag and the unit; the second has neither time nor user, no number that the first had
    already, and in the place of the body fat that of the first, 0 or "unsuccessful".

    Raises:
        DeviceMisbehaved: they are not halves of one record (``not-halves-of-one-record``).
    """
    apart = (
        not (first.two_packets and second.two_packets)
        or first.imperial != second.imperial
        or second.fat not in {first.fat, None, 0}
        or second.time is not None
        or second.user is not None
        or bool(dict(first.fields).keys() & dict(second.fields).keys())
    )
    if apart:
        raise DeviceMisbehaved("Two values that do not belong together.", code=NOT_HALVES)
    return dataclasses.replace(
        first,
        fields=first.fields + second.fields,
        reserved=first.reserved | second.reserved,
        extra=first.extra + second.extra,
    )


def check_features(raw: bytes) -> None:
    """Hold that a value of 0x2A9E or 0x2A9B is one: four bytes of bits that nothing here depends on.

    Raises:
        DeviceMisbehaved: fewer (``frame-too-short``).
    """
    Value(raw).unsigned(4)


def _unless_unsuccessful(number: int) -> int | None:
    return None if number == UNSUCCESSFUL else number


def _two(number: int) -> bytes:
    return number.to_bytes(2, "little")


_KNOWN_FLAGS: Final = 0x0F
_KNOWN_BODY_FLAGS: Final = 0x1FFF
