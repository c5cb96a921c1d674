"""What a batch says and hides, and who can make or open one."""

import dataclasses
import hashlib
import itertools
from typing import Any

import pytest

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.records.fields import SCHEMA_VERSION, Field, Kind, Stream
from sync.wire import batches, cose, keys, sessions, squeeze
from sync.wire.batches import Author
from sync.wire.columns import Row
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused, NonceExhausted, NoRecipient
from sync.wire.sessions import SessionKey
from tests.sync.wire.wire_world import (
    AUTHOR,
    CENTRE_SEAL,
    EPOCH,
    REALM,
    SESSION_ID,
    SESSION_KEY,
    TIPS,
    UNIT,
    UNIT_PUBLIC,
    UNIT_SIGN,
    make_batch,
    make_entries,
    sealing,
    signing,
)

HEADER: list[Any] = [UNIT, EPOCH, 1, 1, 5, bytes(16), [1, 5, 1, 1, 2], bytes(16), SCHEMA_VERSION]


def code_of(refused: pytest.ExceptionInfo[EnvelopeRefused]) -> str:
    return refused.value.stable_code


def forge(
    header: object, inner: bytes = b"", purpose: Purpose = Purpose.UP, private: bytes = UNIT_SIGN
) -> bytes:
    """A message with a header of the test's choice, signed by the unit itself."""
    kid = keys.kid(keys.signing_public(private))
    fields: dict[int, Any] = {1: -8, 4: kid, -65537: header}
    protected = cbor.encode(fields)
    return cose.sign(protected, inner, private, purpose, REALM)


def test_entries_come_back_with_their_places() -> None:
    signed = batches.verify(make_batch(), UNIT_PUBLIC, REALM)
    entries = make_entries()
    assert [(wire.seq, wire.kind, wire.payload) for wire in batches.open_batch(signed, SESSION_KEY)] == [
        (entry.seq, entry.kind, entry.payload) for entry in entries
    ]
    assert signed.session_id == SESSION_ID
    assert signed.header == batches.read_header(make_batch())
    assert signed.header == batches.BatchHeader(
        UNIT, EPOCH, Stream.VITALS, 1, 5, entries[-1].head[:16], TIPS, SCHEMA_VERSION, keys.kid(UNIT_PUBLIC)
    )
    assert signed.header.last == 5


def test_the_head_is_what_the_entries_hash_to() -> None:
    signed = batches.verify(make_batch(), UNIT_PUBLIC, REALM)
    head = chain.first_head(REALM, UNIT, EPOCH, Stream.VITALS)
    secret = b""
    for entry in batches.open_batch(signed, SESSION_KEY):
        fields = cbor.decode(entry.payload)
        assert isinstance(fields, dict)
        secret = fields.get(Field.SALT, secret)
        leaf = chain.leaf(secret, EPOCH, Stream.VITALS, entry.seq, entry.payload)
        head = chain.next_head(head, Stream.VITALS, entry.seq, entry.kind, leaf)
    assert head[:16] == signed.header.head


def test_any_dense_range_may_be_sealed_again() -> None:
    entries = make_entries()
    session = SessionKey(SESSION_KEY, SESSION_ID)
    for first, last in itertools.combinations(range(6), 2):
        raw = batches.seal_batch(AUTHOR, entries[first:last], TIPS, session)
        signed = batches.verify(raw, UNIT_PUBLIC, REALM)
        assert (signed.header.first, signed.header.n) == (first + 1, last - first)
        opened = batches.open_batch(signed, SESSION_KEY)
        assert [entry.payload for entry in opened] == [entry.payload for entry in entries[first:last]]


@pytest.mark.parametrize("entries", [[], [make_entries()[i] for i in (0, 2)], make_entries()[::-1]])
def test_what_is_no_dense_range_is_the_caller_s_mistake(entries: list[Entry]) -> None:
    with pytest.raises((AssertionError, IndexError)):
        batches.seal_batch(AUTHOR, entries, TIPS, SessionKey(SESSION_KEY, SESSION_ID))


def test_no_plaintext_is_visible() -> None:
    raw = make_batch()
    for entry in make_entries():
        fields = cbor.decode(entry.payload or b"")
        assert isinstance(fields, dict)
        for value in fields.values():
            if isinstance(value, str) and len(value) > 3 and value != UNIT:
                assert value.encode() not in raw
            if isinstance(value, bytes):
                assert value not in raw
        assert entry.leaf not in raw
        assert entry.head not in raw


