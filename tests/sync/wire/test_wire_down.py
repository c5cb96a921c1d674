"""What comes down: sealed to one unit, signed by a key of its use, nothing else is believed."""

import os
from typing import Any

import pytest

from edge import cbor
from edge.ports.down import DownRefused, DownWaits
from sync.boxend.down import BoxDownReader
from sync.wire import cose, down, keys, orders, padding, topics
from sync.wire.cose import Purpose
from sync.wire.down import DownContent, DownHeader
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Key, Keyset, Use

UNIT, EPOCH, MESSAGE = "van-07", bytes(range(8)), bytes(range(16))
RECV = keys.make_sealing()
PUBLIC = keys.sealing_public(RECV)
PRIVATE = {use: keys.make_signing() for use in (*down.USES, Use.LANDED, Use.RECORDS)}
KEYSET = Keyset(
    3, "training", (1,), tuple(Key(keys.signing_public(key), use) for use, key in PRIVATE.items())
)
READER = BoxDownReader(UNIT, KEYSET)
CONTENT = DownContent(MESSAGE, 1_800_000_000_000, "reply", down.payload_of("reply", ["Repos.", 7]))


def made(use: Use = Use.ADVICE, **changed: Any) -> bytes:  # noqa: ANN401  fields of the header, and of sealing
    header = DownHeader(
        changed.pop("unit", UNIT), EPOCH, changed.pop("said", use), 5, changed.pop("keyset", 3)
    )
    options: dict[str, Any] = {"recv_public": PUBLIC, "private": PRIVATE[use], "realm": "training"} | changed
    return down.seal(header, CONTENT, **options)


def code_of(raw: bytes, now_ms: int | None = None) -> str:
    with pytest.raises(DownRefused) as refused:
        READER.read(raw, RECV, now_ms)
    return refused.value.stable_code


@pytest.mark.parametrize("use", down.USES)
def test_what_was_sealed_for_a_unit_is_read_there(use: Use) -> None:
    raw = made(use)
    assert READER.claims(raw)
    read = READER.read(raw, RECV, None)
    assert (read.message, read.epoch, read.use, read.dseq) == (MESSAGE, EPOCH, use.value, 5)
    assert (read.kind, read.body, read.payload) == ("reply", ("Repos.", 7), CONTENT.payload)
    assert read.signer == keys.kid(keys.signing_public(PRIVATE[use]))


@pytest.mark.parametrize("use", down.USES)
@pytest.mark.parametrize("signer", list(PRIVATE))
def test_a_key_says_only_what_its_use_may_say(use: Use, signer: Use) -> None:
    raw = made(use, private=PRIVATE[signer])
    if use is signer:
        assert READER.read(raw, RECV, None).use == use.value
    else:
        assert code_of(raw) == "kid"


def test_it_is_for_one_unit_and_one_realm_only() -> None:
    assert code_of(made(unit="van-08")) == "unit"
    assert code_of(made(realm="production")) == "realm"
    assert code_of(made(recv_public=keys.sealing_public(keys.make_sealing()))) == "key"


def test_a_key_that_a_later_keyset_names_is_waited_for() -> None:
    with pytest.raises(DownWaits):
        READER.read(made(private=keys.make_signing(), keyset=4), RECV, None)
    assert code_of(made(private=keys.make_signing())) == "kid"
    assert code_of(made(private=PRIVATE[Use.LANDED])) == "kid"


def test_a_key_is_judged_by_a_time_that_is_known_or_not_at_all() -> None:
    spent = Key(keys.signing_public(PRIVATE[Use.ADVICE]), Use.ADVICE, 1000, 2000)
    reader = BoxDownReader(UNIT, Keyset(3, "training", (1,), (spent,)))
    assert reader.read(made(), RECV, None).dseq == 5
    assert reader.read(made(), RECV, 1500).dseq == 5
    for now_ms in (999, 2001):
        with pytest.raises(DownRefused):
            reader.read(made(), RECV, now_ms)


def test_no_flipped_bit_and_no_cut_is_believed() -> None:
    raw = made()
    for at in range(0, len(raw), 7):
        assert code_of(raw[:at] + bytes([raw[at] ^ 0x20]) + raw[at + 1 :])
    for end in range(0, len(raw), 11):
        assert code_of(raw[:end])


def test_what_is_inside_has_one_form() -> None:
    header = DownHeader(UNIT, EPOCH, Use.ADVICE, 5, 3)
    for plain in (b"", b"\x80", cbor.encode([MESSAGE, 1, b"\x80"]), cbor.encode([b"short", 1, b"\x81\x61a"])):
        protected = cose.protected_header(
            keys.kid(keys.signing_public(PRIVATE[Use.ADVICE])), [UNIT, EPOCH, "advice", 5, 3]
        )
        sealed = keys.seal_to(PUBLIC, padding.pad(plain), protected)
        raw = cose.sign(protected, sealed, PRIVATE[Use.ADVICE], Purpose.DOWN, "training")
        assert down.read_header(raw) == header
        assert code_of(raw) == "decode"


def test_orders_to_erase_are_no_such_message_and_it_is_no_order() -> None:
    pair = keys.make_signing(), keys.make_signing()
    order = orders.make([], UNIT, 1, recv_public=PUBLIC, privates=pair, realm="training")
    assert not READER.claims(order)
    assert code_of(order) == "form"
    with pytest.raises(EnvelopeRefused):
        orders.read(made(), KEYSET, UNIT, RECV)
    assert not READER.claims(os.urandom(100))


def test_what_is_too_large_is_not_made() -> None:
    largest = DownContent(MESSAGE, 1, "x", down.payload_of("x", [bytes(down.MAX_CONTENT_BYTES - 20)]))
    header = DownHeader(UNIT, EPOCH, Use.CONFIG, 1, 3)
    raw = down.seal(header, largest, recv_public=PUBLIC, private=PRIVATE[Use.CONFIG], realm="training")
    assert len(raw) <= cose.MAX_MESSAGE_BYTES
    with pytest.raises(EnvelopeRefused):
        down.payload_of("x", [bytes(down.MAX_CONTENT_BYTES)])


def test_every_message_has_a_topic_of_its_own() -> None:
    parsed = topics.parse(topics.down(UNIT, 12))
    assert parsed is not None
    assert (parsed.plane, parsed.word) == (topics.Plane.DOWN, "12")
    assert topics.parse(topics.down(UNIT) + "/0") is None
    assert topics.down_all(UNIT) == (topics.down(UNIT), topics.down(UNIT) + "/+")
