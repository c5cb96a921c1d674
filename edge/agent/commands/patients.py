"""Patients: enter, list, find."""

import datetime
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from edge.agent import payloads, view
from edge.agent.ledger import Ledger
from edge.agent.refusals import BirthRefused, Unknown
from edge.clock import ClockQuality
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.store.likeness import PROPOSED, Traits
from edge.store.rows import Patient
from edge.store.store import Store
from edge.store.transaction import Transaction

LISTED: Final = 500
FOUND: Final = 50
_A_DAY_S: Final = 86_400


class PatientCommands:
    """Commands on the patient index."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def register(
        self,
        call: Call,
        *,
        family: str,
        given: str,
        sex: str,
        birth: str | None,
        identifiers: Sequence[Mapping[str, str]],
        phone: str | None,
        village: str | None,
    ) -> Answer:
        """Enter a new patient. An identifier another patient has is refused by the store.

        Raises:
            BirthRefused: the birth is after today, and the box knows what day it is.
        """
        self._check_birth(birth)
        id_ = self._ledger.new_id()
        entry = self._ledger.stamp(call) | payloads.patient(
            family=family,
            given=given,
            sex=sex,
            birth=birth,
            identifiers=identifiers,
            phone=phone,
            village=village,
        )

        def work(tx: Transaction, _store: Store) -> Answer:
            tx.append(Stream.VITALS, Kind.PATIENT, entry, patient=id_.bytes)
            return {"patient": str(id_), "saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="patient", patient=id_.bytes, begins=True)

    def _check_birth(self, birth: str | None) -> None:
        now = self._ledger.now()
        if birth is None or now.quality is ClockQuality.NONE:
            return
        # A day more: it is tomorrow already east of Greenwich.
        latest = datetime.datetime.fromtimestamp(now.wall_ms / 1000 + _A_DAY_S, tz=datetime.UTC).date()
        if birth > latest.isoformat()[: len(birth)]:
            raise BirthRefused

    async def recent(self, call: Call) -> Answer:
        """The patients entered last."""
        return await self._shown(call, lambda store: store.patients(LISTED + 1), LISTED)

    async def find(self, call: Call, *, text: str) -> Answer:
        """Patients by a part of a name or a whole identifier."""
        return await self._shown(call, lambda store: store.find_patients(text, FOUND + 1), FOUND)

    async def likely(
        self, call: Call, *, family: str, given: str, sex: str, birth: str | None, phone: str | None
    ) -> Answer:
        """Patients who may be the one about to be entered."""
        traits = Traits(family, given, sex, birth, phone)
        return await self._shown(call, lambda store: store.likely_patients(traits), PROPOSED)

    async def _shown(self, call: Call, look: Callable[[Store], list[Patient]], most: int) -> Answer:
        """What a look found, with states; one audit entry for each patient that will be on the screen."""

        def read(store: Store) -> tuple[list[Patient], Answer]:
            found = look(store)
            progress = self._ledger.progress(store)
            shown = found[:most]
            patients = [view.patient(each, progress) for each in shown]
            return shown, {"patients": patients, "more": len(found) > most}

        _, answer = await self._ledger.read_audited(
            call, read, lambda seen: [each.patient for each in seen[0]] or [None]
        )
        return answer


def existing(store: Store, patient: uuid.UUID) -> Patient:
    """The patient of this id.

    Raises:
        Unknown: there is none.
    """
    found = store.patient(patient.bytes)
    if found is None:
        raise Unknown("There is no such patient.", next_step="Find the patient again.", code="no-patient")
    return found
