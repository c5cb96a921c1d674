"""The tray: readings that belong to nobody until a person says whose they are."""

import uuid
from collections.abc import Sequence

from edge.agent import view
from edge.agent.commands.visits import open_visit
from edge.agent.ledger import Ledger
from edge.agent.scored import append_scores
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Field, Kind, Stream
from edge.store.store import Store
from edge.store.transaction import Transaction


class TrayCommands:
    """Commands on the tray."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def contents(self, call: Call) -> Answer:
        """What lies in the tray, oldest first."""

        def read(store: Store) -> list[Json]:
            progress = self._ledger.progress(store)
            return [view.observation(each, progress) for each in store.tray()]

        shown = await self._ledger.read_audited(call, read, lambda _: [None])
        return {"observations": shown}

    async def assign(
        self, call: Call, *, encounter: uuid.UUID, observations: Sequence[int], reason: str
    ) -> Answer:
        """Give readings to the open visit, with the reason; what was appended before stays as it is."""
        stamp = self._ledger.stamp(call)

        def work(tx: Transaction, store: Store) -> Answer:
            visit = open_visit(store, encounter)
            entry = stamp | {
                Field.ENCOUNTER: visit.encounter,
                Field.ASSIGNED: sorted(set(observations)),
                Field.REASON: reason,
            }
            tx.append(Stream.VITALS, Kind.ASSIGNMENT, entry, patient=visit.patient)
            append_scores(tx, store, visit, stamp, observations)
            return {"saved": view.identities(map(tx.identity, tx.appended))}

        return await self._ledger.commit_once(call, work, what="assignment")
