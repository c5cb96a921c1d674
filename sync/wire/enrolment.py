"""Enrolment by files: a unit's request goes up, the centre's bundle comes down.

The request is signed by the key it presents, which proves possession. The bundle is signed by a root
and names the request it answers; a box that has no roots pinned yet believes the file it was handed,
which is why a technician compares fingerprints, and believes only these roots from then on.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Final

from edge import cbor
from sync.wire import certificate, cose, keys, keyset, shapes
from sync.wire.certificate import MOST_REQUEST_BYTES, Certificate
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset

FINGERPRINT_BYTES: Final = 16
WORDS: Final = 6
_CONSONANTS: Final = "bdfghjklmnprstvz"
_VOWELS: Final = "aiou"
MAX_BROKERS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """What a unit says of itself; public keys only.

    Attributes:
        tls: what it wants a TLS certificate for, a PKCS #10 request in DER; empty from a unit that was made
            before units asked for one.
    """

    unit: str
    realm: str
    sign_public: bytes
    recv_public: bytes
    made_ms: int
    tls: bytes = b""


@dataclasses.dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker listens."""

    host: str
    port: int
    tls: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Bundle:
    """What the centre answers.

    Attributes:
        roots: the centre's two root public keys, one of them cold.
        keyset_raw: the keyset as signed; `keyset` is what it says.
        fingerprint: of the request that is answered.
        certificate_raw: the right to connect as signed, or empty; `certificate` is what it says.
    """

    unit: str
    realm: str
    roots: tuple[bytes, ...]
    keyset_raw: bytes
    keyset: Keyset
    brokers: tuple[Broker, ...]
    fingerprint: str
    certificate_raw: bytes = b""
    certificate: Certificate | None = None


def make_request(
    unit: str, realm: str, sign_private: bytes, recv_public: bytes, made_ms: int, tls: bytes = b""
) -> bytes:
    sign_public = keys.signing_public(sign_private)
    payload = cbor.encode([unit, realm, sign_public, recv_public, made_ms, *([tls] if tls else [])])
    protected = cose.protected_header(keys.kid(sign_public))
    return cose.sign(protected, payload, sign_private, Purpose.REQUEST, realm)


def read_request(raw: bytes) -> EnrolmentRequest:
    """Check that whoever made the request holds the key it presents.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature or realm.
    """
    signed = cose.read_plain(raw)
    said = shapes.items(cose.payload(signed), most=6)
    unit, realm, sign_public, recv_public, made_ms = shapes.items(said[:5], 5)
    tls = shapes.octets(said[5]) if len(said) > 5 else b""
    if len(said) > 5 and not 1 <= len(tls) <= MOST_REQUEST_BYTES:
        raise EnvelopeRefused("form")
    request = EnrolmentRequest(
        shapes.unit(unit),
        _realm(realm),
        shapes.octets(sign_public, keys.SIGN_PUBLIC_BYTES),
        shapes.octets(recv_public, keys.SEAL_PUBLIC_BYTES),
        shapes.integer(made_ms),
        tls,
    )
    cose.check(signed, request.sign_public, Purpose.REQUEST, request.realm)
    return request


def fingerprint(request_raw: bytes) -> str:
    """What two people compare by telephone: 32 hexadecimal digits of the request's SHA-256."""
    return hashlib.sha256(request_raw).digest()[:FINGERPRINT_BYTES].hex()


def fingerprint_words(request_raw: bytes) -> str:
    """The same to be read out: six words of five letters, the first 96 bits of it."""
    return _words(hashlib.sha256(request_raw).digest())


def roots_words(roots: Sequence[bytes]) -> str:
    """A centre's roots to be read out: six words, the first 96 bits of the SHA-256 over both."""
    return _words(hashlib.sha256(b"".join(roots)).digest())


def _words(digest: bytes) -> str:
    """Two bytes a word: consonant, vowel, consonant, vowel, consonant; in any language it is said as written.

    Source: D. S. Wilkerson, "A proposal for proquints", arXiv:0901.4016.
    """
    return " ".join(_word(int.from_bytes(digest[at : at + 2])) for at in range(0, 2 * WORDS, 2))


def _word(number: int) -> str:
    letters = [
        (_CONSONANTS, 12, 15),
        (_VOWELS, 10, 3),
        (_CONSONANTS, 6, 15),
        (_VOWELS, 4, 3),
        (_CONSONANTS, 0, 15),
    ]
    return "".join(from_[number >> shift & mask] for from_, shift, mask in letters)


def make_bundle(
    request_raw: bytes,
    roots: Sequence[bytes],
    keyset_raw: bytes,
    brokers: Sequence[Broker],
    root_private: bytes,
    certificate_raw: bytes = b"",
) -> bytes:
    """Answer a request; ``certificate_raw``, the unit's right to connect, is empty where it asked for none.

    Raises:
        EnvelopeRefused: the request is not to be believed.
    """
    request = read_request(request_raw)
    payload = cbor.encode(
        [
            request.unit,
            request.realm,
            list(roots),
            keyset_raw,
            [[broker.host, broker.port, broker.tls] for broker in brokers],
            bytes.fromhex(fingerprint(request_raw)),
            *([certificate_raw] if certificate_raw else []),
        ]
    )
    protected = cose.protected_header(keys.kid(keys.signing_public(root_private)))
    return cose.sign(protected, payload, root_private, Purpose.BUNDLE, request.realm)


def read_bundle(raw: bytes, request_raw: bytes, pinned: Sequence[bytes] = ()) -> Bundle:
    """Check the answer to a request.

    Args:
        raw: the bundle as it came.
        request_raw: the request this box made; the bundle has to name it, its unit and its realm.
        pinned: the roots this box believes already; none at the first enrolment.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature, realm, unit.
    """
    request = read_request(request_raw)
    signed = cose.read_plain(raw)
    said = shapes.items(cose.payload(signed), most=7)
    unit, realm, roots, keyset_raw, brokers, answered = shapes.items(said[:6], 6)
    stated = tuple(shapes.octets(root, keys.SIGN_PUBLIC_BYTES) for root in shapes.items(roots, 2))
    cose.check(signed, cose.pick(signed, pinned or stated), Purpose.BUNDLE, request.realm)
    if _realm(realm) != request.realm:
        raise EnvelopeRefused("realm")
    if shapes.unit(unit) != request.unit:
        raise EnvelopeRefused("unit")
    named = shapes.octets(answered, FINGERPRINT_BYTES).hex()
    if named != fingerprint(request_raw):
        raise EnvelopeRefused("unit")
    raw_keyset = shapes.octets(keyset_raw)
    raw_certificate = shapes.octets(said[6]) if len(said) > 6 else b""
    return Bundle(
        request.unit,
        request.realm,
        stated,
        raw_keyset,
        keyset.read(raw_keyset, stated, request.realm),
        tuple(_decode_broker(broker) for broker in shapes.items(brokers, most=MAX_BROKERS)),
        named,
        raw_certificate,
        certificate.read(raw_certificate, stated, request.unit, request.realm) if len(said) > 6 else None,
    )


def _decode_broker(value: cbor.Value) -> Broker:
    host, port, tls = shapes.items(value, 3)
    return Broker(shapes.text(host), shapes.integer(port, 1, 65535), shapes.flag(tls))


def _realm(value: cbor.Value) -> str:
    if value not in cose.REALMS:
        raise EnvelopeRefused("form")
    return shapes.text(value)
