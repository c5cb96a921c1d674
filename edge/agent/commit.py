"""The one place where something becomes saved.

The order is the promise: rows and journal entries are written in one transaction; the sealed batch is
written beside it under a temporary name; COMMIT returns (synchronous=FULL); the file gets its name; only
then does anybody hear *saved*. An error before COMMIT leaves nothing, one after it leaves a missing file
that is sealed again.

The store has one thread of its own. A card that takes a second to write holds up the next commit and
nothing else: not the heartbeat, not the display.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Generic, TypeAlias, TypeVar

from edge.agent.refusals import RequestReused, StoreLocked
from edge.agent.sealing import Sealing
from edge.audit.chain import Entry
from edge.ports.caller import Answer, Call
from edge.records.fields import Kind, Stream
from edge.records.identity import EntryId
from edge.spool import Prepared
from edge.store.ballast import Ballast
from edge.store.errors import (
    IdentifierTaken,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreMissing,
    StoreNearlyFull,
    StoreReadOnly,
    StoreRefused,
    StoreUnreadable,
    of_the_disk,
)
from edge.store.store import Store
from edge.store.transaction import Transaction

T = TypeVar("T")
OF_THE_DISK: Final = (StoreDamaged, StoreReadOnly, StoreUnreadable)
"""Errors that are the disk's, and nobody's fault."""
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Committed(Generic[T]):
    """What a transaction gave and what it made durable.

    Attributes:
        saved: identities of the committed entries, audit left out: what screens may call saved.
    """

    result: T
    saved: tuple[EntryId, ...]


@dataclasses.dataclass(slots=True)
class Saves:
    """Whether saving works, and what is wrong with what is kept.

    Attributes:
        failing: the code of the last error of saving, until a save succeeds again.
        damaged: the code of what does not read back, until all of it is found whole.
        card: what is wrong with the disk by itself, whoever uses it, as last seen.
        look_at_card: the same, seen now.
    """

    failing: str | None = None
    damaged: str | None = None
    card: Callable[[], str | None] = lambda: None
    look_at_card: Callable[[], str | None] = lambda: None
    reserve: Ballast | None = None
    """The room that is left for the open visit when the disk is full."""
    short: bool = False
    """Whether the disk was found full and has not been found otherwise since."""

    def failed(self, error: StoreError) -> None:
        """Note an error, unless it is the request's own fault or is looked up afresh each time."""
        if isinstance(error, StoreDamaged):
            self.met(error)
        elif not isinstance(error, (StoreRefused, IdentifierTaken, StoreMissing)):
            self.failing = error.stable_code

    def met(self, error: StoreError) -> None:
        """Note what reading has come upon: it stays damaged, however well something else is saved."""
        if isinstance(error, StoreDamaged) and self.damaged is None:
            self.damaged = error.stable_code
            _LOG.error("the store is damaged", extra={"code": error.stable_code})

    def said(self, error: StoreError) -> StoreError:
        """An error in the words that fit: SQLite blames a page, or the file, for a disk that has failed."""
        if not isinstance(error, OF_THE_DISK):
            return error
        found = self.look_at_card()
        return error if found is None else of_the_disk(found)

    @property
    def problem(self) -> str | None:
        """The code of what is wrong, the disk before what is on it."""
        return self.card() or self.damaged or self.failing

    def succeeded(self) -> None:
        """A save succeeded; while it is the reserve that made room for it, the disk is still full."""
        self.failing = StoreNearlyFull.code if self.short else None

    def check_room(self) -> None:
        """Refuse to begin something new on a full disk.

        Raises:
            StoreNearlyFull: nothing was begun.
        """
        self.look()
        if self.reserve is not None and not self.reserve.held:
            self.short = True
            self.failing = StoreNearlyFull.code
            raise StoreNearlyFull

    def look(self) -> None:
        """Lay the reserve down again as soon as there is space; then saving works as before."""
        if self.reserve is None or self.reserve.held or not self.reserve.keep() or not self.short:
            return
        _LOG.info("there is room on the disk again")
        self.short = False
        if self.failing == StoreNearlyFull.code:
            self.failing = None

    def give_up_reserve(self) -> bool:
        """Make room for what is under way; whether there was any to make."""
        if self.reserve is None or not self.reserve.give_up():
            return False
        self.short = True
        _LOG.error("the disk is full: the reserve is given up", extra={"code": StoreNearlyFull.code})
        return True


