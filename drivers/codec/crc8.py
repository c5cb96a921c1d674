"""Checksums of one byte, by table.

Sources: ITU-T I.432.1 (polynomial x⁸+x²+x+1, most significant bit first); Maxim application note 27
(x⁸+x⁵+x⁴+1, least significant bit first).
"""

from typing import Final


def _reflected(polynomial: int) -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (polynomial if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


def _direct(polynomial: int) -> tuple[int, ...]:
    table: list[int] = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = (remainder << 1 ^ (polynomial if remainder & 0x80 else 0)) & 0xFF
        table.append(remainder)
    return tuple(table)


_MAXIM: Final = _reflected(0x8C)
_CCITT: Final = _direct(0x07)


def maxim(data: bytes) -> int:
    """CRC-8/MAXIM, begun with 0; over data and its own checksum it is 0."""
    return _over(_MAXIM, data)


def ccitt(data: bytes) -> int:
    """CRC-8 with polynomial 07, begun with 0; over data and its own checksum it is 0."""
    return _over(_CCITT, data)


def _over(table: tuple[int, ...], data: bytes) -> int:
    remainder = 0
    for byte in data:
        remainder = table[remainder ^ byte]
    return remainder
