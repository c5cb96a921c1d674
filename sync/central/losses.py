"""What a unit has lost and says so: entries that nobody can read any more are counted, never passed over.

A unit whose card rotted goes on in a new epoch with all that could be read, and names there what could not,
signed like every entry. The centre may have some of it from before; only what it lacks is lost.
"""

import logging
from collections.abc import Iterable
from typing import Final

from edge.cbor import Value
from edge.records.fields import Field, Kind, Stream
from sync.central import database, sentences
from sync.central.database import Connection
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal

_LOG: Final = logging.getLogger("qafila.central")
_EPOCH_BYTES: Final = 8
_THERE: Final = (
    "SELECT count(*) FROM ("
    "SELECT seq FROM entries WHERE unit = ?1 AND epoch = ?2 AND stream = ?3 AND seq BETWEEN ?4 AND ?5"
    " UNION SELECT origin_seq FROM entries WHERE unit = ?1 AND origin_epoch = ?2 AND origin_stream = ?3"
    " AND origin_seq BETWEEN ?4 AND ?5) AS there"
)
_Lost = tuple[str, str, int, int]
"""Epoch, stream, first and last."""


def note(connection: Connection, opened: Iterable[tuple[Journal, OpenedEntry]], now_ms: int) -> None:
    """Look at what a round has opened, inside the transaction that commits it; one alarm for each entry."""
    for journal, entry in opened:
        if entry.kind != Kind.VOID:
            continue
        reason = entry.fields.get(Field.REASON)
        spans = [span for item in _items(entry.fields.get(Field.SPANS)) if (span := _span(item)) is not None]
        new = [span for span in spans if not _is_known(connection, journal.unit, span)]
        connection.executemany(
            "INSERT INTO losses VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(journal.unit, *span, reason if isinstance(reason, str) else "", now_ms) for span in new],
        )
        if new:
            detail = ", ".join(f"{stream} {first} to {last}" for _, stream, first, last in new[:8])
            database.raise_alarm(connection, "loss-reported", journal.unit, detail, now_ms)
            _LOG.error(
                "loss-reported",
                extra=sentences.said(sentences.HISTORY, "loss-reported", unit=journal.unit),
            )


def lost(connection: Connection, unit: str) -> int:
    """How many entries a unit has reported lost that did not come before, nor after."""
    spans = connection.execute(
        "SELECT epoch, stream, first, last FROM losses WHERE unit = ?", (unit,)
    ).fetchall()
    missing = 0
    for epoch, stream, first, last in spans:
        [(there,)] = connection.execute(_THERE, (unit, epoch, stream, first, last)).fetchall()
        missing += last - first + 1 - int(there)
    return missing


def _is_known(connection: Connection, unit: str, span: _Lost) -> bool:
    """Whether it was said before: such an entry may be journalled again like any other."""
    row = connection.execute(
        "SELECT 1 FROM losses WHERE unit = ? AND epoch = ? AND stream = ? AND first = ? AND last = ?",
        (unit, *span),
    ).fetchone()
    return row is not None


def _items(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _span(item: Value) -> _Lost | None:
    match item:
        case [bytes(epoch), int(stream), int(first), int(last)] if (
            len(epoch) == _EPOCH_BYTES and 0 <= stream <= max(Stream) and 1 <= first <= last < 2**63
        ):
            return epoch.hex(), Stream(stream).word, first, last
        case _:
            return None
