"""Rows of photos and documents: what is said of each, and of each of its parts."""

from collections.abc import Callable
from typing import Final, TypeAlias

from edge.records.fields import Field, Kind
from sync.central import readers
from sync.central.readers import Fields, Unreadable

Cells: TypeAlias = tuple[str | int | bytes | None, ...]
"""What stands in a row behind the entry's identity."""

COLUMNS: Final = {"attachments": 15, "attachment_parts": 10}
_HASH_BYTES: Final = 32


def _attachment(fields: Fields) -> Cells:
    ids = [readers.identifier(fields, field) for field in (Field.ATTACHMENT, Field.EXPERTISE, Field.PATIENT)]
    media = readers.text(fields, Field.MEDIA_TYPE)
    size, parts = readers.integer(fields, Field.SIZE), readers.integer(fields, Field.COUNT)
    if None in ids or media is None or size is None or parts is None:
        raise Unreadable
    return (
        *(*ids, media, readers.text(fields, Field.CAPTION), _hash(fields, Field.WHOLE), size, parts),
        *(readers.text(fields, Field.OPERATOR), readers.integer(fields, Field.WALL_MS)),
    )


def _part(fields: Fields) -> Cells:
    attachment, number = readers.identifier(fields, Field.ATTACHMENT), readers.integer(fields, Field.CHUNK)
    size = readers.integer(fields, Field.SIZE)
    if attachment is None or number is None or size is None:
        raise Unreadable
    return (attachment, number, readers.identifier(fields, Field.PATIENT), _hash(fields, Field.HASH), size)


def _hash(fields: Fields, field: Field) -> bytes:
    value = fields.get(field)
    if not isinstance(value, bytes) or len(value) != _HASH_BYTES:
        raise Unreadable
    return value


ONE_ROW: Final[dict[Kind, tuple[str, Callable[[Fields], Cells]]]] = {
    Kind.ATTACHMENT: ("attachments", _attachment),
    Kind.ATTACHMENT_PART: ("attachment_parts", _part),
}
"""Kinds that make one row, its table, and how."""
