"""The centre's database: SQLite in the home, or PostgreSQL where the home says so.

Everything a receipt says is computed in here, inside the transaction that commits what it speaks of,
so that any process may be killed at any moment and a second collector would say the same.

`sync.central.connection` says what statements may look like, `sync.central.schema` has the tables.
"""

import contextlib
import os
import urllib.parse
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Final

from sync.central import schema, trouble
from sync.central.connection import Connection
from sync.central.sqlite import SqliteConnection
from sync.central.trouble import CentreDatabaseError

__all__ = ["Connection", "connect", "count", "create", "raise_alarm", "write"]

ADDRESS: Final = "database.url"
"""Beside ``central.db``, which is not there then: where PostgreSQL is, with all that is needed to connect."""
_CHECKED_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""Up to this size the whole file is checked when it is opened: a fraction of a second."""


def create(path: Path, place: str | None = None) -> None:
    """Make the tables in an empty database: in this file, or in PostgreSQL, whose place is noted beside.

    Raises:
        CentreDatabaseError: the library is too old, the disk does not take the file, PostgreSQL cannot be
            used or holds a centre already.
    """
    if place is not None:
        create_in(path, place).close()
        note_address(path, place)
        return
    connection = SqliteConnection(path)
    try:
        _make_tables(connection)
    finally:
        connection.close()
    path.chmod(0o600)


def create_in(path: Path, place: str) -> Connection:
    """Make the tables in PostgreSQL, for the home of this path, which does not name it yet.

    Raises:
        CentreDatabaseError: PostgreSQL cannot be used, or holds a centre already.
    """
    _check(place)
    connection = _postgres(path, place)
    try:
        _make_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make_tables(connection: Connection) -> None:
    with write(connection):
        connection.run(schema.TABLES)
        for step in schema.STEPS.values():
            connection.run(step)
        connection.set_version(schema.VERSION)


def connect(path: Path) -> Connection:
    """Open the database that `create` made.

    Raises:
        CentreDatabaseError: it is not there, is damaged, cannot be written, has another version, or its
            library is too old.
    """
    if not path.is_file() and address(path) is None:
        raise CentreDatabaseError(
            f"There is no centre's database at {path}.",
            next_step="make the centre with `qafila central init`, or name its --home.",
            code="centre-missing",
        )
    connection = _open(path)
    try:
        with trouble.understood():
            _check_schema(connection)
            if isinstance(connection, SqliteConnection):
                connection.check_pages(whole=path.stat().st_size <= _CHECKED_WHOLE_BYTES)
    except BaseException:
        connection.close()
        raise
    return connection


def address(path: Path) -> str | None:
    """Where PostgreSQL is, for a home whose database is there.

    Raises:
        CentreDatabaseError: the file that says it cannot be read.
    """
    try:
        return path.with_name(ADDRESS).read_text().strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CentreDatabaseError(
            f"{path.with_name(ADDRESS)} cannot be read.",
            next_step="run this command as the user it belongs to, or write it again.",
            code="database-address",
        ) from error


def note_address(path: Path, place: str) -> None:
    """Have a home's database in PostgreSQL from now on; the file may hold a password."""
    descriptor = os.open(path.with_name(ADDRESS), os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(place + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def write(connection: Connection, units: Iterable[str] | None = None) -> Generator[None]:
    """One durable transaction: everything in it, or nothing.

    Args:
        connection: from `connect`.
        units: of whom something is written. Whoever names none has the whole database to itself; those who
            do wait for one another only where they name the same unit. What is read in here stays so.

    Raises:
        CentreDatabaseError: the disk is full, read-only or fails, the file is damaged, another process
            holds the database too long, or the connection to it is lost.
    """
    with trouble.understood():
        try:
            connection.begin(units)
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
        " ON CONFLICT (unit, code) DO UPDATE SET n = counters.n + excluded.n, last_ms = excluded.last_ms",
        (unit, code, n, now_ms),
    )


def _open(path: Path) -> Connection:
    place = address(path)
    return SqliteConnection(path) if place is None else _postgres(path, place)


def _postgres(path: Path, place: str) -> Connection:
    try:
        from sync.central.postgres import PostgresConnection  # a centre on SQLite needs no psycopg
    except ImportError:
        raise CentreDatabaseError(
            "This installation cannot speak to PostgreSQL.",
            next_step="install Qafila with its extra: qafila[central].",
            code="database-driver-missing",
        ) from None
    return PostgresConnection(place, path.with_name("roots.cbor"))


def _check(place: str) -> None:
    url = urllib.parse.urlsplit(place)
    if url.scheme not in {"postgresql", "postgres"}:
        raise CentreDatabaseError(
            "The database's address is none of PostgreSQL.",
            next_step="write it as postgresql://USER@HOST/NAME.",
            code="database-address",
        )
    if url.password is not None or "password" in urllib.parse.parse_qs(url.query):
        raise CentreDatabaseError(
            "An address on a command line holds no password: everybody on this machine can read it there.",
            next_step="put the password into ~/.pgpass, or write it into database.url afterwards.",
            code="database-password",
        )


def _check_schema(connection: Connection) -> None:
    _bring_up_to_date(connection)
    version = connection.version()
    if version != schema.VERSION:
        raise CentreDatabaseError(
            f"The centre's database has schema {version}; this program knows schema {schema.VERSION}.",
            next_step="run the version of Qafila that made it.",
            code="centre-schema",
        )


def _bring_up_to_date(connection: Connection) -> None:
    """Take a database to the present schema, a transaction for each step, whichever process comes first."""
    for number, step in schema.STEPS.items():
        if connection.version() != number - 1:
            continue
        with write(connection):
            if connection.version() == number - 1:
                connection.run(step)
                connection.run(schema.COMPUTED.get(number, ""))
                connection.set_version(number)
