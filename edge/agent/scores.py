"""Which rules are for a patient, and what they say of a visit's values. Pure.

A result is made of the latest value of each input, unless that is taken back, could not be measured, came out
of a device's memory or is not to be relied on. Inputs that are more than fifteen minutes older than the
moment the result is for are missing, so a number is never made of what was true an hour ago.
"""

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from edge.agent.devicetalk import FROM_MEMORY
from edge.records.fields import Source
from edge.scoring import rules
from edge.scoring.given import FRESH_MS, Given, Inputs, Result, RuleNotForPatient, Value
from edge.scoring.limits import Ages, ages_at
from edge.store.rows import Observation, Patient
from edge.vitals.codes import Code

ADULT_MONTHS: Final = 16 * 12
ASKED_YEARS: Final = range(12, 56)
"""Ages at which a woman is asked whether she is pregnant; an engineering choice of the project."""
CONSCIOUSNESS: Final = ("A", "C", "V", "P", "U")
EFFORT: Final = ("normal", "mild", "moderate", "severe", "apnoea")
NOT_PREGNANT, PREGNANT, AFTER_BIRTH = 0, 1, 2
HIGH_FLOW_L_MIN: Final = 4
UNRELIABLE: Final = frozenset(
    {"low-signal", "motion", "artifact", "low-perfusion", "weak-signal", "marginal-perfusion"}
)
"""Flags of a saturation that must not be scored."""
LEAST_PERFUSION: Final = Decimal("0.3")


def age_of(birth: str | None, today: datetime.date | None) -> Ages | None:
    """The age, or None where birth or date are not known, or contradict each other."""
    return None if today is None else ages_at(birth, today.year, today.month, today.day)


def rules_for(age: Ages | None, pregnancy: int | None) -> tuple[str, ...]:
    """The early-warning rule for somebody, and the prompts beside it; the first is what a screen shows.

    Where it is not known whether somebody is a child it is the adults' rule, which then asks for the age.
    """
    if pregnancy in {PREGNANT, AFTER_BIRTH}:
        return ("meows",)
    if age is not None and age.eldest < ADULT_MONTHS:
        return ("pews",)
    return ("news2", "qsofa")


