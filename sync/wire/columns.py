"""Entries without what they have in common.

A journal repeats itself: the same operator, the same patient, a clock that ticks, codes in the order of
the form. So an entry is written as its *shape* and, field by field, only how it differs from what a
reader who remembers the entries before it expects. Writer and reader keep the same `Memory`.

A shape is ``[kind, modes, field, field, …]``, fields ascending, one byte of modes per field:

    0 same    the value this field had last
    1 rank    its rank among the values this field had, latest first; one more than the last rank for
              a new value, which then stands in the plain list
    2 near    numbers, as differences to those this field had last
    3 raw     bytes that nothing foretells: their length, then themselves
    4 young   a UUIDv7 made about the time of the entry: milliseconds apart, then its 74 random bits

A payload with negative or very many fields is *opaque*: its shape is ``[kind]``, its bytes follow as raw.
So any map with integer keys comes back as it was; what is none is written too, and no reader takes it.
Shapes are written by rank, in the context of the shape before. What is new goes to the plain list, all the
rest into a stream of bits, where every number adapts its code to the numbers that stood in its place before.

`sync.wire.taking_apart` writes, `sync.wire.putting_together` reads.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

from edge.cbor import Value
from sync.wire import putting_together, shape, taking_apart
from sync.wire.memory import Memory

MAX_FIELDS = shape.MAX_FIELDS


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """An entry's kind and payload; its sequence number follows from its place."""

    kind: int
    payload: bytes


class Columns(NamedTuple):
    """What rows say, kind by kind, payload by payload.

    Attributes:
        fields: what each payload holds, decoded; values may be shared, so nobody changes them.
    """

    kinds: list[int]
    payloads: list[bytes]
    fields: list[dict[int, Value]]

    def rows(self) -> list[Row]:
        """The same, row by row."""
        return list(map(Row, self.kinds, self.payloads))


@dataclasses.dataclass(frozen=True, slots=True)
class Packed:
    """Rows taken apart: what was new, in deterministic CBOR, and the bits that refer to it."""

    plain: bytes
    bits: bytes


def prime(rows: Sequence[Row]) -> Memory:
    """What is remembered after these rows, except where its clocks stood."""
    memory = Memory()
    taking_apart.write([(row.kind, row.payload) for row in rows], memory)
    memory.forget_times()
    memory.decode_known()
    return memory


def take_apart(rows: Sequence[Row], memory: Memory) -> Packed:
    """Write rows: any kind of one byte, any payload.

    Args:
        rows: the entries, in order.
        memory: what a reader will begin with.
    """
    return Packed(*taking_apart.write([(row.kind, row.payload) for row in rows], memory.copy()))


def put_together(packed: Packed, n: int, memory: Memory, most_bytes: int) -> Columns:
    """Read ``n`` rows back; every payload is deterministic CBOR of a map with integer keys.

    Args:
        packed: what `take_apart` gave.
        n: how many rows there are.
        memory: what the writer began with.
        most_bytes: how large the payloads may be together.

    Raises:
        EnvelopeRefused: decode; also when the payloads together exceed ``most_bytes``.
    """
    return Columns(*putting_together.read(packed.plain, packed.bits, n, memory.copy(), most_bytes))
