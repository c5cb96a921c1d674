"""The readings of one sitting: how far the protocol of three has come, their mean and its classes. Pure.

Readings belong to one sitting while no more than ten minutes lie between one and the next; one that ended
half an hour ago is over. The mean is of what is stored and stands; it is said, and not stored itself.
"""

import dataclasses
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from edge.agent.devicetalk import FROM_MEMORY
from edge.agent.scores import standing
from edge.records.fields import Source
from edge.scoring import rules
from edge.scoring.given import Given, Inputs, Pair, RuleNotForPatient
from edge.scoring.limits import Ages
from edge.store.rows import Observation
from edge.vitals.codes import Code

BETWEEN_MS: Final = 10 * 60_000
OVER_MS: Final = 30 * 60_000
IRREGULAR: Final = frozenset({"irregular-pulse", "questionable-pulse"})


@dataclasses.dataclass(frozen=True, slots=True)
class Sitting:
    """What the protocol says.

    Attributes:
        readings: those of the sitting, the first one first.
        last_ms: when the last was taken, or None without one.
        one_more: another is needed.
        mean: of the last two, once they suffice.
        classes: of the mean, by the guideline; for adults whose age is known.
        alerts: what the mean calls for at once.
    """

    readings: tuple[Pair, ...]
    last_ms: int | None
    one_more: bool
    mean: Pair | None
    classes: dict[str, str]
    alerts: tuple[str, ...]


def sitting(observations: Sequence[Observation], moment_ms: int, age: Ages | None) -> Sitting:
    """The sitting that goes on at a moment."""
    taken = _taken(observations, moment_ms)
    pairs = tuple(pair for pair, _, _ in taken)
    irregular = any(each for _, _, each in taken)
    given = {"readings": Given(pairs), "irregular": Given(irregular)}
    facts = rules.find("bp-protocol").apply(Inputs(given)).facts
    systolic, diastolic = facts.get("sbp"), facts.get("dbp")
    last_ms = taken[-1][1] if taken else None
    if not isinstance(systolic, int) or not isinstance(diastolic, int):
        return Sitting(pairs, last_ms, one_more=True, mean=None, classes={}, alerts=())
    mean = Pair(Decimal(systolic), Decimal(diastolic))
    classes, alerts = _classes(mean, age)
    return Sitting(pairs, last_ms, one_more=False, mean=mean, classes=classes, alerts=alerts)


def _classes(mean: Pair, age: Ages | None) -> tuple[dict[str, str], tuple[str, ...]]:
    if age is None:
        return {}, ()
    given = {
        "sbp": Given(mean.systolic),
        "dbp": Given(mean.diastolic),
        "age_months": Given(age.youngest),
    }
    try:
        result = rules.find("bp").apply(Inputs(given))
    except RuleNotForPatient:
        return {}, ()
    return {name: str(each) for name, each in result.facts.items()}, result.alerts


def _taken(observations: Sequence[Observation], moment_ms: int) -> list[tuple[Pair, int, bool]]:
    """Whole readings of the sitting with their times, and whether the pulse was irregular."""
    by_reading: dict[int, dict[str, Observation]] = {}
    for each in standing(observations):
        if each.value is None or each.source is Source.COMPUTED or FROM_MEMORY in each.flags:
            continue
        if each.code in {Code.SYSTOLIC, Code.DIASTOLIC} and each.reading and each.wall_ms is not None:
            by_reading.setdefault(each.reading, {})[each.code] = each
    taken: list[tuple[Pair, int, bool]] = []
    for parts in by_reading.values():
        systolic, diastolic = parts.get(Code.SYSTOLIC), parts.get(Code.DIASTOLIC)
        if systolic is None or diastolic is None or systolic.value is None or diastolic.value is None:
            continue
        at_ms = systolic.wall_ms or 0
        if at_ms <= moment_ms:
            pair = Pair(systolic.value, diastolic.value)
            taken.append((pair, at_ms, bool(IRREGULAR & set(systolic.flags))))
    taken.sort(key=lambda each: each[1])
    kept: list[tuple[Pair, int, bool]] = []
    after_ms = moment_ms
    for reading in reversed(taken):
        if after_ms - reading[1] > (BETWEEN_MS if kept else OVER_MS):
            break
        kept.insert(0, reading)
        after_ms = reading[1]
    return kept
