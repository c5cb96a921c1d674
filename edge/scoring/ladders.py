"""Class tables: a measure, or the higher of two, falls on one rung of a ladder."""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from edge.scoring.given import Fact, Inputs, Result, RuleNotForPatient
from edge.scoring.intervals import Interval, check_complete, parse
from edge.scoring.tables import TableRefused, read_strictly

_TOP: Final = {"rule", "version", "source", "confirmed", "ages_months", "other_ages", "ladder", "numbers"}


@dataclasses.dataclass(frozen=True, slots=True)
class Ladder:
    """Classes from the lowest to the highest, and for each measure the interval of each class."""

    name: str
    classes: tuple[str, ...]
    of: Mapping[str, tuple[Interval, ...]]

    def rung(self, **measures: Decimal) -> int:
        """The highest rung on which one of the measures stands."""
        return max(
            next(place for place, interval in enumerate(self.of[name]) if value in interval)
            for name, value in measures.items()
        )


@dataclasses.dataclass(frozen=True, slots=True)
class ClassTable:
    """A whole table.

    Attributes:
        months: ages for which it holds, or None for every age.
        numbers: single figures that a rule stands on, by name.
    """

    rule: str
    version: str
    source: str
    confirmed: bool
    months: Interval | None
    other_ages: str | None
    ladders: Mapping[str, Ladder]
    numbers: Mapping[str, Decimal]

    def check_age(self, months: Decimal | None) -> tuple[str, ...]:
        """The notes that an age asks for.

        Raises:
            RuleNotForPatient: the table does not hold at this age.
        """
        notes = () if self.confirmed else ("thresholds-to-be-confirmed",)
        if self.months is None:
            return notes
        if months is None:
            return (*notes, "age-not-given")
        if months not in self.months:
            sentence = f"The rule {self.rule} is not valid at this age."
            raise RuleNotForPatient(self.rule, "age", sentence, self.other_ages)
        return notes

    def result(
        self,
        inputs: Inputs,
        band: str | None,
        *,
        missing: tuple[str, ...] = (),
        alerts: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        parts: Mapping[str, int | str] | None = None,
        facts: Mapping[str, Fact] | None = None,
        used: tuple[str, ...] = (),
    ) -> Result:
        """A result that stands on this table; ``used`` names the inputs that it was made from."""
        return Result(
            rule=self.rule,
            version=self.version,
            source=self.source,
            band=band,
            missing=missing,
            stale=tuple(name for name in missing if name in inputs.stale),
            parts=parts or {},
            alerts=alerts,
            notes=notes,
            facts=facts or {},
            observations=inputs.observations(used),
        )


def read(text: str) -> ClassTable:
    """Read a table.

    Raises:
        TableRefused: not TOML, an unknown word, a gap or an overlap.
    """
    return read_strictly(text, _table)


def _table(raw: dict[str, Any]) -> ClassTable:
    for word in raw:
        if word not in _TOP:
            raise TableRefused(f"the table has an unknown word: {word}")
    return ClassTable(
        rule=str(raw["rule"]),
        version=str(raw["version"]),
        source=str(raw["source"]),
        confirmed=raw["confirmed"] is True,
        months=parse(raw["ages_months"]) if "ages_months" in raw else None,
        other_ages=raw.get("other_ages"),
        ladders={each["name"]: _ladder(each) for each in raw.get("ladder", [])},
        numbers={name: _finite(value) for name, value in raw.get("numbers", {}).items()},
    )


def _finite(value: object) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise TableRefused(f"{value!r} is no number")
    return number


def _ladder(raw: dict[str, Any]) -> Ladder:
    classes = tuple(map(str, raw["classes"]))
    of = {name: tuple(map(parse, intervals)) for name, intervals in raw["of"].items()}
    for name, intervals in of.items():
        if len(intervals) != len(classes):
            raise TableRefused(f"{raw['name']}: {name} has not one interval for each class")
        try:
            check_complete(intervals, None)
        except ValueError as error:
            raise TableRefused(f"{raw['name']}: {name}: {error}") from error
    return Ladder(str(raw["name"]), classes, of)
