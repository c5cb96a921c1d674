"""Rows in the form that PostgreSQL's COPY takes in one piece: each cell its length and its bytes.

A whole column is written at a time, and a value that stands in many rows is written once.

Source: https://www.postgresql.org/docs/15/sql-copy.html, binary format
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
_NOTHING: Final = b"\xff\xff\xff\xff"
_LENGTH: Final = struct.Struct(">i").pack
_INTEGER: Final = struct.Struct(">iq").pack
_FIELDS: Final = struct.Struct(">h").pack


class _Cells(dict[Any, bytes]):
    """Each value of a column as a cell, written when it is met first."""

    def __init__(self, write: Callable[[Any], bytes]) -> None:
        super().__init__({None: _NOTHING})
        self._write = write

    def __missing__(self, value: object) -> bytes:
        cell = self[value] = self._write(value)
        return cell


def block(rows: Sequence[Sequence[object]], types: Sequence[str]) -> bytes:
    """These rows, without `HEADER` and `TRAILER`.

    Args:
        rows: whole rows, one at least.
        types: of each column ``int8``, ``text`` or ``bytea``.

    Raises:
        StatementBug: a cell is of another kind than its column.
    """
    try:
        columns = zip(*rows, strict=True)
        cells = [_WRITERS[kind](column) for kind, column in zip(types, columns, strict=True)]
        counts = [_FIELDS(len(types))] * len(rows)
        return b"".join(chain.from_iterable(zip(counts, *cells, strict=True)))
    except (struct.error, TypeError, ValueError, AttributeError):
        raise StatementBug("A row has a cell of another kind than its column.") from None


class StatementBug(RuntimeError):
    """A bug of ours, told without the row."""


def _integers(column: Sequence[Any]) -> Iterable[bytes]:
    return map(_Cells(lambda value: _INTEGER(8, value)).__getitem__, column)


def _texts(column: Sequence[Any]) -> Iterable[bytes]:
    return map(_Cells(_text).__getitem__, column)


def _text(value: str) -> bytes:
    """Without NUL, which PostgreSQL does not hold; `sync.central.readers` lets none into a row."""
    raw = value.replace("\0", "\ufffd").encode()
    return _LENGTH(len(raw)) + raw


def _octets(column: Sequence[Any]) -> Iterable[bytes]:
    return [_NOTHING if value is None else _LENGTH(len(value)) + value for value in column]


_WRITERS: Final[dict[str, Callable[[Sequence[Any]], Iterable[bytes]]]] = {
    "int8": _integers,
    "text": _texts,
    "bytea": _octets,
}
