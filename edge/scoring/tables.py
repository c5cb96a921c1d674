"""Point tables: read strictly, so that a table with a gap, an overlap or a misspelt word is never used.

A table is a TOML text. The project's own are files of ``tables/``; a programme may put its own in the place
of one, with the same rule's name. What stands in it:

- ``rule``, ``version``, ``source``; ``confirmed``: whether its numbers were compared with that source.
- ``valid_for``: ``age_years`` or ``age_months`` (an interval), ``pregnant``, the rules to take instead for
  others, and whether these facts may be unknown.
- ``[[input]]``: ``key``; ``decimals`` to which a number is rounded half up before it is looked up, as it is
  displayed; either ``choices`` (points to words) or ``[[input.variant]]`` with ``bands`` (points to
  intervals) and ``when``, the contexts in which the variant holds; ``optional`` for what is scored if given.
- ``[[context]]``: words that choose a variant and give no points.
- ``[[band]]``: classes of the total, the first that fits; ``[[alert]]``: what is told whatever is missing.
- ``colours`` and ``trigger`` instead of bands, where a table counts colours and not points.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar, cast

from edge.scoring.intervals import Interval, check_complete, parse

_TOP: Final = {
    *("rule", "version", "source", "confirmed", "valid_for", "input", "context", "band", "alert"),
    *("colours", "trigger"),
}


T = TypeVar("T")


class TableRefused(ValueError):
    """A table is not in the accepted form; the text says where."""


@dataclasses.dataclass(frozen=True, slots=True)
class ValidFor:
    """For whom a table holds.

    Attributes:
        months: ages in months, or None for every age.
        pregnant: who it is for; None for both.
        age_may_be_unknown: whether a result without the age is a result.
        other_ages, other_pregnancy: the rule to take for those it is not for.
    """

    months: Interval | None
    pregnant: bool | None
    age_may_be_unknown: bool
    pregnancy_may_be_unknown: bool
    other_ages: str | None
    other_pregnancy: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """How one input is scored in some contexts.

    Attributes:
        when: words, or an interval of months under ``age_months``, by context.
        bands: points by interval.
    """

    when: Mapping[str, frozenset[str] | Interval]
    bands: tuple[tuple[Interval, int], ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Input:
    """One input of a table; it has choices or variants."""

    key: str
    decimals: int | None
    optional: bool
    choices: Mapping[str, int]
    variants: tuple[Variant, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Band:
    """A class of the total."""

    name: str
    total: Interval
    a_part_of: int | None


@dataclasses.dataclass(frozen=True, slots=True)
class Alert:
    """What is told as soon as one input is so, or one part has so many points."""

    name: str
    a_part_of: int | None
    any_of: Mapping[str, Interval]


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A whole table."""

    rule: str
    version: str
    source: str
    confirmed: bool
    valid_for: ValidFor
    inputs: tuple[Input, ...]
    contexts: Mapping[str, tuple[frozenset[str], str]]
    bands: tuple[Band, ...]
    alerts: tuple[Alert, ...]
    colours: Mapping[int, str]
    trigger: Interval | None


def read(text: str) -> Table:
    """Read a table.

    Raises:
        TableRefused: not TOML, an unknown word, a gap or an overlap.
    """
    return read_strictly(text, _table)


def read_strictly(text: str, make: Callable[[dict[str, Any]], T]) -> T:
    """What ``make`` makes of a TOML text.

    Raises:
        TableRefused: not TOML, or ``make`` met something that it does not take.
    """
    try:
        return make(tomllib.loads(text))
    except TableRefused:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError) as error:
        raise TableRefused(f"{type(error).__name__}: {error}") from error


def _table(raw: dict[str, Any]) -> Table:
    _only(raw, _TOP, "the table")
    inputs = tuple(_input(each) for each in raw["input"])
    contexts = {
        each["key"]: (frozenset(str(word) for word in each["choices"]), str(each["default"]))
        for each in raw.get("context", [])
    }
    bands = tuple(_band(each) for each in raw.get("band", []))
    colours = {int(points): str(name) for points, name in raw.get("colours", {}).items()}
    trigger = parse(raw["trigger"]) if "trigger" in raw else None
    if bool(bands) is bool(colours) or (trigger is None) is bool(colours):
        raise TableRefused("a table has bands of a total, or colours and a trigger")
    if bands:
        check_complete({band.total for band in bands if band.a_part_of is None}, 0)
    for given in inputs:
        _check_contexts(given, inputs, contexts)
    return Table(
        rule=_text(raw["rule"]),
        version=_text(raw["version"]),
        source=_text(raw["source"]),
        confirmed=_flag(raw["confirmed"]),
        valid_for=_valid_for(raw.get("valid_for", {})),
        inputs=inputs,
        contexts=contexts,
        bands=bands,
        alerts=tuple(_alert(each) for each in raw.get("alert", [])),
        colours=colours,
        trigger=trigger,
    )


