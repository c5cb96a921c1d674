"""The people who may sign in."""

import asyncio
from collections.abc import Callable
from typing import Final

from edge.agent.audience import Audience
from edge.agent.commit import OpenStore
from edge.agent.doorkeeper import Doorkeeper
from edge.agent.ledger import Ledger
from edge.agent.people import Change, carry_out
from edge.agent.refusals import SignInNeeded
from edge.ports.caller import Answer, Call
from edge.security.slots import Slots

SLOT_SEALED: Final = "slots.recovery"
_NOTHING: Final[Answer] = {}
_Make = Callable[[Slots, bytes], Slots]
"""The slots as they shall be, of those there are and the store's key."""


class UserCommands:
    """Commands on the key slots."""

    def __init__(
        self, ledger: Ledger, audience: Audience, load_slots: Callable[[], Slots], doorkeeper: Doorkeeper
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._load_slots = load_slots
        self._doorkeeper = doorkeeper
        self._one_at_a_time = asyncio.Lock()

    async def add(self, call: Call, *, user: str, name: str, role: str, pin: str) -> Answer:
        """Give a person a slot of their own; one who was disabled comes back so.

        Raises:
            SecurityError: the user exists, the PIN is too weak, or the file cannot be written.
        """
        return await self._change(call, user, lambda slots, key: slots.with_user(user, name, role, pin, key))

    async def reset_pin(self, call: Call, *, user: str, pin: str) -> Answer:
        """Give somebody who forgot theirs a new PIN; their sessions end."""
        answer = await self._change(call, user, lambda slots, key: slots.with_pin(user, pin, key))
        self._audience.sign_out(user)
        return answer

    async def change_pin(self, call: Call, *, pin: str, new: str) -> Answer:
        """Change one's own PIN; the old one is asked again, for a screen may have been left open.

        Raises:
            WrongPin, HasToWait: nothing was changed.
        """
        person = call.caller.person
        if person is None:
            raise SignInNeeded
        await self._doorkeeper.try_pin(person.user, pin)
        return await self._change(call, person.user, lambda slots, key: slots.with_pin(person.user, new, key))

    async def set_role(self, call: Call, *, user: str, role: str) -> Answer:
        """Give somebody another role; their sessions end.

        Raises:
            LastSupervisor, NoSuchUser.
        """
        make: _Make = lambda slots, key: slots.with_role(user, role, key)  # noqa: E731  as in its siblings
        answer = await self._change(call, user, make, f"{call.method}:{role}")
        self._audience.sign_out(user)
        return answer

    async def disable(self, call: Call, *, user: str) -> Answer:
        """Let somebody in no more; their sessions end.

        Raises:
            LastSupervisor, NoSuchUser.
        """
        answer = await self._change(call, user, lambda slots, key: slots.without(user, key))
        self._audience.sign_out(user)
        return answer

    async def everybody(self, _call: Call) -> Answer:
        """Who may sign in, and who might once."""
        users = (await asyncio.to_thread(self._load_slots)).users()
        return {
            "users": [
                {"user": each.user, "name": each.name, "role": each.role, "disabled": each.disabled}
                for each in users
            ]
        }

    async def give_recovery(self, to: bytes, slots: Slots, operator: str) -> None:
        """Give the holder of the centre's recovery key a slot, once it is known which key that is.

        Raises:
            SecurityError, StoreError: there is the slot that was there.
        """
        if slots.recovery is not None and slots.recovery.to == to:
            return
        stamp = self._ledger.stamp_of(operator)
        change = Change(SLOT_SEALED, to.hex()[:16], SLOT_SEALED)

        def job(opened: OpenStore) -> None:
            present = self._load_slots()
            present.check_generation(opened.store.slots_generation)
            new = present.with_recovery(to, opened.key)
            carry_out(opened.commit, opened.store, self._load_slots, new, change, stamp)

        async with self._one_at_a_time:
            await self._ledger.do(job)

    async def _change(self, call: Call, user: str, make: _Make, action: str | None = None) -> Answer:
        """Carry one change out, once for each request.

        Raises:
            SecurityError: nothing was changed.
        """
        stamp = self._ledger.stamp(call)
        change = Change(action or call.method, user, call.method, call.request)

        def prepare(key: bytes, at_least: int) -> Slots:
            slots = self._load_slots()
            slots.check_generation(at_least)
            return make(slots, key)

        async with self._one_at_a_time:
            kept = await self._ledger.do(lambda opened: opened.kept_answer(call))
            if kept is not None:
                return kept
            key, at_least = await self._ledger.do(lambda opened: (opened.key, opened.store.slots_generation))
            new = await asyncio.to_thread(prepare, key, at_least)

            def job(opened: OpenStore) -> None:
                carry_out(opened.commit, opened.store, self._load_slots, new, change, stamp)

            await self._ledger.do(job)
        return _NOTHING