def test_sizes_tell_little() -> None:
    def size(name: str) -> int:
        entry = dataclasses.replace(make_entries()[1], payload=cbor.encode({31: name}))
        return len(batches.seal_batch(AUTHOR, [entry], TIPS, SessionKey(SESSION_KEY, SESSION_ID)))

    assert len({size("a" * n) for n in range(1, 40)}) <= 12


def test_a_signature_stripped_and_made_again_by_another_unit_does_not_open() -> None:
    """Else a stolen unit could claim another's patients as its own."""
    other = Author("van-08", REALM, EPOCH, signing("other unit"))
    inner = batches.verify(make_batch(), UNIT_PUBLIC, REALM).inner
    header = [other.unit, *HEADER[1:]]
    stolen = forge(header, inner, private=other.sign_private)
    signed = batches.verify(stolen, keys.signing_public(other.sign_private), REALM)
    with pytest.raises(EnvelopeRefused) as refused:
        batches.open_batch(signed, SESSION_KEY)
    assert code_of(refused) == "key"


@pytest.mark.parametrize("at", range(8))  # of the schema there is one so far
def test_a_sealed_batch_opens_under_its_own_header_only(at: int) -> None:
    """Even the unit itself cannot put another header on it."""
    original = batches.verify(make_batch(), UNIT_PUBLIC, REALM)
    header = cbor.decode(original.protected)
    assert isinstance(header, dict)
    fields = list(header[-65537])
    other = ["van-08", bytes(8), 2, 2, 6, bytes(16), [9, 9, 9, 9, 9], bytes(16)]
    changed = [*fields[:at], other[at], *fields[at + 1 :]]
    signed = batches.verify(forge(changed, original.inner), UNIT_PUBLIC, REALM)
    with pytest.raises(EnvelopeRefused) as refused:
        batches.open_batch(signed, SESSION_KEY)
    assert code_of(refused) == "key"


def test_a_key_message_taken_by_another_unit_does_not_open() -> None:
    raw, _ = batches.make_key_message(AUTHOR, TIPS, SESSION_KEY, [keys.sealing_public(CENTRE_SEAL)])
    inner = batches.verify(raw, UNIT_PUBLIC, REALM, Purpose.KEY).inner
    other = signing("other unit")
    header = ["van-08", EPOCH, None, None, None, None, *HEADER[6:]]
    signed = batches.verify(
        forge(header, inner, Purpose.KEY, other), keys.signing_public(other), REALM, Purpose.KEY
    )
    with pytest.raises(EnvelopeRefused) as refused:
        batches.open_key_message(signed, CENTRE_SEAL)
    assert code_of(refused) == "key"


def test_each_recipient_opens_the_session_and_nobody_else() -> None:
    recipients = [sealing("ministry"), CENTRE_SEAL]
    raw, session = batches.make_key_message(
        AUTHOR, TIPS, SESSION_KEY, list(map(keys.sealing_public, recipients))
    )
    signed = batches.verify(raw, UNIT_PUBLIC, REALM, Purpose.KEY)
    assert signed.session_id == session == hashlib.sha256(signed.inner).digest()[:8]
    assert {batches.open_key_message(signed, private) for private in recipients} == {SESSION_KEY}
    with pytest.raises(EnvelopeRefused) as refused:
        batches.open_key_message(signed, sealing("stranger"))
    assert code_of(refused) == "key"
    assert SESSION_KEY not in raw


def test_without_a_recipient_nothing_is_sealed() -> None:
    with pytest.raises(NoRecipient):
        batches.make_key_message(AUTHOR, TIPS, SESSION_KEY, [])


def test_a_batch_is_no_key_message_and_the_other_way_round() -> None:
    key_header = [UNIT, EPOCH, None, None, None, None, *HEADER[6:]]
    for header, purpose in ((HEADER, Purpose.KEY), (key_header, Purpose.UP)):
        with pytest.raises(EnvelopeRefused) as refused:
            batches.verify(forge(header, b"", purpose), UNIT_PUBLIC, REALM, purpose)
        assert code_of(refused) == "form"


