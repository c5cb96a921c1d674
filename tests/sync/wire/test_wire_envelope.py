"""Nothing but what the writer wrote, signed by this key, for this purpose, in this realm, is believed."""

import random
from collections.abc import Callable
from typing import Final, TypeAlias

import pytest

from edge import cbor
from edge.ports.sealing import ReceiptRefused
from sync.wire import batches, certificate, cose, enrolment, keys, keyset, receipts
from sync.wire.batches import Author
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from tests.sync.wire.wire_world import (
    AUTHOR,
    CENTRE_SEAL,
    EPOCH,
    KEYSET,
    KEYSET_RAW,
    LANDED,
    OPENED,
    OTHER_REALM,
    REALM,
    ROOT,
    ROOTS,
    SESSION_KEY,
    TIPS,
    UNIT,
    UNIT_PUBLIC,
    UNIT_SIGN,
    make_batch,
    make_receipt,
    sealing,
    signing,
)

Reader: TypeAlias = Callable[[bytes], object]
REFUSED: Final = (EnvelopeRefused, ReceiptRefused)

REQUEST = enrolment.make_request(
    UNIT, REALM, UNIT_SIGN, keys.sealing_public(sealing("unit")), 1_795_000_000_000
)
BUNDLE = enrolment.make_bundle(
    REQUEST, ROOTS, KEYSET_RAW, [enrolment.Broker("127.0.0.1", 1883, tls=False)], ROOT
)
CERTIFICATE = certificate.sign(
    certificate.Certificate(
        UNIT, REALM, 1_795_000_000_000, 1_826_000_000_000, bytes(8), (b"x" * 400,), (b"y",)
    ),
    ROOT,
)
KEY_MESSAGE, SESSION = batches.make_key_message(AUTHOR, TIPS, SESSION_KEY, [keys.sealing_public(CENTRE_SEAL)])


def read_batch(raw: bytes) -> object:
    return batches.open_batch(batches.verify(raw, UNIT_PUBLIC, REALM), SESSION_KEY)


def read_key_message(raw: bytes) -> object:
    return batches.open_key_message(batches.verify(raw, UNIT_PUBLIC, REALM, Purpose.KEY), CENTRE_SEAL)


def read_receipt(level: str) -> Reader:
    """Reads receipts of one level only, as the agent does."""

    def read(raw: bytes) -> object:
        receipt = receipts.verify(raw, KEYSET, UNIT)
        if receipt.level != level:
            raise ReceiptRefused("another level")
        return receipt

    return read


MESSAGES: Final[dict[str, tuple[bytes, Reader]]] = {
    "batch": (make_batch(), read_batch),
    "key message": (KEY_MESSAGE, read_key_message),
    "landed": (receipts.sign(make_receipt("landed"), LANDED, REALM), read_receipt("landed")),
    "opened": (receipts.sign(make_receipt("opened"), OPENED, REALM), read_receipt("opened")),
    "keyset": (KEYSET_RAW, lambda raw: keyset.read(raw, ROOTS, REALM)),
    "request": (REQUEST, enrolment.read_request),
    "bundle": (BUNDLE, lambda raw: enrolment.read_bundle(raw, REQUEST, ROOTS)),
    "certificate": (CERTIFICATE, lambda raw: certificate.read(raw, ROOTS, UNIT, REALM)),
    "first bundle": (BUNDLE, lambda raw: enrolment.read_bundle(raw, REQUEST)),
}
each_message = pytest.mark.parametrize(("raw", "read"), MESSAGES.values(), ids=MESSAGES)


def code_of(read: Reader, raw: bytes) -> str:
    with pytest.raises(REFUSED) as refused:
        read(raw)
    assert isinstance(refused.value, REFUSED)
    return refused.value.stable_code


@each_message
def test_each_is_read(raw: bytes, read: Reader) -> None:
    read(raw)
    assert raw[0] == 0x01
    assert len(raw) < cose.MAX_MESSAGE_BYTES


@each_message
def test_flipped_bits_are_refused(raw: bytes, read: Reader) -> None:
    """Every bit of the small ones, a prime's step through the large: ten thousand in all."""
    for at in range(0, 8 * len(raw), 1 if len(raw) < 500 else 11):
        _flip(raw, read, at)


@pytest.mark.fuzz
@each_message
def test_more_flipped_bits_are_refused(raw: bytes, read: Reader) -> None:
    for at in range(5, 8 * len(raw), 5):
        _flip(raw, read, at)


def _flip(raw: bytes, read: Reader, at: int) -> None:
    flipped = bytearray(raw)
    flipped[at >> 3] ^= 1 << (at & 7)
    with pytest.raises(REFUSED):
        read(bytes(flipped))


@each_message
def test_every_truncation_is_refused(raw: bytes, read: Reader) -> None:
    for end in range(0, len(raw), 1 if len(raw) < 500 else 3):
        with pytest.raises(REFUSED):
            read(raw[:end])


@each_message
def test_what_follows_is_refused(raw: bytes, read: Reader) -> None:
    for more in (b"\x00", raw):
        assert code_of(read, raw + more) == "form"


