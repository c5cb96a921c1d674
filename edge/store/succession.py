"""One unit's store becomes another's: the copy of a lost unit goes on under the box that takes its place.

The copy takes the box's name, its keys, and the epochs that the box has written so far; the box must not
have cared for anybody yet. What the lost unit had not been told to be received is marked to be journalled
again. Epochs of two units then stand in one store; each says in its genesis whose it is.
"""

from typing import Final, cast

from edge import cbor
from edge.backups import BackupRefused
from edge.records.fields import Kind, Payload
from edge.store import sqlite
from edge.store.base import Epoch
from edge.store.errors import translated
from edge.store.projection import project
from edge.store.store import Store

SUCCEEDED: Final = "succeeded"
"""Why the streams of the unit before are stopped."""
_OF_PATIENTS: Final = ("patients", "encounters", "observations", "waveforms")
_META: Final = ("unit", "sign-private", "recv-private", "slots-generation")


def take_over(copy: Store, mine: Store) -> None:
    """Make ``copy``, of another unit, this unit's store; to be opened anew after that.

    Raises:
        BackupRefused: this unit has patients of its own; nothing was changed.
    """
    with translated():
        # Two stores side by side, as nowhere else.
        own = mine._connection  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        _check_empty(own)
        connection = copy._connection  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        connection.execute("BEGIN IMMEDIATE")
        try:
            _leave(connection)
            _bring_epochs(own, connection)
            for name in _META:
                [(value,)] = own.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchall()
                connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _check_empty(own: sqlite.Connection) -> None:
    for table in _OF_PATIENTS:
        [(rows,)] = own.execute(f"SELECT count(*) FROM {table}").fetchall()  # noqa: S608  names of our own
        if rows:
            raise BackupRefused(
                "This unit has patients of its own: another unit's backup cannot take its store's place.",
                next_step="Restore it on a box that has cared for nobody yet.",
                code="backup-no-successor",
            )


def _leave(connection: sqlite.Connection) -> None:
    """Mark what the centre may not have of the unit before; its streams stop."""
    [(last,)] = connection.execute("SELECT max(number) FROM epochs").fetchall()
    connection.execute(
        "INSERT OR IGNORE INTO journal_again SELECT journal.id FROM journal"
        " JOIN streams ON streams.epoch = journal.epoch AND streams.stream = journal.stream"
        " WHERE journal.epoch = ? AND seq > opened AND kind <> ? AND payload IS NOT NULL",
        (last, Kind.GENESIS),
    )
    connection.execute(
        "INSERT OR IGNORE INTO journal_again SELECT entry FROM observations WHERE encounter IS NULL"
    )
    connection.execute("UPDATE streams SET stopped = coalesce(stopped, ?)", (SUCCEEDED,))


def _bring_epochs(own: sqlite.Connection, connection: sqlite.Connection) -> None:
    """Append this unit's own epochs behind those of the unit before, with what comes of their entries."""
    for number, name, secret, readings in own.execute(
        "SELECT number, epoch, secret, readings FROM epochs ORDER BY number"
    ).fetchall():
        cursor = connection.execute(
            "INSERT INTO epochs (epoch, secret, readings) VALUES (?, ?, ?)", (name, secret, readings)
        )
        epoch = Epoch(int(cursor.lastrowid or 0), name, secret)
        streams = own.execute(
            "SELECT stream, tip, head, landed, opened, stopped FROM streams WHERE epoch = ?", (number,)
        ).fetchall()
        connection.executemany(
            "INSERT INTO streams (epoch, stream, tip, head, landed, opened, stopped)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(epoch.number, *row) for row in streams],
        )
        receipts = own.execute(
            "SELECT level, generation, rseq FROM receipts WHERE epoch = ?", (number,)
        ).fetchall()
        connection.executemany(
            "INSERT INTO receipts (epoch, level, generation, rseq) VALUES (?, ?, ?, ?)",
            [(epoch.number, *row) for row in receipts],
        )
        entries = own.execute(
            "SELECT stream, seq, kind, patient, payload, leaf, head FROM journal WHERE epoch = ? ORDER BY id",
            (number,),
        )
        for stream, seq, kind, patient, payload, leaf, head in entries:
            entry = connection.execute(
                "INSERT INTO journal (epoch, stream, seq, kind, patient, payload, leaf, head)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (epoch.number, stream, seq, kind, patient, payload, leaf, head),
            ).lastrowid
            if payload is not None and kind in set(Kind):
                project(connection, epoch, Kind(kind), entry or 0, cast("Payload", cbor.decode(payload)))
