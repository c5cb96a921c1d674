"""The unit's own keys: made with the store, kept inside it, never anywhere else."""

import dataclasses

from edge import keypairs


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
        return keypairs.signing_public(self.sign_private)

    @property
    def recv_public(self) -> bytes:
        """ML-KEM-768 (1,184 bytes) then X25519 (32 bytes)."""
        return keypairs.sealing_public(self.recv_private)


def make_identity() -> Identity:
    """Fresh keys."""
    return Identity(sign_private=keypairs.make_signing(), recv_private=keypairs.make_sealing())
