"""One person entered twice, and two who were taken for one."""

import uuid

from edge.agent import payloads, view
from edge.agent.commands.patients import existing
from edge.agent.ledger import Ledger
from edge.agent.refusals import PatientRefused, VisitRefused
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.store.store import Store
from edge.store.transaction import Transaction


class IdentityCommands:
    """Merging and parting patients: entries of the one who stays, and nothing moves."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def merge(self, call: Call, *, patient: uuid.UUID, duplicate: uuid.UUID, reason: str) -> Answer:
        """``duplicate`` is ``patient``, entered once more.

        Raises:
            PatientRefused: they are one already.
            VisitRefused: one of the two has an open visit: what is measured must have one owner.
        """
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            if patient == duplicate:
                raise PatientRefused(
                    "These are not two patients.", next_step="Choose the other one.", code="patient-same"
                )
            existing(store, patient)
            links = existing(store, duplicate).links
            if any(each.patient in {patient.bytes, duplicate.bytes} for each in store.open_encounters()):
                raise VisitRefused(
                    "One of the two has an open visit.", next_step="Close it first.", code="encounter-open"
                )
            entry = stamp | payloads.link(duplicate.bytes, links + 1, reason)
            tx.append(Stream.VITALS, Kind.MERGED, entry, patient=patient.bytes)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="patient", patient=patient.bytes)

    async def unmerge(self, call: Call, *, duplicate: uuid.UUID, reason: str) -> Answer:
        """``duplicate`` is somebody else after all; with them go those who were merged into them.

        Raises:
            PatientRefused: nobody says that they are the same.
        """
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            known = existing(store, duplicate, or_merged=True)
            if known.merged_into is None:
                raise PatientRefused(
                    "This patient is not merged into another.",
                    next_step="Look at the patient again.",
                    code="patient-not-merged",
                )
            entry = stamp | payloads.link(duplicate.bytes, known.links + 1, reason)
            tx.append(Stream.VITALS, Kind.UNMERGED, entry, patient=known.merged_into)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="patient", patient=duplicate.bytes)
