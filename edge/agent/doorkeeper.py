"""Tries PINs: one at a time, each counted before it is tried."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Final

from edge import recovery
from edge.agent.refusals import HasToWait, NoRecoverySlot
from edge.ports.caller import Person
from edge.recovery import Reason
from edge.security.errors import NoSuchUser, TooManyAttempts, WrongPin
from edge.security.lockout import Lockout
from edge.security.pins import check_pin
from edge.security.slots import Slots

_BY_TELEPHONE: Final = "*telephone*"
"""Under which name wrong codes are counted; nobody can be called so."""
_NAMES: Final = "*names*"
"""Under which name those are counted who ask for somebody that nobody is: names are not to be tried out."""
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """What a right PIN gives."""

    person: Person
    slots: Slots
    key: bytes = dataclasses.field(repr=False)


class Doorkeeper:
    """Knows the slots and how often somebody was wrong."""

    def __init__(self, load_slots: Callable[[], Slots], lockout: Lockout) -> None:
        self._load_slots = load_slots
        self._lockout = lockout
        self._one_pin_at_a_time = asyncio.Lock()  # each costs 64 MiB and a core

    async def try_pin(self, user: str, pin: str) -> Opened:
        """The store's key for the right PIN.

        Raises:
            HasToWait: the wait after wrong PINs is not over.
            SecurityError: PIN, slots or device secret; nothing was opened.
        """
        async with self._one_pin_at_a_time:
            try:
                return await asyncio.to_thread(self._try, user, pin)
            except WrongPin:
                _LOG.warning("sign-in refused")  # not who: a PIN is easily typed into the wrong field
                raise
            except TooManyAttempts as error:
                raise HasToWait(error.wait_s) from None

    async def try_code(self, user: str, reason: Reason, code: str, pin: str) -> tuple[Slots, bytes, Slots]:
        """The slots, the store's key for the centre's code, and the slots with the new PIN, not saved yet.

        Raises:
            RecoveryRefused, HasToWait: nothing was opened.
            SecurityError: the PIN is too weak, or there is no such user.
        """
        async with self._one_pin_at_a_time:
            try:
                return await asyncio.to_thread(self._try_code, user, reason, code, pin)
            except TooManyAttempts as error:
                raise HasToWait(error.wait_s) from None

    async def check_known(self, slots: Slots, user: str) -> None:
        """See to it that a person of this name may sign in.

        Raises:
            NoSuchUser: nobody is called so; it is counted.
            HasToWait: nobody's name is said to be right or wrong for now.
            SecurityError: it cannot be counted.
        """
        wait_s = self._lockout.wait_s(_NAMES)
        if wait_s > 0:
            raise HasToWait(wait_s, "names")
        if not any(each.user == user and not each.disabled for each in slots.users()):
            await asyncio.to_thread(self._lockout.begin, _NAMES)
            raise NoSuchUser

    def _try_code(self, user: str, reason: Reason, code: str, pin: str) -> tuple[Slots, bytes, Slots]:
        slots = self._load_slots()
        if slots.recovery is None:
            raise NoRecoverySlot
        found = next((each for each in slots.users() if each.user == user), None)
        check_pin(pin, user, "" if found is None else found.name)
        self._lockout.begin(_BY_TELEPHONE)
        key = recovery.unseal(slots.recovery, code, slots.unit, user, reason)
        self._lockout.succeeded(_BY_TELEPHONE)
        new = slots.with_pin(user, pin, key)
        self._lockout.succeeded(user)
        return slots, key, new

    def _try(self, user: str, pin: str) -> Opened:
        """Count the attempt, then try it; in a thread, for it takes 0.2 s."""
        self._lockout.begin(user)
        slots = self._load_slots()
        key = slots.unlock(user, pin)
        self._lockout.succeeded(user)
        found = next(each for each in slots.users() if each.user == user)
        return Opened(Person(found.user, found.name, found.role), slots, key)
