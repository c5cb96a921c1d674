"""Back in by telephone: a challenge, the centre's code for it, a new PIN, then a new key for the store."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from edge import recovery
from edge.agent import payloads
from edge.agent.audience import Audience
from edge.agent.commit import OpenStore
from edge.agent.doorkeeper import Doorkeeper
from edge.agent.ledger import Ledger
from edge.agent.locks import Locks
from edge.agent.people import Change, carry_out
from edge.agent.refusals import NoRecoverySlot
from edge.agent.unlocking import Unlocking
from edge.errors import QafilaError
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.recovery import Reason
from edge.security.slots import Slots
from edge.store.transaction import Transaction

RECOVERED: Final = "recovered"
"""The code of the alert, and of the audit entry."""
_LOG: Final = logging.getLogger(__name__)


class RecoveryCommands:
    """Commands for a person whom no supervisor here can let in; they need no session."""

    def __init__(
        self,
        ledger: Ledger,
        audience: Audience,
        unlocking: Unlocking,
        doorkeeper: Doorkeeper,
        locks: Locks,
        load_slots: Callable[[], Slots],
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._unlocking = unlocking
        self._doorkeeper = doorkeeper
        self._locks = locks
        self._load_slots = load_slots

    async def ask(self, _call: Call, *, user: str, reason: str) -> Answer:
        """The challenge to be read to the centre.

        Raises:
            NoRecoverySlot: this unit was never unlocked since it is enrolled.
            NoSuchUser: nobody signs in here under this name, so no code would help.
            HasToWait: after several such names.
        """
        slots = await asyncio.to_thread(self._load_slots)
        if slots.recovery is None:
            raise NoRecoverySlot
        await self._doorkeeper.check_known(slots, user)
        said = recovery.challenge(slots.recovery, slots.unit, user, Reason(reason))
        return {"unit": slots.unit, "challenge": said}

    async def recover(self, call: Call, *, user: str, reason: str, code: str, pin: str) -> Answer:
        """Set a new PIN for the centre's code. The store is locked after it, under a new key.

        Raises:
            RecoveryRefused: the code does not answer this unit, user and reason.
            HasToWait: after wrong codes, as after wrong PINs.
            SecurityError, StoreError: nothing was changed.
        """
        with self._locks.arriving():
            slots, key, new = await self._doorkeeper.try_code(user, Reason(reason), code, pin)
            await self._unlocking.unlock(key, slots)
            await self._ledger.do(lambda opened: self._set_pin(opened, call, user, reason, new))
            self._audience.sign_out(user)
            _LOG.warning("recovered", extra={"reason": reason})
            try:
                await self._unlocking.rotate(key)
            except QafilaError as error:
                _LOG.error("key not changed", extra={"code": error.stable_code})
                return {"rotated": False}
        return {"rotated": True}

    def _set_pin(self, opened: OpenStore, call: Call, user: str, reason: str, new: Slots) -> None:
        """In the store's thread: the alert, then the PIN; killed between, the alert is there."""
        stamp = self._ledger.stamp_of(user)

        def alert(tx: Transaction) -> None:
            tx.append(Stream.ALERT, Kind.ALERT, stamp | payloads.alert(RECOVERED, reason, None))

        opened.commit(alert)
        change = Change(f"{RECOVERED}:{reason}", user, call.method)
        carry_out(opened.commit, opened.store, self._load_slots, new, change, stamp)

    async def rotate(self, call: Call) -> Answer:
        """Give the store a new key, because somebody may have the old one; everybody signs in again.

        Raises:
            StoreError, SecurityError: the store has the key it had.
        """
        await self._ledger.audit(call, call.method)
        key = await self._ledger.do(lambda opened: opened.key)
        await self._unlocking.rotate(key)
        return {}
