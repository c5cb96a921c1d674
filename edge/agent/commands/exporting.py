"""A patient's record leaves the unit in readable form: who took it, whose and why is committed first."""

import uuid

from edge.agent import exporting
from edge.agent.commit import OpenStore
from edge.agent.ledger import Ledger
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.records.reasons import ExportReason
from edge.store.transaction import Transaction


class ExportCommands:
    """The command that gives everything kept of one person."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def export(self, call: Call, *, patient: uuid.UUID, reason: str, after: uuid.UUID | None) -> Answer:
        """Some visits at a time, and an audit entry for each time.

        Raises:
            Unknown: there is no such patient, or no such visit.
            StoreError: the audit trail takes no entry, so nothing is given.
        """
        stamp = self._ledger.stamp(call)

        def job(opened: OpenStore) -> Answer:
            person = exporting.person_of(opened.store, patient)
            answer = exporting.page(opened.store, person, after)
            entry = stamp | exporting.access(person, ExportReason(reason))

            def note(tx: Transaction) -> None:
                tx.append(Stream.AUDIT, Kind.ACCESS, entry)

            opened.commit(note)
            return answer

        return await self._ledger.do(job)
