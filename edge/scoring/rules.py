"""Every rule by its name: what it takes, and how it is applied."""

import dataclasses
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum, auto
from typing import Final

from edge.errors import QafilaError
from edge.scoring import body, ladders, limit_rule, points, pressure, spot, tables
from edge.scoring.given import Inputs, Result
from edge.scoring.installed import IN_FORCE, limit_table
from edge.vitals.codes import Code
from edge.vitals.limits import REFUSE_OUTSIDE


class Kind(Enum):
    """What a value of an input is."""

    NUMBER = auto()
    WORD = auto()
    FLAG = auto()
    PRESSURE = auto()
    READINGS = auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Takes:
    """What one input may be.

    Attributes:
        low, high: beyond these a number cannot be true.
        words: what may be said, for `Kind.WORD`.
        others: other names by which people call it.
    """

    kind: Kind
    low: Decimal = Decimal(0)
    high: Decimal = Decimal(10_000)
    words: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: as a command or a screen asks for it.
        title: for people.
        takes: its inputs by name.
        apply: what it says of some inputs.
    """

    name: str
    title: str
    takes: Mapping[str, Takes]
    apply: Callable[[Inputs], Result]


class RuleUnknown(QafilaError):
    """There is no rule of this name."""

    code = "rule-unknown"


def point_table(name: str) -> tables.Table:
    """The point table that holds."""
    table = IN_FORCE.table(name)
    assert isinstance(table, tables.Table)  # noqa: S101  its reader makes no other
    return table


def class_table(name: str) -> ladders.ClassTable:
    """The class table that holds."""
    table = IN_FORCE.table(name)
    assert isinstance(table, ladders.ClassTable)  # noqa: S101  its reader makes no other
    return table


def find(name: str) -> Rule:
    """The rule of a name.

    Raises:
        RuleUnknown: there is none.
    """
    rule = RULES.get(name)
    if rule is None:
        raise RuleUnknown(f"There is no rule {name!r}.", next_step=f"choose one of: {', '.join(RULES)}.")
    return rule


def _of(code: Code, *others: str) -> Takes:
    possible = REFUSE_OUTSIDE[code]
    return Takes(Kind.NUMBER, possible.low, possible.high, others=others)


def _number(low: str, high: str, *others: str) -> Takes:
    return Takes(Kind.NUMBER, Decimal(low), Decimal(high), others=others)


def _any_number(*others: str) -> Takes:
    """Also what cannot be true: the rule says so."""
    return _number("-100000", "100000", *others)


def _words(*words: str, others: tuple[str, ...] = ()) -> Takes:
    return Takes(Kind.WORD, words=words, others=others)


_FLAG: Final = Takes(Kind.FLAG)
_PAIR: Final = Takes(Kind.PRESSURE)
_AGES: Final = {"age": _number("0", "130"), "age_months": _number("0", "1560")}
_RR: Final = {"rr": _of(Code.RESPIRATORY_RATE)}
_SPO2: Final = {"spo2": _of(Code.OXYGEN_SATURATION)}
_SBP: Final = {"sbp": _of(Code.SYSTOLIC, "sys")}
_DBP: Final = {"dbp": _of(Code.DIASTOLIC, "dia")}
_TEMP: Final = {"temp": _of(Code.TEMPERATURE)}
_PREGNANT: Final = {"pregnant": _FLAG}


def _points(name: str) -> Callable[[Inputs], Result]:
    return lambda inputs: points.score(point_table(name), inputs)


def _classes(name: str, apply: Callable[[ladders.ClassTable, Inputs], Result]) -> Callable[[Inputs], Result]:
    return lambda inputs: apply(class_table(name), inputs)


def _breathing(inputs: Inputs) -> Result:
    result = points.score(point_table("imci-rr"), inputs)
    fast = None if result.total is None else bool(result.total)
    return dataclasses.replace(result, total=None, facts={"fast": fast})


RULES: Final[dict[str, Rule]] = {
    rule.name: rule
    for rule in (
        Rule(
            "news2",
            "National Early Warning Score 2, from 16 years, not in pregnancy",
            {
                **_RR,
                **_SPO2,
                "scale": _words("1", "2"),
                "o2": _words("yes", "no"),
                **_SBP,
                "pulse": _of(Code.PULSE_OXIMETER, "hr"),
                "acvpu": _words("A", "C", "V", "P", "U", others=("avpu",)),
                **_TEMP,
                **_AGES,
                **_PREGNANT,
            },
            _points("news2"),
        ),
        Rule(
            "qsofa",
            "quick SOFA, a prompt where an infection is suspected, adults",
            {**_RR, **_SBP, "gcs": _number("3", "15"), **_AGES, **_PREGNANT},
            _points("qsofa"),
        ),
        Rule(
            "pews",
            "paediatric table, under 18 years",
            {
                "hr": _of(Code.HEART_RATE, "pulse"),
                **_SBP,
                "crt": _number("0", "60"),
                **_RR,
                "effort": _words("normal", "mild", "moderate", "severe", "apnoea"),
                **_SPO2,
                "o2": _words("air", "low", "high"),
                **_AGES,
                **_PREGNANT,
            },
            _points("pews"),
        ),
        Rule(
            "meows",
            "obstetric table, from 20 weeks to 6 weeks after birth",
            {
                **_TEMP,
                **_SBP,
                **_DBP,
                "hr": _of(Code.HEART_RATE, "pulse"),
                **_RR,
                **_SPO2,
                "avpu": _words("A", "V", "P", "U", "C", others=("acvpu",)),
                "pain": _number("0", "3"),
                **_AGES,
                **_PREGNANT,
                "after_birth": _FLAG,
            },
            _points("meows"),
        ),
        Rule(
            "bp",
            "classes of a blood pressure, adults",
            {**_SBP, **_DBP, **_AGES, **_PREGNANT},
            _classes("bp", pressure.classify),
        ),
        Rule(
            "bp-protocol",
            "readings of one sitting and their mean",
            {"readings": Takes(Kind.READINGS), "irregular": _FLAG, **_AGES, **_PREGNANT},
            _classes("bp-protocol", pressure.protocol),
        ),
        Rule(
            "orthostatic",
            "fall of the pressure on standing up",
            {"lying": _PAIR, "stand1": _PAIR, "stand3": _PAIR, **_AGES, **_PREGNANT},
            _classes("orthostatic", pressure.standing),
        ),
        Rule(
            "bmi",
            "body-mass index, adults",
            {
                "kg": _of(Code.WEIGHT, "weight", "weight_kg"),
                "cm": _of(Code.HEIGHT, "height", "height_cm"),
                **_AGES,
                **_PREGNANT,
            },
            _classes("bmi", body.mass_index),
        ),
        Rule(
            "growth",
            "z-scores of WHO's growth standards, under 5 years",
            {
                "sex": _words("m", "f"),
                "age_days": _number("0", "7000"),
                "weight_kg": _of(Code.WEIGHT, "weight", "kg"),
                "height_cm": _of(Code.HEIGHT, "height", "cm"),
                "measure": _words("L", "H"),
                **_AGES,
                **_PREGNANT,
            },
            _classes("growth", body.growth),
        ),
        Rule(
            "glucose",
            "capillary glucose",
            {
                "mg_dl": _of(Code.GLUCOSE, "glucose"),
                "shown": _words("HI", "LO"),
                "ctx": _words("fasting", "random", "post-meal"),
                "ill": _FLAG,
                **_AGES,
                **_PREGNANT,
            },
            _classes("glucose", spot.glucose),
        ),
        Rule(
            "muac",
            "mid-upper arm, 6 to 59 months",
            {"muac_mm": _number("50", "500"), "oedema": _FLAG, **_AGES},
            _classes("muac", body.upper_arm),
        ),
        Rule(
            "imci-rr",
            "fast breathing, under 5 years",
            {**_RR, **_AGES},
            _breathing,
        ),
        Rule(
            "spo2",
            "how far a saturation may be relied on",
            {
                **_SPO2,
                "pi": _of(Code.PERFUSION_INDEX),
                "motion": _FLAG,
                "low_signal": _FLAG,
                "altitude_m": _number("-450", "9000"),
                **_AGES,
                **_PREGNANT,
            },
            _classes("spo2", spot.saturation),
        ),
        Rule(
            "limits",
            "which numbers are refused, and which have to be confirmed, by age",
            {**{key: _any_number(*limit_rule.OTHERS.get(key, ())) for key in limit_rule.CODES}, **_AGES},
            lambda inputs: limit_rule.judge(limit_table(), inputs),
        ),
        Rule(
            "map",
            "mean pressure, calculated",
            {**_SBP, **_DBP, **_AGES, **_PREGNANT},
            pressure.mean_pressure,
        ),
    )
}
"""All of them."""
