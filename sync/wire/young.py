"""A UUIDv7 made about the time of its entry (RFC 9562 section 5.7): all but its random bits is foretold."""

from typing import Final

YOUNG_MS: Final = 1 << 24
"""Within so many milliseconds, four and a half hours, a UUIDv7 is young."""
APART_ORDER: Final = 2
"""The order of the code of those milliseconds: hardly ever more than one."""
RANDOM_BITS: Final = 74
_UUID_HEAD: Final = 0x50  # 16 bytes


def to_young(raw: bytes, wall_ms: int) -> tuple[int, int] | None:
    """Milliseconds apart and random bits of an encoded UUIDv7, if it is a young one."""
    if raw[0] != _UUID_HEAD:
        return None
    number = int.from_bytes(raw[1:])
    apart = (number >> 80) - wall_ms
    if number >> 76 & 0xF != 7 or number >> 62 & 3 != 2 or not -YOUNG_MS < apart < YOUNG_MS:
        return None
    return apart, (number >> 64 & 0xFFF) << 62 | number & ((1 << 62) - 1)


def from_young(apart: int, random: int, wall_ms: int) -> bytes:
    """The encoded UUIDv7.

    Raises:
        OverflowError: it is of no time of this calendar.
    """
    number = wall_ms + apart << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & ((1 << 62) - 1)
    return bytes([_UUID_HEAD]) + number.to_bytes(16)
