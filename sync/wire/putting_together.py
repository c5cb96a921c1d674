"""Columns, read: `sync.wire.columns` says what they are.

This is where a centre spends its time. So one function walks over all rows with what it needs in local names,
fields that are the same again are taken together, and with each payload comes what it holds, which nobody has
to decode again. Bits are read as a text of ``0`` and ``1``: to look for the next ``1`` in a text is one call,
and a number in exponential Golomb code is what stands from there on, less a power of two.
"""

import functools
import itertools
from typing import Any, Final, cast

from edge import cbor
from edge.cbor import Value
from edge.records.fields import Field
from sync.wire import habits
from sync.wire.errors import EnvelopeRefused
from sync.wire.memory import Context, Memory
from sync.wire.shape import Mode, Place, Shape, read_shape
from sync.wire.young import APART_ORDER, RANDOM_BITS, from_young

_WIDEST: Final = 80
"""No number has more zeros before its first one: the difference of two 64-bit integers, and some room."""
_SAME, _RANK, _NEAR, _RAW, _YOUNG = (int(mode) for mode in Mode)
_FIELD, _UNDER_CODE, _CODE_ITSELF = (int(place) for place in Place)
_WALL_MS, _MONOTONIC_MS, _BIRTH = (int(field) for field in (Field.WALL_MS, Field.MONOTONIC_MS, Field.BIRTH))
_PAIRS: Final = frozenset(int(field) for field in habits.PAIRS)
_PAIRS_KEPT: Final = 4096
_EIGHT_BYTES_FROM, _EIGHT_BYTES_UNTIL = 1 << 32, 1 << 64

_Kept = tuple[bytes, Value]
"""What is kept with a value: key and value encoded, and what it means."""
_Read = tuple[list[int], list[bytes], list[dict[int, Value]]]


def read(plain: bytes, raw_bits: bytes, n: int, memory: Memory, most_bytes: int) -> _Read:
    """Kinds, payloads and fields of ``n`` rows.

    Args:
        plain: what was new, a list in deterministic CBOR.
        raw_bits: what refers to it.
        n: how many rows there are.
        memory: what the writer began with; it is learnt into.
        most_bytes: how large the payloads may be together.

    Raises:
        EnvelopeRefused: decode.
    """
    try:
        return _read(
            _News(cbor.items(plain)), bin(int.from_bytes(b"\x01" + raw_bits))[3:], n, memory, most_bytes
        )
    except (cbor.MalformedCbor, OverflowError, KeyError):
        raise EnvelopeRefused("decode") from None


def _read(  # noqa: C901, PLR0912, PLR0915  a call for each field and number would take twice the time
    news: "_News", bits: str, n: int, memory: Memory, most_bytes: int
) -> _Read:
    kinds: list[int] = []
    payloads: list[bytes] = []
    all_fields: list[dict[int, Value]] = []
    contexts, latest_parts, latest_values = memory.fields, memory.parts, memory.values
    shapes, any_shape = memory.shapes, memory.shapes[b""]
    codes, any_code = memory.codes, memory.codes[b""]
    at, end_of_bits = 0, len(bits)
    find = bits.find
    context: Context
    general: Context | None
    for _ in range(n):
        context = shapes[memory.shape]
        rank, at = _number(bits, at, context.rank_order)
        shape: Shape
        memory.shape, shape = _ranked(rank, context, any_shape, None, news)
        if shape.steps is None:
            payload, at = _octets(bits, at, memory.opaque)
            fields = _fields(payload)
        else:
            fields = {}
            parts = [shape.head]
            under_code = contexts  # until the code is read, which stands before what depends on it
            for mode, place, field, key, run, pick in shape.steps:
                if run:
                    parts += pick(latest_parts)
                    fields.update(zip(run, pick(latest_values)))  # noqa: B905  as many; to say so costs time here
                    continue
                if place == _FIELD:
                    context, general = contexts[field], None
                elif place == _UNDER_CODE:
                    context, general = under_code[field], contexts[field]
                else:
                    context, general = codes[memory.code], any_code
                    if context is any_code:
                        general = None
                if mode == _SAME:
                    if context.known or general is None:
                        part, value = context.known[context.last]
                    else:
                        part, value = general.known[general.last]
                elif mode == _NEAR:
                    before = context.numbers
                    order, other_order = context.orders
                    one = find("1", at)
                    end = 2 * one - at + order + 1
                    if one < 0 or one - at > _WIDEST or end > end_of_bits:
                        raise EnvelopeRefused("decode")
                    at = end
                    first = int(bits[one:end], 2) - (1 << order)
                    apart = first >> 1 ^ -(first & 1)
                    if field in _PAIRS:
                        one = find("1", at)
                        end = 2 * one - at + other_order + 1
                        if one < 0 or one - at > _WIDEST or end > end_of_bits:
                            raise EnvelopeRefused("decode")
                        at = end
                        second = int(bits[one:end], 2) - (1 << other_order)
                        other = second >> 1 ^ -(second & 1)
                        if before:
                            context.learn_apart(first, second)
                            apart, other = apart + before[0], other + before[1]
                        context.numbers = (apart, other)
                        raw, value = _pair(apart, other)
                    else:
                        if before:
                            context.learn_apart(first, None)
                            apart += before[0]
                        context.numbers = (apart,)
                        raw, value = _whole(field, apart, fields.get(_WALL_MS, 0))
                    part = key + raw
                    context.known = {raw: (part, value)}
                    context.last = raw
                else:
                    if mode == _RANK:
                        rank, at = _number(bits, at, context.rank_order)
                        raw, kept = _ranked(rank, context, general, key, news)
                    else:
                        if mode == _RAW:
                            value, at = _octets(bits, at, context)
                            raw = cbor.encode(value)
                        elif mode == _YOUNG:
                            raw, at = _young(bits, at, fields.get(_WALL_MS, 0))
                            value = raw[1:]
                        else:
                            raise EnvelopeRefused("decode")
                        kept = (key + raw, value)
                        context.learn(raw, kept)
                        if general is not None:
                            general.learn(raw, kept)
                    part, value = kept
                    if place == _CODE_ITSELF:
                        memory.code = raw
                    elif place == _UNDER_CODE:
                        latest_parts[field], latest_values[field] = part, value
                if place == _FIELD:
                    latest_parts[field], latest_values[field] = part, value
                elif place == _CODE_ITSELF:
                    under_code = memory.by_code[part[len(key) :]]
                parts.append(part)
                fields[field] = value
            payload = b"".join(parts)
        kinds.append(shape.kind)
        payloads.append(payload)
        all_fields.append(fields)
        most_bytes -= len(payload)
        if most_bytes < 0:
            raise EnvelopeRefused("decode")
    news.finish()
    if end_of_bits - at > 7 or "1" in bits[at:]:
        raise EnvelopeRefused("decode")
    return kinds, payloads, all_fields


