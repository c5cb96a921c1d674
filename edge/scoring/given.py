"""What a rule is given, and what it gives back."""

import dataclasses
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import ClassVar, Final, TypeAlias

from edge.errors import QafilaError

FRESH_MS: Final = 15 * 60 * 1000
"""Inputs of one result are at most so far apart; an engineering choice of the project."""


class RuleNotForPatient(QafilaError):
    """The rule is not valid for this patient; another one may be.

    Attributes:
        rule: the rule that was asked for.
        because: ``age``, ``pregnant`` or ``not-pregnant``.
        instead: the rule to take, or None.
    """

    code: ClassVar[str] = "rule-not-for-patient"

    def __init__(self, rule: str, because: str, sentence: str, instead: str | None) -> None:
        offer = "no rule here covers it: ask a clinician." if instead is None else f"use the rule {instead}."
        super().__init__(sentence, next_step=offer)
        self.rule = rule
        self.because = because
        self.instead = instead


class InputRefused(QafilaError):
    """What was given cannot be true, or is not in the form the rule takes."""

    code: ClassVar[str] = "input-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Pair:
    """A blood pressure, mmHg."""

    systolic: Decimal
    diastolic: Decimal


Value: TypeAlias = Decimal | str | bool | Pair | tuple[Pair, ...]
"""A number in the stored unit, a word of a list, yes or no, a pressure, readings in their order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Given:
    """One input.

    Attributes:
        taken_ms: when it was measured, ms since 1970; None when that is not said, and then it is not judged.
        observation: what it came from, so that a result can be made again; None for what was only typed.
    """

    value: Value
    taken_ms: int | None = None
    observation: str | None = None


class Inputs:
    """The inputs of one result: those that are fresh, and the names of those that are not.

    Args:
        given: by name, as the rule names its inputs.
    """

    def __init__(self, given: Mapping[str, Given]) -> None:
        timed = [each.taken_ms for each in given.values() if each.taken_ms is not None]
        newest_ms = max(timed, default=0)
        self.stale = tuple(
            name
            for name, each in given.items()
            if each.taken_ms is not None and newest_ms - each.taken_ms > FRESH_MS
        )
        self._fresh = {name: each for name, each in given.items() if name not in self.stale}

    def number(self, name: str) -> Decimal | None:
        value = self._value(name)
        return value if isinstance(value, Decimal) else None

    def word(self, name: str) -> str | None:
        value = self._value(name)
        return value if isinstance(value, str) else None

    def flag(self, name: str) -> bool | None:
        value = self._value(name)
        return value if isinstance(value, bool) else None

    def pressure(self, name: str) -> Pair | None:
        value = self._value(name)
        return value if isinstance(value, Pair) else None

    def readings(self, name: str) -> tuple[Pair, ...]:
        value = self._value(name)
        return value if isinstance(value, tuple) else ()

    def observations(self, names: Iterable[str]) -> tuple[str, ...]:
        """What the inputs of these names came from."""
        kept = [self._fresh[name].observation for name in names if name in self._fresh]
        return tuple(each for each in kept if each is not None)

    def _value(self, name: str) -> Value | None:
        given = self._fresh.get(name)
        return None if given is None else given.value


Fact: TypeAlias = str | int | bool | Decimal | None


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """What a rule says.

    Attributes:
        rule: its name.
        version: of the table it stands on.
        band: its class in one word; ``incomplete`` when something is missing to know it.
        total: the score, or None when it is not known or the rule has none.
        missing: inputs that are needed and were not given, or are too old.
        stale: those of them that were given and are too old.
        parts: what each input gives for itself, known or not known as a whole.
        alerts: what is to be told whether or not the rest is known.
        notes: what limits the result.
        facts: what only this rule says, by name.
        source: who published the numbers.
        observations: what it was made from.
    """

    rule: str
    version: str
    source: str
    band: str | None
    total: int | None = None
    missing: tuple[str, ...] = ()
    stale: tuple[str, ...] = ()
    parts: Mapping[str, int | str] = dataclasses.field(default_factory=dict[str, int | str])
    alerts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = dataclasses.field(default_factory=dict[str, Fact])
    observations: tuple[str, ...] = ()


INCOMPLETE: Final = "incomplete"
