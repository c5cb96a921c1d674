"""What the centre asks of a database, whichever it is.

Statements are written once, in the SQL that SQLite and PostgreSQL both speak: ``?`` (or ``?1``) for
parameters, ``ON CONFLICT (…)`` with its columns, ``RETURNING``, a name for every subquery, ``x''`` for no
bytes. No rowid, no PRAGMA, no function that only one of them has.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Connection(Protocol):
    """One connection, of one thread.

    Attributes:
        sideways: whether several collectors and several exploders may share the database.
    """

    sideways: bool

    def execute(self, sql: str, parameters: Sequence[object] = (), /) -> Any:  # noqa: ANN401  a cursor of the library
        """Run one statement; outside of `database.write` it is a transaction of its own.

        The cursor gives rows as tuples: ``fetchone``, ``fetchall``, iteration.
        """

    def executemany(self, sql: str, rows: Iterable[Sequence[object]], /) -> object:
        """Run one statement for each row."""

    def insert_many(self, table: str, rows: Sequence[Sequence[object]]) -> None:
        """Add whole rows, every column of the table in its order: COPY where there is one."""

    def begin(self, units: Iterable[str] | None) -> None:
        """Begin a writing transaction; see `database.write`."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        ...

    def try_claim(self, what: str) -> bool:
        """Have something to oneself until `release` or until this connection ends, whatever ends it.

        Whoever claims what is claimed by another connection gets False at once. Claim each thing once.
        """
        ...

    def release(self, what: str) -> None:
        """Let others have it."""

    def version(self) -> int:
        """The schema the tables are of."""
        ...

    def set_version(self, version: int) -> None:
        """Say of which schema they are from now on, in the transaction that makes them so."""

    def run(self, statements: str) -> None:
        """Run definitions of tables as `sync.central.schema` writes them."""

    def change_mark(self) -> object:
        """Another value each time that another connection may have committed something."""
        ...

    def tables_with(self, column: str) -> list[str]:
        """The tables that have a column of that name."""
        ...

    def tables(self) -> list[str]:
        """All tables of the schema."""
        ...

    def all_of(self, table: str, at_once: int) -> Iterator[list[tuple[Any, ...]]]:
        """Every row of a table, so many together; inside `one_moment`."""
        ...

    def one_moment(self) -> AbstractContextManager[None]:
        """Read in here as one moment has it, whatever is committed meanwhile."""
        ...

    def resume_numbers(self) -> None:
        """Count on from the rows that were copied in."""

    def empty_log(self) -> None:
        """Leave as little as may be of what was overwritten or deleted."""

    def close(self) -> None:
        """End it; claims end with it."""
