"""Everything the store keeps of one person, as plain values: for a copy that somebody may read elsewhere."""

import uuid
from typing import Final

from edge.agent import attached, payloads, view
from edge.agent.refusals import Unknown
from edge.agent.states import Progress
from edge.agent.visit_recordings import recordings_of
from edge.clock import ClockQuality
from edge.ports.caller import Answer, Json
from edge.records.fields import Payload, Source
from edge.records.reasons import ExportReason
from edge.store.rows import Alert, Consent, Encounter, Observation, Patient
from edge.store.store import Store
from edge.vitals.codes import VITALS, Code

METHOD: Final = "patient.export"
VALUES_AT_ONCE: Final = 1200
"""A page ends after the visit in which so many values are reached: an answer holds at most 1 MiB."""
VISITS_AT_ONCE: Final = 100


def person_of(store: Store, patient: uuid.UUID) -> Patient:
    """Who that is, merged or not.

    Raises:
        Unknown: there is no such patient.
    """
    found = store.person(patient.bytes)
    if found is None:
        raise Unknown("There is no such patient.", next_step="Find the patient again.", code="no-patient")
    return found


def page(store: Store, person: Patient, after: uuid.UUID | None) -> Answer:
    """The person, and some visits behind the one that is named.

    Raises:
        Unknown: there is no such visit of this person.
    """
    visits = store.encounters_of(person.patient)
    ids = [each.encounter for each in visits]
    if after is not None and after.bytes not in ids:
        raise Unknown("There is no such visit.", next_step="Begin again.", code="no-encounter")
    rest = visits if after is None else visits[ids.index(after.bytes) + 1 :]
    shown: list[Json] = []
    values = 0
    for each in rest[:VISITS_AT_ONCE]:
        observations = store.observations(each.encounter)
        shown.append(visit(store, each, observations))
        values += len(observations)
        if values >= VALUES_AT_ONCE:
            break
    last = rest[len(shown) - 1].encounter if len(shown) < len(rest) else None
    records = [person, *(found for each in person.merged if (found := store.patient(each)) is not None)]
    return {
        "unit": store.unit,
        "records": [record(each) for each in records],
        "consents": [_consent(each) for each in store.consents(person.patient)],
        "alerts": [_alert(each) for who in records for each in store.alerts_of(who.patient)],
        "attachments": _attachments(store, person),
        "visits": shown,
        "next": view.uuid_text(last),
    }


def _attachments(store: Store, person: Patient) -> list[Json]:
    progress = {
        stream: Progress(mark.tip, mark.landed, mark.opened, mark.stopped)
        for stream, mark in store.watermarks().items()
    }
    return [attached.shown(store, each, progress) for each in store.attachments_of(person.patient)]


def access(person: Patient, reason: ExportReason) -> Payload:
    """What the audit trail keeps of it: whose record, and why."""
    return payloads.access(f"{METHOD}:{reason}", person.patient)


def record(shown: Patient) -> Json:
    """All that is known of a patient."""
    return {
        "patient": view.uuid_text(shown.patient),
        "revision": shown.revision,
        "family": shown.name.family,
        "given": shown.name.given,
        "family_arabic": shown.name.family_arabic,
        "given_arabic": shown.name.given_arabic,
        "sex": shown.sex,
        "birth": shown.birth,
        "birth_estimated": shown.birth_estimated,
        "phone": shown.phone,
        "village": shown.village,
        "identifiers": [{"system": system, "value": value} for system, value in shown.identifiers],
        "merged_into": view.uuid_text(shown.merged_into),
    }


def _consent(shown: Consent) -> Json:
    return {
        "scope": shown.scope,
        "revision": shown.revision,
        "decision": shown.decision,
        "given_by": shown.given_by,
        "form": shown.form,
        "language": shown.language,
        "witness": shown.witness,
        "operator": shown.operator,
        "wall_ms": shown.wall_ms,
    }


def visit(store: Store, shown: Encounter, observations: list[Observation]) -> dict[str, Json]:
    """A visit with its values as they were saved, and its recordings without samples."""
    site = None if shown.site is None else store.site(shown.site)
    return {
        "encounter": view.uuid_text(shown.encounter),
        "patient": view.uuid_text(shown.patient),
        "operator": shown.operator,
        "opened_ms": shown.opened_ms,
        "closed_ms": shown.closed_ms,
        "site": None if site is None else site.name,
        "purged_ms": shown.purged_ms,
        "observations": [_value(each) for each in observations],
        "recordings": recordings_of(store, shown.encounter),
    }


def _value(shown: Observation) -> Json:
    return {
        "entry": shown.entry.as_json(),
        "code": shown.code,
        "value": None if shown.value is None else format(shown.value, "f"),
        "unit": VITALS[Code(shown.code)].unit.value,
        "missing": None if shown.missing is None else shown.missing.value,
        "source": Source(shown.source).name.lower(),
        "device": shown.device,
        "operator": shown.operator,
        "wall_ms": shown.wall_ms,
        "clock": _clock(shown.clock_quality),
        "device_time": shown.device_time,
        "clock_off_s": shown.clock_off_s,
        "flags": list(shown.flags),
        "confirmed": shown.confirmed,
        "corrects": None if shown.supersedes is None else [shown.supersedes[0].hex(), shown.supersedes[1]],
    }


def _clock(quality: int | None) -> str | None:
    """By what sort of clock a time was told; None where that was not said, or is not known here."""
    known = {int(each): each.name.lower() for each in ClockQuality}
    return None if quality is None else known.get(quality)


def _alert(shown: Alert) -> Json:
    return {
        "entry": shown.entry.as_json(),
        "encounter": view.uuid_text(shown.encounter),
        "code": shown.code,
        "text": shown.text,
        "operator": shown.operator,
        "wall_ms": shown.wall_ms,
    }