@each_message
def test_another_version_is_refused(raw: bytes, read: Reader) -> None:
    for version in (0, 2, 0x81, 0xFF):
        assert code_of(read, bytes([version]) + raw[1:]) == "version"


@each_message
def test_none_is_taken_for_another(raw: bytes, read: Reader) -> None:
    for other, _ in MESSAGES.values():
        if other != raw:
            with pytest.raises(REFUSED):
                read(other)


@each_message
def test_other_spellings_of_the_same_are_refused(raw: bytes, read: Reader) -> None:
    protected, unprotected, payload, signature = _parts(raw)
    assert unprotected == {}
    for junk in ({4: b"kid"}, {"note": 1}, {1: -8}):
        assert code_of(read, b"\x01" + cbor.encode([protected, junk, payload, signature])) == "form"
    assert code_of(read, b"\x01\xd2" + raw[1:]) == "form"  # COSE_Sign1's tag
    assert code_of(read, b"\x01\x98\x04" + raw[2:]) == "form"  # four items, counted in two bytes
    assert code_of(read, b"\x01\x9f" + raw[2:] + b"\xff") == "form"
    assert code_of(read, b"\x01" + cbor.encode([protected, {}, payload])) == "form"
    assert code_of(read, b"\x01" + cbor.encode([protected, {}, payload, signature, b""])) == "form"
    assert code_of(read, b"\x01" + cbor.encode([protected, {}, None, signature])) == "form"
    assert code_of(read, b"\x01" + cbor.encode([protected, {}, payload, signature[:63]])) == "form"


@each_message
def test_other_headers_are_refused_even_when_signed(raw: bytes, read: Reader) -> None:
    protected, _, payload, _ = _parts(raw)
    header = cbor.decode(protected)
    assert isinstance(header, dict)
    wrong = (
        {key: value for key, value in header.items() if key != 1},
        {key: value for key, value in header.items() if key != 4},
        {**header, 1: -7},
        {**header, 1: 5},
        {**header, 4: header[4] + b"\x00"},
        {**header, 2: [4]},
        {**header, 5: bytes(12)},
        {**header, -65538: 0},
    )
    for fields in wrong:
        forged = _sign_as_any(cbor.encode(fields), payload)
        assert all(code_of(read, one) == "form" for one in forged)
    scrambled = b"\xa2" + b"\x04\x48" + header[4] + b"\x01\x27"  # the same, in another order
    assert all(code_of(read, one) == "form" for one in _sign_as_any(scrambled, payload))


@pytest.mark.parametrize("name", ["batch", "key message", "landed", "opened", "keyset"])
def test_only_the_right_purpose_and_realm_are_believed(name: str) -> None:
    raw, read = MESSAGES[name]
    protected, _, payload, signature = _parts(raw)
    for private in (UNIT_SIGN, LANDED, OPENED, ROOT):
        for purpose in Purpose:
            for realm in (REALM, OTHER_REALM, "", "Training"):
                forged = cose.sign(protected, payload, private, purpose, realm)
                if _parts(forged)[3] == signature:
                    read(forged)  # its own
                else:
                    assert code_of(read, forged) in {"signature", "realm"}


def test_too_large_is_refused_before_it_is_read() -> None:
    for raw, read in MESSAGES.values():
        assert code_of(read, raw + bytes(cose.MAX_MESSAGE_BYTES)) == "too-large"


def test_the_other_realm_is_named() -> None:
    other = Author(UNIT, OTHER_REALM, EPOCH, UNIT_SIGN)
    assert code_of(read_batch, make_batch(other)) == "realm"


def test_another_key_is_named() -> None:
    assert code_of(read_batch, make_batch(Author(UNIT, REALM, EPOCH, signing("stranger")))) == "kid"


@pytest.mark.fuzz
def test_no_bytes_raise_anything_else() -> None:
    chance = random.Random(13)  # noqa: S311  the same inputs every time
    messages = list(MESSAGES.values())
    for _ in range(12_000):
        raw, read = chance.choice(messages)
        mutated = bytearray(raw)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(min(len(mutated), chance.choice((8, 40, 4096))))
            match chance.randrange(3):
                case 0:
                    mutated[at] = chance.randrange(256)
                case 1:
                    del mutated[at : at + chance.randrange(1, 4)]
                case _:
                    mutated[at:at] = chance.randbytes(chance.randrange(1, 4))
            mutated = mutated or bytearray(1)
        if bytes(mutated) != raw:
            with pytest.raises(REFUSED):
                read(bytes(mutated))


def _parts(raw: bytes) -> tuple[bytes, object, bytes, bytes]:
    parts = cbor.decode(raw[1:])
    assert isinstance(parts, list)
    protected, unprotected, payload, signature = parts
    assert isinstance(protected, bytes)
    assert isinstance(payload, bytes)
    assert isinstance(signature, bytes)
    return protected, unprotected, payload, signature


def _sign_as_any(protected: bytes, payload: bytes) -> list[bytes]:
    signers = (
        (UNIT_SIGN, Purpose.UP),
        (UNIT_SIGN, Purpose.KEY),
        (ROOT, Purpose.KEYSET),
        (LANDED, Purpose.RECEIPT_LANDED),
    )
    return [cose.sign(protected, payload, private, purpose, REALM) for private, purpose in signers]
