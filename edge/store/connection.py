"""Opening the encrypted file, with a guard before every known way to do it wrong.

Measured: a new file without a key, or with a misspelt pragma, is silently plain text; a raw key one
byte short is silently a passphrase; a wrong key still replays and deletes a left-over WAL; and SQLite
before 3.51.3 can corrupt a WAL database that two connections write. Each is refused here.
"""

import errno
import os
from pathlib import Path
from typing import Final

from edge.store import sqlite
from edge.store.errors import (
    StoreDamaged,
    StoreMissing,
    StoreReadOnly,
    StoreTooOld,
    StoreUnprotected,
    StoreUnreadable,
    WrongKey,
    full,
    translated,
)
from edge.store.pagecheck import PAGE_BYTES, PLAINTEXT_MAGIC, key_fits

KEY_BYTES: Final = 32
OLDEST_SQLITE: Final = (3, 51, 3)
"""The first release without the WAL-reset bug."""

BUSY_TIMEOUT_MS: Final = 5000
CACHE_KIB: Final = 8192
WAL_LIMIT_BYTES: Final = 16 * 1024 * 1024
ROOM_TO_OPEN_BYTES: Final = 256 * 1024
"""With less, an error of the disk at opening is taken for want of room: the log's index takes 32 kB."""

SETTINGS: Final = (
    ("journal_mode", "WAL"),
    ("synchronous", "FULL"),
    ("foreign_keys", "ON"),
    ("secure_delete", "ON"),
    ("recursive_triggers", "ON"),  # else INSERT OR REPLACE deletes behind the triggers' back
    ("busy_timeout", str(BUSY_TIMEOUT_MS)),
    ("cache_size", str(-CACHE_KIB)),
    ("temp_store", "MEMORY"),
    ("journal_size_limit", str(WAL_LIMIT_BYTES)),
    ("trusted_schema", "OFF"),
    ("mmap_size", "0"),
)

_REQUIRED: Final = (
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("foreign_keys", "1"),
    ("secure_delete", "1"),
    ("recursive_triggers", "1"),
    ("temp_store", "2"),
)
"""What a pragma must answer afterwards: SQLite ignores what it does not know or cannot do."""


def connect(path: Path, key: bytes) -> sqlite.Connection:
    """Open an existing store with its key; on a disk that takes no writes for reading alone.

    Raises:
        StoreTooOld, StoreMissing, StoreUnprotected, WrongKey, StoreDamaged, StoreReadOnly: before or
            instead of touching the file.
    """
    check_library(sqlite.VERSION)
    check_key(key)
    check_file(path)
    if not key_fits(path, key):
        raise WrongKey(
            "The key does not open this store; nothing was changed.",
            next_step="Check that slots and store belong together, then call those who answer for this unit.",
        )
    try:
        return _opened(path, key)
    except (StoreUnreadable, StoreReadOnly):
        if not _takes_no_writes(path):
            raise
        return _opened_for_reading(path, key)


def reconnect(path: Path, key: bytes) -> sqlite.Connection:
    """Open a store once more that this process has open: without looking at its file beside SQLite.

    A descriptor of the file that is closed takes along the locks that SQLite holds on it in this process.
    """
    return _opened(path, key)


def connect_new(path: Path, key: bytes) -> sqlite.Connection:
    """Open a file that the caller has just made, empty, with the right permissions."""
    check_library(sqlite.VERSION)
    check_key(key)
    return _opened(path, key)


def connect_still(path: Path, key: bytes) -> sqlite.Connection:
    """Open a file that nobody writes to, such as a backup on a stick, without writing a byte beside it.

    Raises:
        StoreTooOld, StoreMissing, StoreUnprotected, StoreUnreadable, WrongKey, StoreDamaged.
    """
    check_library(sqlite.VERSION)
    check_key(key)
    if not path.is_file():
        raise StoreMissing("There is no store in the backup.", next_step="Name the folder of a whole backup.")
    check_sealed(path)
    if not key_fits(path, key):
        raise WrongKey(
            "The key does not open this store; nothing was changed.",
            next_step="Check that manifest and store come from one backup.",
        )
    return _opened_still(path, key)


def check_library(version: str) -> None:
    """Refuse a library with the WAL-reset bug."""
    if tuple(int(part) for part in version.split(".")) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StoreTooOld(
            f"The database library is SQLite {version}; before {oldest} it can lose committed data.",
            next_step="Install sqlcipher3 0.6.4 or later.",
        )


