"""A visit's sheet: that it was made is committed before anything of it is given."""

import uuid

from edge.agent import sheet
from edge.agent.commit import OpenStore
from edge.agent.ledger import Ledger
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.store.transaction import Transaction


class SheetCommands:
    """The command that gives what stands on a patient's sheet."""

    def __init__(self, ledger: Ledger, realm: str) -> None:
        self._ledger = ledger
        self._realm = realm

    async def sheet(self, call: Call, *, encounter: uuid.UUID) -> Answer:
        """The facts of one visit; each time is in the audit trail, so a second sheet is seen to be one.

        Raises:
            Unknown: there is no such visit, or its values are at the centre only.
            StoreError: the audit trail takes no entry, so nothing is given.
        """
        stamp = self._ledger.stamp(call)
        made_ms = self._ledger.now().wall_ms
        person = call.caller.person

        def job(opened: OpenStore) -> Answer:
            shown, answer = sheet.facts(opened.store, encounter)
            entry = stamp | sheet.access(shown)

            def note(tx: Transaction) -> None:
                tx.append(Stream.AUDIT, Kind.ACCESS, entry)

            opened.commit(note)
            by = "" if person is None else person.name
            return {**answer, "realm": self._realm, "made_ms": made_ms, "made_by": by}

        return await self._ledger.do(job)
