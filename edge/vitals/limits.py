"""Which numbers cannot be true, and which a person has to look at twice.

*Refuse*: it cannot be true or cannot be represented. *Confirm*: possible but rare; a person enters it
again or confirms it, and the confirmation is stored. The confirm limits are those of adults (16 years
and over); for a child they ask more often than they have to, never less. Limits that need a history
(weight and height against earlier visits) are not judged here. Source: the project's vocabulary, table
of limits.
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from itertools import combinations
from typing import Final, NamedTuple

from edge.vitals.codes import Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity

PRESSURE_PAIR: Final = "bp.pair"
PULSES_DIFFER: Final = "pulse.differ"
TIME_AHEAD: Final = "time.ahead"
TIME_OLD: Final = "time.old"
AHEAD_MS: Final = 2 * 60 * 1000
OLD_MS: Final = 24 * 60 * 60 * 1000


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
}
"""A number beyond these is no measurement. Every code that has a number is here; a test holds it."""

PASSING_OUTSIDE: Final[dict[Code, Range]] = {Code.CUFF_PRESSURE: _range("0", "330")}
"""The same for what is only shown while it changes: it is never stored, and nobody types it.

No cuff holds more, not even with a fault (IEC 80601-2-30, single fault condition).
"""

CONFIRM_OUTSIDE: Final[dict[Code, Range]] = {
    Code.SYSTOLIC: _range("80", "200"),
    Code.DIASTOLIC: _range("40", "120"),
    Code.HEART_RATE: _range("40", "150"),
    Code.PULSE_OXIMETER: _range("40", "150"),
    Code.PULSE_CUFF: _range("40", "150"),
    Code.OXYGEN_SATURATION: _range("88", "100"),
    Code.PERFUSION_INDEX: _range("0.3", "30"),
    Code.TEMPERATURE: _range("34.0", "40.5"),
    Code.RESPIRATORY_RATE: _range("8", "35"),
    Code.BMI: _range("12", "60"),
    Code.GLUCOSE: _range("54", "400"),
}
"""A number beyond these is stored once a person has confirmed it."""

_PULSES: Final = (Code.HEART_RATE, Code.PULSE_OXIMETER, Code.PULSE_CUFF)
_PULSE_PRESSURE: Final = _range("20", "100")


def check(values: Mapping[Code, Decimal]) -> tuple[Finding, ...]:
    """Judge values of one moment, in their stored units, alone and against each other."""
    findings = [
        Finding(code, verdict)
        for code, value in values.items()
        if (verdict := _alone(code, value)) is not None
    ]
    finite = {code: value for code, value in values.items() if value.is_finite()}
    if (verdict := _pressures(finite)) is not None:
        findings.append(Finding(PRESSURE_PAIR, verdict))
    if _pulses_differ([finite[code] for code in _PULSES if code in finite]):
        findings.append(Finding(PULSES_DIFFER, Verdict.CONFIRM))
    return tuple(findings)


def check_time(taken_ms: int, now_ms: int, *, trusted: bool) -> tuple[Finding, ...]:
    """Judge the time a value is said to have been taken at; a clock nobody trusts cannot refuse."""
    if taken_ms > now_ms + AHEAD_MS:
        return (Finding(TIME_AHEAD, Verdict.REFUSE if trusted else Verdict.CONFIRM),)
    if taken_ms < now_ms - OLD_MS:
        return (Finding(TIME_OLD, Verdict.CONFIRM),)
    return ()


def only_numbers_that_can_be(values: Mapping[Code, Measured]) -> dict[Code, Measured]:
    """What a device said, with every number that cannot be true turned into `Missing`.

    One that cannot be true by itself contradicts nothing; of possible pressures that contradict each other
    none is kept.
    """
    numbers = {code: value.value for code, value in values.items() if isinstance(value, Quantity)}
    possible = {code: value for code, value in numbers.items() if _alone(code, value) is not Verdict.REFUSE}
    if _pressures(possible) is Verdict.REFUSE:
        possible = {code: value for code, value in possible.items() if code not in _PRESSURES}
    return {
        code: Missing(MissingReason.OUT_OF_RANGE) if code in numbers and code not in possible else value
        for code, value in values.items()
    }


_PRESSURES: Final = (Code.SYSTOLIC, Code.DIASTOLIC, Code.MEAN_PRESSURE)


def _alone(code: Code, value: Decimal) -> Verdict | None:
    possible = REFUSE_OUTSIDE.get(code)
    if possible is None or not value.is_finite() or not possible.low <= value <= possible.high:
        return Verdict.REFUSE  # a code without a range carries no number
    usual = CONFIRM_OUTSIDE.get(code)
    if usual is not None and not usual.low <= value <= usual.high:
        return Verdict.CONFIRM
    return None


def _pressures(values: Mapping[Code, Decimal]) -> Verdict | None:
    systolic, diastolic, mean = (values.get(code) for code in _PRESSURES)
    if systolic is None or diastolic is None:
        return None
    if diastolic >= systolic or (mean is not None and not diastolic < mean < systolic):
        return Verdict.REFUSE
    if not _PULSE_PRESSURE.low <= systolic - diastolic <= _PULSE_PRESSURE.high:
        return Verdict.CONFIRM  # a narrow pulse pressure can be shock: never refused
    return None


def _pulses_differ(pulses: list[Decimal]) -> bool:
    """More than 15 a minute apart, or more than 15 % of the lower one."""
    return any(abs(a - b) > 15 or abs(a - b) * 100 > 15 * min(a, b) for a, b in combinations(pulses, 2))