class _News:
    """The plain list, from its beginning to its end."""

    def __init__(self, items: list[_Kept]) -> None:
        self._items = items
        self._used = 0

    def next(self) -> _Kept:
        if self._used == len(self._items):
            raise EnvelopeRefused("decode")
        self._used += 1
        return self._items[self._used - 1]

    def finish(self) -> None:
        """Refuse unless everything was used."""
        if self._used != len(self._items):
            raise EnvelopeRefused("decode")


def _number(bits: str, at: int, order: int) -> tuple[int, int]:
    """A number, and where it ends."""
    one = bits.find("1", at)
    end = 2 * one - at + order + 1
    if one < 0 or one - at > _WIDEST or end > len(bits):
        raise EnvelopeRefused("decode")
    return int(bits[one:end], 2) - (1 << order), end


def _ranked(
    rank: int, context: Context, general: Context | None, key: bytes | None, news: _News
) -> tuple[bytes, Any]:
    """One of the values before, or the next new one, and what is kept with it; a shape has no key."""
    context.learn_rank(rank)
    known = context.known
    beyond = rank - len(known)
    if beyond < 0:
        raw = context.last if not rank else next(itertools.islice(reversed(known), rank, None))
        kept = known[raw]
    elif general is not None and beyond < len(general.known) and general is not context:
        raw = next(itertools.islice(reversed(general.known), beyond, None))
        kept = general.known[raw]
    else:
        if beyond > (len(general.known) if general is not None and general is not context else 0):
            raise EnvelopeRefused("decode")
        raw, value = news.next()
        kept = read_shape(raw) if key is None else (key + raw, value)
    if rank or beyond >= 0:
        context.learn(raw, kept)
    if general is not None and general.last != raw:
        general.learn(raw, kept)
    return raw, kept


def _octets(bits: str, at: int, context: Context) -> tuple[bytes, int]:
    """Bytes that nothing foretells, and where they end."""
    more, at = _number(bits, at, 0)
    length = context.length + (more >> 1 ^ -(more & 1))
    end = at + 8 * length
    if length < 0 or end > len(bits):
        raise EnvelopeRefused("decode")
    context.length = length
    return int(bits[at:end] or "0", 2).to_bytes(length), end


def _young(bits: str, at: int, wall_ms: Value) -> tuple[bytes, int]:
    """An encoded UUIDv7 of the time of its entry, and where it ends."""
    apart, at = _number(bits, at, APART_ORDER)
    end = at + RANDOM_BITS
    if end > len(bits):
        raise EnvelopeRefused("decode")
    time_ms = wall_ms if isinstance(wall_ms, int) else 0
    return from_young(apart >> 1 ^ -(apart & 1), int(bits[at:end], 2), time_ms), end


@functools.lru_cache(maxsize=_PAIRS_KEPT)
def _pair(first: int, second: int) -> _Kept:
    """Two numbers encoded, and as a list; values come again and again."""
    return cbor.encode([first, second]), [first, second]


def _whole(field: int, number: int, wall_ms: Value) -> _Kept:
    """What one number stands for, encoded and as it is."""
    if field == _MONOTONIC_MS:
        number = (wall_ms if isinstance(wall_ms, int) else 0) - number
    elif field == _BIRTH:
        raw = habits.from_numbers(field, (number,), 0)
        return raw, cbor.decode(raw)
    if _EIGHT_BYTES_FROM <= number < _EIGHT_BYTES_UNTIL:  # as times are
        return b"\x1b" + number.to_bytes(8), number
    return cbor.encode(number), number


def _fields(payload: bytes) -> dict[int, Value]:
    """What an opaque payload holds: whoever gets it relies on its being a map of fields."""
    cbor.split(payload)
    return cast("dict[int, Value]", cbor.decode(payload))
