"""The unit's own keys: made with the store, kept inside it, never anywhere else."""

import dataclasses
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

MLKEM_SEED_BYTES: Final = 64
X25519_BYTES: Final = 32
RECEIVE_PRIVATE_BYTES: Final = MLKEM_SEED_BYTES + X25519_BYTES


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """Private keys as raw bytes.

    Attributes:
        sign_private: Ed25519, 32 bytes; signs every batch.
        recv_private: ML-KEM-768 seed (64 bytes) then X25519 (32 bytes); opens what comes down.
    """

    sign_private: bytes = dataclasses.field(repr=False)
    recv_private: bytes = dataclasses.field(repr=False)

    @property
    def sign_public(self) -> bytes:
        """Ed25519, 32 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.sign_private).public_key().public_bytes_raw()

    @property
    def recv_public(self) -> bytes:
        """ML-KEM-768 (1,184 bytes) then X25519 (32 bytes)."""
        post_quantum = MLKEM768PrivateKey.from_seed_bytes(self.recv_private[:MLKEM_SEED_BYTES])
        classical = X25519PrivateKey.from_private_bytes(self.recv_private[MLKEM_SEED_BYTES:])
        return post_quantum.public_key().public_bytes_raw() + classical.public_key().public_bytes_raw()


def make_identity() -> Identity:
    """Fresh keys."""
    return Identity(
        sign_private=Ed25519PrivateKey.generate().private_bytes_raw(),
        recv_private=MLKEM768PrivateKey.generate().private_bytes_raw()
        + X25519PrivateKey.generate().private_bytes_raw(),
    )
