"""The people who may sign in."""

import asyncio
from collections.abc import Callable
from typing import Final

from edge.agent import payloads
from edge.agent.ledger import Ledger
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.security.slots import Slots
from edge.store.store import Store
from edge.store.transaction import Transaction

_NOTHING: Final[Answer] = {}


class UserCommands:
    """Commands on the key slots."""

    def __init__(self, ledger: Ledger, load_slots: Callable[[], Slots]) -> None:
        self._ledger = ledger
        self._load_slots = load_slots
        self._one_at_a_time = asyncio.Lock()

    async def add(self, call: Call, *, user: str, name: str, role: str, pin: str) -> Answer:
        """Give a person a slot of their own.

        The slot file is written first: a store that knew of slots that are not there would refuse
        everybody.

        Raises:
            SecurityError: the user exists, the PIN is too weak, or the file cannot be written.
        """
        entry = self._ledger.stamp(call) | payloads.access(call.method, user)

        def add(key: bytes) -> int:
            slots = self._load_slots()
            slots.add(user, name, role, pin, key)
            return slots.generation

        async with self._one_at_a_time:
            if await self._ledger.read(lambda store: store.answer(call.request)) is None:
                key = await self._ledger.do(lambda opened: opened.key)
                generation = await asyncio.to_thread(add, key)
            else:
                generation = 0

            def work(tx: Transaction, _store: Store) -> Answer:
                tx.set_slots_generation(generation)
                tx.append(Stream.AUDIT, Kind.ACCESS, entry)
                return _NOTHING

            return await self._ledger.commit_once(call, work, what="user")

    async def everybody(self, _call: Call) -> Answer:
        """Who may sign in."""
        users = (await asyncio.to_thread(self._load_slots)).users()
        return {"users": [{"user": each.user, "name": each.name, "role": each.role} for each in users]}
