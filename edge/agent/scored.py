"""Results of rules as entries: what is computed of a visit is kept beside what it was computed of.

A result is kept when it is whole and made of a value that the same transaction saves; so every number that
a screen shows can be found and made again years later. What is corrected takes its results with it.
"""

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from edge.agent import payloads
from edge.agent.pressures import Sitting, sitting
from edge.agent.scores import Scored, age_of, pregnancy_of, scores, standing
from edge.clock import ClockQuality
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.scoring.given import INCOMPLETE, Result
from edge.store.rows import Encounter, Observation
from edge.store.store import Store
from edge.store.transaction import Transaction
from edge.vitals.codes import VITALS, Code
from edge.vitals.quantity import Measured, Missing, MissingReason, Quantity

ON_CORRECTION: Final = "an input was corrected"


def date_of(wall_ms: int, quality: int | None) -> datetime.date | None:
    """The day, or None while nobody knows it."""
    if quality is None or quality == ClockQuality.NONE:
        return None
    return datetime.datetime.fromtimestamp(wall_ms / 1000, tz=datetime.UTC).date()


def of_visit(store: Store, visit: Encounter, wall_ms: int, quality: int | None) -> list[Scored]:
    """What the rules say of a visit's values at a moment."""
    patient = store.patient(visit.patient)
    if patient is None:
        return []
    seen = store.observations(visit.encounter)
    return scores(patient, seen, wall_ms, date_of(wall_ms, quality))


def sitting_of(store: Store, visit: Encounter, wall_ms: int, quality: int | None) -> Sitting:
    """The readings of the pressure in the sitting that goes on."""
    patient = store.patient(visit.patient)
    age = None if patient is None else age_of(patient.birth, date_of(wall_ms, quality))
    return sitting(store.observations(visit.encounter), wall_ms, age)


def asks_pregnancy(store: Store, visit: Encounter, wall_ms: int, quality: int | None) -> bool:
    """Whether somebody has to say whether the patient is pregnant before a rule can be chosen."""
    patient = store.patient(visit.patient)
    if patient is None:
        return False
    age = age_of(patient.birth, date_of(wall_ms, quality))
    said = any(each.code == Code.PREGNANCY for each in standing(store.observations(visit.encounter)))
    return not said and pregnancy_of(patient.sex, age, None) is None


def append_scores(
    tx: Transaction, store: Store, visit: Encounter, stamp: Payload, assigned: Sequence[int] = ()
) -> None:
    """Append the results that stand on an observation of this transaction.

    Args:
        tx: the transaction, with the observations.
        store: where it is.
        visit: whose they are.
        stamp: that of the observations.
        assigned: observations of the tray that became this visit's, by sequence number.
    """
    seqs = {each.seq for each in tx.appended if each.stream is Stream.VITALS} | set(assigned)
    new = {(store.epoch, seq) for seq in seqs}
    for each in of_visit(store, visit, _wall_ms(stamp), _quality(stamp)):
        if _measured(each.result) is not None and any(given.name in new for given in each.inputs):
            _append(tx, visit, stamp, each.result, each.inputs)


def append_again(
    tx: Transaction, store: Store, visit: Encounter, stamp: Payload, corrected: Observation
) -> None:
    """Put other results in the place of those that may stand on a value that was corrected."""
    found = {each.result.rule: each for each in of_visit(store, visit, _wall_ms(stamp), _quality(stamp))}
    former: dict[str, list[Observation]] = {}
    for each in standing(store.observations(visit.encounter)):
        if each.source is Source.COMPUTED and (each.wall_ms or 0) >= (corrected.wall_ms or 0):
            former.setdefault(each.code, []).append(each)
    for code, results in former.items():
        again = found.pop(code, None)
        for index, each in enumerate(results):
            last = again if index == len(results) - 1 else None
            _replace(tx, visit, stamp, each, last)
    for each_ in found.values():
        if _measured(each_.result) is not None:
            _append(tx, visit, stamp, each_.result, each_.inputs)


def _replace(
    tx: Transaction, visit: Encounter, stamp: Payload, former: Observation, again: Scored | None
) -> None:
    beside = payloads.correction(ON_CORRECTION, former.name)
    if again is not None and _measured(again.result) is not None:
        _append(tx, visit, stamp, again.result, again.inputs, beside)
        return
    gone = payloads.observation(
        former.code,
        Missing(MissingReason.WITHDRAWN),
        Source.COMPUTED,
        tx.next_reading(),
        encounter=visit.encounter,
    )
    tx.append(Stream.VITALS, Kind.CORRECTION, stamp | gone | beside, patient=visit.patient)


def _append(
    tx: Transaction,
    visit: Encounter,
    stamp: Payload,
    result: Result,
    inputs: Sequence[Observation],
    beside: Payload | None = None,
) -> None:
    value = _measured(result)
    entry = payloads.observation(
        result.rule,
        Missing(MissingReason.NOT_MEASURED) if value is None else value,
        Source.COMPUTED,
        tx.next_reading(),
        encounter=visit.encounter,
        flags=(*result.alerts, *result.notes),
    )
    made = payloads.score(result.version, result.band, result.parts, [each.name for each in inputs])
    kind = Kind.OBSERVATION if beside is None else Kind.CORRECTION
    tx.append(Stream.VITALS, kind, stamp | entry | made | (beside or {}), patient=visit.patient)


def _measured(result: Result) -> Measured | None:
    """What is kept as the value, or None while it is not known."""
    code = Code(result.rule)
    if result.total is not None:
        return Quantity(Decimal(result.total), VITALS[code].unit)
    triggered = result.facts.get("trigger")
    if result.band == INCOMPLETE or not isinstance(triggered, bool):
        return None
    return Quantity(Decimal(int(triggered)), VITALS[code].unit)


def _wall_ms(stamp: Payload) -> int:
    return int(str(stamp[Field.WALL_MS]))


def _quality(stamp: Payload) -> int:
    return int(str(stamp[Field.CLOCK_QUALITY]))
