"""The one place that imports the driver, which ships no types: what we use of it, typed.

It is `sqlcipher3`, never the standard library's module: another SQLite, other exception classes.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeAlias

import sqlcipher3.dbapi2

Row: TypeAlias = tuple[Any, ...]

_driver: Final[Any] = sqlcipher3.dbapi2


class Cursor(Protocol):
    """What a statement gives."""

    @property
    def rowcount(self) -> int: ...
    @property
    def lastrowid(self) -> int | None: ...
    def fetchone(self) -> Row | None: ...
    def fetchall(self) -> list[Row]: ...
    def __iter__(self) -> Iterator[Row]: ...


class Connection(Protocol):
    """An open database."""

    @property
    def in_transaction(self) -> bool: ...
    def execute(self, sql: str, parameters: Sequence[object] = ..., /) -> Cursor: ...
    def executemany(self, sql: str, parameters: Sequence[Sequence[object]], /) -> Cursor: ...
    def set_authorizer(self, callback: Callable[..., int], /) -> None: ...
    def close(self) -> None: ...


Error: Final[type[Exception]] = _driver.Error
VERSION: Final[str] = _driver.sqlite_version

BUSY: Final[int] = _driver.SQLITE_BUSY
LOCKED: Final[int] = _driver.SQLITE_LOCKED
READONLY: Final[int] = _driver.SQLITE_READONLY
IOERR: Final[int] = _driver.SQLITE_IOERR
IOERR_READ: Final[int] = IOERR | 1 << 8
IOERR_SHORT_READ: Final[int] = IOERR | 2 << 8
IOERR_SHMSIZE: Final[int] = IOERR | 19 << 8
CORRUPT: Final[int] = _driver.SQLITE_CORRUPT
FULL: Final[int] = _driver.SQLITE_FULL
CANTOPEN: Final[int] = _driver.SQLITE_CANTOPEN
CONSTRAINT: Final[int] = _driver.SQLITE_CONSTRAINT
NOTADB: Final[int] = _driver.SQLITE_NOTADB
OK: Final[int] = _driver.SQLITE_OK
DENY: Final[int] = _driver.SQLITE_DENY
ATTACH: Final[int] = _driver.SQLITE_ATTACH


def copy(source: Connection, target: Connection, pages: int) -> None:
    """SQLite's online backup, so many pages a step; each file keeps its own key."""
    genuine: Any = source
    genuine.backup(target, pages=pages)


def connect(uri: str) -> Connection:
    """Open a file; the caller begins and ends transactions and keeps to one thread at a time."""
    connection: Connection = _driver.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    return connection
