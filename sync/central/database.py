"""The centre's database: one SQLite file with two writing processes, and the tables they share.

Everything a receipt says is computed in here, inside the transaction that commits what it speaks of,
so that any process may be killed at any moment and a second collector would say the same.

`sync.central.schema` has the tables.
"""

import contextlib
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, TypeAlias

import sqlcipher3.dbapi2

from sync.central import schema, trouble
from sync.central.trouble import CentreDatabaseError

_OLDEST_SQLITE: Final = (3, 51, 3)
"""Below this two writing connections can corrupt a database in WAL mode."""
_BUSY_MS: Final = 15_000
_CHECKED_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""Up to this size the whole file is checked when it is opened: a fraction of a second."""
_ALWAYS_CHECKED: Final = ("units", "sessions", "spans", "receipts", "chains", "counters")
"""What both processes stand on, and small in a database of any size."""

_sqlite: Final[Any] = sqlcipher3.dbapi2
Connection: TypeAlias = Any
"""An `sqlcipher3` connection; the library ships no types."""


def create(path: Path) -> None:
    """Make the database file with its tables.

    Raises:
        CentreDatabaseError: the SQLite library is too old, or the disk does not take the file.
    """
    connection = _connect(path)
    try:
        with write(connection):
            _run(connection, schema.TABLES)
            for step in schema.STEPS.values():
                _run(connection, step)
            connection.execute(f"PRAGMA user_version={schema.VERSION}")
    finally:
        connection.close()
    path.chmod(0o600)


def connect(path: Path) -> Connection:
    """Open the database that `create` made.

    Raises:
        CentreDatabaseError: it is not there, is damaged, cannot be written, has another version, or the
            SQLite library is too old.
    """
    if not path.is_file():
        raise CentreDatabaseError(
            f"There is no centre's database at {path}.",
            next_step="make the centre with `qafila central init`, or name its --home.",
            code="centre-missing",
        )
    connection = _connect(path)
    try:
        with trouble.understood():
            _check_schema(connection)
            _check_pages(connection, path.stat().st_size)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def write(connection: Connection) -> Generator[None]:
    """One durable transaction: everything in it, or nothing.

    Raises:
        CentreDatabaseError: the disk is full, read-only or fails, the file is damaged, or another process
            holds the database too long.
    """
    with trouble.understood():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def raise_alarm(connection: Connection, code: str, unit: str, detail: str, now_ms: int) -> None:
    """Put something before the operator; ``detail`` holds identities only."""
    connection.execute(
        "INSERT INTO alarms (code, unit, detail, raised_ms) VALUES (?, ?, ?, ?)", (code, unit, detail, now_ms)
    )


def count(connection: Connection, code: str, unit: str, n: int, now_ms: int) -> None:
    """Add to a counter."""
    connection.execute(
        "INSERT INTO counters (unit, code, n, last_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (unit, code) DO UPDATE SET n = n + excluded.n, last_ms = excluded.last_ms",
        (unit, code, n, now_ms),
    )


def _connect(path: Path) -> Connection:
    if _sqlite.sqlite_version_info < _OLDEST_SQLITE:
        raise CentreDatabaseError(
            f"The SQLite library is {_sqlite.sqlite_version}, older than 3.51.3, and may damage a database "
            "that two processes write.",
            next_step="install sqlcipher3 0.6.4 or later.",
            code="sqlite-too-old",
        )
    with trouble.understood():
        connection = _sqlite.connect(str(path), isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.execute("PRAGMA secure_delete=ON")  # who is erased is overwritten
            connection.execute("PRAGMA cache_size=-16384")
            connection.execute("PRAGMA journal_size_limit=67108864")
        except BaseException:
            connection.close()
            raise
    return connection


def _run(connection: Connection, statements: str) -> None:
    for statement in re.split(r";(?: *--[^\n]*)?\n", statements):
        if statement.strip():
            connection.execute(statement)


def _bring_up_to_date(connection: Connection) -> None:
    """Take a database to the present schema, a transaction for each step, whichever process comes first."""
    for number, step in schema.STEPS.items():
        if connection.execute("PRAGMA user_version").fetchone() != (number - 1,):
            continue
        with write(connection):
            if connection.execute("PRAGMA user_version").fetchone() == (number - 1,):
                _run(connection, step)
                _run(connection, schema.COMPUTED.get(number, ""))
                connection.execute(f"PRAGMA user_version={number}")


def _check_schema(connection: Connection) -> None:
    _bring_up_to_date(connection)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != schema.VERSION:
        raise CentreDatabaseError(
            f"The centre's database has schema {version}; this program knows schema {schema.VERSION}.",
            next_step="run the version of Qafila that made it.",
            code="centre-schema",
        )


def _check_pages(connection: Connection, size: int) -> None:
    """Look for damage before it is stood upon; in a large database, in its small tables only.

    The rest is noticed when it is met: `trouble.understood` has a word for it then.
    """
    checks = ["quick_check(1)"]
    if size > _CHECKED_WHOLE_BYTES:
        checks = [f"quick_check({table})" for table in _ALWAYS_CHECKED]
    for check in checks:
        if connection.execute(f"PRAGMA {check}").fetchone() != ("ok",):
            raise trouble.damaged()