def pregnancy_of(sex: str, age: Ages | None, said: Decimal | None) -> int | None:
    """What is known of a pregnancy: what was said, or None where it has to be asked."""
    if said is not None:
        return int(said)
    if sex == "male":
        return NOT_PREGNANT
    if age is not None and not any(
        years in ASKED_YEARS for years in (int(age.youngest) // 12, int(age.eldest) // 12)
    ):
        return NOT_PREGNANT
    return None


def standing(observations: Sequence[Observation]) -> list[Observation]:
    """Those that were not taken back or put right by a later one; in their order."""
    gone = {each.supersedes for each in observations if each.supersedes is not None}
    return [each for each in observations if each.name not in gone]


@dataclasses.dataclass(frozen=True, slots=True)
class Scored:
    """A result with the observations it was made of.

    Attributes:
        inputs: they, in no order.
        until_ms: from then on the first of them is too old; None where nothing was given.
    """

    result: Result
    inputs: tuple[Observation, ...]
    until_ms: int | None


def scores(
    patient: Patient, observations: Sequence[Observation], moment_ms: int, today: datetime.date | None
) -> list[Scored]:
    """What the rules for a patient say of the values there are at a moment.

    Args:
        patient: whose they are.
        observations: of one visit, in their order.
        moment_ms: ms since 1970; values of later are left out.
        today: None while nobody knows the date, and so no age.
    """
    latest = _latest(observations, moment_ms)
    age = age_of(patient.birth, today)
    said = latest.get(Code.PREGNANCY)
    pregnancy = pregnancy_of(patient.sex, age, None if said is None else said.value)
    found: list[Scored] = []
    for name in rules_for(age, pregnancy):
        used = _inputs(name, latest)
        if name == "qsofa" and "gcs" not in used:
            continue  # a prompt for those whose Glasgow scale somebody has taken
        given = {key: Given(value, each.wall_ms, _key(each)) for key, (value, each) in used.items()}
        given |= _person(name, age, pregnancy, moment_ms)
        try:
            result = rules.find(name).apply(Inputs(given))
        except RuleNotForPatient:
            continue
        times = [each.wall_ms for _, each in used.values() if each.wall_ms is not None]
        fresh = [at for at in times if moment_ms - at <= FRESH_MS]
        inputs = tuple(each for _, each in used.values() if _key(each) in result.observations)
        found.append(Scored(result, inputs, min(fresh) + FRESH_MS if fresh else None))
    return found


def _latest(observations: Iterable[Observation], moment_ms: int) -> dict[Code, Observation]:
    """The last value of each code, by the time it was taken; among equals the one entered last."""
    latest: dict[Code, Observation] = {}
    weak = {
        each.reading
        for each in observations
        if each.code == Code.PERFUSION_INDEX and each.value is not None and each.value < LEAST_PERFUSION
    }
    for each in standing(list(observations)):
        if each.source is Source.COMPUTED or FROM_MEMORY in each.flags:
            continue
        if each.wall_ms is None or each.wall_ms > moment_ms:
            continue
        code = Code(each.code)
        if code is Code.OXYGEN_SATURATION and (UNRELIABLE & set(each.flags) or each.reading in weak):
            continue
        before = latest.get(code)
        if before is None or (before.wall_ms or 0) <= each.wall_ms:
            latest[code] = each
    return {code: each for code, each in latest.items() if each.value is not None}


def _inputs(rule: str, latest: Mapping[Code, Observation]) -> dict[str, tuple[Value, Observation]]:
    """The inputs of a rule as it names them."""
    pulse = max(
        (latest[c] for c in (Code.HEART_RATE, Code.PULSE_OXIMETER, Code.PULSE_CUFF) if c in latest),
        key=lambda each: each.wall_ms or 0,
        default=None,
    )
    numbers = {
        "rr": latest.get(Code.RESPIRATORY_RATE),
        "spo2": latest.get(Code.OXYGEN_SATURATION),
        "sbp": latest.get(Code.SYSTOLIC),
        "dbp": latest.get(Code.DIASTOLIC),
        "temp": latest.get(Code.TEMPERATURE),
        "gcs": latest.get(Code.GLASGOW),
        "crt": latest.get(Code.CAPILLARY_REFILL),
        "pulse" if rule == "news2" else "hr": pulse,
    }
    found: dict[str, tuple[Value, Observation]] = {
        key: (each.value, each)
        for key, each in numbers.items()
        if each is not None and each.value is not None
    }
    for key, code, words in (
        ("acvpu" if rule == "news2" else "avpu", Code.CONSCIOUSNESS, CONSCIOUSNESS),
        ("effort", Code.BREATHING_EFFORT, EFFORT),
    ):
        each = latest.get(code)
        if each is not None and each.value is not None:
            found[key] = words[int(each.value)], each
    oxygen = latest.get(Code.OXYGEN_FLOW)
    if oxygen is not None and oxygen.value is not None:
        found["o2"] = _oxygen(rule, oxygen.value), oxygen
    taken = rules.find(rule).takes
    return {key: value for key, value in found.items() if key in taken}


def _oxygen(rule: str, flow: Decimal) -> str:
    if rule == "news2":
        return "yes" if flow else "no"
    return "air" if not flow else "low" if flow < HIGH_FLOW_L_MIN else "high"


def _person(rule: str, age: Ages | None, pregnancy: int | None, moment_ms: int) -> dict[str, Given]:
    """What a rule asks of the person: it is of now, so that everything else is compared with now."""
    given: dict[str, Given] = {}
    if age is not None and _one_band(rule, age):
        given["age_months"] = Given(age.youngest, moment_ms)
    if pregnancy is not None:
        given["pregnant"] = Given(pregnancy == PREGNANT, moment_ms)
        if rule == "meows":
            given["after_birth"] = Given(pregnancy == AFTER_BIRTH, moment_ms)
    if not given:
        given["now"] = Given(value=True, taken_ms=moment_ms)
    return given


_CHILD_BANDS: Final = (3, 12, 48, 144)


def _one_band(rule: str, age: Ages) -> bool:
    """Whether both ends of an age mean the same to a rule."""
    edges = _CHILD_BANDS if rule == "pews" else (ADULT_MONTHS,)
    return not any(age.youngest < edge <= age.eldest for edge in edges)


def _key(each: Observation) -> str:
    return f"{each.entry.epoch.hex()}-{each.entry.seq}"
