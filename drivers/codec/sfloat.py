"""Medical floats, 16 and 32 bit: a mantissa and a power of ten, so 36.6 stays 36.6.

Both are little endian, mantissa and exponent in two's complement, value = mantissa x 10^exponent::

    SFLOAT  bits 0-11 mantissa   12-15 exponent
    FLOAT   bits 0-23 mantissa   24-31 exponent

With exponent 0 five mantissas are no numbers but reasons why there is none. With any other exponent the
standard gives them no meaning of their own, so ``FF F7`` is 2047 x 10^-1 = 204.7; a sender that meant NaN
and took the wrong exponent cannot be told from one that measured it, hence `has_special_mantissa`.

Source: IEEE 11073-20601; Bluetooth GATT Specification Supplement, medfloat16 and medfloat32.
"""

import dataclasses
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias


class Special(StrEnum):
    """What a device says instead of a number."""

    NAN = "nan"
    NOT_AT_THIS_RESOLUTION = "nres"
    PLUS_INFINITY = "+inf"
    MINUS_INFINITY = "-inf"
    RESERVED = "reserved"


MedicalFloat: TypeAlias = Decimal | Special
"""A number whose exponent is the one that was sent, or the reason why there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Layout:
    mantissa_bits: int
    exponent_bits: int

    @property
    def size(self) -> int:
        return (self.mantissa_bits + self.exponent_bits) // 8

    def special(self, mantissa: int) -> Special | None:
        """The reason that a mantissa, not yet signed, stands for."""
        match mantissa - (1 << self.mantissa_bits - 1):
            case -2:
                return Special.PLUS_INFINITY
            case -1:
                return Special.NAN
            case 0:
                return Special.NOT_AT_THIS_RESOLUTION
            case 1:
                return Special.RESERVED
            case 2:
                return Special.MINUS_INFINITY
            case _:
                return None


SFLOAT: Final = _Layout(12, 4)
FLOAT: Final = _Layout(24, 8)


def decode_sfloat(raw: bytes) -> MedicalFloat:
    """The number in two bytes."""
    return _decode(SFLOAT, raw)


def decode_float(raw: bytes) -> MedicalFloat:
    """The number in four bytes."""
    return _decode(FLOAT, raw)


def encode_sfloat(value: MedicalFloat) -> bytes:
    """Two bytes for a number, with its own exponent if that is possible, else with the nearest.

    Raises:
        ValueError: no two bytes say exactly this.
    """
    return _encode(SFLOAT, value)


def encode_float(value: MedicalFloat) -> bytes:
    """Four bytes for a number; as `encode_sfloat`."""
    return _encode(FLOAT, value)


def has_special_mantissa(raw: bytes) -> bool:
    """Whether an SFLOAT or FLOAT is a number only because its exponent is not 0, as ``FF F7`` is."""
    layout = _layout_of(raw)
    word = int.from_bytes(raw, "little")
    mantissa = word & (1 << layout.mantissa_bits) - 1
    return word != mantissa and layout.special(mantissa) is not None


def _layout_of(raw: bytes) -> _Layout:
    return SFLOAT if len(raw) == SFLOAT.size else FLOAT


def _decode(layout: _Layout, raw: bytes) -> MedicalFloat:
    if len(raw) != layout.size:
        raise ValueError(f"{len(raw)} bytes are no medical float of {layout.size}")
    word = int.from_bytes(raw, "little")
    mantissa = word & (1 << layout.mantissa_bits) - 1
    exponent = _signed(word >> layout.mantissa_bits, layout.exponent_bits)
    special = layout.special(mantissa)
    if exponent == 0 and special is not None:
        return special
    return Decimal(_signed(mantissa, layout.mantissa_bits)).scaleb(exponent)


def _encode(layout: _Layout, value: MedicalFloat) -> bytes:
    if isinstance(value, Special):
        return _SPECIALS[value, layout].to_bytes(layout.size, "little")
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("a special value is written as Special")  # noqa: TRY004  a Decimal it is
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    lowest, highest = -(1 << layout.exponent_bits - 1), (1 << layout.exponent_bits - 1) - 1
    for candidate in sorted(range(lowest, highest + 1), key=lambda other: abs(other - exponent)):
        shifted = _shifted(mantissa, exponent - candidate, layout.mantissa_bits)
        if shifted is not None and not (candidate == 0 and layout.special(shifted) is not None):
            word = (candidate & (1 << layout.exponent_bits) - 1) << layout.mantissa_bits | shifted
            return word.to_bytes(layout.size, "little")
    raise ValueError("no medical float says exactly this")


def _shifted(mantissa: int, places: int, bits: int) -> int | None:
    """The mantissa moved by so many decimal places, in two's complement; None when it loses a digit."""
    if mantissa and abs(places) > bits:
        return None  # further than any mantissa has digits
    if places >= 0:
        moved = mantissa * 10**places if mantissa else 0
    else:
        moved, lost = divmod(mantissa, 10**-places) if mantissa else (0, 0)
        if lost:
            return None
    half = 1 << bits - 1
    return moved & (1 << bits) - 1 if -half <= moved < half else None


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


_SPECIALS: Final = {
    (special, layout): mantissa
    for layout in (SFLOAT, FLOAT)
    for mantissa in range((1 << layout.mantissa_bits - 1) - 2, (1 << layout.mantissa_bits - 1) + 3)
    if (special := layout.special(mantissa)) is not None
}
