"""Rows and payloads of patients who are erased at the centre; a leaf and a head stay of every entry."""

from collections.abc import Iterable
from typing import Final

from edge.records.fields import Stream
from sync.central import expecting
from sync.central.database import Connection

GONE: Final = b""
"""The payload of an entry that was erased."""
_NOT_ROWS: Final = frozenset({"entries", "secrets", "erasures", "erased_people"})


def erase_patient(connection: Connection, patient: str) -> None:
    """Rows and payloads of one patient; what was assigned to them out of the tray too."""
    assigned = connection.execute(
        "SELECT unit, assigned_epoch, ?, assigned FROM assignments WHERE patient = ?",
        (Stream.VITALS.word, patient),
    ).fetchall()
    erase_entries(connection, assigned)
    expecting.leave_out(connection, patient)
    for table in _tables(connection, "patient"):
        connection.execute(f'DELETE FROM "{table}" WHERE patient = ?', (patient,))  # noqa: S608  our tables
    connection.execute(
        "UPDATE entries SET payload = ?, request = NULL, device_record = NULL, code = NULL"
        " WHERE patient = ? AND payload <> ?",
        (GONE, patient, GONE),
    )


def erase_entries(connection: Connection, places: Iterable[tuple[str, str, str, int]]) -> None:
    """The payloads of these entries, and what rows were made of them."""
    tables = [table for table in _tables(connection, "leaf") if table not in _NOT_ROWS]
    for place in places:
        for table in tables:
            connection.execute(
                f'DELETE FROM "{table}" WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?',  # noqa: S608
                place,
            )
        connection.execute(
            "UPDATE entries SET payload = ?, request = NULL, device_record = NULL, code = NULL"
            " WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?",
            (GONE, *place),
        )


def _tables(connection: Connection, column: str) -> list[str]:
    """Every table of rows with such a column, those of later schemas too."""
    return [name for name in connection.tables_with(column) if name not in _NOT_ROWS]


def drop_opened_batches(connection: Connection, unit: str) -> None:
    """The sealed bytes of what was opened: nobody needs them, and the centre's key opens them."""
    connection.execute("UPDATE landing SET raw = x'' WHERE unit = ? AND settled = 1 AND raw <> x''", (unit,))
