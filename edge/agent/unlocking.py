"""From a key to an open store and back, along the table of `edge.agent.lockstate`."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

from edge.agent import payloads, view
from edge.agent.audience import Audience
from edge.agent.capture import Capture
from edge.agent.commit import OpenStore, StoreRoom
from edge.agent.history import look_at_unlock
from edge.agent.lockstate import Event, State, after
from edge.agent.parts import Enrolled, MakeSealer, Parts
from edge.agent.people import settle
from edge.agent.recorder import end_interrupted
from edge.agent.sealing import Sealing
from edge.agent.visit import Visit
from edge.records.fields import Kind, Payload, Stream
from edge.security.errors import SecurityError
from edge.security.slots import KEY_BYTES, Slots
from edge.store import rekey
from edge.store.errors import StoreError
from edge.store.rows import Fork
from edge.store.store import Store
from edge.store.transaction import Transaction

ROTATED: Final = "key.rotated"
REOPENED: Final = "store.reopened"
_LOG: Final = logging.getLogger(__name__)


class StoreForeign(StoreError):
    """The store is not the configured unit's; it is not touched."""

    code: ClassVar[str] = "store-foreign"


class Unlocking:
    """Opens and closes the store.

    Attributes:
        knew_key: whether the key has been in this process's memory, where traces of it may be still.
    """

    def __init__(
        self, parts: Parts, room: StoreRoom, capture: Capture, audience: Audience, enrolled: "Pinned"
    ) -> None:
        self._parts = parts
        self._room = room
        self._capture = capture
        self._audience = audience
        self._enrolled = enrolled
        self._state = State.LOCKED
        self._one_at_a_time = asyncio.Lock()
        self._forked: Fork | None = None
        self.knew_key = False

    @property
    def locked(self) -> bool:
        """Whether readings are kept nowhere now."""
        return self._state is not State.UNLOCKED

    @property
    def busy(self) -> bool:
        """Whether the store is being opened, closed or given another key."""
        return self._one_at_a_time.locked()

    async def unlock(self, key: bytes, slots: Slots) -> None:
        """Open the store if it is locked.

        Raises:
            StoreError: it cannot be opened.
            SlotsOutdated: the slots are an old copy.
        """
        async with self._one_at_a_time:
            if not self.locked:
                await self._room.do(lambda opened: slots.check_generation(opened.store.slots_generation))
                return
            self._move(Event.PIN_RIGHT)
            self.knew_key = True
            try:
                await self._room.open(lambda: self._open(key, slots))
                visit = await self._room.do(_open_visit)
                secrets = await self._room.do(lambda opened: opened.store.device_secrets())
            except BaseException:
                await self._room.close(lambda _: None)
                self._move(Event.REFUSED)
                raise
            self._move(Event.OPENED)
            if self._parts.kept is not None:
                self._parts.kept.keep(key)
            if self._parts.workshop is not None:
                self._parts.workshop.unlock(secrets)
            self._capture.begin(visit)
            self._audience.tell("unlocked", {})
            if self._forked is not None:
                self._audience.tell("forked", view.fork(self._forked))
            _LOG.info("store unlocked")

    async def lock(self, *, stopping: bool = False) -> None:
        """Seal what waits for its hour, close the store, end all sessions.

        Args:
            stopping: the process ends without anybody having locked the store; whether the next one finds
                it open is for the service manager to say, which alone knows whether there will be one.
        """
        async with self._one_at_a_time:
            await self._lock(forget=not stopping)

    async def reopen(self) -> None:
        """Open the store again with the key that a process before this one had, if one was kept.

        The device secret is asked for as at every opening: with its medium taken out the store stays shut.
        """
        kept = self._parts.kept
        key = None if kept is None else kept.take()
        if kept is None or key is None:
            return
        kept.forget()  # should opening be what ended the process before, the next one stays locked
        try:
            slots = await asyncio.to_thread(self._parts.load_slots)
            await self.unlock(key, slots)
            await self._room.do(self._note_reopened)
        except (StoreError, SecurityError) as error:
            _LOG.warning("the store is not opened again", extra={"code": error.stable_code})
            return
        _LOG.info("store open again after a restart")

    async def rotate(self, old: bytes) -> None:
        """Lock, and give the store a new key: in a copy that takes its place once the slots have the key.

        Raises:
            StoreError, SecurityError: which key holds is settled at the next unlock.
        """
        async with self._one_at_a_time:
            await self._lock(renew=False)
            if self._parts.database is not None:
                await asyncio.to_thread(self._rekey, self._parts.database, old)

    def _rekey(self, database: Path, old: bytes) -> None:
        key = self._parts.entropy(KEY_BYTES)
        new = self._parts.load_slots().rekeyed(key)

        def mark(store: Store) -> None:
            with store.write() as tx:
                tx.set_slots_generation(new.generation)
                tx.set_key_due(due=False)
                tx.append(Stream.AUDIT, Kind.ACCESS, self._stamp() | payloads.access(ROTATED))

        rekey.prepare(database, old, key, mark)
        new.save()
        rekey.finish(database)
        _LOG.info("store has a new key")

    async def _renew_key(self, old: bytes) -> None:
        """Somebody was erased: the copy under a new key holds nothing of them, and the old key goes.

        Nobody has asked for it now, so what keeps it from being done is told, and the next lock does it.
        """
        if self._parts.database is None:
            return
        try:
            await asyncio.to_thread(self._rekey, self._parts.database, old)
        except (StoreError, SecurityError) as error:
            _LOG.warning("the store keeps its key for now", extra={"code": error.stable_code})

    async def _lock(self, *, renew: bool = True, forget: bool = True) -> None:
        if self.locked:
            return
        self._move(Event.LOCK_ASKED)
        if self._parts.kept is not None and forget:
            self._parts.kept.forget()
        self._capture.end()
        if self._parts.workshop is not None:
            self._parts.workshop.unlock(None)
        self._audience.sign_everybody_out()
        await self._capture.recorder.finish()
        due: list[bytes] = []

        def finish(opened: OpenStore) -> None:
            self._seal_all(opened)
            if opened.store.key_due:
                due.append(opened.key)

        await self._room.close(finish)
        self._capture.recorder.forget()
        self._move(Event.CLOSED)
        self._audience.tell("locked", {})
        _LOG.info("store locked")
        if renew and due:
            if self._parts.kept is not None:
                self._parts.kept.forget()
            await self._renew_key(due[0])

    async def seal_audit(self) -> None:
        """Seal the audit entries that wait for their hour."""
        await self._room.do(self._seal_all)

    def _seal_all(self, opened: OpenStore) -> None:
        while opened.sealing.upkeep(self._parts.clock.monotonic_s(), all_audit=True):
            pass

    def _open(self, key: bytes, slots: Slots) -> OpenStore:
        """In the store's thread."""
        parts = self._parts
        store = parts.open_store(key)
        try:
            _check_whose(store, parts)
            slots.check_generation(store.slots_generation)
            sealing = Sealing(
                store,
                parts.outbox,
                batch=parts.batch,
                sizes=parts.sizes,
                session_s=parts.pace.session_s,
                audit_s=parts.pace.audit_s,
            )
            now = parts.clock.now()
            make = self._enrolled.look_for_sealer()
            self._forked = look_at_unlock(store, sealing, make, now, parts.clock.monotonic_s())
            settle(lambda work: _commit(store, work), store, slots.generation, self._stamp())
            end_interrupted(store, self._stamp())
            self._enrolled.begin(sealing)
        except BaseException:
            store.close()
            raise
        return OpenStore(store, sealing, key, self._room.saves)

    def _note_reopened(self, opened: OpenStore) -> None:
        with opened.store.write() as tx:
            tx.append(Stream.AUDIT, Kind.ACCESS, self._stamp() | payloads.access(REOPENED))

    def _stamp(self) -> Payload:
        return payloads.stamp(self._parts.clock.now(), None)

    def _move(self, event: Event) -> None:
        self._state = after(self._state, event)


