"""The whole of the store: what a screen missed, and whether the chain is sound."""

import contextlib
from collections.abc import Mapping
from typing import Final

from edge.agent import view
from edge.agent.ledger import Ledger
from edge.ports.caller import Answer, Call, Json
from edge.records.fields import Stream
from edge.store.errors import StoreDamaged
from edge.store.store import Store
from edge.store.verify import Damage

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
        """Walk over every entry and every page; nothing is changed but the audit trail."""
        await self._ledger.audit(call, call.method)
        answer = await self._ledger.read(checked)
        if answer["bad_pages"]:
            await self._ledger.do(lambda opened: opened.saves.met(StoreDamaged("")))
        return answer


def checked(store: Store, *, old_copy: bool = False) -> Answer:
    """What a walk over a whole store finds: the journal, the pages, and whether it went back in time.

    ``old_copy``: whether the spool holds what the store never had.
    """
    bad_pages, result, history = len(store.bad_pages()), None, None
    with contextlib.suppress(StoreDamaged):
        result = store.verify()
        history = store.last_fork()
    first_bad: Json = None
    damage = Damage.UNREADABLE if result is None or bad_pages else None
    if result is not None and result.first_bad is not None:
        stream, seq = result.first_bad
        first_bad = {"stream": stream.word, "seq": seq}
        damage = result.damage
    elif damage is None and old_copy:
        damage = Damage.ROLLED_BACK
    return {
        "entries": {} if result is None else {each.word: count for each, count in result.entries.items()},
        "valid": damage is None and first_bad is None,
        "first_bad": first_bad,
        "damage": None if damage is None else damage.value,
        "bad_pages": bad_pages,
        "forked": None if history is None else view.fork(history),
    }
