"""Rows of many entries at once: those that almost every entry makes, column by column.

`sync.central.rows` says what a row is and makes it of a single entry; here the same rows come out of a
batch, sooner, for there is one step for each column and none for each cell. Where a field is not of the
kind it should be nothing comes out, and the batch goes that other way, which knows which entry it was.
"""

from collections.abc import Callable, Sequence
from typing import Final, cast

from edge.cbor import Value
from edge.records.fields import Field
from sync.central import readers, rows
from sync.central.readers import Fields, Unreadable
from sync.central.rows import OpenedEntry, Row
from sync.central.spans import Journal

_PATIENT, _REQUEST, _CODE, _VALUE = (
    int(field) for field in (Field.PATIENT, Field.REQUEST, Field.CODE, Field.VALUE)
)
_DEVICE_RECORD, _DEVICE = int(Field.DEVICE_RECORD), int(Field.DEVICE)
_ID_BYTES: Final = 16
_BEYOND: Final = 1 << 63
_MANY_DIGITS: Final = 10**15


class _Each(dict[Value, str | None]):
    """What becomes of each value of a column, worked out once for each that there is."""

    def __init__(self, work_out: Callable[[Value], str | None]) -> None:
        super().__init__({None: None})
        self._work_out = work_out

    def __missing__(self, value: Value) -> str | None:
        found = self[value] = self._work_out(value)
        return found

    def of(self, values: Sequence[Value]) -> list[str | None]:
        try:
            return list(map(self.__getitem__, values))
        except TypeError:  # a list or a map
            raise Unreadable from None


def entry_rows(journal: Journal, entries: Sequence[OpenedEntry], batch: int) -> list[Row]:
    """The rows of ``entries``, as `rows.entry_row` makes them; of entries that were not journalled again."""
    seqs, kinds, payloads, all_fields, leaves, heads, _, _ = zip(*entries, strict=True)
    records = [
        rows.device_record(fields) if _DEVICE in fields or _DEVICE_RECORD in fields else None
        for fields in all_fields
    ]
    codes = [fields.get(_CODE) for fields in all_fields]
    return list(
        zip(
            *[[part] * len(entries) for part in journal.key],
            *(seqs, leaves, heads, kinds),
            _hex(_PATIENT, all_fields),
            _hex(_REQUEST, all_fields),
            records,
            [code if isinstance(code, str) and "\0" not in code else None for code in codes],
            *[[None] * len(entries)] * 3,
            [batch] * len(entries),
            payloads,
            strict=True,
        )
    )


def observation_rows(journal: Journal, entries: Sequence[OpenedEntry]) -> list[Row]:
    """The rows of ``observations``.

    Raises:
        Unreadable: not all of the payloads are what their kind says.
    """
    all_fields = [entry.fields for entry in entries]
    identifiers, texts = _Each(_identifier), _Each(_text)

    def column(field: Field) -> list[Value]:
        number = int(field)
        return [fields.get(number) for fields in all_fields]

    codes, missing = texts.of(column(Field.CODE)), texts.of(column(Field.MISSING))
    values = list(map(_decimal, all_fields))
    if None in codes or any(
        (value is None) == (why is None) for value, why in zip(values, missing, strict=True)
    ):
        raise Unreadable
    return list(
        zip(
            *[[part] * len(entries) for part in journal.key],
            [entry.seq for entry in entries],
            [entry.leaf for entry in entries],
            identifiers.of(column(Field.PATIENT)),
            identifiers.of(column(Field.ENCOUNTER)),
            codes,
            values,
            missing,
            _integers(column(Field.SOURCE)),
            texts.of(column(Field.DEVICE)),
            _integers(column(Field.READING)),
            texts.of(column(Field.OPERATOR)),
            _integers(column(Field.WALL_MS)),
            _integers(column(Field.CLOCK_QUALITY)),
            strict=True,
        )
    )


def _hex(field: int, all_fields: Sequence[Fields]) -> list[str | None]:
    return [each.hex() if isinstance(each := fields.get(field), bytes) else None for fields in all_fields]


def _text(value: Value) -> str | None:
    return readers.text({_CODE: value}, Field.CODE)


def _identifier(value: Value) -> str | None:
    if not isinstance(value, bytes) or len(value) != _ID_BYTES:
        raise Unreadable
    return value.hex()


def _integers(values: list[Value]) -> list[int | None]:
    for value in values:
        if value is not None and (type(value) is not int or not -_BEYOND <= value < _BEYOND):
            raise Unreadable
    return cast("list[int | None]", values)


def _decimal(fields: Fields) -> str | None:
    value = fields.get(_VALUE)
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2:
        mantissa, exponent = value
        if type(mantissa) is int and 0 < mantissa < _MANY_DIGITS:
            if exponent == 0:
                return str(mantissa)
            if exponent == -1:
                return f"{mantissa // 10}.{mantissa % 10}"
    return readers.decimal(fields, Field.VALUE)
