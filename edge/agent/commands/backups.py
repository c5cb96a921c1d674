"""Copying the whole store to another medium, while it is in use."""

import asyncio
from pathlib import Path

from edge.agent.ledger import Ledger
from edge.agent.parts import Parts
from edge.ports.caller import Answer, Call
from edge.store import backup
from edge.store.backup import BackupFailed, Order, Written


class BackupCommands:
    """Commands on copies of the store."""

    def __init__(self, ledger: Ledger, parts: Parts) -> None:
        self._ledger = ledger
        self._parts = parts
        self._one_at_a_time = asyncio.Lock()

    async def backup(self, call: Call, *, into: str) -> Answer:
        """Write a backup below a folder and read it back; the store is written to meanwhile as ever.

        Raises:
            BackupFailed: there is none.
            StoreError: the store cannot be read.
        """
        database = self._parts.database
        if database is None:
            raise BackupFailed("This agent has no store of its own.", next_step="Report it as a bug.")
        await self._ledger.audit(call, call.method)
        key = await self._ledger.do(lambda opened: opened.key)
        enrolled = self._parts.enrolled()
        order = Order(
            key, self._ledger.now(), None if enrolled is None else enrolled.recovery, self._parts.papers()
        )
        async with self._one_at_a_time:
            return told(await asyncio.to_thread(backup.write, database, Path(into), order), order)


def told(written: Written, order: Order) -> Answer:
    """What is said of a backup that was made."""
    header = written.header
    return {
        "folder": written.folder.name,
        "backup": header.id.hex(),
        "entries": written.entries,
        "size": header.size,
        "made_ms": header.made_ms,
        "for_recovery": order.recovery_to is not None,
    }
