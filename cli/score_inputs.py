"""``key=value`` words into the inputs of a clinical rule."""

import datetime
import difflib
import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from edge.scoring.given import Given, InputRefused, Inputs, Pair, Value
from edge.scoring.rules import Kind, Rule, Takes
from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.quantity import Unit

_FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_SAME_WORD: Final = {"true": "yes", "false": "no", "male": "m", "female": "f"}
_PAIR: Final = re.compile(r"(\d{1,3}(?:[.,]\d+)?)/(\d{1,3}(?:[.,]\d+)?)", re.ASCII)
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_GLUCOSE: Final = {"mmol_l": Unit.MILLIMOLE_PER_LITRE, "g_l": Unit.GRAM_PER_LITRE}
_OFFERS: Final[dict[str, tuple[Code, tuple[tuple[Unit, str], ...]]]] = {
    "temp": (Code.TEMPERATURE, ((Unit.FAHRENHEIT, "°F"),)),
    "mg_dl": (Code.GLUCOSE, ((Unit.MILLIMOLE_PER_LITRE, "mmol/L"), (Unit.GRAM_PER_LITRE, "g/L"))),
    "sbp": (Code.SYSTOLIC, ((Unit.KILOPASCAL, "kPa"),)),
    "dbp": (Code.DIASTOLIC, ((Unit.KILOPASCAL, "kPa"),)),
}
"""What a number that cannot be true may have been meant in."""


def read(rule: Rule, words: Sequence[str]) -> Inputs:
    """The inputs that some words give.

    A value may be followed by ``@`` and when it was measured: ``temp=37.2@10:05``, or a whole date and time
    with its zone. Bare pressures after ``readings=`` are further readings.

    Raises:
        InputRefused: an unknown or repeated name, or a value that cannot be true or cannot be read.
    """
    given: dict[str, Given] = {}
    for word in _joined(words):
        name, sign, text = word.partition("=")
        if not sign:
            raise InputRefused(f"{word!r} is not written as key=value.", next_step=_example(rule))
        text, _, at = text.partition("@")
        key, value = _input(rule, name.strip().lower(), text.strip())
        if key in given:
            raise InputRefused(f"{key} was given twice.", next_step="give it once.")
        given[key] = Given(value, _time_ms(at, key) if at else None)
    _settle_age(rule, given)
    return Inputs(given)


def _joined(words: Sequence[str]) -> list[str]:
    joined: list[str] = []
    for word in words:
        if joined and joined[-1].startswith("readings=") and _PAIR.fullmatch(word):
            joined[-1] += f" {word}"
        else:
            joined.append(word)
    return joined


def _input(rule: Rule, name: str, text: str) -> tuple[str, Value]:
    if rule.name == "glucose" and name in _GLUCOSE:
        stored = to_stored(Code.GLUCOSE, _number(name, text), _GLUCOSE[name])
        assert stored is not None  # noqa: S101  the units of this table are accepted
        return "mg_dl", _possible("mg_dl", rule.takes["mg_dl"], stored.value)
    key = next((key for key, takes in rule.takes.items() if name in (key, *takes.others)), None)
    if key is None:
        near = difflib.get_close_matches(name, list(rule.takes), 1)
        meant = f" Did you mean {near[0]}?" if near else ""
        raise InputRefused(
            f"The rule {rule.name} takes no {name!r}.{meant}",
            next_step=f"give some of: {', '.join(rule.takes)}.",
            code="input-unknown",
        )
    if rule.name == "glucose" and key == "mg_dl" and text.upper() in rule.takes["shown"].words:
        return "shown", text.upper()
    return key, _value(key, rule.takes[key], text)


def _value(key: str, takes: Takes, text: str) -> Value:
    match takes.kind:
        case Kind.NUMBER:
            return _possible(key, takes, _number(key, text))
        case Kind.WORD:
            return _word(key, takes, text)
        case Kind.FLAG:
            flag = _FLAGS.get(text.lower())
            if flag is None:
                raise InputRefused(f"{key} is true or false, not {text!r}.", next_step=f"give {key}=true.")
            return flag
        case Kind.PRESSURE:
            return _pair(key, text)
        case Kind.READINGS:
            return tuple(_pair(key, each) for each in re.split(r"[ ,;]+", text) if each)


def _number(key: str, text: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", ".")) if len(text) <= 20 else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise InputRefused(f"{key} is a number.", next_step=f"give it in digits, such as {key}=12.")
    return number


def _possible(key: str, takes: Takes, number: Decimal) -> Decimal:
    if takes.low <= number <= takes.high:
        return number
    code, units = _OFFERS.get(key, (None, ()))
    for unit, name in units:
        stored = to_stored(code, number, unit) if code is not None else None
        if stored is not None and takes.low <= stored.value <= takes.high:
            raise InputRefused(
                f"{key} cannot be {number}.",
                next_step=f"if it was meant in {name}, give {key}={stored.value}.",
                code="input-out-of-range",
            )
    raise InputRefused(
        f"{key} cannot be {number}.",
        next_step=f"give a number from {takes.low} to {takes.high}.",
        code="input-out-of-range",
    )


def _word(key: str, takes: Takes, text: str) -> str:
    lowered = text.lower()
    for word in takes.words:
        if word.lower() in (lowered, _SAME_WORD.get(lowered)):
            return word
    if "air" in takes.words and _FLAGS.get(lowered) is False:
        return "air"
    if {"yes", "no"} <= set(takes.words) and lowered in ("air", "none"):
        return "no"
    raise InputRefused(f"{key} cannot be {text!r}.", next_step=f"give one of: {', '.join(takes.words)}.")


def _pair(key: str, text: str) -> Pair:
    found = _PAIR.fullmatch(text)
    if found is None:
        raise InputRefused(f"{key} is a pressure such as 130/80.", next_step=f"give {key}=130/80.")
    pair = Pair(*(Decimal(each.replace(",", ".")) for each in found.groups()))
    if not (30 <= pair.systolic <= 300 and 10 <= pair.diastolic <= 200):
        raise InputRefused(
            f"{key} cannot be {text}.", next_step="give it in mmHg.", code="input-out-of-range"
        )
    return pair


def _time_ms(text: str, key: str) -> int:
    """Minutes of one day, or a whole date with its zone."""
    clock = _CLOCK.fullmatch(text)
    if clock is not None:
        return (int(clock[1]) * 60 + int(clock[2])) * 60_000
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputRefused(
            f"The time of {key} is not understood.",
            next_step=f"give {key}=…@10:05, or a date and time with its zone.",
        )
    return int(moment.timestamp() * 1000)


def _settle_age(rule: Rule, given: dict[str, Given]) -> None:
    """Bring years to months; somebody of so many years may be up to a year older."""
    if "age" not in given:
        return
    years = given.pop("age").value
    months = given.get("age_months")
    assert isinstance(years, Decimal)  # noqa: S101  the rules take it as a number
    if months is not None:
        assert isinstance(months.value, Decimal)  # noqa: S101  the rules take it as a number
        if int(months.value) // 12 != int(years):
            raise InputRefused("age and age_months do not fit together.", next_step="give one of them.")
    elif rule.name == "growth":
        return  # by the day: a year is too coarse, so the age stays missing
    elif not years and rule.name in ("pews", "imci-rr", "muac", "limits"):
        raise InputRefused(
            "In the first year the rule needs the age in months.", next_step="give age_months=…"
        )
    else:
        given["age_months"] = Given(years * 12)


def _example(rule: Rule) -> str:
    return f"for example: qafila score {rule.name} {next(iter(rule.takes))}=…"
