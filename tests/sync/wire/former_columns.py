"""Columns as they were written and read at first: a call for each field and each number.

The code that ships has to give the same bytes, the same rows and the same refusals, only sooner. Only tests
use this.
"""

import functools
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from edge import cbor
from edge.records.fields import Field
from sync.wire import habits
from sync.wire.columns import MAX_FIELDS, Packed, Row
from sync.wire.errors import EnvelopeRefused
from sync.wire.habits import Habit
from sync.wire.shape import Mode

SHAPE: Final = -1
OPAQUE: Final = -2
"""Contexts that are no fields; the numbers of fields are never negative."""

Context: TypeAlias = tuple[int, bytes]
"""A field, and whatever else its habits depend on."""

_MAX_KNOWN: Final = 128
"""How many values are remembered in a context."""
_USUAL_LENGTH: Final = 8
_START: Final = {"rank": 0, "near 0": 1 << 6, "near 1": 1 << 6}
"""How large the first number of a context is taken to be: a measured value differs by about 64."""
_HALVE_AT: Final = 32
"""After so many numbers the older ones count half."""


class Memory:
    """The values and numbers of every context, and how large its numbers are.

    Nothing in its dictionaries is ever changed in place, so a copy costs no more than they do.
    """

    def __init__(self) -> None:
        self._known: dict[Context, tuple[bytes, ...]] = {}
        self._numbers: dict[Context, tuple[int, ...]] = {}
        self._lengths: dict[Context, int] = {}
        self._sizes: dict[tuple[Context, str], tuple[int, int]] = {}
        self._latest = {SHAPE: b"", Field.CODE: b""}

    def copy(self) -> "Memory":
        """The same knowledge, to go on from."""
        other = Memory()
        other._known = self._known.copy()
        other._numbers = self._numbers.copy()
        other._lengths = self._lengths.copy()
        other._sizes = self._sizes.copy()
        other._latest = self._latest.copy()
        return other

    def context(self, field: int, code: bytes = b"") -> Context:
        """Where a field's habits are remembered.

        Shapes and codes depend on their predecessor, some fields on the entry's code.
        """
        if field in self._latest:
            return field, self._latest[field]
        return field, code if field in habits.DEPEND_ON_CODE else b""

    def known(self, context: Context) -> tuple[bytes, ...]:
        """The values of a context, latest first; then those its field had in any other."""
        mine = self._known.get(context, ())
        return mine + self._known.get((context[0], b""), ()) if context[1] else mine

    def learn(self, context: Context, raw: bytes) -> None:
        """Remember a value as the latest of its context and of its field."""
        field, depends_on = context
        if field in self._latest:
            self._latest[field] = raw
        self._put_first(context, raw)
        if depends_on:
            self._put_first((field, b""), raw)

    def _put_first(self, context: Context, raw: bytes) -> None:
        known = self._known.get(context, ())
        if raw in known:
            at = known.index(raw)
            known = known[:at] + known[at + 1 :]
        self._known[context] = (raw, *known[: _MAX_KNOWN - 1])

    def numbers(self, context: Context) -> tuple[int, ...] | None:
        """The numbers a field had last."""
        return self._numbers.get(context)

    def learn_numbers(self, context: Context, raw: bytes, numbers: tuple[int, ...]) -> None:
        """Remember numbers, and the value they stand for, instead of those before."""
        self._numbers[context] = numbers
        self._known[context] = (raw,)

    def forget_times(self) -> None:
        """Keep how fast numbers tick, but not where they stood."""
        for field in (Field.WALL_MS, Field.MONOTONIC_MS, Field.READING):
            self._numbers.pop((field, b""), None)

    def length(self, context: Context) -> int:
        """How long the raw bytes were that a field had last."""
        return self._lengths.get(context, _USUAL_LENGTH)

    def learn_length(self, context: Context, length: int) -> None:
        self._lengths[context] = length

    def order(self, context: Context, what: str) -> int:
        """The order of the code that suits a context's next number: the whole part of log2 of the mean."""
        total, count = self._sizes.get((context, what)) or (_START[what], 1)
        return max(0, (total // count).bit_length() - 1)

    def learn_size(self, context: Context, what: str, number: int) -> None:
        total, count = self._sizes.get((context, what)) or (_START[what], 1)
        total, count = total + number, count + 1
        self._sizes[context, what] = (total, count) if count < _HALVE_AT else (total >> 1, count >> 1)


_FLUSH_BITS: Final = 4096
_WIDEST: Final = 80
"""Nothing written here is wider: the difference of two 64-bit integers with its sign, and some room."""


class BitWriter:
    """Collects bits; `finish` fills the last byte with zeros."""

    def __init__(self) -> None:
        self._done = bytearray()
        self._bits = 0
        self._width = 0

    def put(self, value: int, width: int) -> None:
        self._bits = self._bits << width | value
        self._width += width
        if self._width > _FLUSH_BITS:
            spare = self._width & 7
            self._done += (self._bits >> spare).to_bytes(self._width >> 3)
            self._bits &= (1 << spare) - 1
            self._width = spare

    def number(self, value: int, k: int) -> None:
        """Exponential Golomb code of order ``k``: a number below 2^k takes k + 1 bits."""
        above = (value >> k) + 1
        width = above.bit_length()
        self.put(above, 2 * width - 1)
        self.put(value & ((1 << k) - 1), k)

    def octets(self, content: bytes) -> None:
        self.put(int.from_bytes(content), 8 * len(content))

    def finish(self) -> bytes:
        self.put(0, -self._width & 7)
        return bytes(self._done) + self._bits.to_bytes(self._width >> 3)


class BitReader:
    """Reads what a `BitWriter` wrote; past the end, or off the form, it refuses with ``decode``."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._end = 8 * len(raw)

    def take(self, width: int) -> int:
        end = self._at + width
        if end > self._end:
            raise EnvelopeRefused("decode")
        stop = (end + 7) >> 3
        chunk = int.from_bytes(self._raw[self._at >> 3 : stop])
        self._at = end
        return chunk >> (8 * stop - end) & ((1 << width) - 1)

    def number(self, k: int) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > _WIDEST:
                raise EnvelopeRefused("decode")
        above = 1 << zeros | self.take(zeros)
        return (above - 1) << k | self.take(k)

    def octets(self, size: int) -> bytes:
        return self.take(8 * size).to_bytes(size)

    def finish(self) -> None:
        """Refuse unless nothing but the zeros of the last byte is left."""
        if self._end - self._at > 7 or self.take(self._end - self._at):
            raise EnvelopeRefused("decode")


_YOUNG_MS: Final = 1 << 24
"""Within so many milliseconds, four and a half hours, a UUIDv7 is young."""
_APART_K: Final = 2
"""The order of the code of those milliseconds: hardly ever more than one."""
_RANDOM_BITS: Final = 74
_UUID_HEAD: Final = 0x50  # 16 bytes


def prime(rows: Sequence[Row]) -> Memory:
    """What is remembered after these rows, except where its clocks stood."""
    memory = Memory()
    writer = _Writer(memory)
    for row in rows:
        writer.row(row)
    memory.forget_times()
    return memory


def take_apart(rows: Sequence[Row], memory: Memory) -> Packed:
    """Write rows: any kind of one byte, any payload.

    Args:
        rows: the entries, in order.
        memory: what a reader will begin with.
    """
    writer = _Writer(memory.copy())
    for row in rows:
        writer.row(row)
    return Packed(cbor.encode([cbor.decode(raw) for raw in writer.plain]), writer.bits.finish())


def put_together(packed: Packed, n: int, memory: Memory, most_bytes: int) -> list[Row]:
    """Read ``n`` rows back; every payload is deterministic CBOR of a map with integer keys.

    Args:
        packed: what `take_apart` gave.
        n: how many rows there are.
        memory: what the writer began with.
        most_bytes: how large the payloads may be together.

    Raises:
        EnvelopeRefused: decode; also when the payloads together exceed ``most_bytes``.
    """
    rows: list[Row] = []
    try:
        reader = _Reader(packed, memory.copy())
        for _ in range(n):
            rows.append(reader.row())
            most_bytes -= len(rows[-1].payload)
            if most_bytes < 0:
                raise EnvelopeRefused("decode")
        reader.finish()
    except (cbor.MalformedCbor, OverflowError):
        raise EnvelopeRefused("decode") from None
    return rows


class _Step(NamedTuple):
    """How one field is going to be written; a tuple, because there are a dozen in every entry."""

    context: Context
    mode: Mode
    raw: bytes
    numbers: tuple[int, ...] = ()
    young: tuple[int, int] = (0, 0)


class _Writer:
    def __init__(self, memory: Memory) -> None:
        self.bits = BitWriter()
        self.plain: list[bytes] = []
        self._memory = memory

    def row(self, row: Row) -> None:
        fields = _split(row.payload)
        if fields is None:
            self._rank(self._memory.context(SHAPE), cbor.encode([row.kind]))
            self._raw(self._memory.context(OPAQUE), row.payload)
            return
        wall_ms = _wall_ms(fields)
        code = fields.get(Field.CODE, b"")
        steps = [self._plan(field, raw, code, wall_ms) for field, raw in fields.items()]
        modes = bytes([step.mode for step in steps])
        self._rank(self._memory.context(SHAPE), _shape(row.kind, modes, tuple(fields)))
        for step in steps:
            self._write(step)

    def _plan(self, field: int, raw: bytes, code: bytes, wall_ms: int) -> _Step:
        if field < Field.WALL_MS:
            wall_ms = 0  # a reader does not know it yet
        context = self._memory.context(field, code)
        habit = habits.HABITS.get(field, Habit.STEADY)
        known = self._memory.known(context)
        if habit <= Habit.TICKING and known and known[0] == raw:
            return _Step(context, Mode.SAME, raw)
        if Habit.TICKING <= habit <= Habit.MEASURED:
            numbers = habits.to_numbers(field, raw, wall_ms)
            if numbers is not None:
                return _Step(context, Mode.NEAR, raw, numbers)
        if raw[0] >> 5 == cbor.BYTES and raw not in known:
            young = _to_young(raw, wall_ms)
            if young is not None:
                return _Step(context, Mode.YOUNG, raw, young=young)
            return _Step(context, Mode.RAW, raw)
        return _Step(context, Mode.RANK, raw)

    def _write(self, step: _Step) -> None:
        match step.mode:
            case Mode.SAME:
                return
            case Mode.RANK:
                self._rank(step.context, step.raw)
                return
            case Mode.NEAR:
                self._near(step.context, step.raw, step.numbers)
                return
            case Mode.RAW:
                content = cbor.decode(step.raw)
                self._raw(step.context, content if isinstance(content, bytes) else b"")
            case Mode.YOUNG:
                apart, random = step.young
                self.bits.number(_zigzag(apart), _APART_K)
                self.bits.put(random, _RANDOM_BITS)
        self._memory.learn(step.context, step.raw)

    def _rank(self, context: Context, raw: bytes) -> None:
        known = self._memory.known(context)
        rank = known.index(raw) if raw in known else len(known)
        if rank == len(known):
            self.plain.append(raw)
        self.bits.number(rank, self._memory.order(context, "rank"))
        self._memory.learn_size(context, "rank", rank)
        self._memory.learn(context, raw)

    def _near(self, context: Context, raw: bytes, numbers: tuple[int, ...]) -> None:
        before = self._memory.numbers(context)
        for place, number in enumerate(numbers):
            what = f"near {place}"
            difference = _zigzag(number - before[place] if before else number)
            self.bits.number(difference, self._memory.order(context, what))
            if before:
                self._memory.learn_size(context, what, difference)
        self._memory.learn_numbers(context, raw, numbers)

    def _raw(self, context: Context, content: bytes) -> None:
        self.bits.number(_zigzag(len(content) - self._memory.length(context)), 0)
        self._memory.learn_length(context, len(content))
        self.bits.octets(content)


class _Reader:
    def __init__(self, packed: Packed, memory: Memory) -> None:
        plain = cbor.decode(packed.plain)
        if not isinstance(plain, list):
            raise EnvelopeRefused("decode")
        self._plain = iter([cbor.encode(value) for value in plain])
        self._bits = BitReader(packed.bits)
        self._memory = memory

    def row(self) -> Row:
        kind, steps = _read_shape(self._rank(self._memory.context(SHAPE)))
        if steps is None:
            payload = self._raw(self._memory.context(OPAQUE))
            cbor.split(payload)  # MalformedCbor: whoever gets this row relies on its being a map of fields
            return Row(kind, payload)
        fields: dict[int, bytes] = {}
        wall_ms = 0
        for field, mode in steps:
            context = self._memory.context(field, fields.get(Field.CODE, b""))
            fields[field] = self._value(mode, context, wall_ms)
            if field == Field.WALL_MS:
                wall_ms = _wall_ms(fields)
        return Row(kind, cbor.join(fields))

    def finish(self) -> None:
        """Refuse unless everything was used."""
        self._bits.finish()
        if next(self._plain, None) is not None:
            raise EnvelopeRefused("decode")

    def _value(self, mode: int, context: Context, wall_ms: int) -> bytes:
        match mode:
            case Mode.SAME:
                return self._same(context)
            case Mode.RANK:
                return self._rank(context)
            case Mode.NEAR:
                return self._near(context, wall_ms)
            case Mode.RAW:
                raw = cbor.encode(self._raw(context))
            case Mode.YOUNG:
                apart = _unzigzag(self._bits.number(_APART_K))
                raw = _from_young(apart, self._bits.take(_RANDOM_BITS), wall_ms)
            case _:
                raise EnvelopeRefused("decode")
        self._memory.learn(context, raw)
        return raw

    def _same(self, context: Context) -> bytes:
        known = self._memory.known(context)
        if not known:
            raise EnvelopeRefused("decode")
        return known[0]

    def _rank(self, context: Context) -> bytes:
        known = self._memory.known(context)
        rank = self._bits.number(self._memory.order(context, "rank"))
        self._memory.learn_size(context, "rank", rank)
        if rank < len(known):
            raw = known[rank]
        else:
            raw = next(self._plain, b"")
            if rank > len(known) or not raw:
                raise EnvelopeRefused("decode")
        self._memory.learn(context, raw)
        return raw

    def _near(self, context: Context, wall_ms: int) -> bytes:
        before = self._memory.numbers(context)
        numbers: list[int] = []
        for place in range(habits.arity(context[0])):
            what = f"near {place}"
            difference = self._bits.number(self._memory.order(context, what))
            if before:
                self._memory.learn_size(context, what, difference)
            numbers.append(_unzigzag(difference) + (before[place] if before else 0))
        raw = habits.from_numbers(context[0], tuple(numbers), wall_ms)
        self._memory.learn_numbers(context, raw, tuple(numbers))
        return raw

    def _raw(self, context: Context) -> bytes:
        length = self._memory.length(context) + _unzigzag(self._bits.number(0))
        if length < 0:
            raise EnvelopeRefused("decode")
        self._memory.learn_length(context, length)
        return self._bits.octets(length)


def _split(payload: bytes) -> dict[int, bytes] | None:
    try:
        fields = cbor.split(payload)
    except cbor.MalformedCbor:
        return None
    usual = len(fields) <= MAX_FIELDS and all(field >= 0 for field in fields)
    return fields if usual else None


@functools.lru_cache(maxsize=1024)
def _shape(kind: int, modes: bytes, fields: tuple[int, ...]) -> bytes:
    return cbor.encode([kind, modes, *fields])


@functools.lru_cache(maxsize=1024)
def _read_shape(raw: bytes) -> tuple[int, tuple[tuple[int, int], ...] | None]:
    match cbor.decode(raw):
        case [int(kind)] if 0 <= kind <= 255:
            return kind, None
        case [int(kind), bytes(modes), *fields] if 0 <= kind <= 255 and len(modes) == len(fields):
            order = [field for field in fields if isinstance(field, int) and field >= 0]
            if len(order) == len(fields) <= MAX_FIELDS and order == sorted(set(order)):
                return kind, tuple(zip(order, modes, strict=True))
        case _:
            pass
    raise EnvelopeRefused("decode")


def _wall_ms(fields: dict[int, bytes]) -> int:
    match cbor.decode(fields.get(Field.WALL_MS, b"\x00")):
        case int(wall_ms):
            return wall_ms
        case _:
            return 0


def _to_young(raw: bytes, wall_ms: int) -> tuple[int, int] | None:
    """Milliseconds apart and random bits of a UUIDv7 (RFC 9562 section 5.7), if it is a young one."""
    if raw[0] != _UUID_HEAD:
        return None
    number = int.from_bytes(raw[1:])
    apart = (number >> 80) - wall_ms
    if number >> 76 & 0xF != 7 or number >> 62 & 3 != 2 or not -_YOUNG_MS < apart < _YOUNG_MS:
        return None
    return apart, (number >> 64 & 0xFFF) << 62 | number & ((1 << 62) - 1)


def _from_young(apart: int, random: int, wall_ms: int) -> bytes:
    number = wall_ms + apart << 80 | 7 << 76 | random >> 62 << 64 | 2 << 62 | random & ((1 << 62) - 1)
    return bytes([_UUID_HEAD]) + number.to_bytes(16)  # OverflowError: no time of this calendar


def _zigzag(number: int) -> int:
    """Small numbers of either sign as small numbers: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return number << 1 if number >= 0 else ~(number << 1)


def _unzigzag(number: int) -> int:
    return number >> 1 ^ -(number & 1)
