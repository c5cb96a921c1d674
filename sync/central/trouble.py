"""What may go wrong with the centre's database, in words an operator can act on.

Told apart by SQLite's result codes, whose first byte is the same in all versions; what is not listed
here is a bug and stays one.

Source: https://www.sqlite.org/rescode.html
"""

import contextlib
import dataclasses
from collections.abc import Generator
from typing import Any, ClassVar, Final

import sqlcipher3.dbapi2

from edge.errors import QafilaError

_sqlite: Final[Any] = sqlcipher3.dbapi2


class CentreDatabaseError(QafilaError):
    """The centre's database cannot be used as it is."""

    code: ClassVar[str] = "centre-database"


@dataclasses.dataclass(frozen=True, slots=True)
class _Trouble:
    code: str
    sentence: str
    next_step: str


_READ_ONLY: Final = _Trouble(
    "database-read-only",
    "The centre's database cannot be written by this user, or its disk is read-only.",
    "have the disk mounted for writing, or run this command as the user the centre belongs to.",
)
_DAMAGED: Final = _Trouble(
    "database-damaged",
    "The centre's database is damaged.",
    "stop both processes, keep a copy of central.db with its -wal, and restore the last backup; "
    "units keep what it had not received.",
)
_FULL: Final = _Trouble(
    "database-full",
    "The centre's disk is full.",
    "make room, then start this command again; what was not committed will be sent again.",
)
_FAILING: Final = _Trouble(
    "database-failing",
    "The disk under the centre's database fails.",
    "look at the disk, then start this command again; what was not committed will be sent again.",
)
_BUSY: Final = _Trouble(
    "database-busy",
    "Another process holds the centre's database too long.",
    "end it, then start this command again; what was not committed will be sent again.",
)
_TROUBLES: Final = {
    5: _BUSY,  # SQLITE_BUSY
    6: _BUSY,  # SQLITE_LOCKED
    8: _READ_ONLY,  # SQLITE_READONLY
    10: _FAILING,  # SQLITE_IOERR
    11: _DAMAGED,  # SQLITE_CORRUPT
    13: _FULL,  # SQLITE_FULL
    14: _READ_ONLY,  # SQLITE_CANTOPEN: the file is there, its -wal or -shm cannot be made beside it
    26: _DAMAGED,  # SQLITE_NOTADB
}


@contextlib.contextmanager
def understood() -> Generator[None]:
    """Turn SQLite's errors that an operator can put right into ours.

    Raises:
        CentreDatabaseError: database-read-only, -damaged, -full, -failing or -busy.
    """
    try:
        yield
    except _sqlite.DatabaseError as error:
        trouble = _TROUBLES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if trouble is None:
            raise
        raise _error(trouble) from error


def damaged() -> CentreDatabaseError:
    """The error for damage that a check reports instead of raising."""
    return _error(_DAMAGED)


def _error(trouble: _Trouble) -> CentreDatabaseError:
    return CentreDatabaseError(trouble.sentence, next_step=trouble.next_step, code=trouble.code)
