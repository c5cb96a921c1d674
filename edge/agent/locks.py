"""When locks fall: the screen lock of a session, and the store's.

A *session* of which a person gives no sign for two minutes ends: the screen asks for the PIN again, and
measuring into the open visit goes on. Signs are what only a person asks for; what a screen asks by itself,
to show what has just come, is none (`BY_THEMSELVES`).

The *store* locks when no visit was open, no device gave a number and nobody asked for anything for fifteen
minutes; and at once when it was opened for one command only and that command is gone.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Generator
from typing import Final

from edge.agent import payloads
from edge.agent.audience import Audience
from edge.agent.capture import Capture
from edge.agent.ledger import Ledger
from edge.agent.refusals import ScreenLocked, StoreLocked
from edge.agent.unlocking import Unlocking
from edge.ports.caller import Caller
from edge.records.fields import Kind, Payload, Stream
from edge.store.errors import StoreError
from edge.store.store import Store
from edge.store.transaction import Transaction

BY_THEMSELVES: Final = frozenset(
    {
        "status",
        "snapshot",
        "subscribe",
        "patient.list",
        "encounter.show",
        "visit.list",
        "tray.list",
        "waveform.read",
        "inbox.list",
        "request.list",
        "request.show",
        "sync.quarantine",
    }
)
"""What screens ask for when something has come, without anybody at them."""
_AFTER_A_COMMAND_S: Final = 15.0
"""Commands come one after another: the process ends only when nobody has given one for this long."""
_LOG: Final = logging.getLogger(__name__)


class Locks:
    """Knows when somebody or something last gave a sign.

    Attributes:
        also: what else ends by time and is looked at with the locks.
        spent: set once the store, which was open, has stayed locked from one look to the next, for longer
            where a single command had opened it, and nobody is signing in: nothing is lost if the process
            ends now, and what its memory held goes with it.

        screen_s, store_s: may be set while it runs.

    Args:
        now_s: monotonic.
        screen_s: how long a session may be without a sign.
        store_s: how long the store may.
        look_s: between two looks; a lock falls that much early rather than late.
    """

    def __init__(
        self,
        ledger: Ledger,
        audience: Audience,
        unlocking: Unlocking,
        capture: Capture,
        now_s: Callable[[], float],
        *,
        screen_s: float,
        store_s: float,
        look_s: float,
    ) -> None:
        self._ledger = ledger
        self._audience = audience
        self._unlocking = unlocking
        self._capture = capture
        self._now_s = now_s
        self.screen_s = screen_s
        self.store_s = store_s
        self._look_s = look_s
        self._signs: dict[Caller, float] = {}
        self._screened: set[Caller] = set()
        self._attending: list[Caller] = []
        self._arriving = 0
        self._used_s = now_s()
        self._for_a_moment = False
        self._locked_s: float | None = None
        self._after_a_command = False
        self.spent = asyncio.Event()
        self.also: Callable[[], None] = lambda: None

    def used(self) -> None:
        """A device gave a number, or somebody did something: the store is in use."""
        self._used_s = self._now_s()

    @contextlib.contextmanager
    def arriving(self) -> Generator[None]:
        """While somebody signs in, so that the store does not lock under their hands."""
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    def welcome(self, caller: Caller, *, opened_for_a_moment: bool | None) -> None:
        """Somebody has signed in.

        Args:
            caller: on this connection.
            opened_for_a_moment: True when the store was opened by this very session and for it alone,
                None when it was open before and the session is for one command, False otherwise.
        """
        self._screened.discard(caller)
        self._sign(caller)
        if opened_for_a_moment is not None:
            self._for_a_moment = opened_for_a_moment

    @contextlib.contextmanager
    def attending(self, caller: Caller, method: str) -> Generator[None]:
        """While a request is answered: as long as it takes, somebody waits for it."""
        if method in BY_THEMSELVES:
            yield
            return
        self._sign(caller)
        self._attending.append(caller)
        try:
            yield
        finally:
            self._attending.remove(caller)
            self._sign(caller)

    async def check(self, caller: Caller) -> None:
        """Refuse a session whose screen is locked, even if nobody has looked since it should be.

        Raises:
            ScreenLocked.
        """
        if self._overdue(caller):
            await self._lock_screen(caller)
        if caller.person is None and caller in self._screened:
            raise ScreenLocked

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_s)

    async def look(self) -> None:
        """Let every lock fall that is due."""
        self.also()
        for caller in [caller for caller in self._signs if caller.closed]:
            del self._signs[caller]
            self._screened.discard(caller)
        for caller in [caller for caller in self._signs if self._overdue(caller)]:
            await self._lock_screen(caller)
        if self._unlocking.locked:
            self._for_a_moment = False
            self.used()
            self._rest()
            return
        self._locked_s = None
        self._after_a_command = False
        if self._capture.visit is not None or self._attending or self._capture.recorder.recording:
            self.used()
        if self._arriving:
            return
        if self._for_a_moment and not any(caller.person for caller in self._signs):
            await self._lock_store("command-ended")
        elif self._now_s() - self._used_s + self._look_s >= self.store_s:
            await self._lock_store("idle")

    def _rest(self) -> None:
        if not self._unlocking.knew_key or self._unlocking.busy or self._arriving or self._attending:
            self._locked_s = None
            return
        if self._locked_s is None:
            self._locked_s = self._now_s()
            return
        if self._now_s() - self._locked_s >= (_AFTER_A_COMMAND_S if self._after_a_command else 0.0):
            self.spent.set()

    def _sign(self, caller: Caller) -> None:
        self._signs[caller] = self._now_s()
        self.used()

    def _overdue(self, caller: Caller) -> bool:
        seen = self._signs.get(caller)
        if caller.person is None or seen is None or caller in self._attending:
            return False
        return self._now_s() - seen + self._look_s >= self.screen_s

    async def _lock_screen(self, caller: Caller) -> None:
        person, caller.person = caller.person, None  # first: what is noted of it may wait for a slow card
        assert person is not None  # noqa: S101  who is overdue is signed in
        self._screened.add(caller)
        caller.post("screen-locked", {})
        await self._note("screen-locked", self._ledger.stamp_of(person.user))
        _LOG.info("screen locked", extra={"role": person.role})

    async def _lock_store(self, why: str) -> None:
        self._after_a_command = why == "command-ended"
        await self._note(f"store-locked:{why}", self._ledger.stamp_of(None))
        await self._unlocking.lock()

    async def _note(self, action: str, stamp: Payload) -> None:
        """Into the audit trail; a lock falls even when nothing can be written."""

        def work(tx: Transaction, _store: Store) -> None:
            tx.append(Stream.AUDIT, Kind.ACCESS, stamp | payloads.access(action))

        with contextlib.suppress(StoreError, StoreLocked):
            await self._ledger.commit(work, what="lock")
