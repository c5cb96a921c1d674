"""The table of limits: which typed numbers are refused, and which a person has to look at twice, by age.

*Refuse*: it cannot be true or cannot be represented. *Confirm*: possible but rare; a person enters it again
or confirms it, and the confirmation is stored. A table is a TOML text (``tables/limits.toml``): ``rule``,
``version``, ``source``, ``confirmed``, ``[numbers]`` for what holds between values, and ``[[limit]]`` with
``code``, ``refuse_outside`` and ``confirm_outside``: one interval, or one for each interval of months of age,
which leave no age out. Where two ages may be a patient's both ask; where none is known the eldest's asks.
Weight and height of grown-ups are held
against what they were before.
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any, Final, NamedTuple

from edge.scoring.intervals import Interval, check_complete, parse
from edge.scoring.tables import TableRefused, read_strictly
from edge.vitals.codes import Code
from edge.vitals.limits import (
    BEFORE_BIRTH,
    HEIGHT_CHANGES,
    PRESSURE_PAIR,
    PULSES_DIFFER,
    REFUSE_OUTSIDE,
    TIME_AHEAD,
    TIME_OLD,
    WEIGHT_CHANGES,
    Finding,
    Verdict,
    pressures_can_be,
)

NAME: Final = "limits"
_TOP: Final = {"rule", "version", "source", "confirmed", "numbers", "limit"}
_LIMIT: Final = {"code", "refuse_outside", "confirm_outside"}
_NUMBERS: Final = {
    "pulse_pressure",
    *("pulses_differ_per_min", "pulses_differ_percent"),
    *("ahead_minutes", "old_hours"),
    *("changes_from_months", "weight_changes_percent", "weight_days", "height_changes_cm"),
}
_PULSES: Final = (Code.HEART_RATE, Code.PULSE_OXIMETER, Code.PULSE_CUFF)
_MOST: Final = 1_000_000
_MINUTE_MS: Final = 60_000
_ANY_AGE: Final = Interval(None, None)


class Ages(NamedTuple):
    """Between what a patient's age may be, in months, both ends included; one end twice where it is known."""

    youngest: Decimal
    eldest: Decimal


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """The limits of one code.

    Attributes:
        refuse: outside of it a number is refused.
        confirm: for each interval of months outside of what it is confirmed; none where nothing is rare.
    """

    refuse: Interval
    confirm: tuple[tuple[Interval, Interval], ...]

    @property
    def by_age(self) -> bool:
        """Whether the age matters."""
        return len(self.confirm) > 1

    def verdict(self, value: Decimal, ages: Ages | None) -> Verdict | None:
        """What becomes of a number; None where nothing is remarkable."""
        if not value.is_finite() or value not in self.refuse:
            return Verdict.REFUSE
        usual = [interval for months, interval in self.confirm if ages is None or _meets(months, ages)]
        if ages is None:
            usual = usual[-1:]
        return Verdict.CONFIRM if any(value not in interval for interval in usual) else None


@dataclasses.dataclass(frozen=True, slots=True)
class LimitTable:
    """A whole table."""

    rule: str
    version: str
    source: str
    confirmed: bool
    limits: Mapping[Code, Limit]
    pulse_pressure: Interval
    pulses_differ_per_min: Decimal
    pulses_differ_percent: Decimal
    ahead_ms: int
    old_ms: int
    changes_from_months: Decimal
    weight_changes_percent: Decimal
    weight_ms: int
    height_changes_cm: Decimal

    def check(self, values: Mapping[Code, Decimal], ages: Ages | None) -> tuple[Finding, ...]:
        """Judge values of one moment, in their stored units, alone and against each other."""
        findings: list[Finding] = []
        for code, value in values.items():
            limit = self.limits.get(code)  # a code without one carries no number
            verdict = Verdict.REFUSE if limit is None else limit.verdict(value, ages)
            if verdict is not None:
                findings.append(Finding(code, verdict))
        finite = {code: value for code, value in values.items() if value.is_finite()}
        if (verdict := self._pressures(finite)) is not None:
            findings.append(Finding(PRESSURE_PAIR, verdict))
        if self._pulses_differ([finite[code] for code in _PULSES if code in finite]):
            findings.append(Finding(PULSES_DIFFER, Verdict.CONFIRM))
        return tuple(findings)

    def check_changes(
        self, values: Mapping[Code, Decimal], before: Mapping[Code, tuple[Decimal, int]], ages: Ages | None
    ) -> tuple[Finding, ...]:
        """Judge a weight and a height by the ones before, each with how many ms ago; a child's change."""
        if ages is None or ages.youngest < self.changes_from_months:
            return ()
        findings: list[Finding] = []
        for code, (earlier, ago_ms) in before.items():
            value = values.get(code)
            if value is None:
                continue
            change = abs(value - earlier)
            heavy = code is Code.WEIGHT and ago_ms < self.weight_ms
            if heavy and change * 100 > self.weight_changes_percent * earlier:
                findings.append(Finding(WEIGHT_CHANGES, Verdict.CONFIRM))
            if code is Code.HEIGHT and change > self.height_changes_cm:
                findings.append(Finding(HEIGHT_CHANGES, Verdict.CONFIRM))
        return tuple(findings)

    def check_time(
        self, taken_ms: int, now_ms: int, *, trusted: bool, born: bool = True
    ) -> tuple[Finding, ...]:
        """Judge the time a value is said to have been taken at; a clock nobody trusts cannot refuse.

        Args:
            taken_ms: when it is said to have been.
            now_ms: what the clock says.
            trusted: whether that is to be relied on.
            born: whether the patient was, as far as anybody has said.
        """
        if not born:
            return (Finding(BEFORE_BIRTH, Verdict.REFUSE),)
        if taken_ms > now_ms + self.ahead_ms:
            return (Finding(TIME_AHEAD, Verdict.REFUSE if trusted else Verdict.CONFIRM),)
        if taken_ms < now_ms - self.old_ms:
            return (Finding(TIME_OLD, Verdict.CONFIRM),)
        return ()

    def _pressures(self, values: Mapping[Code, Decimal]) -> Verdict | None:
        if not pressures_can_be(values):
            return Verdict.REFUSE
        systolic, diastolic = values.get(Code.SYSTOLIC), values.get(Code.DIASTOLIC)
        if systolic is None or diastolic is None or systolic - diastolic in self.pulse_pressure:
            return None
        return Verdict.CONFIRM

    def _pulses_differ(self, pulses: list[Decimal]) -> bool:
        return any(
            abs(a - b) > self.pulses_differ_per_min
            or abs(a - b) * 100 > self.pulses_differ_percent * min(a, b)
            for a, b in combinations(pulses, 2)
        )


