"""Whatever goes in comes back byte for byte, and nothing hostile gets far."""

import contextlib
import random
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from bench import vanday
from edge import cbor
from edge.records.fields import Field, Payload
from sync.wire import columns, padding, primer, squeeze
from sync.wire.columns import Packed, Row
from sync.wire.errors import EnvelopeRefused
from sync.wire.memory import Memory
from tests.sync.wire import former_columns
from tests.sync.wire.wire_world import PAYLOADS

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.binary(max_size=20)
    | st.binary(min_size=16, max_size=16)
    | st.sampled_from(["1971-03-14", "0001-01-01", "9999-12-31", "20260101", "2026-W01-1", "spo2", ""])
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 99), inner, max_size=2),
)
_FIELDS = st.sampled_from([0, *Field]) | st.integers(-(2**64), 2**64 - 1)
_MAPS = st.dictionaries(_FIELDS, _VALUES, max_size=8).map(cbor.encode)
_ROWS = st.builds(Row, st.integers(0, 255), _MAPS)


def _encode(fields: Mapping[Field, Any]) -> bytes:
    payload: Payload = {int(field): value for field, value in fields.items()}
    return cbor.encode(payload)


@given(st.lists(_ROWS, max_size=12))
def test_any_payload_comes_back(rows: list[Row]) -> None:
    assert squeeze.unpack(squeeze.pack(rows), len(rows)).rows() == rows


@pytest.mark.parametrize("payload", [b"", b"no map", b"\x80", cbor.encode({"a": 1}), b"\xa2\x00\x00\x00\x00"])
def test_what_is_no_map_of_fields_is_sealed_and_not_taken(payload: bytes) -> None:
    """Sealing never fails on what the journal holds; opening promises maps."""
    packed = squeeze.pack([Row(4, payload)])
    with pytest.raises(EnvelopeRefused):
        squeeze.unpack(packed, 1)


def test_a_payload_of_very_many_fields_comes_back() -> None:
    for n in (columns.MAX_FIELDS, columns.MAX_FIELDS + 1):
        row = Row(4, cbor.encode(dict.fromkeys(range(n), 0)))
        assert squeeze.unpack(squeeze.pack([row]), 1).rows() == [row]


@given(st.lists(st.sampled_from(primer.rows()), max_size=30))
def test_usual_payloads_in_any_order_come_back(rows: list[Row]) -> None:
    assert squeeze.unpack(squeeze.pack(rows), len(rows)).rows() == rows


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                Field.WALL_MS: st.integers(0, 2**63),
                Field.MONOTONIC_MS: st.integers(0, 2**63),
                Field.PATIENT: st.sampled_from([bytes(16), b"\xff" * 16])
                | st.binary(min_size=16, max_size=16),
                Field.PLACE: st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=3),
                Field.BIRTH: st.dates().map(str) | st.just("1971-03"),
                Field.CODE: st.sampled_from(["spo2", "hr", 5, None, ["spo2"]]),
                Field.VALUE: st.lists(st.integers(-(2**63), 2**63), min_size=1, max_size=3),
                Field.SOURCE: st.sampled_from([0, 1, True, False]),
                Field.FLAGS: st.lists(st.sampled_from(["low-signal", "motion"])),
                Field.READING: st.integers(0, 50) | st.booleans(),
                Field.COUNT: st.integers(0, 3),
            },
        ).map(_encode),
        max_size=10,
    )
)
def test_journal_fields_with_odd_values_come_back(payloads: list[bytes]) -> None:
    rows = [Row(4, payload) for payload in payloads]
    assert squeeze.unpack(squeeze.pack(rows), len(rows)).rows() == rows


def test_a_van_s_day_comes_back_and_is_small() -> None:
    rows = [Row(entry.kind, entry.payload or b"") for entry in vanday.entries(20)]
    packed = squeeze.pack(rows[:200])
    assert squeeze.unpack(packed, 200).rows() == rows[:200]
    assert len(packed) / 200 < 14.5


def test_one_entry_is_small_too() -> None:
    rows = [Row(entry.kind, entry.payload or b"") for entry in vanday.entries(3)]
    sizes = [len(squeeze.pack([row])) for row in rows if row.kind == 4]
    assert max(sizes) < 100


