"""The keys of the link as raw bytes: Ed25519 to sign, ML-KEM-768 with X25519 to open what is sealed.

A signing key is 32 bytes either way. A hybrid private key is the 64-byte ML-KEM seed and the 32-byte
X25519 scalar; a hybrid public key is the 1,184-byte ML-KEM key and the 32-byte X25519 point.
"""

import hashlib
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

KID_BYTES: Final = 8
SIGNATURE_BYTES: Final = 64
SIGN_PUBLIC_BYTES: Final = 32
_SEED_BYTES: Final = 64
_LATTICE_PUBLIC_BYTES: Final = 1184
SEAL_PUBLIC_BYTES: Final = _LATTICE_PUBLIC_BYTES + 32

HYBRID_SUITE: Final = (0x647A, 0x0001, 0x0003)
"""HPKE's own numbers: KEM ML-KEM-768 with X25519, KDF HKDF-SHA256, AEAD ChaCha20-Poly1305."""

_SUITE: Final = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


def kid(public: bytes) -> bytes:
    """The short name of a public key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:KID_BYTES]


def make_signing() -> bytes:
    """A new Ed25519 private key, 32 bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def signing_public(private: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def sign(private: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).sign(message)


def signature_fits(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def make_sealing() -> bytes:
    """A new hybrid private key, 96 bytes."""
    return MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw()


def sealing_public(private: bytes) -> bytes:
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:_SEED_BYTES])
    curve = X25519PrivateKey.from_private_bytes(private[_SEED_BYTES:])
    return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def seal_to(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """HPKE in base mode: encapsulated key (1,120 bytes), then ciphertext with its 16-byte tag."""
    return _SUITE.encrypt(plaintext, _hybrid_public(public), info)


def open_sealed(private: bytes, sealed: bytes, info: bytes) -> bytes | None:
    """The plaintext, or None when this key and this context do not open it."""
    hybrid = hpke.MLKEM768X25519PrivateKey(
        MLKEM768PrivateKey.from_seed_bytes(private[:_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(private[_SEED_BYTES:]),
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
