"""Bytes beside entries: in the entry's own message, as the page says, and nothing else is taken."""

import hashlib

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Payload, Stream
from sync.wire import batches, beside, cose, padding, squeeze
from sync.wire.columns import Row
from sync.wire.errors import EnvelopeRefused
from sync.wire.sessions import SessionKey
from tests.sync.wire.wire_world import (
    AUTHOR,
    EPOCH,
    REALM,
    S_0,
    SESSION_ID,
    SESSION_KEY,
    TIPS,
    UNIT,
    UNIT_PUBLIC,
)

DATA = (b"first samples" * 9, b"", bytes(range(256)) + b"\x80\x00\x00")


def naming(data: bytes) -> Payload:
    return {Field.CHUNK: 1, Field.HASH: hashlib.sha256(data).digest(), Field.SIZE: len(data)}


def entries(*payloads: Payload, stream: Stream = Stream.WAVE) -> list[Entry]:
    head = chain.first_head(REALM, UNIT, EPOCH, stream)
    made: list[Entry] = []
    for seq, fields in enumerate(payloads, 1):
        payload = cbor.encode(fields)
        leaf = chain.leaf(S_0, EPOCH, stream, seq, payload)
        head = chain.next_head(head, stream, seq, Kind.WAVE_CHUNK, leaf)
        made.append(Entry(stream, seq, Kind.WAVE_CHUNK, payload, leaf, head))
    return made


MADE = entries({Field.WALL_MS: 1}, naming(DATA[0]), {Field.COUNT: 2}, naming(DATA[1]), naming(DATA[2]))
HONEST: dict[int, bytes | None] = {2: DATA[0], 4: DATA[1], 5: DATA[2]}


def sealed(data: dict[int, bytes | None], made: list[Entry] = MADE) -> batches.SignedBatch:
    raw = batches.seal_batch(AUTHOR, made, TIPS, SessionKey(SESSION_KEY, SESSION_ID), data)
    return batches.verify(raw, UNIT_PUBLIC, REALM)


def opened(signed: batches.SignedBatch) -> list[batches.WireEntry]:
    return batches.open_batch(signed, SESSION_KEY)


def refused(signed: batches.SignedBatch) -> str:
    with pytest.raises(EnvelopeRefused) as found:
        opened(signed)
    return found.value.stable_code


def test_each_entry_gets_the_bytes_that_it_names() -> None:
    signed = sealed(HONEST)
    assert signed.header.schema == batches.WITH_BYTES
    found = opened(signed)
    assert [entry.data for entry in found] == [None, DATA[0], None, DATA[1], DATA[2]]
    assert [entry.named is not None for entry in found] == [False, True, False, True, True]
    assert [entry.payload for entry in found] == [entry.payload for entry in MADE]


def test_another_reader_finds_them_by_the_page_alone() -> None:
    """A length, the entries, a list: read here without anything of ours but the decryption."""
    signed = sealed(HONEST)
    packed = cose.decrypt(signed.inner, SESSION_KEY, signed.protected).rstrip(b"\x00")
    assert packed[-1] == 0x80
    length = int.from_bytes(packed[:4], "big")
    assert cbor2.loads(packed[4 + length : -1]) == list(DATA)
    assert squeeze.unpack(padding.pad(packed[4 : 4 + length]), 5).rows() == [
        Row(entry.kind, entry.payload or b"") for entry in MADE
    ]


def test_what_a_unit_has_no_more_is_null() -> None:
    assert [entry.data for entry in opened(sealed({**HONEST, 4: None}))] == [
        None,
        DATA[0],
        None,
        None,
        DATA[2],
    ]


@pytest.mark.parametrize(
    "data",
    [
        {2: DATA[0], 4: DATA[1]},
        {2: DATA[0], 4: DATA[1], 5: DATA[2], 6: DATA[2]},
        {2: DATA[0], 4: DATA[1], 5: DATA[2], 6: None},
        {2: DATA[2], 4: DATA[1], 5: DATA[0]},
        {2: DATA[0] + b"\x00", 4: DATA[1], 5: DATA[2]},
        {2: DATA[0], 4: b"x", 5: DATA[2]},
    ],
    ids=["fewer", "more", "one null more", "others", "longer", "for nothing"],
)
def test_other_bytes_than_are_named_are_refused(data: dict[int, bytes | None]) -> None:
    assert refused(sealed(data)) == "decode"


def test_entries_that_name_bytes_do_not_come_without_them() -> None:
    signed = sealed({})
    assert signed.header.schema == 1
    assert refused(signed) == "decode"


def test_in_streams_without_bytes_these_fields_name_none() -> None:
    made = entries(naming(DATA[0]), stream=Stream.VITALS)
    assert [entry.named for entry in opened(sealed({}, made))] == [None]
    assert refused(sealed({1: DATA[0]}, made)) == "decode"


@pytest.mark.parametrize(
    "more",
    [{Field.HASH: b"short"}, {Field.HASH: 7}, {Field.SIZE: -1}, {Field.SIZE: True}, {Field.SIZE: "4"}],
    ids=str,
)
def test_bytes_named_in_another_form_are_refused(more: Payload) -> None:
    made = entries({**naming(b"four"), **more})
    assert refused(sealed({1: b"four"}, made)) == "decode"


@pytest.mark.parametrize(
    "joined",
    [b"", b"\x00\x00", b"\xff\xff\xff\xff\x80", b"\x00\x00\x00\x00\xa0", b"\x00\x00\x00\x00\x81\x01",
     b"\x00\x00\x00\x00\x80\x80"],
)  # fmt: skip
def test_what_is_not_joined_so_is_refused(joined: bytes) -> None:
    with pytest.raises(EnvelopeRefused) as found:
        beside.part(joined)
    assert found.value.stable_code == "decode"


@given(
    content=st.binary(max_size=60), data=st.lists(st.one_of(st.none(), st.binary(max_size=60)), max_size=6)
)
def test_what_is_joined_comes_apart(content: bytes, data: list[bytes | None]) -> None:
    assert beside.part(beside.join(content, data)) == (content, data)


@given(junk=st.binary(max_size=200))
def test_junk_is_refused_or_read_and_nothing_else(junk: bytes) -> None:
    try:
        content, data = beside.part(junk)
    except EnvelopeRefused:
        return
    assert beside.join(content, data) == junk
