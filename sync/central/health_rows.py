"""What a unit says of itself becomes a row."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from edge.cbor import Value
from edge.records.fields import Field, Kind
from sync.central import readers
from sync.central.readers import Fields, Unreadable

Cells: TypeAlias = tuple[str | int | None, ...]

COLUMNS: Final = {"health": 8}
"""How many columns its table has; a test compares with the database."""


def row(fields: Fields) -> Cells:
    """The row of an entry of kind *health*, behind its identity.

    Raises:
        Unreadable: it is not pairs of a name and a value.
    """
    said: dict[str, Any] = {}
    for pair in readers.items(fields, Field.HEALTH):
        match pair:
            case [str(name), value]:
                said[name] = _plain(value)
            case _:
                raise Unreadable
    wall_ms, quality = (readers.integer(fields, field) for field in (Field.WALL_MS, Field.CLOCK_QUALITY))
    return wall_ms, quality, json.dumps(said, ensure_ascii=False)


def _plain(value: Value) -> Any:  # noqa: ANN401  as wide as JSON
    match value:
        case list():
            return [_plain(each) for each in value]
        case str() | int():
            return value
        case _:
            raise Unreadable


ONE_ROW: Final[dict[Kind, tuple[str, Callable[[Fields], Cells]]]] = {Kind.HEALTH: ("health", row)}
"""The kind that makes one row, its table, and how."""
