"""What lies sealed in the landing goes when it is of no more use: its bytes, and the keys that open it.

A batch that is opened, or covered by others, stands in the tables. What it was sealed in stays for thirty
days, should the tables have to be made again, and is then destroyed with its session's key message; so
whoever is erased from the tables is not left over there for longer.
"""

from typing import Final

from sync.central import database
from sync.central.database import Connection

KEPT_MS: Final = 30 * 86_400_000
EVERY_MS: Final = 3_600_000
_ROWS: Final = 500
"""So many rows are looked at in one go; the collector waits that long."""


class Retention:
    """Walks through the landing, a piece at a time, an hour between two walks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._place = 0
        self._next_ms = 0

    def look(self, now_ms: int) -> bool:
        """Destroy what is due of the next piece; whether there is more to look at now."""
        if now_ms < self._next_ms:
            return False
        rows = self._connection.execute(
            "SELECT id, settled, landed_ms, length(raw) FROM landing WHERE id > ? ORDER BY id LIMIT ?",
            (self._place, _ROWS),
        ).fetchall()
        due = [row[0] for row in rows if row[1] and row[3] and row[2] < now_ms - KEPT_MS]
        if due:
            with database.write(self._connection, ()):
                self._connection.executemany("UPDATE landing SET raw = x'' WHERE id = ?", [(i,) for i in due])
        if len(rows) == _ROWS and rows[-1][2] < now_ms - KEPT_MS:
            self._place = rows[-1][0]
            return True
        self._place, self._next_ms = 0, now_ms + EVERY_MS
        self._drop_keys(now_ms)
        return False

    def _drop_keys(self, now_ms: int) -> None:
        """The key messages of sessions of which nothing waits any more.

        They count as missing from then on: should more of such a session come, it is asked for again.
        """
        old = (now_ms - KEPT_MS,)
        where = (
            "raw IS NOT NULL AND since_ms < ? AND NOT EXISTS (SELECT 1 FROM landing"
            " WHERE landing.unit = sessions.unit AND landing.session = sessions.session AND settled = 0)"
        )
        if self._connection.execute(f"SELECT 1 FROM sessions WHERE {where} LIMIT 1", old).fetchone():  # noqa: S608  ours
            with database.write(self._connection, ()):
                gone = "UPDATE sessions SET raw = NULL, state = 'missing' WHERE "
                self._connection.execute(gone + where, old)
