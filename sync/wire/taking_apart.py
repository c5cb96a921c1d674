"""Columns, written: `sync.wire.columns` says what they are.

Each field is planned and written in one go; what it says is held back until the entry's shape, which goes
before it, is known.
"""

import functools
import itertools
from collections.abc import Iterable
from typing import Final

from edge import cbor
from edge.records.fields import Field
from sync.wire import habits
from sync.wire.habits import Habit
from sync.wire.memory import Context, Memory
from sync.wire.shape import MAX_FIELDS, Mode, write_shape
from sync.wire.young import APART_ORDER, RANDOM_BITS, to_young

_FLUSH_BITS: Final = 512
_NUMBERS_KEPT: Final = 4096
_SAME, _RANK, _NEAR, _RAW, _YOUNG = (int(mode) for mode in Mode)
_WALL_MS, _MONOTONIC_MS, _CODE = int(Field.WALL_MS), int(Field.MONOTONIC_MS), int(Field.CODE)
_MEASURED, _TICKING, _STEADY = int(Habit.MEASURED), int(Habit.TICKING), int(Habit.STEADY)
_HABITS: Final = {int(field): int(habit) for field, habit in habits.HABITS.items()}
_INTEGER_BYTES: Final = {0x18: 2, 0x19: 3, 0x1A: 5, 0x1B: 9}


def write(rows: Iterable[tuple[int, bytes]], memory: Memory) -> tuple[bytes, bytes]:
    """The plain list and the bits of these kinds and payloads.

    Args:
        rows: any kind of one byte, any payload.
        memory: what a reader will begin with; it is learnt into.
    """
    writer = _Writer(memory)
    for kind, payload in rows:
        writer.row(kind, payload)
    return cbor.list_of(writer.plain), writer.finish()


