"""The visits of the day: who was seen, what the values say, how far they have come."""

from collections.abc import Sequence
from typing import Final

from edge.agent import view
from edge.agent.ledger import Ledger
from edge.agent.scored import of_visit
from edge.agent.states import RecordState
from edge.agent.triage import Triage, triage
from edge.ports.caller import Answer, Call, Json
from edge.records.expertise import OPEN
from edge.records.fields import Source, Stream
from edge.store.rows import Encounter, Observation
from edge.store.store import Store

MOST: Final = 200
_REMEMBERED: Final = 1000


class QueueCommands:
    """Remembers what the values of a visit say, until one more comes: a list is asked for all day."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._said: dict[tuple[bytes, int, str, str | None], tuple[Triage | None, str | None]] = {}

    async def listed(self, call: Call, *, since_ms: int) -> Answer:
        """The visits opened since, and whatever is open; in the order in which they were opened."""

        def read(store: Store) -> tuple[list[Encounter], Answer]:
            found = store.encounters_since(since_ms, MOST)
            return found, {"visits": [self._visit(store, each) for each in found]}

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: dict.fromkeys(each.patient for each in seen[0]) or [None]
        )
        return answer

    def _visit(self, store: Store, visit: Encounter) -> dict[str, Json]:
        seen = [each for each in store.observations(visit.encounter) if each.source is not Source.COMPUTED]
        vitals = self._ledger.progress(store)[Stream.VITALS]
        received = {
            each.reading
            for each in seen
            if each.earlier or vitals.state_of(each.entry.seq) is RecordState.RECEIVED
        }
        waiting = {
            each.reading
            for each in seen
            if not each.earlier and vitals.state_of(each.entry.seq) is not RecordState.RECEIVED
        }
        level, rule = self._triage(store, visit, seen)
        return {
            "encounter": view.uuid_text(visit.encounter),
            "patient": view.uuid_text(visit.patient),
            "opened_ms": visit.opened_ms,
            "closed_ms": visit.closed_ms,
            "readings": len(received | waiting),
            "received": len(received - waiting),
            "triage": None if level is None else level.value,
            "rule": rule,
            "waiting": sum(
                each.state in OPEN and each.encounter == visit.encounter
                for each in store.expertise_of(visit.patient)
            ),
        }

    def _triage(
        self, store: Store, visit: Encounter, seen: Sequence[Observation]
    ) -> tuple[Triage | None, str | None]:
        """What the values said at the moment of the last of them."""
        last = max((each for each in seen if each.wall_ms is not None), key=_taken_ms, default=None)
        if last is None:
            return None, None
        patient = store.patient(visit.patient)
        if patient is None:
            return None, None
        key = visit.encounter, len(seen), patient.sex, patient.birth
        if key not in self._said:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            scored = of_visit(store, visit, _taken_ms(last), last.clock_quality)
            self._said[key] = triage([each.result for each in scored])
        return self._said[key]


def _taken_ms(each: Observation) -> int:
    return each.wall_ms or 0
