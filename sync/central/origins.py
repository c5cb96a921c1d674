"""Entries that were journalled again: which of them are there already under another identity.

A unit whose store went back in time cannot know what of its uncertain entries has arrived, so it sends
them again in a new epoch, each with its origin. The two may come in any order. They are one entry when kind
and payload are the same but for the two fields in which they must differ: the origin itself, and the secret,
which goes with whichever of a patient's entries is the first of an epoch. Leaves cannot be compared: each is
salted with its own place. An origin with another content is another entry, and both are kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import cbor2

from edge.records.fields import Field
from sync.central.database import Connection
from sync.central.grants import Families
from sync.central.readers import Fields
from sync.central.rows import OpenedEntry, Place, first_place, has_origin
from sync.central.spans import Journal

_MAY_DIFFER: Final = {Field.ORIGIN, Field.SALT}
_COPIES: Final = (
    "SELECT origin_seq, kind, payload FROM entries WHERE unit = ? AND origin_epoch = ? AND origin_stream = ?"
    " AND origin_seq BETWEEN ? AND ? AND payload <> x''"
)
_ANY_COPY: Final = "SELECT 1 FROM entries WHERE unit = ? AND origin_epoch = ? AND origin_stream = ? LIMIT 1"
_ORIGINAL: Final = (
    "SELECT kind, payload FROM entries WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?"
    " AND origin_epoch IS NULL AND payload <> x''"
)
_FIRST: Final = (
    "SELECT origin_epoch, origin_stream, origin_seq FROM entries WHERE unit = ? AND epoch = ? AND stream = ?"
    " AND seq = ? AND origin_epoch IS NOT NULL"
)


class Origins:
    """Looks among what is committed and what a round has opened so far."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._families = Families(connection)

    def family(self, unit: str) -> tuple[str, ...]:
        """The units whose entries may be the same: this one, and those that it continues."""
        return self._families.of(unit)

    def may_be_elsewhere(self, journal: Journal) -> bool:
        """Whether any entry of a journal may be there under another identity, as far as is committed."""
        if len(self.family(journal.unit)) > 1:
            return True
        return self._connection.execute(_ANY_COPY, journal.key).fetchone() is not None

    def elsewhere(
        self,
        journal: Journal,
        entries: Sequence[OpenedEntry],
        fresh: Mapping[tuple[str, Place], Sequence[OpenedEntry]],
    ) -> set[int]:
        """The seqs of those entries of a batch that are there under another identity.

        Args:
            journal: of the batch.
            entries: the batch, dense and in order.
            fresh: what the round has opened before, by unit and first place.
        """
        there: dict[Place, list[tuple[int, Fields]]] = {}
        units = self.family(journal.unit)
        for unit in units:
            self._find_copies(there, unit, (journal.epoch, journal.stream), entries[0].seq, entries[-1].seq)
        found: set[int] = set()
        for entry in entries:
            place = first_place(journal, entry)
            if has_origin(entry):
                for unit in units:
                    self._find_copies(there, unit, place[:2], place[2], place[2])
                    rows = self._connection.execute(_ORIGINAL, (unit, *place)).fetchall()
                    there.setdefault(place, []).extend((kind, cbor2.loads(payload)) for kind, payload in rows)
            candidates = there.get(place, [])
            for unit in units:
                candidates += [(each.kind, each.fields) for each in fresh.get((unit, place), ())]
            if any(_same(entry, kind, fields) for kind, fields in candidates):
                found.add(entry.seq)
        return found

    def first_of(self, unit: str, place: Place, fresh: Mapping[tuple[str, Place], Place]) -> Place:
        """What an entry was called first, as far as it is known; ``fresh`` is of the round."""
        row: tuple[Any, ...] | None = self._connection.execute(_FIRST, (unit, *place)).fetchone()
        if row is None:
            return fresh.get((unit, place), place)
        epoch, stream, seq = row
        return str(epoch), str(stream), int(seq)

    def _find_copies(
        self,
        there: dict[Place, list[tuple[int, Fields]]],
        unit: str,
        stream: tuple[str, str],
        first: int,
        last: int,
    ) -> None:
        rows = self._connection.execute(_COPIES, (unit, *stream, first, last)).fetchall()
        for seq, kind, payload in rows:
            there.setdefault((*stream, seq), []).append((kind, cbor2.loads(payload)))


def _same(entry: OpenedEntry, kind: int, fields: Fields) -> bool:
    return entry.kind == kind and _said(entry.fields) == _said(fields)


def _said(fields: Fields) -> Fields:
    return {field: value for field, value in fields.items() if field not in _MAY_DIFFER}
