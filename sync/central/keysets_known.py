"""Which keyset each unit has said it believes: an entry of its audit trail, signed like every other."""

from collections.abc import Iterable
from typing import Final

from edge.records.fields import Field, Kind
from sync.central.connection import Connection
from sync.central.rows import OpenedEntry
from sync.central.spans import Journal

PINNED: Final = "keyset.pinned"
_MOST_DIGITS: Final = 18


def note(connection: Connection, opened: Iterable[tuple[Journal, OpenedEntry]], now_ms: int) -> None:
    """Take what a round has opened, inside the transaction that commits it. The highest version stands."""
    for journal, entry in opened:
        if entry.kind != Kind.ACCESS or entry.fields.get(Field.ACTION) != PINNED:
            continue
        version = entry.fields.get(Field.OBJECT)
        if isinstance(version, str) and version.isascii() and version.isdecimal():
            connection.execute(
                "INSERT INTO keysets_of_units VALUES (?, ?, ?) ON CONFLICT (unit) DO UPDATE"
                " SET version = excluded.version, told_ms = excluded.told_ms"
                " WHERE excluded.version > keysets_of_units.version",
                (journal.unit, int(version[:_MOST_DIGITS]), now_ms),
            )
