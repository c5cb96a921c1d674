"""The whole of the store: what a screen missed, and whether the chain is sound."""

from collections.abc import Mapping
from typing import Final

from edge.agent import view
from edge.agent.ledger import Ledger
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Stream
from edge.store.store import Store

IDS_AT_ONCE: Final = 2000
_TOLD: Final = (Stream.ALERT, Stream.VITALS)


class RecordCommands:
    """Commands that look over all records; identifiers only."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def snapshot(self, _call: Call, *, after: Mapping[str, int] | None) -> Answer:
        """What is committed: by default all that is not received yet, whoever was told of it before."""

        def read(store: Store) -> Answer:
            progress = self._ledger.progress(store)
            visit = store.open_encounter()
            saved: list[Json] = []
            then: dict[str, Json] = {}
            more = False
            for stream in _TOLD:
                from_ = (after or {}).get(stream.word, progress[stream].opened)
                room = IDS_AT_ONCE - len(saved)
                found = store.entry_ids(stream, from_ + 1, from_ + room)
                saved += view.identities(found)
                then[stream.word] = from_ + len(found)
                more |= from_ + room < progress[stream].tip
            return {
                "unit": store.unit,
                "epoch": store.epoch.hex(),
                "encounter": None if visit is None else view.uuid_text(visit.encounter),
                "saved": saved,
                "states": view.progress(progress),
                "more": more,
                "next": then,
            }

        return await self._ledger.read(read)

    async def verify(self, call: Call) -> Answer:
        """Walk over every entry; nothing is changed but the audit trail."""
        await self._ledger.audit(call, call.method)
        result = await self._ledger.read(lambda store: store.verify())
        first_bad: Json = None
        if result.first_bad is not None:
            stream, seq = result.first_bad
            first_bad = {"stream": stream.word, "seq": seq}
        return {
            "entries": {stream.word: count for stream, count in result.entries.items()},
            "valid": result.valid,
            "first_bad": first_bad,
            "damage": None if result.damage is None else result.damage.value,
        }