@dataclasses.dataclass(frozen=True, slots=True)
class OpenStore:
    """What is there only while the store is unlocked; touched in the store's thread only."""

    store: Store
    sealing: Sealing
    key: bytes = dataclasses.field(repr=False)
    saves: Saves = dataclasses.field(default_factory=Saves)

    @contextlib.contextmanager
    def write(
        self, before_commit: Callable[[list[Entry]], None] | None = None
    ) -> Generator[Transaction, None, None]:
        """A transaction of the store whose success or failure is noted."""
        try:
            with self.store.write(before_commit) as tx:
                yield tx
        except StoreError as error:
            said = self.saves.said(error)
            self.saves.failed(said)
            raise said from None
        self.saves.succeeded()

    def commit(self, work: Callable[[Transaction], T], *, begins: bool = False) -> Committed[T]:
        """Run ``work`` in a transaction; when this returns, everything it appended is durable.

        On a full disk the reserve is given up and ``work`` run once more, unless it ``begins`` something
        new: a patient, a visit, a stretch of wave.

        Raises:
            StoreError: nothing was saved. Whatever ``work`` raises undoes it too.
        """
        if begins:
            self.saves.check_room()
        try:
            return self._commit(work)
        except StoreFull:
            if begins or not self.saves.give_up_reserve():
                raise
        return self._commit(work)

    def _commit(self, work: Callable[[Transaction], T]) -> Committed[T]:
        prepared: list[Prepared] = []

        def seal(entries: list[Entry]) -> None:
            prepared.extend(self.sealing.prepare(entries))

        try:
            with self.write(before_commit=seal) as tx:
                result = work(tx)
        except BaseException:
            self.sealing.discard(prepared)
            raise
        self.sealing.publish(prepared)
        return Committed(result, told(tx))

    def commit_once(
        self, call: Call, wall_ms: int, work: Callable[[Transaction], Answer], *, begins: bool = False
    ) -> "Once":
        """Commit a request, or give the answer of its first commit when it is repeated.

        Raises:
            RequestReused: the id belongs to another request.
        """
        kept = self.kept_answer(call)
        if kept is not None:
            return Once(kept, None)

        def work_and_remember(tx: Transaction) -> Answer:
            answer = work(tx)
            remember(tx, call.request, call.method, answer, wall_ms)
            return answer

        committed = self.commit(work_and_remember, begins=begins)
        return Once(committed.result, committed.saved)

    def kept_answer(self, call: Call) -> Answer | None:
        """What a request was answered when it was committed, or None when it was not.

        Raises:
            RequestReused: the id belongs to another request.
        """
        kept = self.store.answer(call.request)
        if kept is None:
            return None
        before = json.loads(kept)
        if before["do"] != call.method:
            raise RequestReused(
                "This id was used for another request.", next_step="Make a new id for each request."
            )
        answer: Answer = before["ok"]
        return answer


@dataclasses.dataclass(frozen=True, slots=True)
class Once:
    """A request's answer; ``saved`` is None when it was committed by an earlier call."""

    answer: Answer
    saved: tuple[EntryId, ...] | None


def remember(tx: Transaction, request: str, method: str, answer: Answer, wall_ms: int) -> None:
    """Keep a request's answer in the transaction that did what was asked."""
    tx.remember(request, json.dumps({"do": method, "ok": answer}, ensure_ascii=False).encode(), wall_ms)


def told(tx: Transaction) -> tuple[EntryId, ...]:
    """What of a transaction is told as saved: not the audit trail, and of a file not each of its parts."""
    return tuple(
        tx.identity(entry)
        for entry in tx.appended
        if entry.stream is not Stream.AUDIT and entry.kind is not Kind.ATTACHMENT_PART
    )


Job: TypeAlias = Callable[[OpenStore], T]


class StoreRoom:
    """Runs jobs on the open store, one after the other, in the store's own thread.

    Attributes:
        saves: whether saving works; it outlives the open store.
    """

    def __init__(self) -> None:
        self.saves: Final = Saves()
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._open: OpenStore | None = None

    async def open(self, make: Callable[[], OpenStore]) -> None:
        """Open the store; what ``make`` raises leaves it closed.

        On a full disk the reserve is given up for it: the log needs room before anything can be read.
        """

        def begin() -> None:
            try:
                try:
                    self._open = make()
                except StoreFull:
                    self.saves.look()
                    if not self.saves.give_up_reserve():
                        raise
                    self._open = make()
            except StoreError as error:
                self.saves.failed(error)
                raise

        await self._in_thread(begin)

    async def close(self, last: Job[None]) -> None:
        """Do one last thing, then close the store. Jobs that come later find it locked."""

        def finish() -> None:
            try:
                if self._open is not None:
                    last(self._open)
            finally:
                self._close()

        await self._in_thread(finish)

    async def do(self, job: Job[T]) -> T:
        """Run a job.

        Raises:
            StoreLocked: the store is not open by the time the job's turn has come.
        """

        def run() -> T:
            if self._open is None:
                raise StoreLocked
            try:
                return job(self._open)
            except StoreError as error:
                said = self.saves.said(error)
                self.saves.met(said)
                if isinstance(said, OF_THE_DISK):
                    self._open.store.renew()
                raise said from None

        return await self._in_thread(run)

    def end(self) -> None:
        """Wait for the job that runs, close the store and let the thread go."""
        self._thread.submit(self._close)
        self._thread.shutdown(wait=True)

    def _close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            opened.store.close()

    async def _in_thread(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)