class _Writer:
    def __init__(self, memory: Memory) -> None:
        self.plain: list[bytes] = []
        self._memory = memory
        self._done = bytearray()
        self._bits = 0
        self._width = 0
        self._pieces: list[tuple[int, int]] = []
        """Values and their widths, of the fields of the entry that is being written."""

    def row(self, kind: int, payload: bytes) -> None:
        fields = _split(payload)
        self._pieces = []
        new: list[bytes] = []
        if fields is None:
            shape = cbor.encode([kind])
            self._octets(self._memory.opaque, payload)
        else:
            modes = self._modes(fields, new)
            shape = write_shape(kind, modes, tuple(fields))
        pieces, self._pieces = self._pieces, []
        memory = self._memory
        context, general = memory.shapes[memory.shape], memory.shapes[b""]
        self._rank(context, general if context is not general else None, shape, self.plain)
        memory.shape = shape
        self.plain += new
        for value, width in itertools.chain(self._pieces, pieces):
            self._bits = self._bits << width | value
            self._width += width
            if self._width > _FLUSH_BITS:
                spare = self._width & 7
                self._done += (self._bits >> spare).to_bytes(self._width >> 3)
                self._bits &= (1 << spare) - 1
                self._width = spare

    def finish(self) -> bytes:
        """All bits; the last byte is filled with zeros."""
        fill = -self._width & 7
        return bytes(self._done) + (self._bits << fill).to_bytes(self._width + 7 >> 3)

    def _modes(self, fields: dict[int, bytes], new: list[bytes]) -> bytes:
        """Write the fields; how each was written. What was new goes to ``new``."""
        memory = self._memory
        contexts, under_code = memory.fields, None
        modes = bytearray()
        wall_ms = 0
        for field, raw in fields.items():
            general: Context | None = None
            if field == _CODE:
                context = memory.codes[memory.code]
                if memory.code:
                    general = memory.codes[b""]
                under_code = memory.by_code[raw]
            elif under_code is not None and field in habits.DEPEND_ON_CODE:
                context, general = under_code[field], contexts[field]
            else:
                context = contexts[field]
            if field == _WALL_MS:
                wall_ms = _whole(raw) or 0
            habit = _HABITS.get(field, _STEADY)
            if habit <= _TICKING and raw == (
                context.last if general is None or context.known else general.last
            ):
                modes.append(_SAME)
                continue
            modes.append(self._field(field, habit, raw, context, general, wall_ms, new))
        return bytes(modes)

    def _field(
        self,
        field: int,
        habit: int,
        raw: bytes,
        context: Context,
        general: Context | None,
        wall_ms: int,
        new: list[bytes],
    ) -> int:
        if _TICKING <= habit <= _MEASURED:
            numbers = _numbers(field, raw, wall_ms)
            if numbers is not None:
                self._near(context, raw, numbers)
                return _NEAR
        is_new = raw not in context.known and (general is None or raw not in general.known)
        if is_new and raw[0] >> 5 == cbor.BYTES:
            young = to_young(raw, wall_ms)
            if young is None:
                self._octets(context, cbor.content(raw))
                mode = _RAW
            else:
                self._number(young[0] << 1 if young[0] >= 0 else ~(young[0] << 1), APART_ORDER)
                self._pieces.append((young[1], RANDOM_BITS))
                mode = _YOUNG
            context.learn(raw, None)
            if general is not None:
                general.learn(raw, None)
        else:
            self._rank(context, general, raw, new)
            mode = _RANK
        if field == _CODE:
            self._memory.code = raw
        return mode

    def _number(self, number: int, order: int) -> None:
        """Exponential Golomb code: a number below 2^order takes order + 1 bits."""
        code = number + (1 << order)
        self._pieces.append((code, 2 * code.bit_length() - order - 1))

    def _rank(self, context: Context, general: Context | None, raw: bytes, new: list[bytes]) -> None:
        known = context.known
        if raw in known:
            rank = 0 if raw == context.last else _rank_in(known, raw)
        else:
            rank = len(known)
            if general is not None and raw in general.known:
                rank += _rank_in(general.known, raw)
            else:
                rank += len(general.known) if general is not None else 0
                new.append(raw)
        self._number(rank, context.rank_order)
        context.learn_rank(rank)
        context.learn(raw, None)
        if general is not None:
            general.learn(raw, None)

    def _near(self, context: Context, raw: bytes, numbers: tuple[int, ...]) -> None:
        before = context.numbers
        orders = context.orders
        apart = numbers[0] - before[0] if before else numbers[0]
        first = apart << 1 if apart >= 0 else ~(apart << 1)
        self._number(first, orders[0])
        second: int | None = None
        if len(numbers) > 1:
            apart = numbers[1] - before[1] if before else numbers[1]
            second = apart << 1 if apart >= 0 else ~(apart << 1)
            self._number(second, orders[1])
        if before:
            context.learn_apart(first, second)
        context.numbers = numbers
        context.known = {raw: None}
        context.last = raw

    def _octets(self, context: Context, content: bytes) -> None:
        more = len(content) - context.length
        self._number(more << 1 if more >= 0 else ~(more << 1), 0)
        context.length = len(content)
        self._pieces.append((int.from_bytes(content), 8 * len(content)))


def _rank_in(known: dict[bytes, object], raw: bytes) -> int:
    """How many of the values came after this one."""
    return next(rank for rank, each in enumerate(reversed(known)) if each == raw)


def _split(payload: bytes) -> dict[int, bytes] | None:
    try:
        fields = cbor.split(payload)
    except cbor.MalformedCbor:
        return None
    usual = len(fields) <= MAX_FIELDS and (not fields or min(fields) >= 0)
    return fields if usual else None


def _numbers(field: int, raw: bytes, wall_ms: int) -> tuple[int, ...] | None:
    if field == _MONOTONIC_MS:
        number = _whole(raw)
        return None if number is None or raw[0] > 0xF0 else (wall_ms - number,)
    return _kept_numbers(field, raw)


@functools.lru_cache(maxsize=_NUMBERS_KEPT)
def _kept_numbers(field: int, raw: bytes) -> tuple[int, ...] | None:
    return habits.to_numbers(field, raw, 0)


def _whole(raw: bytes) -> int | None:
    """An encoded whole number; true and false are ones too. None for anything else."""
    if raw[0] in _INTEGER_BYTES:
        return int.from_bytes(raw[1:])
    value = cbor.decode(raw)
    return value if isinstance(value, int) else None
