"""Leaving an epoch whose history is not the centre's: another begins, and what is uncertain is marked.

The store was an old copy (a card restored, a file copied back). What the centre has *opened* of the epoch
is the same on both sides, because the heads were compared when the watermark moved; everything behind it
may be there, or not, or be something else. It is journalled again in the new epoch with its origin, piece
by piece, and the centre knows by the origin what it has already.
"""

from edge.clock import Moment
from edge.records.fields import Kind, Stream
from edge.store import sqlite
from edge.store.base import Epoch, Whose
from edge.store.creation import begin_epoch
from edge.store.errors import translated


def begin_after(
    connection: sqlite.Connection, whose: Whose, left: Epoch, moment: Moment, reason: str
) -> Epoch:
    """Inside the open transaction: stop the epoch that is left, begin the next, mark what goes along.

    Readings in the tray go along even when they are received: they are assigned by their number in the
    present epoch.
    """
    with translated():
        matched = connection.execute(
            "SELECT opened FROM streams WHERE epoch = ? ORDER BY stream", (left.number,)
        ).fetchall()
        connection.execute(
            "UPDATE streams SET stopped = coalesce(stopped, ?) WHERE epoch = ?", (reason, left.number)
        )
    epoch = begin_epoch(connection, whose, moment, (left.epoch, tuple(opened for (opened,) in matched)))
    with translated():
        connection.execute(
            "UPDATE epochs SET readings = (SELECT readings FROM epochs WHERE number = ?) WHERE number = ?",
            (left.number, epoch.number),
        )
        connection.execute(
            "INSERT INTO forks (epoch, parent, reason, at_ms) VALUES (?, ?, ?, ?)",
            (epoch.number, left.number, reason, moment.wall_ms),
        )
        for stream, (opened,) in zip(Stream, matched, strict=True):
            connection.execute(
                "INSERT OR IGNORE INTO journal_again SELECT id FROM journal WHERE epoch = ? AND stream = ?"
                " AND seq > ? AND kind <> ? AND payload IS NOT NULL",
                (left.number, stream, opened, Kind.GENESIS),
            )
        connection.execute(
            "INSERT OR IGNORE INTO journal_again SELECT entry FROM observations WHERE encounter IS NULL"
        )
    return epoch