class Pinned:
    """What enrolment has pinned, looked up again now and then: a unit may be enrolled while it runs."""

    def __init__(self, look: Callable[[], Enrolled | None], now_s: Callable[[], float]) -> None:
        self._look = look
        self._now_s = now_s
        self.present: Enrolled | None = None

    def begin(self, sealing: Sealing) -> None:
        """Start sealing to what is pinned now, if anything is."""
        self.present = self._look()
        if self.present is not None:
            sealing.enrol(self.present.make_sealer, self._now_s())

    def look_for_sealer(self) -> MakeSealer | None:
        """What makes sealers now, or None before enrolment."""
        found = self._look()
        return None if found is None else found.make_sealer

    def again(self, sealing: Sealing) -> bool:
        """Look again; whether something else is pinned now, to which everything is sealed from now on."""
        found = self._look()
        if found is None or (self.present is not None and found.version == self.present.version):
            return False
        self.begin(sealing)
        return True


def _commit(store: Store, work: Callable[[Transaction], None]) -> None:
    with store.write() as tx:
        work(tx)


def _check_whose(store: Store, parts: Parts) -> None:
    if (store.unit, store.realm) != (parts.unit, parts.realm):
        raise StoreForeign(
            "The store is of another unit or realm than the configuration.",
            next_step="Put unit.toml back as it was when the unit was made.",
        )


def _open_visit(opened: OpenStore) -> Visit | None:
    visit = opened.store.open_encounter()
    return None if visit is None else Visit(visit.encounter, visit.patient, visit.operator)
