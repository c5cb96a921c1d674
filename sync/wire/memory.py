"""What writer and reader of columns both know from the entries so far."""

from typing import Any, Final, Generic, TypeVar

from edge import cbor
from edge.records.fields import Field
from sync.wire.shape import read_shape

MAX_KNOWN: Final = 128
"""How many values are remembered in a context."""
_USUAL_LENGTH: Final = 8
_START_NEAR: Final = 1 << 6
"""How large the first number of a context is taken to be: a measured value differs by about 64."""
_START_ORDER: Final = 6
HALVE_AT: Final = 32
"""After so many numbers the older ones count half."""


class Context:
    """A field, or whatever else has habits, under what its habits depend on.

    Attributes:
        known: the values by their encoding, the latest last; a reader keeps with each what it decoded.
        last: the encoding of the latest one, empty when there is none.
        numbers: those the field had last.
        length: how long the raw bytes were that it had last.
        rank_order: of the code that suits the next rank: the whole part of log2 of their mean.
        orders: the same for the differences between its numbers, in the first and in the second place.
    """

    __slots__ = (
        *("known", "last", "length", "numbers", "orders", "rank_order"),
        *("first_count", "first_sum", "rank_count", "rank_sum", "second_count", "second_sum"),
    )

    def __init__(self) -> None:
        self.known: dict[bytes, Any] = {}
        self.last = b""
        self.numbers: tuple[int, ...] = ()
        self.length = _USUAL_LENGTH
        self.rank_order = self.rank_sum = 0
        self.rank_count = self.first_count = self.second_count = 1
        self.first_sum = self.second_sum = _START_NEAR
        self.orders = (_START_ORDER, _START_ORDER)

    def copy(self) -> "Context":
        other = Context.__new__(Context)
        for name in Context.__slots__:
            setattr(other, name, getattr(self, name))
        other.known = self.known.copy()
        return other

    def learn_rank(self, rank: int) -> None:
        total, count = self.rank_sum + rank, self.rank_count + 1
        if count >= HALVE_AT:
            total, count = total >> 1, count >> 1
        self.rank_sum, self.rank_count = total, count
        self.rank_order = (total // count).bit_length() - 1 if total >= count else 0

    def learn_apart(self, first: int, second: int | None) -> None:
        """Learn how large differences were; ``second`` is None where there is one number only."""
        total, count = self.first_sum + first, self.first_count + 1
        if count >= HALVE_AT:
            total, count = total >> 1, count >> 1
        self.first_sum, self.first_count = total, count
        order = (total // count).bit_length() - 1 if total >= count else 0
        if second is None:
            self.orders = (order, _START_ORDER)
            return
        total, count = self.second_sum + second, self.second_count + 1
        if count >= HALVE_AT:
            total, count = total >> 1, count >> 1
        self.second_sum, self.second_count = total, count
        self.orders = (order, (total // count).bit_length() - 1 if total >= count else 0)

    def learn(self, raw: bytes, read: object) -> None:
        """Remember a value as the latest."""
        known = self.known
        if raw in known:
            if raw == self.last:
                return
            del known[raw]
        elif len(known) == MAX_KNOWN:
            del known[next(iter(known))]
        known[raw] = read
        self.last = raw


_Key = TypeVar("_Key", int, bytes)


class _Borrowed(dict[_Key, Context], Generic[_Key]):
    """Contexts by what tells them apart; one that is not there is a copy of the lender's, or new."""

    def __init__(self, lender: dict[_Key, Context]) -> None:
        super().__init__()
        self._lender: dict[_Key, Context] = lender

    def __missing__(self, key: _Key) -> Context:
        lent = self._lender.get(key)
        found = self[key] = Context() if lent is None else lent.copy()
        return found


class _ByCode(dict[bytes, _Borrowed[int]]):
    """For each observation code, the contexts of the fields whose habits depend on it."""

    def __init__(self, lender: dict[bytes, _Borrowed[int]]) -> None:
        super().__init__()
        self._lender = lender

    def __missing__(self, code: bytes) -> _Borrowed[int]:
        found = self[code] = _Borrowed(self._lender.get(code) or {})
        return found


class Memory:
    """Every context. A copy borrows: of what it never comes to it costs nothing.

    Attributes:
        fields: by number, whatever the code.
        by_code: the same under a code, for those fields whose habits depend on it.
        shapes: under the shape before; the first under none.
        codes: of observations, under the code before.
        shape: the latest, encoded.
        code: the latest, encoded.
        parts: of each field, key and latest value encoded; kept by readers, for what is the same again.
        values: the same values, decoded.
    """

    def __init__(self, lender: "Memory | None" = None) -> None:
        self.fields: _Borrowed[int] = _Borrowed(lender.fields if lender else {})
        self.by_code: _ByCode = _ByCode(lender.by_code if lender else {})
        self.shapes: _Borrowed[bytes] = _Borrowed(lender.shapes if lender else {})
        self.codes: _Borrowed[bytes] = _Borrowed(lender.codes if lender else {})
        self.opaque: Context = lender.opaque.copy() if lender else Context()
        self.shape: bytes = lender.shape if lender else b""
        self.code: bytes = lender.code if lender else b""
        self.parts: dict[int, bytes] = lender.parts.copy() if lender else {}
        self.values: dict[int, Any] = lender.values.copy() if lender else {}

    def copy(self) -> "Memory":
        """The same knowledge, to go on from; what is lent must not be changed any more."""
        return Memory(self)

    def forget_times(self) -> None:
        """Keep how fast numbers tick, but not where they stood."""
        for field in (Field.WALL_MS, Field.MONOTONIC_MS, Field.READING):
            if field in self.fields:
                self.fields[field].numbers = ()

    def decode_known(self) -> None:
        """Have with every value what a reader decodes it to."""
        for contexts in (self.fields, *self.by_code.values()):
            for field, context in contexts.items():
                _decode(field, context)
        for context in self.codes.values():
            _decode(Field.CODE, context)
        for context in self.shapes.values():
            context.known = {raw: read_shape(raw) for raw in context.known}
        for field, context in self.fields.items():
            if context.known:
                self.parts[field], self.values[field] = context.known[context.last]


def _decode(field: int, context: Context) -> None:
    key = cbor.encode(field)
    context.known = {raw: (key + raw, cbor.decode(raw)) for raw in context.known}
