"""Rows of what units ask specialists, and of what they say about messages."""

import json
from collections.abc import Callable
from typing import Final, TypeAlias

from edge.cbor import Value
from edge.records.fields import Field, Kind
from sync.central import readers
from sync.central.readers import Fields, Unreadable

Cells: TypeAlias = tuple[str | int | bytes | None, ...]
"""What stands in a row behind the entry's identity."""

COLUMNS: Final = {"requests": 20, "request_changes": 11, "down_news": 14}
_DIGEST_BYTES: Final = 32


def _request(fields: Fields) -> Cells:
    request, patient = readers.identifier(fields, Field.EXPERTISE), readers.identifier(fields, Field.PATIENT)
    specialty, urgency = readers.text(fields, Field.SPECIALTY), readers.text(fields, Field.URGENCY)
    question = readers.text(fields, Field.QUESTION)
    if request is None or patient is None or specialty is None or urgency is None or question is None:
        raise Unreadable
    return (
        *(request, patient, readers.identifier(fields, Field.ENCOUNTER), specialty, urgency),
        *(readers.text(fields, field) for field in (Field.ACT, Field.BASIS)),
        *(question, readers.text(fields, Field.SEX), readers.text(fields, Field.BIRTH)),
        json.dumps([_place(each) for each in readers.items(fields, Field.ATTACHED)]),
        json.dumps([_id(each) for each in readers.items(fields, Field.RECORDINGS)]),
        json.dumps([_shown(each) for each in readers.items(fields, Field.SNAPSHOT)], ensure_ascii=False),
        *(readers.text(fields, Field.OPERATOR), readers.integer(fields, Field.WALL_MS)),
    )


def _change(fields: Fields) -> Cells:
    request, event = readers.identifier(fields, Field.EXPERTISE), readers.text(fields, Field.EVENT)
    if request is None or event is None:
        raise Unreadable
    return (
        *(request, readers.identifier(fields, Field.PATIENT), event),
        *(readers.text(fields, field) for field in (Field.REASON, Field.OPERATOR)),
        readers.integer(fields, Field.WALL_MS),
    )


def _news(event: str) -> Callable[[Fields], Cells]:
    def cells(fields: Fields) -> Cells:
        message, digest = readers.identifier(fields, Field.MESSAGE), fields.get(Field.DIGEST)
        if message is None:
            raise Unreadable
        if digest is not None and (not isinstance(digest, bytes) or len(digest) != _DIGEST_BYTES):
            raise Unreadable
        return (
            *(message, readers.identifier(fields, Field.PATIENT)),
            *(readers.identifier(fields, Field.EXPERTISE), event),
            *(readers.text(fields, field) for field in (Field.DOWN_KIND, Field.OUTCOME)),
            *(digest, readers.text(fields, Field.OPERATOR), readers.integer(fields, Field.WALL_MS)),
        )

    return cells


def _place(value: Value) -> list[Value]:
    match value:
        case [bytes(epoch), int(stream), int(seq)]:
            return [epoch.hex(), stream, seq]
        case _:
            raise Unreadable


def _id(value: Value) -> str:
    if not isinstance(value, bytes):
        raise Unreadable
    return value.hex()


def _shown(value: Value) -> list[Value]:
    match value:
        case [str(code), [int() as mantissa, int() as exponent], int(wall_ms)]:
            number: Value = [mantissa, exponent]
            return [code, readers.decimal({Field.VALUE: number}, Field.VALUE), None, wall_ms]
        case [str(code), str(missing), int(wall_ms)]:
            return [code, None, missing, wall_ms]
        case _:
            raise Unreadable


ONE_ROW: Final[dict[Kind, tuple[str, Callable[[Fields], Cells]]]] = {
    Kind.REQUESTED: ("requests", _request),
    Kind.REQUEST_CHANGED: ("request_changes", _change),
    Kind.RECEIVED: ("down_news", _news("received")),
    Kind.READ: ("down_news", _news("read")),
    Kind.CONFIGURED: ("down_news", _news("configured")),
}
"""Kinds that make one row, its table, and how."""
