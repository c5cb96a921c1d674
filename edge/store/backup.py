"""A backup: a copy of the store under a key of its own, made while the store is in use, and read back.

The copy is one moment of the store: it is taken in a read transaction, and whatever is saved meanwhile
goes on into the store alone. What was written is then read again from its medium: its pages against their
tags, every entry against its chain, the tips against those of that moment. Only then does the folder get
its name.
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import ClassVar, Final

from edge import backups
from edge.backups import BackupRefused, Header, Manifest
from edge.clock import Moment
from edge.records.fields import Stream
from edge.store import sqlite
from edge.store.base import Whose
from edge.store.connection import check_sealed, connect, connect_new, connect_still
from edge.store.errors import StoreDamaged, StoreError, StoreFull, StoreReadOnly, translated
from edge.store.verify import verify

MANIFEST: Final = "manifest"
DATABASE: Final = "store.db"
SUFFIX: Final = ".backup"
_PART: Final = ".part"
_COMPANIONS: Final = ("-wal", "-shm", "-journal")
_PAGES_A_STEP: Final = 500
_READ_BYTES: Final = 1024 * 1024


class BackupFailed(StoreError):
    """There is no backup; the store is as it was."""

    code: ClassVar[str] = "backup-failed"


@dataclasses.dataclass(frozen=True, slots=True)
class Order:
    """What a backup is made of, beside the store.

    Attributes:
        key: the store's.
        recovery_to: the centre's public recovery key, or None before enrolment.
        papers: what lies beside the store: slots, configuration, request, bundle.
    """

    key: bytes = dataclasses.field(repr=False)
    moment: Moment
    recovery_to: bytes | None
    papers: Mapping[str, bytes] = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A backup that was written and read back.

    Attributes:
        entries: how many entries of all epochs were checked.
    """

    folder: Path
    header: Header
    entries: int


def write(database: Path, into: Path, order: Order, entropy: Callable[[int], bytes] = os.urandom) -> Written:
    """Back the store up into a new folder below ``into``; another process or thread may be writing to it.

    Raises:
        BackupFailed: ``backup-failed``, ``backup-medium``: the medium does not take it, or gives back
            something else than was written. Nothing is left behind.
        StoreError: the store cannot be read.
    """
    if not into.is_dir():
        raise BackupFailed(
            f"There is no folder {into}.",
            next_step="Put the medium in, see that it is mounted, and name a folder on it.",
            code="backup-medium",
        )
    backup_key, id_ = entropy(backups.KEY_BYTES), entropy(backups.ID_BYTES)
    part = into / f".{id_.hex()}{_PART}"
    try:
        part.mkdir(mode=0o700)
        facts = _copy(database, order.key, part / DATABASE, backup_key)
        size, digest = _digest(part / DATABASE)
        unit, realm, epoch, schema, tips = facts
        header = Header(unit, realm, id_, order.moment.wall_ms, schema, epoch, tips, size, digest)
        _put(part / MANIFEST, backups.make(header, backup_key, order.key, order.recovery_to, order.papers))
        entries = _read_back(part, order.key)
        folder = into / _name(header)
        part.rename(folder)
        _sync(into)
    except (OSError, BackupRefused):
        _remove(part)
        raise _medium_fails() from None
    except (StoreFull, StoreReadOnly):
        _remove(part)
        raise _medium_fails() from None
    except BaseException:
        _remove(part)
        raise
    return Written(folder, header, entries)


def look(folder: Path) -> Manifest:
    """The manifest of a backup, from a medium of which nothing is believed.

    Raises:
        BackupRefused: it is no backup, or not whole.
    """
    manifest = backups.read(_read(folder / MANIFEST))
    try:
        there = (folder / DATABASE).lstat()
    except OSError:
        there = None
    if there is None or not stat.S_ISREG(there.st_mode) or there.st_size != manifest.header.size:
        raise BackupRefused(
            "The backup is not whole: its store is not the one that was written.",
            next_step="Take another backup.",
            code="backup-damaged",
        )
    return manifest


def read_manifest(file: Path) -> bytes:
    """The bytes of a manifest that was carried alone."""
    return _read(file / MANIFEST if file.is_dir() else file)


def copy_out(folder: Path, manifest: Manifest, backup_key: bytes, target: Path, key: bytes) -> None:
    """Copy a backup's store into a new file under another key, checked byte for byte before.

    Raises:
        BackupRefused: the backup is damaged.
        StoreError: the disk does not take it. ``target`` is not there then.
    """
    source = folder / DATABASE
    try:
        _check_digest(source, manifest)
        remove(target)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with contextlib.ExitStack() as stack, translated():
            still = connect_still(source, backup_key)
            stack.callback(still.close)
            new = connect_new(target, key)
            stack.callback(new.close)
            sqlite.copy(still, new, _PAGES_A_STEP)
            _check(new)
            new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        check_sealed(target)
    except OSError:
        remove(target)
        raise StoreReadOnly(
            "The store cannot be made: its directory takes no files, or the medium cannot be read.",
            next_step="Check the disk, who owns the directory, and the medium.",
        ) from None
    except BaseException:
        remove(target)
        raise


