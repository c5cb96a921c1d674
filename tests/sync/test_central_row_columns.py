"""Rows made and written together are those made and written one by one."""

import struct
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import cbor
from edge.records.fields import Field, Kind
from sync.central import copying, row_columns
from sync.central.readers import Unreadable
from sync.central.rows import OpenedEntry, entry_row, rows_of
from sync.central.spans import Journal

JOURNAL = Journal("van-07", "0011223344556677", "vitals")
_ODD = (
    st.none()
    | st.booleans()
    | st.text(max_size=3)
    | st.binary(max_size=3)
    | st.lists(st.integers(), max_size=3)
)
_EDGES = st.sampled_from([2**63 - 1, 2**63, -(2**63), -(2**63) - 1])
_INTEGERS = st.integers(0, 9) | _EDGES | st.integers(-(2**64), 2**64 - 1)
_TEXTS = st.sampled_from(["spo2", "hr", "a\0b", "", "s.amrani"])
_IDS = st.sampled_from([bytes(16), b"\1" * 16]) | st.binary(min_size=15, max_size=17)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        Field.PATIENT: _IDS | _ODD,
        Field.ENCOUNTER: _IDS | _ODD,
        Field.REQUEST: st.binary(min_size=8, max_size=8) | _ODD,
        Field.CODE: _TEXTS | _ODD,
        Field.VALUE: st.tuples(_INTEGERS, st.integers(-20, 20)).map(list) | _ODD,
        Field.MISSING: _TEXTS | _ODD,
        Field.SOURCE: st.integers(0, 4) | _ODD,
        Field.DEVICE: _TEXTS | _ODD,
        Field.DEVICE_RECORD: st.binary(min_size=8, max_size=8) | _ODD,
        Field.BOOT: st.just(bytes(8)) | _ODD,
        Field.MONOTONIC_MS: _INTEGERS | _ODD,
        Field.READING: _INTEGERS | _ODD,
        Field.OPERATOR: _TEXTS | _ODD,
        Field.WALL_MS: _INTEGERS | _ODD,
        Field.CLOCK_QUALITY: _INTEGERS | _ODD,
    },
)
_GOOD = st.fixed_dictionaries(
    {
        Field.CODE: st.sampled_from(["spo2", "hr", "temp"]),
        Field.VALUE: st.tuples(st.integers(-(2**64), 2**64 - 1), st.integers(-3, 3)).map(list),
    },
    optional={
        Field.PATIENT: st.sampled_from([bytes(16), b"\1" * 16]),
        Field.SOURCE: st.integers(0, 4),
        Field.DEVICE: st.sampled_from(["cuff-1", "oximeter-1"]),
        Field.OPERATOR: st.sampled_from(["s.amrani", "a.tazi"]),
        Field.WALL_MS: st.integers(0, 2**45) | _EDGES,
    },
)


def _cbor_takes(fields: dict[Field, Any]) -> bool:
    try:
        cbor.encode({int(field): value for field, value in fields.items()})
    except cbor.MalformedCbor:
        return False
    return True


def _entries(all_fields: list[dict[Field, Any]]) -> list[OpenedEntry]:
    found: list[OpenedEntry] = []
    for seq, said in enumerate(all_fields, 7):
        fields = {int(field): value for field, value in said.items()}
        leaf, head = bytes([seq]) * 32, bytes([255 - seq]) * 32
        found.append(OpenedEntry(seq, int(Kind.OBSERVATION), cbor.encode(fields), fields, leaf, head))
    return found


@given(st.lists(_FIELDS.filter(_cbor_takes), min_size=1, max_size=6))
def test_rows_of_entries_are_those_one_by_one(all_fields: list[dict[Field, Any]]) -> None:
    entries = _entries(all_fields)
    assert row_columns.entry_rows(JOURNAL, entries, 41) == [entry_row(JOURNAL, each, 41) for each in entries]


@given(st.lists(_GOOD | _FIELDS.filter(_cbor_takes), max_size=6))
def test_rows_of_observations_are_those_one_by_one(all_fields: list[dict[Field, Any]]) -> None:
    entries = _entries(all_fields)
    try:
        one_by_one = [row for entry in entries for row in rows_of(JOURNAL, entry, lambda place: place)]
    except Unreadable:
        with pytest.raises(Unreadable):
            row_columns.observation_rows(JOURNAL, entries)
    else:
        assert [("observations", row) for row in row_columns.observation_rows(JOURNAL, entries)] == one_by_one


@pytest.mark.parametrize(
    ("number", "taken"), [(2**63 - 1, 1), (2**63, 0), (-(2**63), 1), (-(2**63) - 1, 0), (True, 0)]
)
@pytest.mark.parametrize("field", [Field.SOURCE, Field.READING, Field.WALL_MS, Field.CLOCK_QUALITY])
def test_a_number_that_no_column_holds_makes_no_row(field: Field, number: int, taken: int) -> None:
    entries = _entries([{Field.CODE: "spo2", Field.VALUE: [97, 0], field: number}])
    if taken:
        assert number in row_columns.observation_rows(JOURNAL, entries)[0]
    else:
        with pytest.raises(Unreadable):
            row_columns.observation_rows(JOURNAL, entries)


@given(st.integers(-(2**64), 2**64 - 1), st.integers(-18, 18))
def test_a_value_is_the_decimal_that_it_was(mantissa: int, exponent: int) -> None:
    [entry] = _entries([{Field.CODE: "spo2", Field.VALUE: [mantissa, exponent]}])
    [row] = row_columns.observation_rows(JOURNAL, [entry])
    assert row[8] == f"{Decimal(mantissa).scaleb(exponent):f}"


# ── as COPY takes them ───────────────────────────────────────────────────────────────────────────────

_CELLS = {
    "int8": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
    "text": st.none() | st.text(max_size=5) | st.sampled_from(["van-07", "فاطمة", "", "a\0b"]),
    "bytea": st.none() | st.binary(max_size=5),
}


def _cells(block: bytes, types: list[str]) -> Iterator[tuple[Any, ...]]:
    """What PostgreSQL reads in a block."""
    at = 0
    while at < len(block):
        (count,) = struct.unpack_from(">h", block, at)
        assert count == len(types)
        at += 2
        row: list[Any] = []
        for kind in types:
            (length,) = struct.unpack_from(">i", block, at)
            raw = block[at + 4 : at + 4 + max(0, length)]
            at += 4 + max(0, length)
            meaning: Any = int.from_bytes(raw, signed=True) if kind == "int8" else raw
            row.append(None if length < 0 else raw.decode() if kind == "text" else meaning)
        yield tuple(row)


@given(st.data(), st.lists(st.sampled_from(sorted(_CELLS)), min_size=1, max_size=6))
def test_a_block_holds_the_rows_it_was_given(data: st.DataObject, types: list[str]) -> None:
    rows = data.draw(st.lists(st.tuples(*(_CELLS[kind] for kind in types)), min_size=1, max_size=8))
    without_nul = [
        tuple(cell.replace("\0", "\ufffd") if isinstance(cell, str) else cell for cell in row) for row in rows
    ]
    assert list(_cells(copying.block(rows, types), types)) == without_nul


@pytest.mark.parametrize("row", [("1", "a", b""), (1, b"a", b""), (1, "a", "b"), (2**63, "a", b""), (1, "a")])
def test_a_cell_of_another_kind_is_a_bug_that_names_no_row(row: tuple[object, ...]) -> None:
    with pytest.raises(copying.StatementBug) as refused:
        copying.block([row], ["int8", "text", "bytea"])
    assert str(refused.value) == "A row has a cell of another kind than its column."
    assert refused.value.__cause__ is None
