"""Sessions: sign in, sign out, lock, choose events. Nothing opens the store but a person's PIN."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from edge.agent.audience import Audience
from edge.agent.ledger import Ledger
from edge.agent.permissions import PATIENT_TOPICS, may_follow
from edge.agent.refusals import HasToWait, NotAllowed
from edge.agent.unlocking import Unlocking
from edge.ports.caller import Answer, Call, Person
from edge.security.errors import TooManyAttempts, WrongPin
from edge.security.lockout import Lockout
from edge.security.slots import Slots

_LOG: Final = logging.getLogger(__name__)
_NOTHING: Final[Answer] = {}


class _Opened(NamedTuple):
    person: Person
    key: bytes
    slots: Slots


class SessionCommands:
    """Commands on the session of a connection."""

    def __init__(
        self,
        ledger: Ledger,
        audience: Audience,
        unlocking: Unlocking,
        load_slots: Callable[[], Slots],
        lockout: Lockout,
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._unlocking = unlocking
        self._load_slots = load_slots
        self._lockout = lockout
        self._one_pin_at_a_time = asyncio.Lock()  # each costs 64 MiB and a core

    async def sign_in(self, call: Call, *, user: str, pin: str) -> Answer:
        """Check the PIN, unlock the store if it is locked, begin the session.

        Raises:
            HasToWait: the wait after wrong PINs is not over.
            SecurityError: PIN, slots or device secret; nothing was opened.
            StoreError: the store cannot be opened.
        """
        async with self._one_pin_at_a_time:
            try:
                opened = await asyncio.to_thread(self._try_pin, user, pin)
            except WrongPin:
                _LOG.warning("sign-in refused")  # not who: a PIN is easily typed into the wrong field
                raise
            except TooManyAttempts as error:
                raise HasToWait(error.wait_s) from None
            await self._unlocking.unlock(opened.key, opened.slots)
        call.caller.person = opened.person
        try:
            await self._ledger.audit(call, call.method)
        except BaseException:
            call.caller.person = None
            raise
        self._audience.welcome(call.caller)
        _LOG.info("signed in", extra={"user": opened.person.user})
        return {"user": opened.person.user, "name": opened.person.name, "role": opened.person.role}

    async def sign_out(self, call: Call) -> Answer:
        """End this connection's session; the store stays open for measuring."""
        await self._ledger.audit(call, call.method)
        call.caller.person = None
        await self._unlocking.seal_audit()
        return _NOTHING

    async def lock(self, call: Call) -> Answer:
        """Close the store and end all sessions."""
        await self._ledger.audit(call, call.method)
        await self._unlocking.lock()
        return _NOTHING

    async def subscribe(self, call: Call, *, topics: Sequence[str]) -> Answer:
        """Choose this connection's events.

        Raises:
            NotAllowed: the role may not see a patient's values.
        """
        person = call.caller.person
        if person is None or not all(may_follow(person.role, topic) for topic in topics):
            raise NotAllowed
        if PATIENT_TOPICS & set(topics):
            await self._ledger.audit(call, call.method, " ".join(sorted(PATIENT_TOPICS & set(topics))))
        self._audience.follow(call.caller, topics)
        return _NOTHING

    def _try_pin(self, user: str, pin: str) -> _Opened:
        """Count the attempt, then try it; in a thread, for it takes 0.2 s."""
        self._lockout.begin(user)
        slots = self._load_slots()
        key = slots.unlock(user, pin)
        self._lockout.succeeded(user)
        found = next(each for each in slots.users() if each.user == user)
        return _Opened(Person(found.user, found.name, found.role), key, slots)
