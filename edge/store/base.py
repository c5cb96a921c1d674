"""What every part of the store shares: the connection, the present epoch, translated errors."""

import dataclasses

from edge.store import sqlite
from edge.store.errors import from_sqlite
from edge.store.sqlite import Row


@dataclasses.dataclass(frozen=True, slots=True)
class Epoch:
    """The present epoch: its number in rows, its eight bytes outside, and S_0."""

    number: int
    epoch: bytes
    secret: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Whose:
    """Whose store it is; fixed when it is made."""

    unit: str
    realm: str


class Base:
    """One connection and what is known of the store without asking it again."""

    def __init__(self, connection: sqlite.Connection, whose: Whose, epoch: Epoch) -> None:
        self._connection = connection
        self._whose = whose
        self._epoch = epoch

    def _run(self, sql: str, *values: object) -> int:
        """Execute one statement; how many rows it changed."""
        try:
            return self._connection.execute(sql, values).rowcount
        except sqlite.Error as error:
            raise from_sqlite(error) from None

    def _rows(self, sql: str, *values: object) -> list[Row]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite.Error as error:
            raise from_sqlite(error) from None

    def _row(self, sql: str, *values: object) -> Row | None:
        try:
            return self._connection.execute(sql, values).fetchone()
        except sqlite.Error as error:
            raise from_sqlite(error) from None
