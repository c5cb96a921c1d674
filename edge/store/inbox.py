"""What came down from the centre: once each, whole or not at all, and who has read it.

The content stands beside its entry, which holds its digest: whoever changed it would have to change the
chain.
"""

import hashlib
from typing import Final

from edge.records.fields import Field, Payload
from edge.store import sqlite
from edge.store.base import Base, Epoch
from edge.store.errors import StoreDamaged, StoreRefused
from edge.store.expertise import EVENT_OF_KIND, move
from edge.store.rows import DownMessage
from edge.store.sqlite import Row

APPLIED: Final = "applied"
_MESSAGES: Final = (
    "SELECT digest, message, kind, outcome, patient, request, content, signer, made_ms, received_ms, read_ms,"
    " read_by FROM inbox"
)
_FIELDS: Final = (
    *(Field.MESSAGE, Field.DOWN_KIND, Field.OUTCOME, Field.PATIENT, Field.EXPERTISE, Field.DIGEST),
    Field.WALL_MS,
)


def project_received(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """`Kind.RECEIVED`: its row without its content, which `Transaction.keep_content` brings."""
    connection.execute(
        "INSERT INTO inbox (entry, message, kind, outcome, patient, request, digest, received_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (entry, *(payload.get(field) for field in _FIELDS)),
    )
    event = EVENT_OF_KIND.get(str(payload[Field.DOWN_KIND]))
    if payload[Field.OUTCOME] == APPLIED and event is not None and Field.EXPERTISE in payload:
        move(connection, payload[Field.EXPERTISE], event)


def project_read(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    """`Kind.READ`: the first who has read it stands there."""
    read = connection.execute(
        "UPDATE inbox SET read_ms = ?, read_by = ? WHERE message = ? AND read_ms IS NULL",
        (payload.get(Field.WALL_MS, 0), payload.get(Field.OPERATOR, ""), payload[Field.MESSAGE]),
    )
    if read.rowcount != 1:
        raise StoreRefused(
            "This message was read before, or is not here: nothing was saved.",
            next_step="Look at the messages again.",
            code="message-read",
        )


class InboxReads(Base):
    """What can be asked of what came down."""

    def message(self, message: bytes) -> DownMessage | None:
        row = self._row(_MESSAGES + " WHERE message = ?", message)
        return None if row is None else _message(row)

    def messages(self, kinds: tuple[str, ...], limit: int = 200) -> list[DownMessage]:
        """What was applied of these kinds, the latest first."""
        marks = ", ".join("?" * len(kinds))
        rows = self._rows(
            f"{_MESSAGES} WHERE kind IN ({marks}) AND outcome = ? ORDER BY entry DESC LIMIT ?",
            *(*kinds, APPLIED, limit),
        )
        return [_message(row) for row in rows]

    def messages_about(self, request: bytes) -> list[DownMessage]:
        """What came about a request, in the order of coming."""
        rows = self._rows(_MESSAGES + " WHERE request = ? AND outcome = ? ORDER BY entry", request, APPLIED)
        return [_message(row) for row in rows]

    def unread(self, kinds: tuple[str, ...]) -> int:
        """How many messages of these kinds nobody has read."""
        marks = ", ".join("?" * len(kinds))
        row = self._row(
            f"SELECT count(*) FROM inbox WHERE read_ms IS NULL AND outcome = ? AND kind IN ({marks})",  # noqa: S608  ours
            *(APPLIED, *kinds),
        )
        return 0 if row is None else int(row[0])

    def expected(self, after_ms: int, text: str = "", limit: int = 500) -> list[tuple[bytes, str, int]]:
        """Whom the centre expects here after a time: id, JSON of the person, until when."""
        rows = self._rows(
            "SELECT patient, person, expires_ms FROM expected WHERE expires_ms >= ? AND instr(norm, ?)"
            " AND patient NOT IN (SELECT patient FROM patients) ORDER BY norm, patient LIMIT ?",
            *(after_ms, text, limit),
        )
        return [(patient, person, expires_ms) for patient, person, expires_ms in rows]


def _message(row: Row) -> DownMessage:
    digest, *rest = row
    found = DownMessage(*rest)
    if found.content is not None and hashlib.sha256(found.content).digest() != digest:
        raise StoreDamaged(
            "A message of the centre's is not what came: it is not shown.",
            next_step="Ask the centre to send it again.",
        )
    return found
