"""COSE_Sign1 and COSE_Encrypt0 (RFC 9052), untagged, in the one form used here.

Everything that matters stands in the protected header; the unprotected one is always empty. The
reader takes only what the writer would have written byte for byte: no tags, duplicate or unknown
header entries, floats, trailing bytes, no algorithm but Ed25519 (-8) and ChaCha20/Poly1305 (24).

A signed message is ``0x01 ‖ [protected, {}, payload, signature]``; the signature covers
``["Signature1", protected, external_aad, payload]`` with external_aad ``qafila/1/<purpose>/<realm>``.
"""

import dataclasses
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edge import cbor
from sync.wire import keys, shapes
from sync.wire.errors import EnvelopeRefused

VERSION: Final = 0x01
MAX_MESSAGE_BYTES: Final = 256 * 1024
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16

_ALGORITHM: Final = 1
_KID: Final = 4
_IV: Final = 5
_QAFILA: Final = -65537  # the first label that the COSE registry leaves to private use
_EDDSA: Final = -8
_CHACHA20_POLY1305: Final = 24

REALMS: Final = ("production", "training")


class Purpose(StrEnum):
    """What a signature is for; it stands in the signed context, so none can be taken for another."""

    UP = "up"
    KEY = "key"
    RECEIPT_LANDED = "receipt-landed"
    RECEIPT_OPENED = "receipt-opened"
    DOWN = "down"
    KEYSET = "keyset"
    REQUEST = "csr"
    BUNDLE = "bundle"
    CERTIFICATE = "certificate"
    RETIRE = "retire"
    VOID = "void"
    GRANT = "grant"


@dataclasses.dataclass(frozen=True, slots=True)
class Signed:
    """A signed message taken apart. Whether its signature fits is for `check` to say.

    Attributes:
        protected: the signed header's bytes.
        kid: which key claims to have signed.
        header: what stands under our own label, or None where a message has no such header.
    """

    protected: bytes
    kid: bytes
    header: cbor.Value
    payload: bytes
    signature: bytes


def protected_header(kid: bytes, header: cbor.Value = None) -> bytes:
    """The signed header's bytes, needed before the payload can be sealed under them."""
    fields: dict[int, cbor.Value] = {_ALGORITHM: _EDDSA, _KID: kid}
    if header is not None:
        fields[_QAFILA] = header
    return cbor.encode(fields)


def sign(protected: bytes, payload: bytes, private: bytes, purpose: Purpose, realm: str) -> bytes:
    """The whole message, version byte first."""
    signature = keys.sign(private, _to_sign(protected, payload, purpose, realm))
    return bytes([VERSION]) + cbor.encode([protected, {}, payload, signature])


def read(raw: bytes) -> Signed:
    """Take a signed message apart without believing it.

    Raises:
        EnvelopeRefused: too-large, version or form.
    """
    if len(raw) > MAX_MESSAGE_BYTES:
        raise EnvelopeRefused("too-large")
    if raw[:1] != bytes([VERSION]):
        raise EnvelopeRefused("version")
    protected, unprotected, payload, signature = shapes.items(_decode(raw[1:]), 4)
    if unprotected != {}:
        raise EnvelopeRefused("form")
    protected = shapes.octets(protected)
    fields = _header(protected, {_ALGORITHM, _KID}, {_QAFILA})
    if fields[_ALGORITHM] != _EDDSA:
        raise EnvelopeRefused("form")
    return Signed(
        protected,
        shapes.octets(fields[_KID], keys.KID_BYTES),
        fields.get(_QAFILA),
        shapes.octets(payload),
        shapes.octets(signature, keys.SIGNATURE_BYTES),
    )


def read_plain(raw: bytes) -> Signed:
    """As `read`, for a message that has no header of ours."""
    signed = read(raw)
    if signed.header is not None:
        raise EnvelopeRefused("form")
    return signed


def payload(signed: Signed) -> cbor.Value:
    """The payload of a message whose payload is plain CBOR."""
    return _decode(signed.payload)


def pick(signed: Signed, publics: Iterable[bytes]) -> bytes:
    """The public key that claims to have signed, among those that might.

    Raises:
        EnvelopeRefused: kid.
    """
    for public in publics:
        if keys.kid(public) == signed.kid:
            return public
    raise EnvelopeRefused("kid")


def check(signed: Signed, public: bytes, purpose: Purpose, realm: str) -> None:
    """Believe a message, or refuse it.

    Raises:
        EnvelopeRefused: kid, signature; realm when the signature would fit in the other realm.
    """
    if signed.kid != keys.kid(public):
        raise EnvelopeRefused("kid")
    message = _to_sign(signed.protected, signed.payload, purpose, realm)
    if keys.signature_fits(public, message, signed.signature):
        return
    for other in REALMS:
        message = _to_sign(signed.protected, signed.payload, purpose, other)
        if other != realm and keys.signature_fits(public, message, signed.signature):
            raise EnvelopeRefused("realm")
    raise EnvelopeRefused("signature")


def encrypt(plaintext: bytes, key: bytes, kid: bytes, nonce: bytes, external_aad: bytes) -> bytes:
    """A COSE_Encrypt0 under a key both sides know by ``kid``. A nonce serves once."""
    protected = cbor.encode({_ALGORITHM: _CHACHA20_POLY1305, _KID: kid, _IV: nonce})
    sealed = ChaCha20Poly1305(key).encrypt(nonce, plaintext, _to_encrypt(protected, external_aad))
    return cbor.encode([protected, {}, sealed])


def encrypted_kid(raw: bytes) -> bytes:
    """Which key a COSE_Encrypt0 asks for."""
    return _read_encrypted(raw)[0]


def decrypt(raw: bytes, key: bytes, external_aad: bytes) -> bytes:
    """Open a COSE_Encrypt0.

    Raises:
        EnvelopeRefused: form; key when this key, or this context, does not open it.
    """
    _, nonce, protected, sealed = _read_encrypted(raw)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, _to_encrypt(protected, external_aad))
    except (InvalidTag, ValueError):
        raise EnvelopeRefused("key") from None


def _read_encrypted(raw: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    protected, unprotected, sealed = shapes.items(_decode(raw), 3)
    if unprotected != {}:
        raise EnvelopeRefused("form")
    protected = shapes.octets(protected)
    fields = _header(protected, {_ALGORITHM, _KID, _IV}, set())
    if fields[_ALGORITHM] != _CHACHA20_POLY1305:
        raise EnvelopeRefused("form")
    kid = shapes.octets(fields[_KID], keys.KID_BYTES)
    return kid, shapes.octets(fields[_IV], NONCE_BYTES), protected, shapes.octets(sealed)


def _header(protected: bytes, needed: set[int], allowed: set[int]) -> dict[int, cbor.Value]:
    fields = _decode(protected)
    if not isinstance(fields, dict) or not needed <= set(fields) <= needed | allowed:
        raise EnvelopeRefused("form")
    return {shapes.integer(key, _QAFILA): value for key, value in fields.items()}


def _decode(raw: bytes) -> cbor.Value:
    try:
        return cbor.decode(raw)
    except cbor.MalformedCbor:
        raise EnvelopeRefused("form") from None


def _to_sign(protected: bytes, payload: bytes, purpose: Purpose, realm: str) -> bytes:
    context = f"qafila/1/{purpose}/{realm}".encode()
    return cbor.encode(["Signature1", protected, context, payload])


def _to_encrypt(protected: bytes, external_aad: bytes) -> bytes:
    return cbor.encode(["Encrypt0", protected, external_aad])
