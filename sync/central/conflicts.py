"""Two contents for one place in a journal: both are kept, and somebody is told."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Final

from sync.central import database, sentences
from sync.central.database import Connection
from sync.central.spans import Journal

_LOG: Final = logging.getLogger("qafila.central")


@dataclasses.dataclass(frozen=True, slots=True)
class Conflict:
    """One place, two contents.

    Attributes:
        kept: the head or leaf that came first.
        other: the one that came second.
    """

    seq: int
    kept: bytes
    other: bytes


def note_conflicts(
    connection: Connection,
    journal: Journal,
    level: str,
    batch: int,
    conflicts: Sequence[Conflict],
    now_ms: int,
) -> bool:
    """Keep a row for each; one alarm for the batch that brought any that is new.

    Args:
        connection: inside the transaction that keeps both contents.
        journal: where.
        level: ``landed`` for two heads after one entry, ``opened`` for two leaves of one entry.
        batch: which landed batch brought the other.
        conflicts: at most one for each entry of the batch.
        now_ms: the centre's time.

    Returns:
        Whether any was new.
    """
    new = [conflict for conflict in conflicts if not _noted(connection, journal, level, conflict)]
    if not new:
        return False
    connection.executemany(
        "INSERT INTO conflicts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*journal.key, one.seq, level, one.other, one.kept, batch, now_ms) for one in new],
    )
    first, last = new[0].seq, new[-1].seq
    detail = f"{journal.stream} {first} to {last} of epoch {journal.epoch}, {level}"
    database.raise_alarm(connection, "conflict", journal.unit, detail, now_ms)
    _LOG.error(
        "conflict",
        extra=sentences.said(
            sentences.CONFLICTS,
            f"conflict-{level}",
            unit=journal.unit,
            stream=journal.stream,
            first=first,
            last=last,
        ),
    )
    return True


def _noted(connection: Connection, journal: Journal, level: str, conflict: Conflict) -> bool:
    row = connection.execute(
        "SELECT 1 FROM conflicts WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ? AND level = ?"
        " AND other = ?",
        (*journal.key, conflict.seq, level, conflict.other),
    ).fetchone()
    return row is not None
