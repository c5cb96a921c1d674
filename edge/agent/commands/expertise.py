"""What specialists are asked, and what became of it."""

import uuid
from collections.abc import Sequence
from typing import Final

from edge.agent import advice, attached, payloads, view
from edge.agent.commands.patients import existing
from edge.agent.ledger import Ledger
from edge.agent.refusals import ConsentNeeded, RequestRefused, Unknown
from edge.agent.states import RecordState
from edge.cbor import Value
from edge.ports.caller import Answer, Call, Json
from edge.records.expertise import AHEAD, Basis, RequestEvent, Urgency
from edge.records.fields import Field, Kind, Stream
from edge.store.rows import ExpertiseRequest, Observation, Patient
from edge.store.store import Store
from edge.store.transaction import Transaction

SCOPE: Final = "tele-expertise"
MOST_ATTACHED: Final = 256


class ExpertiseCommands:
    """Commands on requests."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def ask(
        self,
        call: Call,
        *,
        patient: uuid.UUID,
        encounter: uuid.UUID | None,
        specialty: str,
        urgency: str,
        question: str,
        act: str,
        observations: Sequence[int] | None,
        recordings: Sequence[uuid.UUID] | None,
        emergency: bool,
    ) -> Answer:
        """Ask a specialist; an urgent request leaves with the alerts and says all that it rests on.

        Raises:
            Unknown: there is no such patient, visit, value or recording.
            ConsentNeeded: the patient has not agreed, and it is no emergency.
        """
        id_ = self._ledger.new_id()
        stamp = self._ledger.stamp(call)
        ahead = Urgency(urgency) in AHEAD
        stream = Stream.ALERT if ahead else Stream.VITALS

        def work(tx: Transaction, store: Store) -> Answer:
            known = existing(store, patient)
            basis = allowed(store, patient.bytes, emergency=emergency and ahead)
            values = _observations(store, patient, encounter, observations)
            entry = stamp | payloads.requested(
                id_.bytes,
                encounter=None if encounter is None else encounter.bytes,
                said=(specialty, urgency, act, question, basis.value),
                attached=[(each.entry.epoch, each.entry.stream, each.entry.seq) for each in values],
                recordings=_recordings(store, encounter, recordings),
                alone=_alone(known, values) if ahead else {},
            )
            tx.append(stream, Kind.REQUESTED, entry, patient=patient.bytes)
            return {"request": str(id_), "saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="request", patient=patient.bytes)

    async def listed(self, call: Call, *, patient: uuid.UUID | None, waiting: bool) -> Answer:
        """Requests, the latest first."""

        def read(store: Store) -> tuple[list[ExpertiseRequest], Answer]:
            if patient is None:
                found = store.all_expertise(waiting=waiting)
            else:
                found = store.expertise_of(patient.bytes)
                found = [each for each in found if not waiting or each.state in advice.OPEN]
            return found, {"requests": [self._shown(store, each) for each in found]}

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: dict.fromkeys(each.patient for each in seen[0]) or [None]
        )
        return answer

    async def show(self, call: Call, *, request: uuid.UUID) -> Answer:
        """One request and what came to it."""

        def read(store: Store) -> tuple[ExpertiseRequest, Answer]:
            found = existing_request(store, request)
            messages = [advice.shown(each, store) for each in store.messages_about(request.bytes)]
            return found, {"request": self._shown(store, found), "messages": messages}

        _, answer = await self._ledger.read_audited(call, read, lambda seen: [seen[0].patient])
        return answer

    async def withdraw(self, call: Call, *, request: uuid.UUID, reason: str | None) -> Answer:
        """Nobody has to answer any more.

        Raises:
            RequestRefused: it was answered, or has ended.
        """
        return await self._change(call, request, RequestEvent.WITHDRAW, reason)

    async def close(self, call: Call, *, request: uuid.UUID, reason: str | None) -> Answer:
        """What was answered is done.

        Raises:
            RequestRefused: nothing has come yet, something is unread, or it has ended.
        """
        return await self._change(call, request, RequestEvent.CLOSE, reason)

    async def _change(
        self, call: Call, request: uuid.UUID, event: RequestEvent, reason: str | None
    ) -> Answer:
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            found = existing_request(store, request)
            if event is RequestEvent.CLOSE and any(
                each.read_ms is None for each in store.messages_about(found.request)
            ):
                raise RequestRefused(
                    "An answer has not been read.", next_step="Read it, then close.", code="request-unread"
                )
            entry = stamp | payloads.request_changed(found.request, event.value, reason)
            tx.append(Stream.VITALS, Kind.REQUEST_CHANGED, entry, patient=found.patient)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="request")

    def _shown(self, store: Store, found: ExpertiseRequest) -> dict[str, Json]:
        progress = self._ledger.progress(store)
        messages = store.messages_about(found.request)
        sent = (
            RecordState.RECEIVED if found.earlier else progress[found.entry.stream].state_of(found.entry.seq)
        )
        return {
            "request": view.uuid_text(found.request),
            "patient": view.uuid_text(found.patient),
            "encounter": view.uuid_text(found.encounter),
            "specialty": found.specialty,
            "urgency": found.urgency,
            "act": found.act,
            "question": found.question,
            "emergency": found.basis == Basis.EMERGENCY,
            "operator": found.operator,
            "wall_ms": found.wall_ms,
            "state": found.state.value,
            "sent": sent.value,
            "observations": len(found.attached),
            "recordings": [view.uuid_text(each) for each in found.recordings],
            "attachments": [
                attached.shown(store, each, progress) for each in store.attachments_to(found.request)
            ],
            "answers": len(messages),
            "unread": sum(each.read_ms is None for each in messages),
        }


def existing_request(store: Store, request: uuid.UUID) -> ExpertiseRequest:
    """The request of this identity.

    Raises:
        Unknown: there is none.
    """
    found = store.expertise(request.bytes)
    if found is None:
        raise Unknown("There is no such request.", next_step="See the list again.", code="no-request")
    return found


def allowed(store: Store, patient: bytes, *, emergency: bool) -> Basis:
    """What allows it: the patient's last word about it holds.

    Raises:
        ConsentNeeded: they have not agreed, or no more.
    """
    decisions = [each.decision for each in store.consents(patient) if each.scope == SCOPE]
    if decisions[-1:] == ["given"]:
        return Basis.CONSENT
    if decisions or not emergency:
        raise ConsentNeeded
    return Basis.EMERGENCY


def _observations(
    store: Store, patient: uuid.UUID, encounter: uuid.UUID | None, chosen: Sequence[int] | None
) -> list[Observation]:
    if encounter is None:
        if chosen:
            raise _no_value()
        return []
    visit = store.encounter(encounter.bytes)
    if visit is None or visit.patient != patient.bytes:
        raise Unknown("This patient has no such visit.", next_step="Open it again.", code="no-encounter")
    there = store.observations(encounter.bytes)
    if chosen is None:
        return there[-MOST_ATTACHED:]
    by_seq = {each.entry.seq: each for each in there if not each.earlier}
    if not set(chosen) <= set(by_seq):
        raise _no_value()
    return [by_seq[seq] for seq in sorted(set(chosen))]


def _recordings(store: Store, encounter: uuid.UUID | None, chosen: Sequence[uuid.UUID] | None) -> list[bytes]:
    there = [] if encounter is None else [each.waveform for each in store.waveforms_of(encounter.bytes)]
    if chosen is None:
        return there
    if not {each.bytes for each in chosen} <= set(there):
        raise _no_value()
    return [each.bytes for each in chosen]


def _no_value() -> Unknown:
    return Unknown(
        "One of these values or recordings is not of the visit.",
        next_step="Look at the visit again and choose from what it shows.",
        code="no-observation",
    )


def _alone(patient: Patient, values: Sequence[Observation]) -> dict[Field, Value]:
    """What lets an urgent request be understood before anything else has come."""
    snapshot: list[Value] = []
    for each in values:
        shown: Value = None if each.value is None else payloads.decimal(each.value)
        why = "" if each.missing is None else each.missing.value
        snapshot.append([each.code, why if shown is None else shown, each.wall_ms or 0])
    alone: dict[Field, Value] = {Field.SEX: patient.sex, Field.SNAPSHOT: snapshot}
    return alone if patient.birth is None else alone | {Field.BIRTH: patient.birth}
