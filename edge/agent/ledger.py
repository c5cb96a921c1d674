"""Commits as the rest of the agent asks for them, and the news that follow each one."""

import contextlib
import uuid
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from edge.agent import payloads, view
from edge.agent.audience import Audience
from edge.agent.commit import Committed, Job, OpenStore, StoreRoom
from edge.agent.link import NO_LINK, Link
from edge.agent.refusals import StoreLocked
from edge.agent.states import Progress
from edge.agent.unwritten import Unwritten
from edge.agent.whereabouts import BetterClock, Whereabouts
from edge.clock import Clock, Moment
from edge.ports.caller import Answer, Call
from edge.records.fields import Payload, Stream
from edge.records.identity import EntryId
from edge.records.uuid7 import RANDOM_BYTES, uuid7
from edge.store.errors import StoreError
from edge.store.store import Store
from edge.store.transaction import Transaction

T = TypeVar("T")


class Ledger:
    """The open store with clock and audience.

    Attributes:
        link: what the uplink last noted; set by whoever reads the note.
        whereabouts: where the unit stands; told by whoever hears a receiver.
        better_clock: what time it is there; the same.
        unwritten: entries of the audit trail that the disk does not take.
    """

    def __init__(
        self, room: StoreRoom, clock: Clock, audience: Audience, entropy: Callable[[int], bytes]
    ) -> None:
        self._room = room
        self._clock = clock
        self._audience = audience
        self._entropy = entropy
        self.link: Link = NO_LINK
        self.whereabouts: Final = Whereabouts()
        self.better_clock: Final = BetterClock()
        self.unwritten: Final = Unwritten()

    def now(self) -> Moment:
        """The box's wall time, with the quality that is known of it now."""
        return self.better_clock.judged(self._clock.now())

    def new_id(self) -> uuid.UUID:
        """A fresh UUIDv7."""
        return uuid7(self._clock.now().wall_ms, self._entropy(RANDOM_BYTES))

    def stamp(self, call: Call) -> Payload:
        """When, where, who and by which request."""
        person = call.caller.person
        return self.stamp_of(None if person is None else person.user, call.request)

    def stamp_of(self, operator: str | None, request: str | None = None) -> Payload:
        """The same for what no connection asked for."""
        place = self.whereabouts.now(self._clock.monotonic_s())
        return payloads.stamp(self.now(), operator, request, place)

    async def commit(
        self,
        work: Callable[[Transaction, Store], T],
        *,
        what: str,
        patient: bytes | None = None,
        durable: Callable[[], None] = lambda: None,
        begins: bool = False,
    ) -> Committed[T]:
        """Commit and tell whoever listens; ``work`` may read the store beside writing to it.

        ``durable`` is called as soon as it is, in the store's thread, even when nobody waits any more.
        ``begins``: something new, which a full disk has no room for (`OpenStore.commit`).

        Raises:
            StoreError: nothing was saved.
            StoreLocked: the store is not open.
        """

        def job(opened: OpenStore) -> Committed[T]:
            done = opened.commit(lambda tx: work(tx, opened.store), begins=begins)
            durable()
            return done

        committed = await self._room.do(job)
        await self._tell_saved(committed.saved, what, patient)
        return committed

    async def commit_once(
        self,
        call: Call,
        work: Callable[[Transaction, Store], Answer],
        *,
        what: str,
        patient: bytes | None = None,
        begins: bool = False,
    ) -> Answer:
        """Commit a request and give its answer; a repeated request gets the first commit's answer.

        Raises:
            StoreError: nothing was saved.
            StoreLocked, RequestReused.
        """
        wall_ms = self.now().wall_ms
        once = await self._room.do(
            lambda opened: opened.commit_once(call, wall_ms, lambda tx: work(tx, opened.store), begins=begins)
        )
        if once.saved is not None:
            await self._tell_saved(once.saved, what, patient)
        return once.answer

    async def read(self, look: Callable[[Store], T]) -> T:
        """Read what names no patient."""
        return await self._room.do(lambda opened: look(opened.store))

    async def read_audited(
        self, call: Call, look: Callable[[Store], T], about: Callable[[T], Iterable[bytes | str | None]]
    ) -> T:
        """Read what names patients: who looked at what is committed before the data go anywhere.

        ``about`` gives the identifiers of what was read; one audit entry is written for each.
        """
        stamp = self.stamp(call)

        def job(opened: OpenStore) -> T:
            seen = look(opened.store)
            accesses = [stamp | payloads.access(call.method, identifier) for identifier in about(seen)]
            self.unwritten.note(opened, accesses)
            return seen

        return await self._room.do(job)

    async def audit(self, call: Call, action: str, about: bytes | str | None = None) -> None:
        """Commit one audit entry."""
        entry = self.stamp(call) | payloads.access(action, about)
        await self._room.do(lambda opened: self.unwritten.note(opened, [entry]))

    async def do(self, job: Job[T]) -> T:
        """Run a job that needs more than the store."""
        return await self._room.do(job)

    def progress(self, store: Store) -> dict[Stream, Progress]:
        """How far every stream has come, the link's note included."""
        return {
            stream: Progress(mark.tip, mark.landed, mark.opened, mark.stopped, self.link.sent_of(stream))
            for stream, mark in store.watermarks().items()
        }

    async def tell_streams(self) -> None:
        """Tell how far the streams have come, if anybody listens; news that cannot be had are no error."""
        if self._audience.has("streams"):
            with contextlib.suppress(StoreLocked, StoreError):
                self._audience.tell("streams", {"streams": view.streams(await self.read(self.progress))})

    async def _tell_saved(self, saved: tuple[EntryId, ...], what: str, patient: bytes | None) -> None:
        if not saved:
            return
        news = {"saved": view.identities(saved), "what": what, "patient": view.uuid_text(patient)}
        self._audience.tell("saved", news)
        await self.tell_streams()