def check_key(key: bytes) -> None:
    """Refuse a key of another length: SQLCipher would take it for a passphrase without a word."""
    if len(key) != KEY_BYTES:
        raise WrongKey(
            f"A store key has {KEY_BYTES} bytes; this one has {len(key)}.", next_step="Report it as a bug."
        )


def check_sealed(path: Path) -> None:
    """Refuse a file that begins as plain SQLite does."""
    with path.open("rb") as file:
        head = file.read(len(PLAINTEXT_MAGIC))
    if head == PLAINTEXT_MAGIC:
        raise StoreUnprotected(
            "The store's file is not encrypted; it is not used.",
            next_step="Set the file aside and find out where it came from.",
        )


def check_file(path: Path) -> None:
    """Refuse what can be known to be no good without the key.

    Raises:
        StoreMissing, StoreUnprotected, StoreUnreadable, StoreDamaged.
    """
    try:
        if not path.is_file():
            raise StoreMissing(
                "There is no store on this unit.",
                next_step="Check that its medium is mounted; a new unit is made with `qafila unit init`.",
            )
        check_sealed(path)
        size = path.stat().st_size
    except OSError:
        raise StoreUnreadable(
            "The store's file cannot be read.",
            next_step="Check that the file belongs to the user the agent runs as, and the disk's health.",
        ) from None
    if size < PAGE_BYTES:
        raise StoreDamaged(
            "The store is damaged: its file is shorter than one page.",
            next_step="Leave the file as it is, and call those who answer for this unit.",
        )


def _opened(path: Path, key: bytes) -> sqlite.Connection:
    with translated():
        connection = sqlite.connect(f"{path.absolute().as_uri()}?mode=rw")  # never creates
    try:
        with translated():
            _give_key(connection, key)
            for name, value in SETTINGS:
                connection.execute(f"PRAGMA {name} = {value}")
            _check_settings(connection)
            connection.set_authorizer(_authorize)
    except StoreUnreadable:  # the log and its index are made anew, and SQLite does not say that none has room
        connection.close()
        if _has_room(path):
            raise
        raise full() from None
    except BaseException:
        connection.close()
        raise
    return connection


def _opened_for_reading(path: Path, key: bytes) -> sqlite.Connection:
    """What was saved, from a disk on which neither log nor index can be made. Every write is refused.

    Only where there is no log: one that cannot be indexed holds what was saved last, and reading past it
    would show a history that was not.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        raise StoreReadOnly(
            "The disk takes no writes: the store cannot be opened.",
            next_step="Check the card's write lock and the disk's health; what was saved is still there.",
        )
    connection = _opened_still(path, key)
    try:
        with translated():
            connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _opened_still(path: Path, key: bytes) -> sqlite.Connection:
    with translated():
        connection = sqlite.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1")
    try:
        with translated():
            _give_key(connection, key)
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.set_authorizer(_authorize)
    except BaseException:
        connection.close()
        raise
    return connection


def _takes_no_writes(path: Path) -> bool:
    """Whether the disk is read-only, however it came to be; recent kernels say so only to who opens."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW))
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def _has_room(path: Path) -> bool:
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return True  # nothing is known of it
    return disk.f_bavail * disk.f_frsize >= ROOM_TO_OPEN_BYTES


def _give_key(connection: sqlite.Connection, key: bytes) -> None:
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    connection.execute("PRAGMA cipher_log = off")  # it would write to the screen
    _check_cipher(connection)
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _check_cipher(connection: sqlite.Connection) -> None:
    if _answer(connection, "cipher_status") != "1":
        raise StoreUnprotected(
            "The database library does not encrypt; the store is not used.",
            next_step="Install sqlcipher3 0.6.4 or later.",
        )


def _check_settings(connection: sqlite.Connection) -> None:
    for name, required in _REQUIRED:
        if _answer(connection, name) != required:
            raise StoreReadOnly(
                f"The store cannot be opened safely: {name} cannot be set.",
                next_step="Check that the disk takes writes and that no other process has the store open.",
            )


def _answer(connection: sqlite.Connection, pragma: str) -> str:
    row = connection.execute(f"PRAGMA {pragma}").fetchone()
    return "" if row is None else str(row[0])


def _authorize(action: int, *_: object) -> int:
    """Refuse ATTACH: a file attached without its own key would be plain text, commits no longer atomic."""
    return sqlite.DENY if action == sqlite.ATTACH else sqlite.OK
