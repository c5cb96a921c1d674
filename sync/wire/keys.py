"""The keys of the link at work: signing, checking, sealing, opening; their bytes as in `edge.keypairs`."""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from edge.keypairs import SEED_BYTES, make_sealing, make_signing, sealing_public, signing_public

__all__ = [
    "HYBRID_SUITE",
    "KID_BYTES",
    "SEAL_PUBLIC_BYTES",
    "SIGNATURE_BYTES",
    "SIGN_PUBLIC_BYTES",
    "kid",
    "make_sealing",
    "make_signing",
    "open_sealed",
    "seal_to",
    "sealing_public",
    "sign",
    "signature_fits",
    "signing_public",
]

KID_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
SIGN_PUBLIC_BYTES: Final = 32
_LATTICE_PUBLIC_BYTES: Final = 1184
SEAL_PUBLIC_BYTES: Final = _LATTICE_PUBLIC_BYTES + 32

HYBRID_SUITE: Final = (0x647A, 0x0001, 0x0003)
"""HPKE's own numbers: KEM ML-KEM-768 with X25519, KDF HKDF-SHA256, AEAD ChaCha20-Poly1305."""

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def kid(public: bytes) -> bytes:
    """The short name of a public key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:KID_BYTES]


def sign(private: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def signature_fits(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def seal_to(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """HPKE in base mode: encapsulated key (1,120 bytes), then ciphertext with its 16-byte tag."""
    return _SUITE.encrypt(plaintext, _hybrid_public(public), info)


def open_sealed(private: bytes, sealed: bytes, info: bytes) -> bytes | None:
    """The plaintext, or None when this key and this context do not open it."""
    hybrid = hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(private[:SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(private[SEED_BYTES:]),
    )
    try:
        return _SUITE.decrypt(sealed, hybrid, info)
    except (InvalidTag, ValueError, UnsupportedAlgorithm):
        return None


def _hybrid_public(public: bytes) -> hpke.MLKEM768X25519PublicKey:
    return hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:_LATTICE_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(public[_LATTICE_PUBLIC_BYTES:]),
    )
