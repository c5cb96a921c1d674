"""UUIDv7 (RFC 9562 section 5.7) from a time and randomness that are handed in."""

import uuid
from typing import Final

RANDOM_BYTES: Final = 10


def uuid7(wall_ms: int, random: bytes) -> uuid.UUID:
    """A UUIDv7 of this millisecond; ``random`` is `RANDOM_BYTES` fresh random bytes."""
    assert len(random) == RANDOM_BYTES  # noqa: S101  the caller is ours
    tail = int.from_bytes(random)
    version_and_a = 0x7000 | (tail >> 64 & 0x0FFF)
    variant_and_b = 0x8000_0000_0000_0000 | (tail & 0x3FFF_FFFF_FFFF_FFFF)
    return uuid.UUID(int=(wall_ms & 0xFFFF_FFFF_FFFF) << 80 | version_and_a << 64 | variant_and_b)
