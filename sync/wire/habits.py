"""How the fields of a journal tend to go on, so that only surprises need bytes.

A habit is a guess: whatever does not fit it is written all the same, only longer. Changing a table here
changes the wire format.
"""

import datetime
from enum import IntEnum
from typing import Final

from edge import cbor
from edge.records.fields import Field

_DAY_ZERO: Final = datetime.date(1980, 1, 1)


class Habit(IntEnum):
    """What usually comes next. Up to TICKING it may be the same again; TICKING and MEASURED are numbers."""

    STEADY = 0
    """The same again; else one of the values before, or a new one."""
    TICKING = 1
    """A number that stays for a while, then goes on a little."""
    MEASURED = 2
    """A number near the one before, hardly ever the same."""
    VARIED = 3
    """One of the values before, or a new one; the same again is no likelier than others."""


HABITS: Final[dict[int, Habit]] = {
    Field.WALL_MS: Habit.TICKING,
    Field.MONOTONIC_MS: Habit.TICKING,
    Field.PLACE: Habit.TICKING,
    Field.FAMILY: Habit.VARIED,
    Field.GIVEN: Habit.VARIED,
    Field.SEX: Habit.VARIED,
    Field.BIRTH: Habit.MEASURED,
    Field.IDENTIFIERS: Habit.VARIED,
    Field.PHONE: Habit.VARIED,
    Field.VILLAGE: Habit.VARIED,
    Field.CODE: Habit.VARIED,
    Field.VALUE: Habit.MEASURED,
    Field.MISSING: Habit.VARIED,
    Field.DEVICE: Habit.VARIED,
    Field.FLAGS: Habit.VARIED,
    Field.READING: Habit.TICKING,
    Field.COUNT: Habit.MEASURED,
}
"""A field that is not listed is STEADY."""

DEPEND_ON_CODE: Final = frozenset(
    {Field.VALUE, Field.MISSING, Field.DEVICE, Field.SOURCE, Field.FLAGS, Field.DEVICE_VALUE, Field.CONFIRMED}
)
"""Fields whose habits are followed for each observation code apart."""

PAIRS: Final = frozenset({Field.VALUE, Field.PLACE})
"""Fields of two numbers."""


def arity(field: int) -> int:
    """How many numbers a TICKING or MEASURED field is made of."""
    return 2 if field in PAIRS else 1


def to_numbers(field: int, raw: bytes, wall_ms: int) -> tuple[int, ...] | None:
    """An encoded value as whole numbers, or None where `from_numbers` would not give it back.

    Dates count days from 1980-01-01; monotonic time counts back from the entry's wall time.
    """
    numbers: tuple[int, ...]
    match cbor.decode(raw):
        case str(date) if field == Field.BIRTH:
            try:
                numbers = ((datetime.date.fromisoformat(date) - _DAY_ZERO).days,)
            except ValueError:
                return None
        case [int(first), int(second)] if field in PAIRS:
            numbers = (int(first), int(second))  # True is an int, and must not come back as one
        case int(number) if field == Field.MONOTONIC_MS:
            numbers = (wall_ms - number,)
        case int(number) if field != Field.BIRTH and field not in PAIRS:
            numbers = (int(number),)
        case _:
            return None
    return numbers if from_numbers(field, numbers, wall_ms) == raw else None


def from_numbers(field: int, numbers: tuple[int, ...], wall_ms: int) -> bytes:
    """The encoded value.

    Raises:
        MalformedCbor: a number is wider than 64 bits.
        OverflowError: a date lies outside the calendar.
    """
    if field in PAIRS:
        return cbor.encode(numbers)
    if field == Field.MONOTONIC_MS:
        return cbor.encode(wall_ms - numbers[0])
    if field == Field.BIRTH:
        return cbor.encode((_DAY_ZERO + datetime.timedelta(days=numbers[0])).isoformat())
    return cbor.encode(numbers[0])