def _valid_for(raw: dict[str, Any]) -> ValidFor:
    known = ("age_years", "age_months", "other_ages", "age_may_be_unknown")
    _only(raw, {*known, "pregnant", "other_pregnancy", "pregnancy_may_be_unknown"}, "valid_for")
    months = None
    if "age_years" in raw:
        years = parse(raw["age_years"])
        months = dataclasses.replace(
            years,
            low=None if years.low is None else years.low * 12,
            high=None if years.high is None else years.high * 12,
        )
    elif "age_months" in raw:
        months = parse(raw["age_months"])
    return ValidFor(
        months=months,
        pregnant=_flag(raw["pregnant"]) if "pregnant" in raw else None,
        age_may_be_unknown=_flag(raw.get("age_may_be_unknown", False)),
        pregnancy_may_be_unknown=_flag(raw.get("pregnancy_may_be_unknown", False)),
        other_ages=raw.get("other_ages"),
        other_pregnancy=raw.get("other_pregnancy"),
    )


def _input(raw: dict[str, Any]) -> Input:
    _only(raw, {"key", "decimals", "optional", "choices", "variant"}, "an input")
    key = _text(raw["key"])
    decimals = raw.get("decimals")
    if decimals is not None and not (isinstance(decimals, int) and 0 <= decimals <= 3):
        raise TableRefused(f"{key}: decimals from 0 to 3")
    if ("choices" in raw) is ("variant" in raw):
        raise TableRefused(f"{key}: either choices or variants")
    choices: dict[str, int] = {}
    for points, words in raw.get("choices", {}).items():
        for word in words:
            if word in choices:
                raise TableRefused(f"{key}: {word} stands twice")
            choices[_text(word)] = int(points)
    variants = tuple(_variant(each, key, decimals) for each in raw.get("variant", []))
    return Input(key, decimals, _flag(raw.get("optional", False)), choices, variants)


def _variant(raw: dict[str, Any], key: str, decimals: int | None) -> Variant:
    _only(raw, {"when", "bands"}, f"a variant of {key}")
    when: dict[str, frozenset[str] | Interval] = {
        context: parse(wanted) if isinstance(wanted, str) else frozenset(map(str, wanted))
        for context, wanted in raw.get("when", {}).items()
    }
    bands = tuple(
        (parse(text), int(points)) for points, intervals in raw["bands"].items() for text in intervals
    )
    try:
        check_complete((interval for interval, _ in bands), decimals)
    except ValueError as error:
        raise TableRefused(f"{key}: {error}") from error
    return Variant(when, bands)


def _check_contexts(given: Input, inputs: tuple[Input, ...], contexts: Mapping[str, Any]) -> None:
    known = {"age_months", *contexts, *(each.key for each in inputs if each.choices)}
    for variant in given.variants:
        if not known >= set(variant.when):
            raise TableRefused(f"{given.key}: a variant for an unknown context")


def _band(raw: dict[str, Any]) -> Band:
    _only(raw, {"name", "total", "a_part_of"}, "a band")
    return Band(_text(raw["name"]), parse(raw["total"]), raw.get("a_part_of"))


def _alert(raw: dict[str, Any]) -> Alert:
    _only(raw, {"name", "a_part_of", "any_of"}, "an alert")
    any_of = {key: parse(text) for key, text in raw.get("any_of", {}).items()}
    return Alert(_text(raw["name"]), raw.get("a_part_of"), any_of)


def _only(raw: object, known: set[str], where: str) -> None:
    if not isinstance(raw, dict):
        raise TableRefused(f"{where} is no table")
    for word in cast("dict[str, object]", raw):
        if word not in known:
            raise TableRefused(f"{where} has an unknown word: {word}")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TableRefused(f"{value!r} is no text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TableRefused(f"{value!r} is neither true nor false")
    return value


def as_displayed(value: Decimal, decimals: int | None) -> Decimal:
    """A number as it stands on a screen: rounded half up."""
    if decimals is None:
        return value
    return value.quantize(Decimal(1).scaleb(-decimals), "ROUND_HALF_UP")
