"""Photos and documents in the store: what is said of each, and its parts, each beside its entry.

A part stands beside the entry that holds its hash, as samples of waves do: it may go one day, and whoever
changed it would have to change the chain.
"""

import hashlib
from typing import Final

from edge.records.fields import Field, Payload, Stream
from edge.records.identity import EntryId
from edge.store import sqlite
from edge.store.base import Base, Epoch
from edge.store.errors import StoreDamaged, StoreRefused
from edge.store.merging import WHOLE
from edge.store.rows import Attachment
from edge.store.sqlite import Row

_ATTACHMENTS: Final = (
    "SELECT epochs.epoch, journal.epoch, journal.stream, journal.seq, attachment, request,"
    " attachments.patient, media, caption, hash, size, parts, operator, wall_ms"
    " FROM attachments JOIN journal ON journal.id = entry JOIN epochs ON epochs.number = journal.epoch"
)
_PART: Final = "SELECT hash, data FROM attachment_parts WHERE attachment = ? AND number = ?"
_PLACES: Final = (
    "SELECT journal.epoch, journal.seq, data IS NOT NULL FROM attachment_parts"
    " JOIN journal ON journal.id = entry WHERE attachment = ? ORDER BY number"
)
_AHEAD: Final = (
    "SELECT max(journal.seq) FROM expertise JOIN attachments ON attachments.request = expertise.request"
    " JOIN attachment_parts ON attachment_parts.attachment = attachments.attachment"
    " JOIN journal ON journal.id = attachment_parts.entry WHERE urgency <> 'routine' AND journal.epoch = ?"
)


# ── from entries to rows ─────────────────────────────────────────────────────────────────────────


def project_attachment(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """`Kind.ATTACHMENT`."""
    said = (Field.ATTACHMENT, Field.EXPERTISE, Field.PATIENT, Field.MEDIA_TYPE)
    connection.execute(
        "INSERT INTO attachments (entry, attachment, request, patient, media, caption, hash, size, parts,"
        " operator, wall_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry,
            *(payload[field] for field in said),
            payload.get(Field.CAPTION, ""),
            *(payload[field] for field in (Field.WHOLE, Field.SIZE, Field.COUNT)),
            *(payload.get(Field.OPERATOR), payload.get(Field.WALL_MS)),
        ),
    )


def project_part(connection: sqlite.Connection, _epoch: Epoch, entry: int, payload: Payload) -> None:
    """`Kind.ATTACHMENT_PART`, without its bytes: `Transaction.keep_part` brings them."""
    put = connection.execute(
        "INSERT INTO attachment_parts (entry, attachment, number, patient, hash, size)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM attachments WHERE attachment = ?2"
        " AND parts >= ?3) AND ?3 = 1 + (SELECT count(*) FROM attachment_parts WHERE attachment = ?2)",
        part_row(entry, payload),
    )
    if put.rowcount != 1:
        raise out_of_order()


def part_row(entry: int, payload: Payload) -> tuple[object, ...]:
    """The first six columns of a part."""
    fields = (Field.ATTACHMENT, Field.CHUNK, Field.PATIENT, Field.HASH, Field.SIZE)
    return (entry, *(payload[field] for field in fields))


def out_of_order() -> StoreRefused:
    """A part that does not follow the one before it, or bytes that are not a part's."""
    return StoreRefused(
        "A part of an attachment does not fit: nothing was saved.",
        next_step="Report it as a bug.",
        code="attachment-out-of-order",
    )


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


class AttachmentReads(Base):
    """What can be asked of attachments."""

    def attachment(self, attachment: bytes) -> Attachment | None:
        row = self._row(_ATTACHMENTS + " WHERE attachment = ?", attachment)
        return None if row is None else self._attachment(row)

    def attachments_to(self, request: bytes) -> list[Attachment]:
        """What a request has with it, in the order in which it was attached."""
        rows = self._rows(_ATTACHMENTS + " WHERE request = ? ORDER BY entry", request)
        return [self._attachment(row) for row in rows]

    def attachments_of(self, patient: bytes) -> list[Attachment]:
        """Those about a patient and everybody merged into them, the latest first."""
        rows = self._rows(
            f"{_ATTACHMENTS} WHERE attachments.patient IN ({WHOLE}) ORDER BY entry DESC", patient
        )
        return [self._attachment(row) for row in rows]

    def part_places(self, attachment: bytes) -> list[tuple[int, bool]]:
        """Of each part its sequence number, 0 in an earlier epoch, and whether its bytes are here."""
        rows = self._rows(_PLACES, attachment)
        return [(seq if epoch == self._epoch.number else 0, bool(here)) for epoch, seq, here in rows]

    def attachment_part(self, attachment: bytes, number: int) -> bytes:
        """One part, checked against the hash in its entry.

        Raises:
            StoreDamaged: it is not what was saved (``attachment-changed``), or was lost with a damaged
                store (``attachment-incomplete``).
            StoreRefused: it is not kept here any more (``attachment-at-centre``).
        """
        row = self._row(_PART, attachment, number)
        if row is None:
            raise StoreDamaged(
                "A part of this file was lost with a damaged store.",
                next_step="Ask the centre for it, or attach it again.",
                code="attachment-incomplete",
            )
        hash_, data = row
        if data is None:
            raise StoreRefused(
                "This file is not kept on the unit any more; it is at the centre.",
                next_step="Ask the centre for it.",
                code="attachment-at-centre",
            )
        if hashlib.sha256(data).digest() != hash_:
            raise _changed()
        return bytes(data)

    def ahead_through(self) -> int:
        """The last entry of `Stream.DOC` that an urgent request waits for; 0 where none does."""
        row = self._row(_AHEAD, self._epoch.number)
        return 0 if row is None or row[0] is None else int(row[0])

    def _attachment(self, row: Row) -> Attachment:
        epoch, number, stream, seq, attachment, request, patient, media, caption = row[:9]
        hash_, size, parts, operator, wall_ms = row[9:]
        return Attachment(
            entry=EntryId(self._whose.unit, epoch, Stream(stream), seq),
            earlier=number != self._epoch.number,
            attachment=attachment,
            request=request,
            patient=patient,
            media=media,
            caption=caption,
            hash=hash_,
            size=size,
            parts=parts,
            operator=operator,
            wall_ms=wall_ms,
        )


def _changed() -> StoreDamaged:
    return StoreDamaged(
        "A part of this file is not what was saved; it is not shown.",
        next_step="Run `qafila store verify`, and call those who answer for this unit.",
        code="attachment-changed",
    )
