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
from sync.wire import cose, keys, keyset, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset

FINGERPRINT_BYTES: Final = 16
MAX_BROKERS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class EnrolmentRequest:
    """What a unit says of itself; public keys only."""

    unit: str
    realm: str
    sign_public: bytes
    recv_public: bytes
    made_ms: int


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
    """

    unit: str
    realm: str
    roots: tuple[bytes, ...]
    keyset_raw: bytes
    keyset: Keyset
    brokers: tuple[Broker, ...]
    fingerprint: str


def make_request(unit: str, realm: str, sign_private: bytes, recv_public: bytes, made_ms: int) -> bytes:
    sign_public = keys.signing_public(sign_private)
    payload = cbor.encode([unit, realm, sign_public, recv_public, made_ms])
    protected = cose.protected_header(keys.kid(sign_public))
    return cose.sign(protected, payload, sign_private, Purpose.REQUEST, realm)


def read_request(raw: bytes) -> EnrolmentRequest:
    """Check that whoever made the request holds the key it presents.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature or realm.
    """
    signed = cose.read_plain(raw)
    unit, realm, sign_public, recv_public, made_ms = shapes.items(cose.payload(signed), 5)
    request = EnrolmentRequest(
        shapes.unit(unit),
        _realm(realm),
        shapes.octets(sign_public, keys.SIGN_PUBLIC_BYTES),
        shapes.octets(recv_public, keys.SEAL_PUBLIC_BYTES),
        shapes.integer(made_ms),
    )
    cose.check(signed, request.sign_public, Purpose.REQUEST, request.realm)
    return request


def fingerprint(request_raw: bytes) -> str:
    """What two people compare by telephone: 32 hexadecimal digits of the request's SHA-256."""
    return hashlib.sha256(request_raw).digest()[:FINGERPRINT_BYTES].hex()


def make_bundle(
    request_raw: bytes,
    roots: Sequence[bytes],
    keyset_raw: bytes,
    brokers: Sequence[Broker],
    root_private: bytes,
) -> bytes:
    """Answer a request.

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
    unit, realm, roots, keyset_raw, brokers, answered = shapes.items(cose.payload(signed), 6)
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
    return Bundle(
        request.unit,
        request.realm,
        stated,
        raw_keyset,
        keyset.read(raw_keyset, stated, request.realm),
        tuple(_decode_broker(broker) for broker in shapes.items(brokers, most=MAX_BROKERS)),
        named,
    )


def _decode_broker(value: cbor.Value) -> Broker:
    host, port, tls = shapes.items(value, 3)
    return Broker(shapes.text(host), shapes.integer(port, 1, 65535), shapes.flag(tls))


def _realm(value: cbor.Value) -> str:
    if value not in cose.REALMS:
        raise EnvelopeRefused("form")
    return shapes.text(value)
