"""The bytes that stand beside entries, as they leave the box with them: checked, or none."""

import hashlib
from collections.abc import Iterable
from typing import Final, cast

from edge import cbor
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Payload
from edge.store import sqlite
from edge.store.base import Base
from edge.store.sqlite import Row

_BYTES: Final = {
    Kind.WAVE_CHUNK: (Field.WAVEFORM, "SELECT data FROM waveform_chunks WHERE waveform = ? AND number = ?"),
    Kind.ATTACHMENT_PART: (
        Field.ATTACHMENT,
        "SELECT data FROM attachment_parts WHERE attachment = ? AND number = ?",
    ),
}
"""Of each kind of entry with bytes beside it what it is a piece of, and where they are."""
WITH_BYTES: Final = frozenset(map(int, _BYTES))
_PLACES: Final = (
    "SELECT journal.epoch, journal.seq FROM waveform_chunks JOIN journal ON journal.id = entry"
    " WHERE waveform = ? ORDER BY number"
)


class BesideReads(Base):
    """What stands beside entries."""

    def beside(self, entries: Iterable[Entry]) -> dict[int, bytes | None]:
        """By sequence number the bytes of every entry that names some.

        None where they are not here any more, or are not those that were saved: the centre is told, and
        `qafila store verify` says which of the two.
        """
        found: dict[int, bytes | None] = {}
        for entry in entries:
            if entry.kind in _BYTES and entry.payload is not None:
                fields = cast("Payload", cbor.decode(entry.payload))
                whole, query = _BYTES[entry.kind]
                row = self._row(query, fields[whole], fields[Field.CHUNK])
                data: bytes | None = None if row is None else row[0]
                if data is not None and hashlib.sha256(data).digest() != fields[Field.HASH]:
                    data = None
                found[entry.seq] = data
        return found

    def chunk_places(self, waveform: bytes) -> list[int]:
        """The sequence number of each chunk of a recording, in order; 0 for one of an earlier epoch.

        What of an earlier epoch has not been received is journalled again in the present one.
        """
        rows = self._rows(_PLACES, waveform)
        return [seq if epoch == self._epoch.number else 0 for epoch, seq in rows]


def is_whole(connection: sqlite.Connection, kind: int, payload: bytes) -> bool:
    """Whether the bytes beside an entry are those whose hash its payload holds.

    A piece that was journalled again has two entries and one row.
    """
    fields, row = _looked(connection, kind, payload)
    return (
        row is not None and row[0] is not None and hashlib.sha256(row[0]).digest() == fields.get(Field.HASH)
    )


def is_gone(connection: sqlite.Connection, kind: int, payload: bytes) -> bool:
    """Whether there is a row and no bytes in it; whether that may be is for a later entry to say."""
    _, row = _looked(connection, kind, payload)
    return row is not None and row[0] is None


def _looked(connection: sqlite.Connection, kind: int, payload: bytes) -> tuple[Payload, Row | None]:
    fields = cast("Payload", cbor.decode(payload))
    whole, query = _BYTES[Kind(kind)]
    row: Row | None = connection.execute(query, (fields.get(whole), fields.get(Field.CHUNK))).fetchone()
    return fields, row