def read(text: str) -> LimitTable:
    """Read a table.

    Raises:
        TableRefused: not TOML, an unknown word, a code without limits, an age that is left out, or a range
            wider than what can be true at all.
    """
    return read_strictly(text, _table)


def ages_at(birth: str | None, year: int, month: int, day: int) -> Ages | None:
    """How old somebody is on a day, from ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD``; None if that is not known.

    A day of birth that has not come yet says nothing: the clock is wrong, or the birth.
    """
    if birth is None:
        return None
    parts = [int(part) for part in birth.split("-")]
    first = (parts[0], parts[1] if len(parts) > 1 else 1, parts[2] if len(parts) > 2 else 1)
    last = (parts[0], parts[1] if len(parts) > 1 else 12, parts[2] if len(parts) > 2 else 31)
    eldest, youngest = (_months(born, (year, month, day)) for born in (first, last))
    return None if eldest < 0 else Ages(Decimal(max(youngest, 0)), Decimal(eldest))


# ── inside ───────────────────────────────────────────────────────────────────────────────────────


def _months(born: tuple[int, int, int], now: tuple[int, int, int]) -> int:
    return (now[0] - born[0]) * 12 + now[1] - born[1] - (now[2] < born[2])


def _meets(months: Interval, ages: Ages) -> bool:
    """Whether somebody between these ages may be in that interval."""
    below = months.high is None or ages.youngest < months.high or ages.youngest in months
    above = months.low is None or ages.eldest > months.low or ages.eldest in months
    return below and above


def _table(raw: dict[str, Any]) -> LimitTable:
    _only(raw, _TOP, "the table")
    numbers = raw["numbers"]
    _only(numbers, _NUMBERS, "numbers")
    limits: dict[Code, Limit] = {}
    for each in raw["limit"]:
        code = Code(each["code"])
        if code in limits:
            raise TableRefused(f"{code} stands twice")
        limits[code] = _limit(code, each)
    if left_out := set(REFUSE_OUTSIDE) - set(limits):
        raise TableRefused(f"no limits for {', '.join(sorted(left_out))}")
    if raw["rule"] != NAME or not isinstance(raw["confirmed"], bool):
        raise TableRefused("it is no table of limits")
    return LimitTable(
        rule=NAME,
        version=_text(raw["version"]),
        source=_text(raw["source"]),
        confirmed=raw["confirmed"],
        limits=limits,
        pulse_pressure=parse(numbers["pulse_pressure"]),
        pulses_differ_per_min=_positive(numbers["pulses_differ_per_min"]),
        pulses_differ_percent=_positive(numbers["pulses_differ_percent"]),
        ahead_ms=int(_positive(numbers["ahead_minutes"]) * _MINUTE_MS),
        old_ms=int(_positive(numbers["old_hours"]) * 60 * _MINUTE_MS),
        changes_from_months=_positive(numbers["changes_from_months"]),
        weight_changes_percent=_positive(numbers["weight_changes_percent"]),
        weight_ms=int(_positive(numbers["weight_days"]) * 24 * 60 * _MINUTE_MS),
        height_changes_cm=_positive(numbers["height_changes_cm"]),
    )


def _limit(code: Code, raw: dict[str, Any]) -> Limit:
    _only(raw, _LIMIT, f"the limit of {code}")
    if code not in REFUSE_OUTSIDE:
        raise TableRefused(f"{code} carries no number")
    refuse, can_be = parse(raw["refuse_outside"]), REFUSE_OUTSIDE[code]
    if refuse.low is None or refuse.high is None or refuse.low < can_be.low or refuse.high > can_be.high:
        raise TableRefused(f"{code}: nothing beyond {can_be.low} .. {can_be.high} can be true")
    said = raw.get("confirm_outside", {})
    by_age = (
        {_ANY_AGE: parse(said)} if isinstance(said, str) else {parse(a): parse(r) for a, r in said.items()}
    )
    if by_age and not isinstance(said, str):
        try:
            check_complete(by_age, None)
        except ValueError as error:
            raise TableRefused(f"{code}, months of age: {error}") from error
    for usual in by_age.values():
        if usual.low is None or usual.high is None or usual.low < refuse.low or usual.high > refuse.high:
            raise TableRefused(f"{code}: what is usual lies within what is not refused")
    return Limit(
        refuse, tuple(sorted(by_age.items(), key=lambda each: (each[0].low is not None, each[0].low)))
    )


def _only(raw: dict[str, Any], known: set[str], where: str) -> None:
    for word in raw:
        if word not in known:
            raise TableRefused(f"{where} has an unknown word: {word}")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TableRefused(f"{value!r} is no text")
    return value


def _positive(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST:
        raise TableRefused(f"{value!r} is no number above 0")
    return Decimal(str(value))
