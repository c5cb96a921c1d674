"""Bytes that stood beside entries, kept by their hash, each patient's apart: so erasing one takes no other's.

They are written in the transaction that commits their entries, after they were held against the hash that
the chain holds. So a receipt for an entry is one for its bytes.
"""

import dataclasses
from typing import Final

from sync.central import database
from sync.central.database import Connection
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal
from sync.wire.beside import Named

GONE: Final = "bytes-gone"
"""An alarm: a unit has sent an entry again whose bytes it has no more, and they are not here either."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Kept:
    journal: Journal
    seq: int
    patient: str
    named: Named
    data: bytes | None


class Beside:
    """Gathers bytes while batches are opened; `commit` writes them."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def add(self, journal: Journal, entry: OpenedEntry, patient: str | None) -> None:
        if entry.named is not None:
            self._kept.append(_Kept(journal, entry.seq, patient or "", entry.named, entry.data))

    def commit(self, connection: Connection, now_ms: int) -> None:
        """Write them; in the transaction of their entries."""
        for each in self._kept:
            if each.data is not None:
                connection.execute(
                    "INSERT INTO blobs VALUES (?, ?, ?, ?, ?) ON CONFLICT (patient, hash) DO NOTHING",
                    (each.patient, each.named.hash, each.named.size, now_ms, each.data),
                )
        for each in self._kept:
            if each.data is None and not _is_there(connection, each):
                detail = f"{each.journal.stream} {each.seq} of epoch {each.journal.epoch}"
                database.raise_alarm(connection, GONE, each.journal.unit, detail, now_ms)


def _is_there(connection: Connection, kept: _Kept) -> bool:
    found = connection.execute(
        "SELECT 1 FROM blobs WHERE patient = ? AND hash = ?", (kept.patient, kept.named.hash)
    ).fetchone()
    return found is not None
