"""The box's end: the agent's port, on the keys of an enrolment."""

import dataclasses
import hashlib

import pytest

from edge import cbor
from edge.ports.sealing import BatchTooLarge
from edge.records.fields import Stream
from sync.boxend.sealer import PRIORITIES, BoxSealer
from sync.wire import batches, keys
from sync.wire.cose import MAX_MESSAGE_BYTES, Purpose
from sync.wire.errors import EnvelopeRefused, NoRecipient
from sync.wire.keyset import Key, Keyset, Use
from tests.sync.wire.wire_world import (
    CENTRE_SEAL,
    EPOCH,
    KEYSET,
    REALM,
    TIPS,
    UNIT,
    UNIT_PUBLIC,
    UNIT_SIGN,
    make_entries,
    sealing,
)


def make_sealer(keyset: Keyset = KEYSET, now_ms: int | None = None) -> BoxSealer:
    return BoxSealer(UNIT, REALM, EPOCH, UNIT_SIGN, keyset, now_ms=now_ms)


def test_what_the_box_seals_the_centre_opens() -> None:
    sealer = make_sealer()
    key_file = sealer.key_message(TIPS)
    batch = sealer.seal(make_entries(), TIPS)
    signed_key = batches.verify(key_file.content, UNIT_PUBLIC, REALM, Purpose.KEY)
    session_key = batches.open_key_message(signed_key, CENTRE_SEAL)
    signed = batches.verify(batch.content, UNIT_PUBLIC, REALM)
    assert signed.session_id == signed_key.session_id == sealer.session
    assert [entry.payload for entry in batches.open_batch(signed, session_key)] == [
        entry.payload for entry in make_entries()
    ]


def test_files_say_what_goes_first() -> None:
    sealer = make_sealer()
    key_file = sealer.key_message(TIPS)
    assert (key_file.priority, key_file.word, key_file.first, key_file.n) == (0, "key", 0, 0)
    batch = sealer.seal(make_entries()[1:4], TIPS)
    assert (batch.priority, batch.word, batch.first, batch.n) == (2, "vitals", 2, 3)
    assert sorted(PRIORITIES, key=PRIORITIES.__getitem__) == ["key", *(stream.word for stream in Stream)]


def test_the_key_message_is_made_once() -> None:
    sealer = make_sealer()
    assert sealer.key_message(TIPS) is sealer.key_message(dataclasses.replace(TIPS, audit_head=bytes(16)))


def test_the_key_message_comes_first() -> None:
    sealer = make_sealer()
    with pytest.raises(RuntimeError, match="first"):
        sealer.seal(make_entries(), TIPS)
    with pytest.raises(RuntimeError, match="first"):
        _ = sealer.session


def test_every_session_has_a_key_of_its_own() -> None:
    one, other = make_sealer(), make_sealer()
    one.key_message(TIPS)
    other.key_message(TIPS)
    assert one.session != other.session


def test_it_seals_to_every_valid_key_and_never_stops_for_an_expired_one() -> None:
    new, old = (Key(keys.sealing_public(sealing(name)), Use.SEAL_TO, *times) for name, times in (
        ("new", (2000, None)), ("old", (0, 1000)),
    ))  # fmt: skip
    keyset = dataclasses.replace(KEYSET, keys=(new, old))

    def openers(now_ms: int | None) -> set[str]:
        content = make_sealer(keyset, now_ms).key_message(TIPS).content
        signed = batches.verify(content, UNIT_PUBLIC, REALM, Purpose.KEY)
        return {name for name in ("new", "old") if _opens(signed, sealing(name))}

    assert openers(3000) == {"new"}
    assert openers(500) == {"old"}
    assert openers(None) == {"new", "old"}
    assert openers(1500) == {"new", "old"}, "better an expired key than none"


def test_without_a_key_to_seal_to_there_is_a_next_step() -> None:
    with pytest.raises(NoRecipient) as refused:
        make_sealer(dataclasses.replace(KEYSET, keys=())).key_message(TIPS)
    assert refused.value.next_step


def test_what_does_not_fit_is_refused() -> None:
    sealer = make_sealer()
    sealer.key_message(TIPS)
    entry = make_entries()[0]
    with pytest.raises(BatchTooLarge):
        sealer.seal([dataclasses.replace(entry, seq=seq) for seq in range(1, 4098)], TIPS)
    noise = hashlib.shake_256(b"noise").digest(MAX_MESSAGE_BYTES)
    large = dataclasses.replace(entry, payload=cbor.encode({96: noise}))
    with pytest.raises(BatchTooLarge):
        sealer.seal([large], TIPS)
    assert sealer.seal([entry], TIPS).n == 1


def _opens(signed: batches.SignedBatch, private: bytes) -> bool:
    try:
        batches.open_key_message(signed, private)
    except EnvelopeRefused:
        return False
    return True
