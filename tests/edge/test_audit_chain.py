"""The chain against plain hashlib, and what breaks it."""

import dataclasses
import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from edge.audit import chain
from edge.audit.chain import Entry
from edge.records.fields import Kind, Stream

EPOCH = bytes(range(8))
SECRET = bytes(range(32))


def make_entries(n: int) -> list[Entry]:
    head = chain.first_head("training", "van-07", EPOCH, Stream.VITALS)
    entries: list[Entry] = []
    for seq in range(1, n + 1):
        payload = bytes([seq])
        leaf = chain.leaf(SECRET, EPOCH, Stream.VITALS, seq, payload)
        head = chain.next_head(head, Stream.VITALS, seq, Kind.OBSERVATION, leaf)
        entries.append(Entry(Stream.VITALS, seq, Kind.OBSERVATION, payload, leaf, head))
    return entries


@given(
    stream=st.sampled_from(Stream),
    seq=st.integers(1, 2**63 - 1),
    kind=st.integers(0, 255),
    payload=st.binary(),
    secret=st.binary(min_size=32, max_size=32),
    head=st.binary(min_size=32, max_size=32),
)
def test_every_hash_is_what_the_protocol_says(
    stream: Stream, seq: int, kind: int, payload: bytes, secret: bytes, head: bytes
) -> None:
    place = bytes([stream]) + seq.to_bytes(8, "big")
    salt = hmac.new(secret, EPOCH + place, hashlib.sha256).digest()
    leaf = hashlib.sha256(b"leaf" + salt + payload).digest()
    assert chain.leaf(secret, EPOCH, stream, seq, payload) == leaf
    after = hashlib.sha256(b"head" + head + place + bytes([kind]) + leaf).digest()
    assert chain.next_head(head, stream, seq, kind, leaf) == after
    salter = chain.Salter(secret, EPOCH, stream)
    assert [salter.leaf(seq, payload), salter.leaf(seq, payload)] == [leaf, leaf]
    assert chain.heads(head, stream, seq, [kind], [leaf]) == [after]


def test_the_first_head_ties_realm_unit_epoch_and_stream() -> None:
    expected = hashlib.sha256(b"epochtrainingvan-07" + EPOCH + b"\x01").digest()
    assert chain.first_head("training", "van-07", EPOCH, Stream.VITALS) == expected
    heads = {
        chain.first_head(realm, unit, epoch, stream)
        for realm in ("training", "production")
        for unit in ("van-07", "van-08")
        for epoch in (EPOCH, bytes(8))
        for stream in Stream
    }
    assert len(heads) == 2 * 2 * 2 * 5


def test_many_heads_are_those_one_by_one() -> None:
    entries = make_entries(9)
    head = chain.first_head("training", "van-07", EPOCH, Stream.VITALS)
    kinds, leaves = [entry.kind for entry in entries], [entry.leaf for entry in entries]
    assert chain.heads(head, Stream.VITALS, 1, kinds, leaves) == [entry.head for entry in entries]


def test_a_whole_chain_has_no_break() -> None:
    first = chain.first_head("training", "van-07", EPOCH, Stream.VITALS)
    assert chain.first_break(first, make_entries(5)) is None


def test_a_break_is_found_where_it_is() -> None:
    first = chain.first_head("training", "van-07", EPOCH, Stream.VITALS)
    entries = make_entries(5)
    for i, entry in enumerate(entries):
        changed = entries.copy()
        changed[i] = dataclasses.replace(entry, leaf=bytes(32))
        assert chain.first_break(first, changed) == i + 1
        changed[i] = dataclasses.replace(entry, kind=Kind.ALERT)
        assert chain.first_break(first, changed) == i + 1
    assert chain.first_break(first, entries[1:]) == 2
    assert chain.first_break(first, [entries[0], *entries[2:]]) == 3
    assert chain.first_break(first, [entries[1], entries[0]]) == 2
    assert chain.first_break(bytes(32), entries) == 1


def test_an_erased_payload_leaves_the_chain_whole() -> None:
    first = chain.first_head("training", "van-07", EPOCH, Stream.VITALS)
    erased = [dataclasses.replace(entry, payload=None) for entry in make_entries(5)]
    assert chain.first_break(first, erased) is None


def test_the_same_payload_has_another_leaf_everywhere() -> None:
    """Else a visible head would be an oracle for guessing what was measured."""
    leaves = {
        chain.leaf(secret, epoch, stream, seq, b"120/80")
        for secret in (SECRET, bytes(32))
        for epoch in (EPOCH, bytes(8))
        for stream in Stream
        for seq in (1, 2, 256)
    }
    assert len(leaves) == 2 * 2 * 5 * 3
