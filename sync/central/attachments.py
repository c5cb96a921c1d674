"""Photos and documents at the centre, for people: how much of each has come, and one of them as a file."""

import dataclasses
import hashlib
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar, Final

from edge.errors import QafilaError
from sync.central import database, trouble
from sync.central.database import Connection
from sync.central.home import CentreHome

_SAID: Final = (
    "SELECT attachment, unit, request, patient, media, caption, hash, size, parts, operator, wall_ms"
    " FROM attachments WHERE {which} = ? ORDER BY wall_ms, unit, epoch, seq, leaf"
)
_PARTS: Final = (
    "SELECT number, {what} FROM attachment_parts JOIN blobs"
    " ON blobs.patient = coalesce(attachment_parts.patient, '') AND blobs.hash = attachment_parts.hash"
    " WHERE attachment = ? ORDER BY number"
)
_THERE: Final = _PARTS.format(what="attachment_parts.size")
_BYTES: Final = _PARTS.format(what="attachment_parts.hash, blobs.data")


class AttachmentMissing(QafilaError):
    """There is no such attachment, not all of it has come, or it is not what was attached."""

    code: ClassVar[str] = "attachment-unknown"


@dataclasses.dataclass(frozen=True, slots=True)
class ReceivedAttachment:
    """A photo or document as far as it has come.

    Attributes:
        attachment, request, patient: ids in hex.
        media: its type, such as ``image/jpeg``.
        size: bytes of the whole file.
        parts: how many it comes in; ``received`` of them are here.
        received_bytes: what those are together.
        hash: SHA-256 of the whole file, in hex.
    """

    attachment: str
    unit: str
    request: str
    patient: str
    media: str
    caption: str | None
    size: int
    parts: int
    received: int
    received_bytes: int
    hash: str
    operator: str | None
    wall_ms: int | None

    @property
    def complete(self) -> bool:
        """Whether all of it is here."""
        return self.received == self.parts

    def as_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "complete": self.complete}


def of_request(connection: Connection, request: str) -> tuple[ReceivedAttachment, ...]:
    """What a request has with it, in the order in which it was attached; ``request`` in hex."""
    rows = connection.execute(_SAID.format(which="request"), (request,)).fetchall()
    return tuple(_received(connection, row) for row in _each_once(rows))


def export(home: CentreHome, id_: str) -> tuple[ReceivedAttachment, bytes]:
    """One attachment, whole: every part held against its hash, the file against its own.

    Raises:
        AttachmentMissing: there is none of that id (``attachment-unknown``), not all of it has come
            (``attachment-incomplete``), or what is here is not what was attached (``attachment-damaged``).
        CentreDatabaseError: the database cannot be used.
    """
    home.read_settings()
    try:
        attachment = uuid.UUID(id_).hex
    except ValueError:
        attachment = ""
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            rows = connection.execute(_SAID.format(which="attachment"), (attachment,)).fetchall()
            if not rows:
                raise AttachmentMissing(
                    "No attachment with this id has come.",
                    next_step="look it up with `qafila central requests ID`.",
                )
            said = _received(connection, rows[0])
            if not said.complete:
                raise AttachmentMissing(
                    f"{said.received} of {said.parts} parts have come; nothing was written.",
                    next_step="wait until the unit has sent the rest.",
                    code="attachment-incomplete",
                )
            parts = dict[int, bytes]()
            for number, hash_, data in connection.execute(_BYTES, (attachment,)).fetchall():
                if hashlib.sha256(data).digest() == hash_:
                    parts.setdefault(number, bytes(data))
            content = b"".join(parts.get(number, b"") for number in range(1, said.parts + 1))
    finally:
        connection.close()
    if len(content) != said.size or hashlib.sha256(content).hexdigest() != said.hash:
        raise AttachmentMissing(
            "What is here is not the file that was attached; it is not given out.",
            next_step="put the centre's database back from its backup; if that changes nothing, ask the unit"
            " to attach it again.",
            code="attachment-damaged",
        )
    return said, content


def _each_once(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The first of each attachment: one that was journalled again under another identity is the same."""
    found: dict[str, Sequence[Any]] = {}
    for row in rows:
        found.setdefault(row[0], row)
    return list(found.values())


def _received(connection: Connection, row: Sequence[Any]) -> ReceivedAttachment:
    attachment, unit, request, patient, media, caption, hash_, size, parts, operator, wall_ms = row
    here = dict(connection.execute(_THERE, (attachment,)).fetchall())
    wanted = [number for number in here if 1 <= number <= parts]
    return ReceivedAttachment(
        attachment=attachment,
        unit=unit,
        request=request,
        patient=patient,
        media=media,
        caption=caption,
        size=size,
        parts=parts,
        received=len(wanted),
        received_bytes=sum(here[number] for number in wanted),
        hash=bytes(hash_).hex(),
        operator=operator,
        wall_ms=wall_ms,
    )
