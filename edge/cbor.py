"""Deterministic CBOR (RFC 8949 section 4.2.1) with one strict reader.

Everything signed, hashed or sent is written here and read back here. A reader that accepts two
spellings of one value lets a stranger change bytes without changing meaning, so this one takes exactly
what the writer writes: integers of up to 64 bits, text, bytes, lists, maps whose keys are all integers
or all text, false, true and null; each in its shortest form, map keys in bytewise order. No tags,
floats, duplicate keys, indefinite lengths, undefined, or trailing bytes.

One pass in plain Python: checking before and after a general codec took three times as long.
"""

import operator
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeAlias

from edge.errors import QafilaError

Value: TypeAlias = (
    "int | bool | str | bytes | Sequence[Value] | Mapping[int, Value] | Mapping[str, Value] | None"
)
MAX_DEPTH: Final = 16
"""How many lists and maps may stand one in another."""

_UNSIGNED, _NEGATIVE, BYTES, _TEXT, _LIST, _MAP = range(6)
_FALSE, _TRUE, _NULL = 0xF4, 0xF5, 0xF6
_SHORT_HEADS: Final = [[bytes([major << 5 | low]) for low in range(24)] for major in range(6)]
_SHORTEST: Final = {1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}
"""How many bytes follow a head, and the smallest number that needs them."""


class MalformedCbor(QafilaError):
    """The bytes are no deterministic CBOR of the kinds used here. Nothing of them may be believed."""

    code: ClassVar[str] = "malformed-cbor"


def encode(value: Value) -> bytes:
    """Encode deterministically.

    Raises:
        MalformedCbor: the value holds a kind that is never written here, an integer beyond 64 bits, or
            deeper nesting than the reader would take back.
    """
    return _write(value, MAX_DEPTH)


def decode(raw: bytes) -> Value:
    """Read one value strictly; sequences come back as lists, maps as dicts.

    Raises:
        MalformedCbor: anything that `encode` would not have written byte for byte.
    """
    value, end = decode_first(raw)
    if end != len(raw):
        raise MalformedCbor("Something follows the value.")
    return value


def decode_first(raw: bytes) -> tuple[Value, int]:
    """Read the value with which the bytes begin, as strictly; also where it ends.

    Raises:
        MalformedCbor: they begin with none.
    """
    try:
        value, end = _read(raw, 0, MAX_DEPTH)
    except IndexError:
        raise MalformedCbor("The bytes end too soon.") from None
    except UnicodeDecodeError:
        raise MalformedCbor("A text is no UTF-8.") from None
    if end > len(raw):
        raise MalformedCbor("The bytes end too soon.")
    return value, end


def items(raw: bytes) -> list[tuple[bytes, Value]]:
    """Take a list apart: each item as it is encoded, and what it means.

    Raises:
        MalformedCbor: the bytes are no list, or not in the one form.
    """
    if not raw or raw[0] >> 5 != _LIST:
        raise MalformedCbor("The bytes are no list.")
    found: list[tuple[bytes, Value]] = []
    try:
        size, at = _read(bytes([raw[0] & 31]) + raw[1:9], 0, 0)  # the head of a list, read as a number
        while isinstance(size, int) and len(found) < size:
            start = at
            value, at = _read(raw, start, MAX_DEPTH - 1)
            found.append((raw[start:at], value))
    except (IndexError, UnicodeDecodeError):
        raise MalformedCbor("The bytes end too soon, or a text is no UTF-8.") from None
    if at != len(raw):
        raise MalformedCbor("Something follows the list, or it ends too soon.")
    return found


def list_of(raws: Sequence[bytes]) -> bytes:
    """Put a list together from items that are encoded already."""
    return _head(_LIST, len(raws)) + b"".join(raws)


def content(raw: bytes) -> bytes:
    """The bytes that an encoded string of bytes holds; what it is given has been read before."""
    low = raw[0] & 31
    return raw[1:] if low < 24 else raw[1 + (1 << (low - 24)) :]


def map_head(size: int) -> bytes:
    """With what a map of so many fields begins."""
    return _head(_MAP, size)


def split(raw: bytes) -> dict[int, bytes]:
    """Take a map with integer keys apart, its values left encoded, in order.

    Raises:
        MalformedCbor: the bytes are no such map, or not in the one form.
    """
    if not raw or raw[0] >> 5 != _MAP:
        raise MalformedCbor("The bytes are no map.")
    values: dict[int, bytes] = {}
    keys: list[bytes] = []
    try:
        size, at = _read(bytes([raw[0] & 31]) + raw[1:9], 0, 0)  # the head of a map, read as a number
        while isinstance(size, int) and len(keys) < size:
            key = raw[at]
            if key < 24:
                start = at + 1
            else:
                read, start = _read(raw, at, 0)
                if not isinstance(read, int):
                    raise MalformedCbor("The map has keys that are no integers.")
                key = read
            keys.append(raw[at:start])
            at = _end(raw, start)
            values[key] = raw[start:at]
    except (IndexError, UnicodeDecodeError):
        raise MalformedCbor("The bytes end too soon, or a text is no UTF-8.") from None
    _check_keys(keys)
    if at != len(raw):
        raise MalformedCbor("Something follows the map.")
    return values


