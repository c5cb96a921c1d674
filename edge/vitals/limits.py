"""Which numbers cannot be true, whoever they are of.

What a device says is held against these before anything else; a person's typing against the table of limits
(`edge.scoring.limits`), which may refuse more, never less, and asks by age. Source: the project's vocabulary,
table of limits.
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity

PRESSURE_PAIR: Final = "bp.pair"
PULSES_DIFFER: Final = "pulse.differ"
TIME_AHEAD: Final = "time.ahead"
TIME_OLD: Final = "time.old"
BEFORE_BIRTH: Final = "time.before-birth"
WEIGHT_CHANGES: Final = "weight.change"
HEIGHT_CHANGES: Final = "height.change"


class Verdict(StrEnum):
    """What becomes of a value beyond a limit."""

    REFUSE = "refuse"
    CONFIRM = "confirm"


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One limit that values do not keep.

    Attributes:
        limit: the limit's code: the value's own code, or the name of a rule between values.
    """

    limit: str
    verdict: Verdict


class Range(NamedTuple):
    """Both ends belong to it."""

    low: Decimal
    high: Decimal


def _range(low: str, high: str) -> Range:
    return Range(Decimal(low), Decimal(high))


REFUSE_OUTSIDE: Final[dict[Code, Range]] = {
    Code.SYSTOLIC: _range("30", "300"),
    Code.DIASTOLIC: _range("10", "200"),
    Code.MEAN_PRESSURE: _range("10", "300"),
    Code.HEART_RATE: _range("20", "300"),
    Code.PULSE_OXIMETER: _range("20", "300"),
    Code.PULSE_CUFF: _range("20", "300"),
    Code.OXYGEN_SATURATION: _range("30", "100"),
    Code.PERFUSION_INDEX: _range("0", "30"),
    Code.TEMPERATURE: _range("25.0", "45.0"),
    Code.RESPIRATORY_RATE: _range("1", "120"),
    Code.WEIGHT: _range("0.3", "350"),
    Code.HEIGHT: _range("20", "260"),
    Code.BMI: _range("5", "100"),
    Code.BODY_FAT: _range("1", "80"),
    Code.GLUCOSE: _range("10", "1000"),
    Code.PAIN: _range("0", "10"),
    Code.CONSCIOUSNESS: _range("0", "4"),
    Code.OXYGEN_FLOW: _range("0", "70"),
    Code.GLASGOW: _range("3", "15"),
    Code.CAPILLARY_REFILL: _range("0", "60"),
    Code.BREATHING_EFFORT: _range("0", "4"),
    Code.PREGNANCY: _range("0", "2"),
}
"""A number beyond these is no measurement. Every code that has a number is here; a test holds it."""

PASSING_OUTSIDE: Final[dict[Code, Range]] = {Code.CUFF_PRESSURE: _range("0", "330")}
"""The same for what is only shown while it changes: it is never stored, and nobody types it.

No cuff holds more, not even with a fault (IEC 80601-2-30, single fault condition).
"""


def only_numbers_that_can_be(values: Mapping[Code, Measured]) -> dict[Code, Measured]:
    """What a device said, with every number that cannot be true turned into `Missing`.

    One that cannot be true by itself contradicts nothing; of possible pressures that contradict each other
    none is kept.
    """
    numbers = {code: value.value for code, value in values.items() if isinstance(value, Quantity)}
    possible = {code: value for code, value in numbers.items() if _can_be(code, value)}
    if not pressures_can_be(possible):
        possible = {code: value for code, value in possible.items() if code not in _PRESSURES}
    return {
        code: Missing(MissingReason.OUT_OF_RANGE) if code in numbers and code not in possible else value
        for code, value in values.items()
    }


_PRESSURES: Final = (Code.SYSTOLIC, Code.DIASTOLIC, Code.MEAN_PRESSURE)


def pressures_can_be(values: Mapping[Code, Decimal]) -> bool:
    """Whether pressures of one moment do not contradict each other; a narrow pair may be shock, and true."""
    systolic, diastolic, mean = (values.get(code) for code in _PRESSURES)
    if systolic is None or diastolic is None:
        return True
    return diastolic < systolic and (mean is None or diastolic < mean < systolic)


def _can_be(code: Code, value: Decimal) -> bool:
    possible = REFUSE_OUTSIDE.get(code)  # a code without a range carries no number
    return possible is not None and value.is_finite() and possible.low <= value <= possible.high
