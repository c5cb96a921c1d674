"""What specialists are asked: entries become rows, and what happens to a request moves it."""

import json
from collections.abc import Sequence
from typing import Final, cast

from edge.cbor import Value
from edge.records.expertise import OPEN, RequestEvent, RequestState, after
from edge.records.fields import Field, Payload, Stream
from edge.records.identity import EntryId
from edge.store import sqlite
from edge.store.base import Base, Epoch
from edge.store.errors import StoreRefused
from edge.store.merging import WHOLE
from edge.store.rows import ExpertiseRequest
from edge.store.sqlite import Row

EVENT_OF_KIND: Final = {event.value: event for event in RequestEvent}
"""What comes down about a request is named by what it does to it."""
_REQUESTS: Final = (
    "SELECT epochs.epoch, journal.epoch, journal.stream, journal.seq, request, expertise.patient, encounter,"
    " specialty, urgency, act, basis, question, attached, recordings, operator, wall_ms, state"
    " FROM expertise JOIN journal ON journal.id = entry JOIN epochs ON epochs.number = journal.epoch"
)


def project_request(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """`Kind.REQUESTED`."""
    attached = cast("Sequence[tuple[bytes, int, int]]", payload.get(Field.ATTACHED, ()))
    recordings = cast("Sequence[bytes]", payload.get(Field.RECORDINGS, ()))
    fields = (Field.SPECIALTY, Field.URGENCY, Field.ACT, Field.BASIS, Field.QUESTION)
    connection.execute(
        "INSERT INTO expertise (entry, request, patient, encounter, specialty, urgency, act, basis,"
        " question, attached, recordings, operator, wall_ms, state)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(entry, payload[Field.EXPERTISE], payload[Field.PATIENT], payload.get(Field.ENCOUNTER)),
            *(payload[field] for field in fields),
            json.dumps([[epoch.hex(), stream, seq] for epoch, stream, seq in attached]),
            json.dumps([each.hex() for each in recordings]),
            *(payload.get(Field.OPERATOR), payload.get(Field.WALL_MS), RequestState.ASKED),
        ),
    )


def project_change(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    """`Kind.REQUEST_CHANGED`."""
    event = EVENT_OF_KIND.get(str(payload[Field.EVENT]))
    if event is None or not move(connection, payload[Field.EXPERTISE], event):
        raise StoreRefused(
            "The request is not in a state that allows this: nothing was saved.",
            next_step="Look at the request again.",
            code="request-state",
        )


def move(connection: sqlite.Connection, request: Value, event: RequestEvent) -> bool:
    """Have something happen to a request; whether that changed it."""
    row = connection.execute("SELECT state FROM expertise WHERE request = ?", (request,)).fetchone()
    if row is None:
        return False
    moved = after(RequestState(row[0]), event)
    connection.execute("UPDATE expertise SET state = ? WHERE request = ?", (moved, request))
    return bool(moved != row[0])


class ExpertiseReads(Base):
    """What can be asked of requests."""

    def expertise(self, request: bytes) -> ExpertiseRequest | None:
        row = self._row(_REQUESTS + " WHERE request = ?", request)
        return None if row is None else self._expertise(row)

    def expertise_of(self, patient: bytes, limit: int = 200) -> list[ExpertiseRequest]:
        """What was asked about a patient and everybody merged into them, the latest first."""
        rows = self._rows(
            f"{_REQUESTS} WHERE expertise.patient IN ({WHOLE}) ORDER BY entry DESC LIMIT ?", patient, limit
        )
        return [self._expertise(row) for row in rows]

    def all_expertise(self, *, waiting: bool, limit: int = 200) -> list[ExpertiseRequest]:
        """Everything that was asked, or what still waits for an answer; the latest first."""
        wanted = sorted(OPEN) if waiting else sorted(RequestState)
        marks = ", ".join("?" * len(wanted))
        rows = self._rows(f"{_REQUESTS} WHERE state IN ({marks}) ORDER BY entry DESC LIMIT ?", *wanted, limit)
        return [self._expertise(row) for row in rows]

    def _expertise(self, row: Row) -> ExpertiseRequest:
        epoch, number, stream, seq, request, patient, encounter, specialty, urgency = row[:9]
        act, basis, question, attached, recordings, operator, wall_ms, state = row[9:]
        return ExpertiseRequest(
            entry=EntryId(self._whose.unit, epoch, Stream(stream), seq),
            earlier=number != self._epoch.number,
            request=request,
            patient=patient,
            encounter=encounter,
            specialty=specialty,
            urgency=urgency,
            act=act,
            basis=basis,
            question=question,
            attached=tuple((bytes.fromhex(each), of, at) for each, of, at in json.loads(attached)),
            recordings=tuple(bytes.fromhex(each) for each in json.loads(recordings)),
            operator=operator,
            wall_ms=wall_ms,
            state=RequestState(state),
        )
