"""Shapes of entries: kind, and how each of its fields is written."""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeGuard

from edge import cbor
from edge.cbor import Value
from edge.records.fields import Field
from sync.wire import habits
from sync.wire.errors import EnvelopeRefused

MAX_FIELDS: Final = 256
_SHAPES_KEPT: Final = 1024


class Mode(IntEnum):
    """How a field is written; see `sync.wire.columns`."""

    SAME = 0
    RANK = 1
    NEAR = 2
    RAW = 3
    YOUNG = 4


class Place(IntEnum):
    """Where the habits of a field are remembered."""

    FIELD = 0
    """Under its number alone."""
    UNDER_CODE = 1
    """Under the entry's observation code too."""
    CODE = 2
    """The code itself, under the code before."""


class Step(NamedTuple):
    """What a reader does next.

    Attributes:
        mode: SAME stands for a run of fields that are the same again, if ``run`` is not empty.
        place: where the habits of the field are.
        field: its number.
        key: its number, encoded.
        run: the numbers of such a run.
        pick: takes what stands under those numbers out of a mapping; KeyError where nothing does.
    """

    mode: int
    place: int
    field: int
    key: bytes
    run: tuple[int, ...] = ()
    pick: Callable[[Mapping[int, Any]], tuple[Any, ...]] = tuple


class Shape(NamedTuple):
    """A shape that was read.

    Attributes:
        steps: None when the entry is opaque.
        head: with which the entry's payload begins.
    """

    kind: int
    steps: tuple[Step, ...] | None
    head: bytes


@functools.lru_cache(maxsize=_SHAPES_KEPT)
def write_shape(kind: int, modes: bytes, fields: tuple[int, ...]) -> bytes:
    """The shape, encoded."""
    return cbor.encode([kind, modes, *fields])


@functools.lru_cache(maxsize=_SHAPES_KEPT)
def read_shape(raw: bytes) -> Shape:
    """The shape of which this is the encoding.

    Raises:
        EnvelopeRefused: decode, when it is of none.
    """
    match cbor.decode(raw):
        case [int(kind)] if 0 <= kind <= 255:
            return Shape(int(kind), None, b"")  # True is an int
        case [int(kind), bytes(modes), *fields] if 0 <= kind <= 255 and len(modes) == len(fields):
            order = [field for field in fields if _is_whole(field) and field >= 0]
            if len(order) == len(fields) <= MAX_FIELDS and order == sorted(set(order)):
                return Shape(int(kind), tuple(_steps(order, modes)), cbor.map_head(len(order)))
        case _:
            pass
    raise EnvelopeRefused("decode")


def _is_whole(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _steps(fields: Sequence[int], modes: bytes) -> Iterator[Step]:
    run: list[int] = []
    for field, mode in zip(fields, modes, strict=True):
        place = Place.FIELD
        if field == Field.CODE:
            place = Place.CODE
        elif Field.CODE in fields and field in habits.DEPEND_ON_CODE:
            place = Place.UNDER_CODE
        if mode == Mode.SAME and place is Place.FIELD:
            run.append(field)
            continue
        if run:
            yield _run(run)
            run = []
        yield Step(mode, int(place), field, cbor.encode(field))
    if run:
        yield _run(run)


def _run(fields: Sequence[int]) -> Step:
    pick = operator.itemgetter(*fields) if len(fields) > 1 else _One(fields[0])
    return Step(int(Mode.SAME), int(Place.FIELD), fields[0], b"", tuple(fields), pick)


class _One:
    """As `operator.itemgetter`, which gives no tuple for a single item."""

    __slots__ = ("_field",)

    def __init__(self, field: int) -> None:
        self._field = field

    def __call__(self, among: Mapping[int, Any]) -> tuple[Any, ...]:
        return (among[self._field],)
