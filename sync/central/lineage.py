"""Epochs that came after others, and epochs that live on although they were left.

A genesis that names a parent says: from the matched entries on, that epoch is not my history any more.
Whoever writes to the parent after that is somebody else with the same card. Nothing of theirs is refused;
the unit is marked, and an operator decides. What was written before may come late, out of a spool, so the
time at which an entry was written decides, by the clock of the box.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Final, cast

import cbor2

from edge.records.fields import Field, Kind, Stream
from sync.central import database, sentences
from sync.central.database import Connection
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal

_LOG: Final = logging.getLogger("qafila.central")


def note(
    connection: Connection,
    news: Iterable[tuple[Journal, OpenedEntry]],
    opened: Iterable[tuple[Journal, Sequence[OpenedEntry]]],
    now_ms: int,
) -> None:
    """Look at what a round has opened, inside the transaction that commits it.

    A row and an alarm for each epoch that came after another, and one for each that lives on. Every genesis
    among what was ``opened`` is in ``news`` too.
    """
    for journal, entry in news:
        if entry.kind == Kind.GENESIS:
            _note_genesis(connection, journal, entry, now_ms)
    together: dict[Journal, list[OpenedEntry]] = {}
    for journal, entries in opened:
        together.setdefault(journal, []).extend(entries)
    for journal, entries in together.items():
        for matched, began_ms in [*_children(connection, journal), *_successors(connection, journal)]:
            written = ((entry.seq, entry.fields.get(Field.WALL_MS)) for entry in entries)
            _note_clone(connection, journal, written, matched, began_ms, now_ms)


def _note_genesis(connection: Connection, journal: Journal, genesis: OpenedEntry, now_ms: int) -> None:
    match genesis.fields.get(Field.PARENT):
        case [bytes(epoch), [*matched]] if len(matched) == len(Stream) and all(
            isinstance(tip, int) for tip in matched
        ):
            parent, tips = epoch.hex(), cast("list[int]", matched)
        case _:
            return
    known = connection.execute(
        "SELECT 1 FROM lineage WHERE unit = ? AND epoch = ?", (journal.unit, journal.epoch)
    ).fetchone()
    if known is not None:
        return  # each of the five streams has a genesis, and all say the same
    began = genesis.fields.get(Field.WALL_MS)
    began_ms = began if isinstance(began, int) else now_ms
    connection.execute(
        "INSERT INTO lineage VALUES (?, ?, ?, ?, ?)",
        (journal.unit, journal.epoch, parent, json.dumps(tips), began_ms),
    )
    database.raise_alarm(connection, "forked", journal.unit, f"epoch {journal.epoch} after {parent}", now_ms)
    _LOG.warning("unit-forked", extra=sentences.said(sentences.HISTORY, "forked", unit=journal.unit))
    for stream in Stream:
        rows = connection.execute(
            "SELECT seq, payload FROM entries WHERE unit = ? AND epoch = ? AND stream = ? AND seq > ?"
            " AND payload <> x''",
            (journal.unit, parent, stream.word, tips[stream]),
        )
        written = ((seq, cbor2.loads(payload).get(Field.WALL_MS)) for seq, payload in rows)
        left = Journal(journal.unit, parent, stream.word)
        _note_clone(connection, left, written, tips, began_ms, now_ms)


def _children(connection: Connection, journal: Journal) -> list[tuple[Sequence[int], int]]:
    rows = connection.execute(
        "SELECT matched, began_ms FROM lineage WHERE unit = ? AND parent = ?", (journal.unit, journal.epoch)
    ).fetchall()
    return [(json.loads(matched), began_ms) for matched, began_ms in rows]


def _successors(connection: Connection, journal: Journal) -> list[tuple[Sequence[int], int]]:
    """Whom the centre has let go on with what this unit wrote: nothing of it is written here after that."""
    rows = connection.execute("SELECT granted_ms FROM grants WHERE former = ?", (journal.unit,)).fetchall()
    return [((0,) * len(Stream), granted_ms) for (granted_ms,) in rows]


def _note_clone(
    connection: Connection,
    left: Journal,
    written: Iterable[tuple[int, object]],
    matched: Sequence[int],
    began_ms: int,
    now_ms: int,
) -> None:
    """Mark the unit when one of these entries was written after the epoch had been left."""
    tip = matched[left.stream_number]
    late = next(
        (seq for seq, at_ms in written if seq > tip and isinstance(at_ms, int) and at_ms > began_ms), None
    )
    known = connection.execute(
        "SELECT 1 FROM clones WHERE unit = ? AND epoch = ?", (left.unit, left.epoch)
    ).fetchone()
    if late is None or known is not None:
        return
    connection.execute("INSERT INTO clones VALUES (?, ?, ?, ?, ?)", (*left.key, late, now_ms))
    database.raise_alarm(
        connection, "cloned", left.unit, f"{left.stream} {late} of epoch {left.epoch}", now_ms
    )
    _LOG.error(
        "unit-cloned",
        extra=sentences.said(sentences.HISTORY, "cloned", unit=left.unit, stream=left.stream, seq=late),
    )
