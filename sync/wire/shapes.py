"""Take decoded CBOR apart with every bound stated; anything else is refused as ``form``."""

from typing import Final

from edge.cbor import Value
from sync.wire.errors import EnvelopeRefused
from sync.wire.topics import UNIT_ID

SEQ_MAX: Final = 2**63 - 1
"""Sequence numbers and times fit a signed 64-bit column."""


def integer(value: Value, low: int = 0, high: int = SEQ_MAX) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise EnvelopeRefused("form")
    return value


def octets(value: Value, size: int | None = None) -> bytes:
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise EnvelopeRefused("form")
    return value


def text(value: Value, longest: int = 255) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise EnvelopeRefused("form")
    return value


def flag(value: Value) -> bool:
    if not isinstance(value, bool):
        raise EnvelopeRefused("form")
    return value


def unit(value: Value) -> str:
    if not isinstance(value, str) or not UNIT_ID.fullmatch(value):
        raise EnvelopeRefused("form")
    return value


def items(value: Value, size: int | None = None, *, most: int = 4096) -> list[Value]:
    """A list of exactly ``size`` items, or of at most ``most``."""
    if not isinstance(value, list) or (len(value) != size if size is not None else len(value) > most):
        raise EnvelopeRefused("form")
    return value