@pytest.mark.parametrize(
    ("at", "values"),
    [
        (0, [None, "", "V", "van 07", "van-07\n", "Van-07", "v" * 32, 7, b"van-07"]),
        (1, [None, b"", bytes(7), bytes(9), "e0e1e2e3"]),
        (2, [None, -1, 5, True, "vitals", b"\x01"]),
        (3, [None, 0, -1, 2**63, 2**63 - 4, True, "1"]),
        (4, [None, 0, -1, 4097, True, 2**40]),
        (5, [None, b"", bytes(15), bytes(17), bytes(32), 0]),
        (
            6,
            [
                None,
                [],
                [1, 2, 3, 4],
                [1, 2, 3, 4, 5, 6],
                [1, 2, 3, 4, -1],
                [1, 2, 3, 4, 2**63],
                {0: 1},
                [None] * 5,
            ],
        ),
        (7, [None, b"", bytes(32)]),
        (8, [None, 0, -1, True, "1"]),
    ],
)
def test_a_header_out_of_bounds_is_refused(at: int, values: list[object]) -> None:
    for value in values:
        header = [*HEADER[:at], value, *HEADER[at + 1 :]]
        with pytest.raises(EnvelopeRefused) as refused:
            pytest.fail(f"{value!r} was read as {batches.read_header(forge(header))}")
        assert code_of(refused) == "form"


@pytest.mark.parametrize("header", [None, [], HEADER[:8], [*HEADER, 0], {0: UNIT}, "header", 1])
def test_a_header_of_another_shape_is_refused(header: object) -> None:
    with pytest.raises(EnvelopeRefused) as refused:
        batches.read_header(forge(header))
    assert code_of(refused) == "form"


def test_the_bounds_themselves_are_taken() -> None:
    for first, n in ((1, 4096), (2**63 - 1, 1), (2**63 - 4096, 4096)):
        header = [*HEADER[:3], first, n, *HEADER[5:]]
        read = batches.read_header(forge(header))
        assert (read.first, read.n) == (first, n)


def test_an_unknown_schema_is_kept_sealed_and_not_opened() -> None:
    """A newer box may come before a newer centre: what it signed is landed, and waits."""
    signed = batches.verify(forge([*HEADER[:8], 3], _inner()), UNIT_PUBLIC, REALM)
    assert signed.header.schema == 3
    with pytest.raises(EnvelopeRefused) as refused:
        batches.open_batch(signed, SESSION_KEY)
    assert code_of(refused) == "schema"


def test_fewer_entries_than_promised_are_refused() -> None:
    protected = cbor.encode({1: -8, 4: keys.kid(UNIT_PUBLIC), -65537: HEADER})
    packed = squeeze.pack([Row(Kind.OBSERVATION, cbor.encode({}))] * 4)
    inner = cose.encrypt(packed, SESSION_KEY, SESSION_ID, bytes(12), protected)
    signed = batches.verify(cose.sign(protected, inner, UNIT_SIGN, Purpose.UP, REALM), UNIT_PUBLIC, REALM)
    with pytest.raises(EnvelopeRefused) as refused:
        batches.open_batch(signed, SESSION_KEY)
    assert code_of(refused) == "decode"


def test_another_session_key_does_not_open() -> None:
    signed = batches.verify(make_batch(), UNIT_PUBLIC, REALM)
    for key in (bytes(32), SESSION_KEY[:31], b""):
        with pytest.raises(EnvelopeRefused) as refused:
            batches.open_batch(signed, key)
        assert code_of(refused) == "key"


def test_no_nonce_serves_twice() -> None:
    session = SessionKey(SESSION_KEY, SESSION_ID)
    nonces = [session.next_nonce() for _ in range(1000)]
    assert nonces == [n.to_bytes(12, "big") for n in range(1000)]


def test_a_session_ends_instead_of_beginning_again() -> None:
    session = SessionKey(SESSION_KEY, SESSION_ID)
    session._counter = itertools.count(2**96 - 1)
    assert session.next_nonce() == b"\xff" * 12
    for _ in range(3):
        with pytest.raises(NonceExhausted):
            session.next_nonce()


def test_two_batches_never_share_a_nonce() -> None:
    session = SessionKey(SESSION_KEY, SESSION_ID)
    one, other = (batches.seal_batch(AUTHOR, make_entries(), TIPS, session) for _ in range(2))
    assert one != other
    inners = [cbor.decode(batches.verify(raw, UNIT_PUBLIC, REALM).inner) for raw in (one, other)]
    ivs = [
        cbor.decode(inner[0]) for inner in inners if isinstance(inner, list) and isinstance(inner[0], bytes)
    ]
    assert ivs[0] != ivs[1]


def test_session_keys_are_drawn_afresh() -> None:
    assert len({sessions.make_key() for _ in range(100)}) == 100


def _inner() -> bytes:
    return batches.verify(make_batch(), UNIT_PUBLIC, REALM).inner
