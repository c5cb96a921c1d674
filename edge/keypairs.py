"""Key pairs as raw bytes: Ed25519 to sign, ML-KEM-768 with X25519 to open what is sealed.

A signing key is 32 bytes either way. A hybrid private key is the 64-byte ML-KEM seed and the 32-byte
X25519 scalar; a hybrid public key is the 1,184-byte ML-KEM key and the 32-byte X25519 point.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

SEED_BYTES: Final = 64
"""Of a hybrid private key, the ML-KEM part; the rest is X25519's."""


def make_signing() -> bytes:
    """A new Ed25519 private key."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def signing_public(private: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def make_sealing() -> bytes:
    """A new hybrid private key."""
    return MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw()


def sealing_public(private: bytes) -> bytes:
    lattice = MLKEM768PrivateKey.from_seed_bytes(private[:SEED_BYTES])
    curve = X25519PrivateKey.from_private_bytes(private[SEED_BYTES:])
    return lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
