"""Deterministic CBOR (RFC 8949 section 4.2.1) with one strict reader.

Everything signed, hashed or sent is written here and read back here. A reader that accepts two
spellings of one value lets a stranger change bytes without changing meaning, so the reader encodes
what it read and compares: no tags, floats, duplicate keys, indefinite lengths, undefined, trailing
bytes or integers beyond 64 bits.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

import cbor2

from edge.errors import QafilaError

Value: TypeAlias = (
    "int | bool | None | str | bytes | Sequence[Value] | Mapping[int, Value] | Mapping[str, Value]"
)
MAX_DEPTH: Final = 16
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1


class MalformedCbor(QafilaError):
    """The bytes are no deterministic CBOR of the kinds used here. Nothing of them may be believed."""

    code: ClassVar[str] = "malformed-cbor"


def encode(value: Value) -> bytes:
    """Encode deterministically: shortest forms, map keys in bytewise order of their encoding.

    Raises:
        MalformedCbor: the value holds a float, a tag, an integer beyond 64 bits or deeper nesting
            than the reader would take back.
    """
    _check(value, 0)
    # RFC 7049's canonical order (shorter keys first), which cbor2 writes, and RFC 8949's bytewise
    # order agree for keys of one major type; _check refuses maps that mix them.
    return cbor2.dumps(value, canonical=True)


def decode(raw: bytes) -> Value:
    """Read one value strictly; sequences come back as lists, maps as dicts.

    Raises:
        MalformedCbor: anything that `encode` would not have written byte for byte.
    """
    if not _shallow(raw):
        raise MalformedCbor("The bytes are nested deeper than anything written here.")
    try:
        value = cbor2.loads(raw)
    except Exception as error:  # noqa: BLE001  a decoder fed by strangers: whatever it raises means "no"
        raise MalformedCbor("The bytes are no CBOR.") from error
    _check(value, 0)
    if cbor2.dumps(value, canonical=True) != raw:
        raise MalformedCbor("The bytes are not in the one form that is accepted.")
    return value  # type: ignore[no-any-return]  # _check has just established the type


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise MalformedCbor("The value is nested deeper than anything written here.")
    match value:
        case None | bool() | str() | bytes():
            return
        case int():
            if not _INT_MIN <= value <= _INT_MAX:
                raise MalformedCbor("An integer is wider than 64 bits.")
        case list() | tuple():
            for item in value:
                _check(item, depth + 1)
        case dict():
            kinds = {"negative" if isinstance(k, int) and k < 0 else type(k).__name__ for k in value}
            if not (kinds <= {"int", "negative"} or kinds <= {"str"}):
                raise MalformedCbor("A map has keys that are neither all integers nor all text.")
            for item in value.values():
                _check(item, depth + 1)
        case _:
            raise MalformedCbor("The value holds a kind that is never written here.")


def _shallow(raw: bytes) -> bool:
    """Walk the heads only and refuse deep nesting before a recursive decoder sees it."""
    pending: list[int] = [1]  # how many items are still to come at each level
    at = 0
    while pending:
        if pending[-1] == 0:
            pending.pop()
            continue
        pending[-1] -= 1
        if at >= len(raw) or len(pending) > MAX_DEPTH + 2:
            return False
        major, info = raw[at] >> 5, raw[at] & 31
        at += 1
        if info >= 28 or major == 6:  # indefinite, reserved, or a tag: never written here
            return False
        size = 1 << (info - 24) if info >= 24 else 0
        argument = int.from_bytes(raw[at : at + size]) if size else info
        at += size
        if major in {2, 3}:
            at += argument
        elif major == 4:
            pending.append(argument)
        elif major == 5:
            pending.append(2 * argument)
    return at <= len(raw)
