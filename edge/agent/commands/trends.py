"""What was measured of a patient visit after visit: the last value of each kind, and the score it made."""

import uuid
from typing import Final

from edge.agent import view
from edge.agent.commands.patients import no_patient
from edge.agent.ledger import Ledger
from edge.agent.scored import date_of
from edge.agent.scores import scores, standing
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Source
from edge.store.rows import Encounter, Observation, Patient
from edge.store.store import Store

MOST: Final = 24
"""Visits that are shown."""


class TrendCommands:
    """Looking back."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def trend(self, call: Call, *, patient: uuid.UUID) -> Answer:
        """The visits of a patient and of everybody merged into them, newest first."""

        def read(store: Store) -> tuple[Patient, Answer]:
            person = store.person(patient.bytes)
            if person is None:
                raise no_patient()
            found = store.encounters_of(person.patient)
            return person, {
                "visits": [_visit(store, person, each) for each in found[:MOST]],
                "more": len(found) > MOST,
            }

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: [seen[0].patient, *seen[0].merged]
        )
        return answer


def _visit(store: Store, person: Patient, visit: Encounter) -> dict[str, Json]:
    seen = standing(store.observations(visit.encounter))
    latest: dict[str, Observation] = {}
    for each in seen:
        before = latest.get(each.code)
        if each.value is not None and (before is None or (before.wall_ms or 0) <= (each.wall_ms or 0)):
            latest[each.code] = each
    measured = [each for each in seen if each.source is not Source.COMPUTED and each.wall_ms is not None]
    last = max(measured, key=lambda each: each.wall_ms or 0, default=None)
    scored: Json = None
    if last is not None and last.wall_ms is not None:
        today = date_of(last.wall_ms, last.clock_quality)
        found = scores(person, seen, last.wall_ms, today)
        scored = view.score(found[0]) if found else None
    return {
        "encounter": view.uuid_text(visit.encounter),
        "opened_ms": visit.opened_ms,
        "closed_ms": visit.closed_ms,
        "purged": visit.purged_ms is not None,
        "values": [
            {"code": each.code, "value": format(each.value, "f"), "wall_ms": each.wall_ms}
            for each in latest.values()
            if each.value is not None
        ],
        "score": scored,
    }
