"""SQLite under the centre: one file, one writer at a time, nothing to install."""

import contextlib
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import sqlcipher3.dbapi2

from sync.central import trouble
from sync.central.trouble import CentreDatabaseError

_OLDEST_SQLITE: Final = (3, 51, 3)
"""Below this two writing connections can corrupt a database in WAL mode."""
_BUSY_MS: Final = 15_000
_ALWAYS_CHECKED: Final = ("units", "sessions", "spans", "receipts", "chains", "counters")
"""What both processes stand on, and small in a database of any size."""

_sqlite: Final[Any] = sqlcipher3.dbapi2


class SqliteConnection:
    """A connection to the file; other processes may have it open too.

    Raises:
        CentreDatabaseError: the SQLite library is too old, or the file cannot be used.
    """

    sideways = False

    def __init__(self, path: Path) -> None:
        if _sqlite.sqlite_version_info < _OLDEST_SQLITE:
            raise CentreDatabaseError(
                f"The SQLite library is {_sqlite.sqlite_version}, older than 3.51.3, and may damage a "
                "database that two processes write.",
                next_step="install sqlcipher3 0.6.4 or later.",
                code="sqlite-too-old",
            )
        with trouble.understood():
            self.raw: Any = _sqlite.connect(str(path), isolation_level=None)
            self.execute = self.raw.execute
            self.executemany = self.raw.executemany
            try:
                self.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
                self.execute("PRAGMA journal_mode=WAL")
                self.execute("PRAGMA synchronous=FULL")
                self.execute("PRAGMA trusted_schema=OFF")
                self.execute("PRAGMA secure_delete=ON")  # who is erased is overwritten
                self.execute("PRAGMA cache_size=-16384")
                self.execute("PRAGMA journal_size_limit=67108864")
            except BaseException:
                self.raw.close()
                raise

    def insert_many(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        if rows:
            self.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)  # noqa: S608  ours

    def begin(self, units: Iterable[str] | None) -> None:
        del units  # there is one writer at a time, whatever it writes of
        self.execute("BEGIN IMMEDIATE")

    @property
    def in_transaction(self) -> bool:
        return bool(self.raw.in_transaction)

    def try_claim(self, what: str) -> bool:
        del what  # there is one process of a kind, held by a lock file
        return True

    def release(self, what: str) -> None:
        del what

    def version(self) -> int:
        (version,) = self.execute("PRAGMA user_version").fetchone()
        return int(version)

    def set_version(self, version: int) -> None:
        self.execute(f"PRAGMA user_version={version}")

    def run(self, statements: str) -> None:
        for statement in split(statements):
            self.execute(statement)

    def change_mark(self) -> object:
        return self.execute("PRAGMA data_version").fetchone()

    def tables_with(self, column: str) -> list[str]:
        rows = self.execute(
            "SELECT tables.name FROM sqlite_schema AS tables"
            " JOIN pragma_table_info(tables.name) AS columns"
            " WHERE tables.type = 'table' AND columns.name = ?",
            (column,),
        )
        return [name for (name,) in rows.fetchall()]

    def tables(self) -> list[str]:
        rows = self.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        return [name for (name,) in rows.fetchall()]

    def all_of(self, table: str, at_once: int) -> Iterator[list[tuple[Any, ...]]]:
        cursor = self.execute(f"SELECT * FROM {table}")  # noqa: S608  a table of ours
        while rows := cursor.fetchmany(at_once):
            yield rows

    @contextlib.contextmanager
    def one_moment(self) -> Generator[None]:
        self.execute("BEGIN")
        try:
            yield
        finally:
            self.execute("COMMIT")

    def resume_numbers(self) -> None:
        pass  # it goes by the highest row

    def empty_log(self) -> None:
        # Where somebody reads just then it stays for a while, until the next time.
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        self.raw.close()

    def check_pages(self, *, whole: bool) -> None:
        """Look for damage before it is stood upon; in a large database, in its small tables only.

        The rest is noticed when it is met: `trouble.understood` has a word for it then.
        """
        checks = ["quick_check(1)"] if whole else [f"quick_check({table})" for table in _ALWAYS_CHECKED]
        for check in checks:
            if self.execute(f"PRAGMA {check}").fetchone() != ("ok",):
                raise trouble.damaged()


def split(statements: str) -> list[str]:
    """The single statements of a script; each ends with ``;`` at the end of a line."""
    return [each for each in re.split(r";(?: *--[^\n]*)?\n", statements) if each.strip()]
