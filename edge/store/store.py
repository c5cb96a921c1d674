"""The store: open, read, write, verify."""

import contextlib
import os
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

from edge import cbor
from edge.audit.chain import Entry
from edge.clock import Moment
from edge.records.fields import Kind, Payload, Stream
from edge.store import sqlite
from edge.store.attachments import AttachmentReads
from edge.store.base import Epoch, Whose
from edge.store.beside import BesideReads
from edge.store.connection import connect, reconnect
from edge.store.consents import ConsentReads
from edge.store.creation import create_file
from edge.store.devices import DeviceReads
from edge.store.errors import CAN_BE_READ, StoreDamaged, StoreError, translated
from edge.store.expertise import ExpertiseReads
from edge.store.fork import begin_after
from edge.store.identity import Identity
from edge.store.inbox import InboxReads
from edge.store.journal import JournalReads
from edge.store.keeping import KeepingReads
from edge.store.migrations import bring_up_to_date
from edge.store.patients import PatientReads
from edge.store.sites import SiteReads
from edge.store.sqlite import Row
from edge.store.transaction import Transaction
from edge.store.verify import VerifyResult, verify
from edge.store.visits import VisitReads
from edge.store.waveforms import WaveReads


class Store(
    JournalReads,
    PatientReads,
    ConsentReads,
    SiteReads,
    VisitReads,
    DeviceReads,
    WaveReads,
    BesideReads,
    KeepingReads,
    ExpertiseReads,
    InboxReads,
    AttachmentReads,
):
    """One open store. Used by one thread at a time; it has one writer, the agent.

    Every method raises `StoreError` when the disk or the file fails; a failed write saved nothing.
    """

    def __init__(self, connection: sqlite.Connection, whose: Whose, epoch: Epoch) -> None:
        """Made by `create` and `open`."""
        super().__init__(connection, whose, epoch)
        self._connect_again: Callable[[], sqlite.Connection] | None = None
        self._file: Path | None = None

    @staticmethod
    def create(path: Path, key: bytes, *, unit: str, realm: str, moment: Moment) -> "Store":
        """Make a store, its keys and its first epoch, and open it.

        Raises:
            StoreExists: something is there already; it is never written over.
        """
        create_file(path, key, Whose(unit, realm), moment)
        return Store.open(path, key)

    @staticmethod
    def open(path: Path, key: bytes) -> "Store":
        """Open an existing store. A wrong key changes no byte; a missing store is not made.

        Raises:
            StoreMissing, WrongKey, StoreDamaged, StoreUnprotected, StoreTooOld, StoreNewer.
        """
        try:
            connection = connect(path, key)
            try:
                with translated():
                    bring_up_to_date(connection)
                    store = Store(connection, *_whose(connection))
            except BaseException:
                connection.close()
                raise
        except StoreDamaged as error:
            if error.next_step != CAN_BE_READ:
                raise
            raise type(error)(
                error.sentence,
                next_step="Stop the agent, then take out what can be read: qafila store salvage. "
                "Or put a backup back: qafila store restore.",
                code=error.stable_code,
            ) from None
        store._connect_again = lambda: reconnect(path, key)
        store._file = path
        return store

    def size_and_room(self) -> tuple[int, int]:
        """Bytes of the store with its log, and what is free on its disk for whoever is not root.

        Raises:
            OSError: the file system does not say.
        """
        if self._file is None:
            return 0, 0
        files = (self._file, self._file.with_name(f"{self._file.name}-wal"))
        disk = os.statvfs(self._file)
        return sum(path.stat().st_size for path in files if path.exists()), disk.f_bavail * disk.f_frsize

    @property
    def unit(self) -> str:
        return self._whose.unit

    @property
    def realm(self) -> str:
        return self._whose.realm

    @property
    def epoch(self) -> bytes:
        """The present epoch, eight bytes."""
        return self._epoch.epoch

    @property
    def slots_generation(self) -> int:
        """The generation the key slots must at least have."""
        return int.from_bytes(self._meta("slots-generation"))

    @property
    def slots_intent(self) -> bytes | None:
        """What was about to be done to the key slots and is not settled yet, or None."""
        row = self._row("SELECT value FROM meta WHERE name = 'slots-intent'")
        return None if row is None else row[0]

    @property
    def restored_from(self) -> bytes | None:
        """The id of the backup that this store was made of, or None."""
        row = self._row("SELECT value FROM meta WHERE name = 'restored-from'")
        return None if row is None else row[0]

    @property
    def keyset_version(self) -> int:
        """The version of the keyset that the audit trail says is pinned, 0 when it says nothing."""
        row = self._row("SELECT value FROM meta WHERE name = 'keyset-version'")
        return 0 if row is None else int.from_bytes(row[0])

    @property
    def sealing_to(self) -> frozenset[bytes]:
        """The names of the keys to which the spool's files may be sealed, as far as it was noted."""
        row = self._row("SELECT value FROM meta WHERE name = 'sealing-to'")
        found: Any = [] if row is None else cbor.decode(row[0])
        return frozenset(found)

    @property
    def nacks(self) -> list[tuple[int, int, int, str]]:
        """What the centre said last that it cannot open: stream, first, last, reason."""
        row = self._row("SELECT value FROM meta WHERE name = 'nacks'")
        found: Any = [] if row is None else cbor.decode(row[0])
        return [(stream, first, last, reason) for stream, first, last, reason in found]

    def identity(self) -> Identity:
        """The unit's signing and receiving keys."""
        return Identity(self._meta("sign-private"), self._meta("recv-private"))

    @contextlib.contextmanager
    def write(self, before_commit: Callable[[list[Entry]], None] | None = None) -> Generator[Transaction]:
        """One transaction: all of it is durable when the ``with`` ends, or none of it happened.

        Args:
            before_commit: called with the appended entries when everything is written and nothing
                committed; sealed files are made here. Whatever it raises undoes the transaction.

        Raises:
            StoreError: nothing was saved.
        """
        with translated():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            tx = Transaction(self._connection, self._whose, self._epoch)
            yield tx
            tx.finish()
            if before_commit is not None:
                before_commit(tx.appended)
            with translated():
                self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise

    def begin_epoch(
        self, reason: str, moment: Moment, notes: Iterable[tuple[Stream, Kind, Payload]] = ()
    ) -> None:
        """Leave the present epoch, whose history is not the centre's, and begin one after it.

        What no receipt has called opened is marked to be journalled again (`still_to_journal_again`).

        Args:
            reason: how it was noticed, a stable code.
            moment: now.
            notes: entries to begin with, such as an alert and who did it.
        """
        with translated():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            epoch = begin_after(self._connection, self._whose, self._epoch, moment, reason)
            tx = Transaction(self._connection, self._whose, epoch)
            for stream, kind, payload in notes:
                tx.append(stream, kind, payload)
            tx.finish()
            with translated():
                self._connection.execute("COMMIT")
        except BaseException:
            self._undo()
            raise
        self._epoch = epoch

    def mark_earlier_epochs(self) -> None:
        """Mark everything of the epochs before to be journalled again, once each.

        For a centre that was restored: it may lack what it had opened of them, and nobody sends in them
        any more.
        """
        known = self._rows("SELECT entry, epoch, stream, seq FROM origins")
        first_of = {entry: tuple(first) for entry, *first in known}
        last: dict[tuple[object, ...], int] = {}
        for entry, epoch, stream, seq, kind in self._rows(
            "SELECT journal.id, epochs.epoch, stream, seq, kind FROM journal"
            " JOIN epochs ON epochs.number = journal.epoch WHERE payload IS NOT NULL ORDER BY journal.id"
        ):
            if kind != Kind.GENESIS:
                last[first_of.get(entry, (epoch, stream, seq))] = entry
        present = self._row("SELECT min(id) FROM journal WHERE epoch = ?", self._epoch.number)
        assert present is not None  # noqa: S101  every epoch has its genesis
        earlier = sorted(entry for entry in last.values() if entry < present[0])
        with self.write() as tx:
            tx.mark_again(earlier)

    def verify(self, progress: Callable[[int], None] | None = None) -> VerifyResult:
        """Check every entry of every epoch against its leaf, its chain and its stream's tip."""
        with translated():
            return verify(self._connection, self._whose, progress)

    def bad_pages(self) -> list[int]:
        """The pages of the file that are not what was written, whoever reads them or nobody.

        Over a connection of its own: one that has met a bad page takes no more writes. A page is looked at
        twice, since it may be written just now.
        """
        found = self._look_at_pages()
        return sorted(found & self._look_at_pages()) if found else []

    def _look_at_pages(self) -> set[int]:
        connection = self._connection if self._connect_again is None else self._connect_again()
        try:
            with translated():
                said = connection.execute("PRAGMA cipher_integrity_check").fetchall()
        finally:
            if connection is not self._connection:
                connection.close()
        return {int(words.rsplit(maxsplit=1)[-1]) for (words,) in said}

    def checkpoint(self) -> None:
        """Move what the WAL holds into the file; for moments when nobody waits."""
        self._rows("PRAGMA wal_checkpoint(PASSIVE)")

    def empty_log(self) -> None:
        """The same, and leave nothing in the WAL: what was erased stands there as it was before."""
        self._rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def renew(self) -> None:
        """Open the file anew after an error: a connection that has met a bad page takes no more writes."""
        if self._connect_again is None or self._connection.in_transaction:
            return
        with contextlib.suppress(StoreError):
            fresh = self._connect_again()
            former, self._connection = self._connection, fresh
            former.close()

    def close(self) -> None:
        """Close the file; the key goes with the connection."""
        self._connection.close()

    def _undo(self) -> None:
        # A full disk may have ended it already. If rolling back fails too, the next BEGIN says so.
        with contextlib.suppress(sqlite.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def _meta(self, name: str) -> bytes:
        row = self._row("SELECT value FROM meta WHERE name = ?", name)
        if row is None:
            raise StoreDamaged(
                f"The store is damaged: it has no {name}.",
                next_step="Leave the file as it is, and call those who answer for this unit.",
            )
        value: bytes = row[0]
        return value


def _whose(connection: sqlite.Connection) -> tuple[Whose, Epoch]:
    meta: dict[str, bytes] = dict(
        connection.execute("SELECT name, value FROM meta WHERE name IN ('unit', 'realm')").fetchall()
    )
    row: Row | None = connection.execute(
        "SELECT number, epoch, secret FROM epochs ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None or len(meta) < 2:
        raise StoreDamaged(
            "The store is damaged: it does not say whose it is.",
            next_step="Leave the file as it is, and call those who answer for this unit.",
        )
    return Whose(meta["unit"].decode(), meta["realm"].decode()), Epoch(*row)