def remove(database: Path) -> None:
    """Remove a copy that is nobody's store, with what SQLite has laid beside it."""
    for companion in ("", *_COMPANIONS):
        database.with_name(database.name + companion).unlink(missing_ok=True)


_Facts = tuple[str, str, bytes, int, tuple[int, ...]]
"""Unit, realm, epoch, schema, tips."""


def _copy(database: Path, key: bytes, target: Path, backup_key: bytes) -> _Facts:
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with contextlib.ExitStack() as stack, translated():
        source = connect(database, key)
        stack.callback(source.close)
        new = connect_new(target, backup_key)
        stack.callback(new.close)
        with _one_moment(source):
            facts = _facts(source)
            sqlite.copy(source, new, _PAGES_A_STEP)
        if _facts(new) != facts:
            raise BackupFailed("The copy is of another moment than it says.", next_step="Report it as a bug.")
        new.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for companion in _COMPANIONS:
        target.with_name(target.name + companion).unlink(missing_ok=True)
    check_sealed(target)
    _sync(target)
    return facts


@contextlib.contextmanager
def _one_moment(connection: sqlite.Connection) -> Generator[None]:
    """SQLite's backup begins anew whenever somebody writes, unless its source is in a transaction."""
    connection.execute("BEGIN")
    try:
        connection.execute("SELECT count(*) FROM epochs").fetchone()
        yield
    finally:
        connection.execute("ROLLBACK")


def _facts(connection: sqlite.Connection) -> _Facts:
    meta: dict[str, bytes] = dict(
        connection.execute("SELECT name, value FROM meta WHERE name IN ('unit', 'realm')").fetchall()
    )
    [(schema,)] = connection.execute("PRAGMA user_version").fetchall()
    rows = connection.execute(
        "SELECT epochs.epoch, tip FROM streams JOIN epochs ON epochs.number = streams.epoch"
        " WHERE epochs.number = (SELECT max(number) FROM epochs) ORDER BY stream"
    ).fetchall()
    if len(rows) != len(Stream) or len(meta) != 2:
        raise StoreDamaged(
            "The store is damaged: it does not say whose it is.",
            next_step="Leave the file as it is, and call those who answer for this unit.",
        )
    return meta["unit"].decode(), meta["realm"].decode(), rows[0][0], schema, tuple(tip for _, tip in rows)


def _read_back(folder: Path, key: bytes) -> int:
    """Read everything again, with the keys that a restoration would have; how many entries there are."""
    manifest = look(folder)
    backup_key = manifest.opened_by(key)
    database = folder / DATABASE
    if backup_key is None or _digest(database)[1] != manifest.header.digest:
        raise _medium_fails()
    connection = connect_still(database, backup_key)
    try:
        with translated():
            _check(connection)
            found = verify(connection, Whose(manifest.header.unit, manifest.header.realm), None)
            facts = _facts(connection)
    finally:
        connection.close()
    if facts[2:] != (manifest.header.epoch, manifest.header.schema, manifest.header.tips):
        raise _medium_fails()
    if not found.valid:
        raise BackupFailed(
            "The copy was written as the store is, and the store's journal does not fit its chain.",
            next_step="See what is damaged with qafila store verify.",
            code="backup-of-damaged",
        )
    return sum(found.entries.values())


def _check(connection: sqlite.Connection) -> None:
    """Every page against its tag, then the tables against one another."""
    torn = connection.execute("PRAGMA cipher_integrity_check").fetchall()
    if torn or [row[0] for row in connection.execute("PRAGMA integrity_check")] != ["ok"]:
        raise StoreDamaged(
            "The copy of the store is not sound; the store is as it was.",
            next_step="Verify the store with qafila store verify.",
        )


def _digest(path: Path) -> tuple[int, bytes]:
    """Size and SHA-256 of a regular file, read from its medium and not from memory where that can be had."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        digest, size = hashlib.sha256(), 0
        while piece := os.read(descriptor, _READ_BYTES):
            digest.update(piece)
            size += len(piece)
    finally:
        os.close(descriptor)
    return size, digest.digest()


def _check_digest(database: Path, manifest: Manifest) -> None:
    if _digest(database)[1] != manifest.header.digest:
        raise BackupRefused(
            "The backup is damaged: its store is not what was written.",
            next_step="Take another backup.",
            code="backup-damaged",
        )


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise BackupRefused("The manifest is no file.", next_step="Name the folder of a backup.")
            with os.fdopen(os.dup(descriptor), "rb") as file:
                return file.read(backups.MOST_BYTES + 1)
        finally:
            os.close(descriptor)
    except OSError:
        raise BackupRefused(
            f"{path} cannot be read.",
            next_step="Name the folder that `qafila store backup` wrote, and see that its medium is in.",
            code="backup-missing",
        ) from None


def _put(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)


def _name(header: Header) -> str:
    made = time.strftime("%Y%m%d-%H%M%S", time.gmtime(header.made_ms // 1000))
    return f"{header.unit}-{made}-{header.id[:4].hex()}{SUFFIX}"


def _remove(part: Path) -> None:
    shutil.rmtree(part, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _medium_fails() -> BackupFailed:
    return BackupFailed(
        "There is no backup: the medium does not take it, or does not give back what was written.",
        next_step="See that the medium has room and is not write-protected, or use another one.",
        code="backup-medium",
    )
