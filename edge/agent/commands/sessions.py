"""Sessions: sign in, sign out, lock, choose events. Nothing opens the store but a person's PIN."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from edge.agent.audience import Audience
from edge.agent.commands.users import UserCommands
from edge.agent.doorkeeper import Doorkeeper, Opened
from edge.agent.ledger import Ledger
from edge.agent.locks import Locks
from edge.agent.parts import Enrolled
from edge.agent.permissions import PATIENT_TOPICS, may_follow
from edge.agent.refusals import NotAllowed
from edge.agent.unlocking import Unlocking
from edge.ports.caller import Answer, Call
from edge.security.errors import SecurityError
from edge.store.errors import StoreError

_LOG: Final = logging.getLogger(__name__)
_NOTHING: Final[Answer] = {}


class SessionCommands:
    """Commands on the session of a connection."""

    def __init__(
        self,
        ledger: Ledger,
        audience: Audience,
        unlocking: Unlocking,
        doorkeeper: Doorkeeper,
        locks: Locks,
        users: UserCommands,
        enrolled: Callable[[], Enrolled | None],
    ) -> None:
        self._users = users
        self._enrolled = enrolled
        self._ledger = ledger
        self._audience = audience
        self._unlocking = unlocking
        self._doorkeeper = doorkeeper
        self._locks = locks

    async def sign_in(self, call: Call, *, user: str, pin: str, brief: bool) -> Answer:
        """Check the PIN, unlock the store if it is locked, begin the session.

        With ``brief`` a store that was locked is locked again when this session ends, unless somebody
        has signed in to stay meanwhile.

        Raises:
            HasToWait: the wait after wrong PINs is not over.
            SecurityError: PIN, slots or device secret; nothing was opened.
            StoreError: the store cannot be opened.
        """
        with self._locks.arriving():
            opened = await self._doorkeeper.try_pin(user, pin)
            was_locked = self._unlocking.locked
            await self._unlocking.unlock(opened.key, opened.slots)
            call.caller.person = opened.person
            self._locks.welcome(call.caller, opened_for_a_moment=(was_locked or None) if brief else False)
            try:
                await self._ledger.audit(call, call.method)
            except BaseException:
                call.caller.person = None
                raise
            self._audience.welcome(call.caller)
            await self._give_recovery(opened)
        _LOG.info("signed in", extra={"role": opened.person.role})
        return {"user": opened.person.user, "name": opened.person.name, "role": opened.person.role}

    async def _give_recovery(self, opened: Opened) -> None:
        """Whoever signs in first after enrolment makes the slot for the centre's recovery key."""
        enrolled = self._enrolled()
        if enrolled is None or enrolled.recovery is None:
            return
        try:
            await self._users.give_recovery(enrolled.recovery, opened.slots, opened.person.user)
        except (SecurityError, StoreError) as error:
            _LOG.warning("no recovery slot yet", extra={"code": error.stable_code})  # at the next sign-in

    async def sign_out(self, call: Call) -> Answer:
        """End this connection's session; the store stays open for measuring."""
        await self._ledger.audit(call, call.method)
        call.caller.person = None
        await self._unlocking.seal_audit()
        await self._locks.look()
        return _NOTHING

    async def present(self, _call: Call) -> Answer:
        """A sign that somebody is at the screen, for a screen on which things are only looked at."""
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