def test_a_young_identifier_costs_its_random_bits_only() -> None:
    stamp: dict[Field, Any] = {Field.WALL_MS: 1_767_225_660_000}
    young = bytes.fromhex("019b76da2a707a119c22334455667788")
    old = bytes.fromhex("018976da2a707a119c22334455667788")
    sizes = [
        len(columns.take_apart([Row(3, _encode({**stamp, Field.PATIENT: uuid}))], Memory()).bits)
        for uuid in (young, old)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("at", range(128))
def test_what_is_nearly_a_young_identifier_comes_back(at: int) -> None:
    """Version, variant and time flipped bit by bit."""
    uuid = int.from_bytes(bytes.fromhex("019b76da2a707a119c22334455667788")) ^ 1 << at
    row = Row(3, _encode({Field.WALL_MS: 1_767_225_660_000, Field.PATIENT: uuid.to_bytes(16)}))
    assert squeeze.unpack(squeeze.pack([row]), 1).rows() == [row]


def test_the_wrong_count_is_refused() -> None:
    rows = [Row(kind, cbor.encode(payload)) for kind, payload in PAYLOADS]
    packed = squeeze.pack(rows)
    for n in (0, 1, len(rows) - 1, len(rows) + 1, 4096):
        with pytest.raises(EnvelopeRefused):
            squeeze.unpack(packed, n)


def test_a_bomb_of_zstd_does_not_go_off() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 20}
    bomb = zstd.compress(cbor.encode([bytes(50_000_000)]), options=options)
    assert len(bomb) < 10_000
    tracemalloc.start()
    with pytest.raises(EnvelopeRefused):
        squeeze.unpack(padding.pad(bomb), 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * squeeze.MAX_UNPACKED_BYTES


def test_a_bomb_of_repetition_does_not_go_off() -> None:
    """One large value, said again four thousand times by rank."""
    rows = [Row(4, _encode({Field.VILLAGE: "x" * 60_000}))] * 4096
    packed = squeeze.pack(rows)
    assert len(packed) < 4096
    with pytest.raises(EnvelopeRefused):
        squeeze.unpack(packed, 4096)
    assert squeeze.unpack(squeeze.pack(rows[:60]), 60).rows() == rows[:60]


@pytest.mark.parametrize(("window_log", "taken"), [(20, True), (22, True), (23, False), (27, False)])
def test_a_frame_with_a_large_window_is_refused(window_log: int, *, taken: bool) -> None:
    """Its reader would have to set as much memory aside, whatever is in it."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: window_log,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    compressor = zstd.ZstdCompressor(options=options)  # one that does not know how little will come
    padded = padding.pad(compressor.compress(b"\x80") + compressor.flush())
    if taken:
        assert squeeze.unpack(padded, 0).rows() == []
    else:
        with pytest.raises(EnvelopeRefused):
            squeeze.unpack(padded, 0)


@pytest.mark.parametrize(
    ("plain", "first_bits", "what"),
    [
        (b"\x80", b"\x80", "a shape that is not there"),
        (cbor.encode([[4, b"\x00", 50]]), b"\x80", "the same as nothing"),
        (cbor.encode([[4, b"\x05", 50]]), b"\x80", "a mode that does not exist"),
        (cbor.encode([[4, b"\x01\x01", 51, 50]]), b"\x80", "fields out of order"),
        (cbor.encode([[4, b"\x01\x01", 50, 50]]), b"\x80", "a field twice"),
        (cbor.encode([[4, b"\x01", -1]]), b"\x80", "a negative field"),
        (cbor.encode([[4, b"\x01", "a"]]), b"\x80", "a field that is no number"),
        (cbor.encode([[4, b"\x01"]]), b"\x80", "a mode without a field"),
        (cbor.encode([[256]]), b"\x80", "a kind beyond one byte"),
        (cbor.encode([[True]]), b"\x80", "a kind that is no number"),
        (cbor.encode([[4, b"\x01" * 300, *range(300)]]), b"\x80", "too many fields"),
        (cbor.encode([[4, b"\x03", 2]]), b"\x80\x00\x00\x00", "a length without end"),
        (cbor.encode({}), b"", "no list"),
        (cbor.encode([0, 0]), b"", "values nobody asks for"),
        (b"\x9f\xff", b"", "a list of another spelling"),
    ],
)
def test_odd_columns_are_refused(plain: bytes, first_bits: bytes, what: str) -> None:
    for n in (0, 1) if not first_bits else (1,):
        with pytest.raises(EnvelopeRefused):
            pytest.fail(f"{what}: {columns.put_together(Packed(plain, first_bits), n, Memory(), 999)}")


def test_a_number_without_end_is_refused() -> None:
    for zeros in (9, 64):
        with pytest.raises(EnvelopeRefused):
            columns.put_together(Packed(b"\x80", bytes(zeros)), 1, Memory(), 999)


def test_bits_that_nobody_reads_are_refused() -> None:
    for raw in (b"\x01", b"\x00\x00"):
        with pytest.raises(EnvelopeRefused):
            columns.put_together(Packed(b"\x80", raw), 0, Memory(), 999)


# ── against how it was written at first ──────────────────────────────────────────────────────────────

_FORMER = former_columns.prime(primer.rows())
_MORE = former_columns.prime([])


def _as_formerly(rows: list[Row], *, primed: bool) -> None:
    """The same bytes out of the same rows, the same rows out of the same bytes, with what they hold."""
    memory = squeeze.PRIMED if primed else Memory()
    packed = columns.take_apart(rows, memory)
    assert packed == former_columns.take_apart(rows, _FORMER if primed else _MORE)
    read = columns.put_together(packed, len(rows), memory, 10**6)
    assert read.rows() == rows
    assert read.fields == [cbor.decode(row.payload) for row in rows]


@given(st.lists(_ROWS | st.sampled_from(primer.rows()), max_size=25), st.booleans())
def test_any_rows_are_written_and_read_as_formerly(rows: list[Row], primed: bool) -> None:
    _as_formerly(rows, primed=primed)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                Field.WALL_MS: st.integers(2**40, 2**40 + 90) | st.booleans(),
                Field.MONOTONIC_MS: st.integers(0, 99) | st.booleans(),
                Field.REQUEST: st.binary(min_size=1, max_size=2),
                Field.BIRTH: st.dates().map(str),
                Field.CODE: st.sampled_from(["spo2", "hr", "temp", b"\1\2"]),
                Field.VALUE: st.tuples(st.integers(-9, 300), st.integers(-1, 1)).map(list),
                Field.MISSING: st.sampled_from(["sensor-off", "motion"]) | st.binary(max_size=1),
                Field.DEVICE: st.sampled_from(["cuff-1", "oximeter-1", "scale-1"]),
                Field.SOURCE: st.integers(0, 2),
                Field.FLAGS: st.lists(st.sampled_from(["low", "motion"]), max_size=2),
                Field.READING: st.integers(0, 4),
            },
        ).map(_encode),
        max_size=60,
    )
)
def test_measurements_are_written_and_read_as_formerly(payloads: list[bytes]) -> None:
    """Codes in any order, so that what was known of one is not known of another."""
    _as_formerly([Row(4, payload) for payload in payloads], primed=True)


def test_what_was_remembered_longest_is_forgotten_as_formerly() -> None:
    chance = random.Random(5)  # noqa: S311  the same inputs every time
    operators = [f"o{chance.randrange(200)}" for _ in range(1_500)]
    rows = [Row(4, _encode({Field.REQUEST: name.encode(), Field.FAMILY: name})) for name in operators]
    _as_formerly(rows, primed=True)


@pytest.mark.fuzz
def test_damaged_columns_are_refused_as_formerly() -> None:
    """What one reader takes the other takes, and as the same rows."""
    chance = random.Random(31)  # noqa: S311  the same inputs every time
    rows = [Row(entry.kind, entry.payload or b"") for entry in vanday.entries(2)]
    several = (rows, rows[:1], rows[9:14])
    seeds = [(columns.take_apart(some, squeeze.PRIMED), len(some)) for some in several]
    taken = 0
    for _ in range(2_000):
        seed, n = chance.choice(seeds)
        parts = [bytearray(seed.plain), bytearray(seed.bits)]
        for _ in range(chance.randrange(1, 4)):
            part = chance.choice(parts)
            part[chance.randrange(len(part))] ^= 1 << chance.randrange(8)
        damaged = Packed(bytes(parts[0]), bytes(parts[1]))
        read: list[Row] | None = None
        with contextlib.suppress(EnvelopeRefused):
            read = columns.put_together(damaged, n, squeeze.PRIMED, 10**6).rows()
        former: list[Row] | None = None
        with contextlib.suppress(EnvelopeRefused):
            former = former_columns.put_together(damaged, n, _FORMER, 10**6)
        assert read == former
        taken += read is not None
    assert taken > 100


@pytest.mark.fuzz
def test_no_columns_raise_anything_else() -> None:
    chance = random.Random(12)  # noqa: S311  the same inputs every time
    rows = [Row(kind, cbor.encode(payload)) for kind, payload in PAYLOADS]
    seeds = [squeeze.pack(rows), squeeze.pack(rows[1:3]), squeeze.pack([Row(1, cbor.encode({-1: 0}))])]
    for _ in range(10_000):
        raw = bytearray(padding.unpad(chance.choice(seeds)))
        for _ in range(chance.randrange(1, 5)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        try:
            read = squeeze.unpack(padding.pad(bytes(raw)), chance.randrange(1, 7)).rows()
        except EnvelopeRefused as refused:
            assert refused.stable_code == "decode"  # noqa: PT017  what is raised is the point
        else:
            assert squeeze.unpack(squeeze.pack(read), len(read)).rows() == read
