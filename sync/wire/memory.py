"""What writer and reader of columns both know from the entries so far."""

from enum import IntEnum
from typing import Final, TypeAlias

from edge.records.fields import Field
from sync.wire import habits

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


class Mode(IntEnum):
    """How a field is written; see `sync.wire.columns`."""

    SAME = 0
    RANK = 1
    NEAR = 2
    RAW = 3
    YOUNG = 4


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