def _end(raw: bytes, at: int) -> int:
    """Where the value that begins at ``at`` ends; short ones are looked at without being read."""
    head = raw[at]
    if head < 0x18 or 0x20 <= head < 0x38:
        return at + 1
    if 0x40 <= head < 0x58:
        return at + head - 0x3F
    if 0x60 <= head < 0x78:
        end = at + head - 0x5F
        raw[at + 1 : end].decode()
        return end
    return _read(raw, at, MAX_DEPTH - 1)[1]


def join(fields: Mapping[int, bytes]) -> bytes:
    """Put such a map together from values that are encoded already."""
    pairs = sorted([(_write(key, 0), item) for key, item in fields.items()])
    return _head(_MAP, len(pairs)) + b"".join([key + item for key, item in pairs])


def _write(value: object, room: int) -> bytes:  # noqa: PLR0911  one answer per kind of value
    if isinstance(value, int):
        if isinstance(value, bool):
            return b"\xf5" if value else b"\xf4"
        return _head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value)
    if isinstance(value, str):
        try:
            raw = value.encode()
        except UnicodeEncodeError:
            raise MalformedCbor("A text is no Unicode.") from None
        return _head(_TEXT, len(raw)) + raw
    if isinstance(value, bytes):
        return _head(BYTES, len(value)) + value
    if value is None:
        return b"\xf6"
    if not room:
        raise MalformedCbor("The value is nested deeper than anything written here.")
    if isinstance(value, list | tuple):
        return _head(_LIST, len(value)) + b"".join([_write(item, room - 1) for item in value])
    if isinstance(value, dict):
        pairs = sorted([(_write(key, 0), _write(item, room - 1)) for key, item in value.items()])
        _check_keys([key for key, _ in pairs])
        return _head(_MAP, len(pairs)) + b"".join([key + item for key, item in pairs])
    raise MalformedCbor("The value holds a kind that is never written here.")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return _SHORT_HEADS[major][number]
    if number < 1 << 8:
        return bytes((major << 5 | 24, number))
    if number < 1 << 16:
        return bytes((major << 5 | 25,)) + number.to_bytes(2)
    if number < 1 << 32:
        return bytes((major << 5 | 26,)) + number.to_bytes(4)
    if number < 1 << 64:
        return bytes((major << 5 | 27,)) + number.to_bytes(8)
    raise MalformedCbor("An integer is wider than 64 bits.")


def _read(raw: bytes, at: int, room: int) -> tuple[Value, int]:  # noqa: C901, PLR0911  one per major type
    """The value that begins at ``at``, and where it ends.

    Whoever calls first sees to it that it does not end behind the bytes: a slice is cut short in silence,
    and what would follow then is not there to be read.
    """
    first = raw[at]
    at += 1
    major, number = first >> 5, first & 31
    if number >= 24 and major <= _MAP:
        if number > 27:
            raise MalformedCbor("The bytes hold a head that is reserved, or a length left open.")
        size = 1 << (number - 24)
        number = int.from_bytes(raw[at : at + size])
        at += size
        if number < _SHORTEST[size]:
            raise MalformedCbor("A number is not in its shortest form.")
    if major == _UNSIGNED:
        return number, at
    if major == _TEXT:
        return raw[at : at + number].decode(), at + number
    if major == BYTES:
        return raw[at : at + number], at + number
    if major == _NEGATIVE:
        return -1 - number, at
    if major == _LIST:
        return _read_list(raw, at, number, room)
    if major == _MAP:
        return _read_map(raw, at, number, room)
    if first == _NULL:
        return None, at
    if first in {_FALSE, _TRUE}:
        return first == _TRUE, at
    raise MalformedCbor("The bytes hold a kind that is never written here.")


def _read_list(raw: bytes, at: int, n: int, room: int) -> tuple[list[Value], int]:
    if not room:
        raise MalformedCbor("The bytes are nested deeper than anything written here.")
    items: list[Value] = []
    for _ in range(n):
        item, at = _read(raw, at, room - 1)
        items.append(item)
    return items, at


def _read_map(raw: bytes, at: int, n: int, room: int) -> tuple[Mapping[int, Value], int]:
    if not room:
        raise MalformedCbor("The bytes are nested deeper than anything written here.")
    pairs: dict[int, Value] = {}
    keys: list[bytes] = []
    for _ in range(n):
        start = at
        key, at = _read(raw, at, 0)
        keys.append(raw[start:at])
        pairs[key], at = _read(raw, at, room - 1)  # type: ignore[index]  # all integers or all text: _check_keys
    _check_keys(keys)
    return pairs, at


def _check_keys(keys: list[bytes]) -> None:
    """In order, each once, all integers or all text; the first and the last speak for those between."""
    if any(map(operator.ge, keys, keys[1:])):
        raise MalformedCbor("A map's keys are not in order, or one is there twice.")
    if keys and not (keys[-1][0] >> 5 <= _NEGATIVE or keys[0][0] >> 5 == _TEXT == keys[-1][0] >> 5):
        raise MalformedCbor("A map has keys that are neither all integers nor all text.")
