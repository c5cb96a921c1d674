"""What can go wrong with the store, and what a person can do about it.

SQLCipher's exceptions are unrelated to those of the standard library and their texts may quote data,
so they end here: `translated` turns each into a `StoreError` that says what was not done.
"""

import contextlib
from collections.abc import Generator
from typing import ClassVar, Final

from edge.errors import QafilaError
from edge.store import sqlite


class StoreError(QafilaError):
    """The store could not do what was asked; nothing of it was saved."""

    code: ClassVar[str] = "store-error"


class StoreMissing(StoreError):
    """There is no store where one should be. It is never made in passing."""

    code: ClassVar[str] = "store-missing"


class StoreExists(StoreError):
    """A store is already there; it is never written over."""

    code: ClassVar[str] = "store-exists"


class WrongKey(StoreError):
    """The key does not fit; not a byte of the store was changed."""

    code: ClassVar[str] = "wrong-key"


class StoreUnprotected(StoreError):
    """The file is not encrypted, or would not be: nothing is read from it or written to it."""

    code: ClassVar[str] = "store-unprotected"


class StoreTooOld(StoreError):
    """The database library is one that can lose committed data."""

    code: ClassVar[str] = "sqlite-too-old"


class StoreNewer(StoreError):
    """A newer version of this software made the store."""

    code: ClassVar[str] = "store-newer"


class StoreDamaged(StoreError):
    """What is on the disk is not what was written there."""

    code: ClassVar[str] = "store-damaged"


class StorePageUnreadable(StoreDamaged):
    """The disk does not give back a page; nothing is known of what stands in it."""

    code: ClassVar[str] = "store-page-unreadable"


class StoreFull(StoreError):
    """No room on the disk; nothing was saved, everything saved before can be read."""

    code: ClassVar[str] = "store-full"


class StoreNearlyFull(StoreFull):
    """What is left is kept for the visit that is open; nothing new is begun."""

    code: ClassVar[str] = "store-nearly-full"

    def __init__(self) -> None:
        super().__init__(
            "The disk is full: what is left is kept for the visit that is open.",
            next_step="Finish the visit, then call the technician to free space; all that is saved is safe.",
        )


class StoreReadOnly(StoreError):
    """The disk takes no writes; nothing was saved, everything saved before can be read."""

    code: ClassVar[str] = "store-read-only"


class StoreBusy(StoreError):
    """Another process kept the store for longer than we wait."""

    code: ClassVar[str] = "store-busy"


class StoreUnreadable(StoreError):
    """The disk reports an error, or the file may not be opened."""

    code: ClassVar[str] = "store-io-error"


class StoreRefused(StoreError):
    """What was to be stored breaks a rule of the store; a bug, or the same thing stored twice."""

    code: ClassVar[str] = "store-refused"


class IdentifierTaken(StoreError):
    """Another patient already has this identifier."""

    code: ClassVar[str] = "identifier-taken"


CAN_BE_READ: Final = (
    "Call the technician: `qafila store salvage` takes out what can be read. The rest of the store can still"
    " be read here."
)
"""The next step in a store that is open."""

_BY_EXTENDED_CODE: Final[dict[int, tuple[type[StoreError], str, str]]] = dict.fromkeys(
    (sqlite.IOERR_READ, sqlite.IOERR_SHORT_READ),
    (StorePageUnreadable, "The disk does not give back a page of the store.", CAN_BE_READ),
)

_BY_PRIMARY_CODE: Final[dict[int, tuple[type[StoreError], str, str]]] = {
    sqlite.FULL: (
        StoreFull,
        "The disk is full: nothing was saved.",
        "Free space on the unit, then save again; what was saved before is safe.",
    ),
    sqlite.READONLY: (
        StoreReadOnly,
        "The disk takes no writes: nothing was saved.",
        "Check the card's write lock and the disk's health; what was saved before can be read.",
    ),
    sqlite.BUSY: (
        StoreBusy,
        "Another process is keeping the store busy: nothing was saved.",
        "Try again; if it stays so, see which process has the store open.",
    ),
    sqlite.LOCKED: (
        StoreBusy,
        "Another process is keeping the store busy: nothing was saved.",
        "Try again; if it stays so, see which process has the store open.",
    ),
    sqlite.IOERR: (
        StoreUnreadable,
        "The disk reports an error: nothing was saved.",
        "Check the disk; then run `qafila store verify`.",
    ),
    sqlite.CANTOPEN: (
        StoreUnreadable,
        "The store's file cannot be opened.",
        "Check that the file belongs to the user the agent runs as.",
    ),
    sqlite.NOTADB: (
        StoreDamaged,
        "A page of the store does not read back as it was written.",
        CAN_BE_READ,
    ),
    sqlite.CORRUPT: (
        StoreDamaged,
        "A page of the store does not read back as it was written.",
        CAN_BE_READ,
    ),
    sqlite.CONSTRAINT: (
        StoreRefused,
        "A rule of the store refuses this: nothing was saved.",
        "Report it with the code; nothing that was saved before has changed.",
    ),
}


def from_sqlite(error: Exception) -> StoreError:
    """The `StoreError` for an exception of the driver, without its text."""
    found = getattr(error, "sqlite_errorcode", None)
    code = found if isinstance(found, int) else -1
    if code == sqlite.IOERR_SHMSIZE:
        code = sqlite.FULL  # the log's index is a file too, and finds no room
    kind, sentence, next_step = _BY_EXTENDED_CODE.get(code) or _BY_PRIMARY_CODE.get(
        code & 0xFF if code >= 0 else code,
        (StoreError, "The store refused a command: nothing was saved.", "Report it with the code."),
    )
    return kind(sentence, next_step=next_step)


def of_the_disk(code: str) -> StoreError:
    """What is said of a disk that takes no writes, or fails, however it was found out."""
    number = sqlite.READONLY if code == StoreReadOnly.code else sqlite.IOERR
    kind, sentence, next_step = _BY_PRIMARY_CODE[number]
    return kind(sentence, next_step=next_step)


def full() -> StoreError:
    """What is said of a disk without room, however it was found out."""
    kind, sentence, next_step = _BY_PRIMARY_CODE[sqlite.FULL]
    return kind(sentence, next_step=next_step)


@contextlib.contextmanager
def translated() -> Generator[None]:
    """Turn what the driver raises into `StoreError`; the driver's own text is dropped, it may quote data."""
    try:
        yield
    except sqlite.Error as error:
        raise from_sqlite(error) from None
